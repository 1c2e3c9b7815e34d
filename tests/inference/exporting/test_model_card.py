"""The model card says what is known and no more; labels and names can't break its tables."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.core.detections import NmsKind
from workbench.core.project import FormerName, Image, Label, Snapshot, Split, State
from workbench.inference import exporters
from workbench.inference.evaluating import operating_point, saved_evaluation
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.events import Agreement
from workbench.inference.exporters import Card, ExportSettings
from workbench.inference.exporting import model_card
from workbench.inference.exporting.export import source_of
from workbench.inference.exporting.verification import Shape, Verification
from workbench.inference.predict import Predictor

FOUND = Agreement(40, 39, 0, 0.99, 0.001, 0.25)
VERIFIED = Verification(
    "onnx", "model.onnx", "ab", ("a.jpg", "b.jpg"), {"onnxruntime": "1.32"}, FOUND, (Shape(1, 160, 160, 2, FOUND),)
)
EVALUATION: dict[str, Any] = {
    "split": "validation", "images": 7, "boxes": 41, "ap": 0.5, "ap50": 0.75, "best_confidence": 0.4,
    "rules": {"score": 0.001, "iou": 0.6, "kind": "darknet diou", "limit": 300},
    "labels": [
        {"name": "cat", "ap": 0.61, "ap50": 0.9, "boxes": 40},
        {"name": "a|b", "ap": None, "ap50": None, "boxes": 1},
    ],
}  # fmt: skip


def snapshot() -> Snapshot:
    """Two images to train on with a cat and two a|b, one for validation with a cat."""
    splits = (Split.TRAIN, Split.TRAIN, Split.VALIDATION)
    images = tuple(Image(i, f"{i}.jpg", 10, 10, State.DONE, split) for i, split in enumerate(splits))
    return Snapshot(
        (Label(1, "cat"), Label(2, "a|b", position=1)), images, tuple(Path(f"/{i}.jpg") for i in range(3)),
        np.array([0, 2, 3, 4]), np.tile([1.0, 1, 5, 5], (4, 1)), np.array([0, 1, 1, 0]), np.zeros((4, 4), bool),
        np.arange(4),
    )  # fmt: skip


@pytest.fixture
def opened(checkpoint: Path) -> Predictor:
    return Predictor.open(checkpoint, device="cpu")


@pytest.fixture
def card(opened: Predictor) -> Card:
    return source_of(opened, ExportSettings(score=0.4, licence="CC-BY-4.0")).card


def made(card: Card, opened: Predictor, evaluation: dict[str, Any] | None = None, data: Snapshot | None = None) -> str:
    member = exporters.load_all().get("onnx")()
    return model_card.text(member, card, VERIFIED, opened.header, data, evaluation)


@pytest.mark.parametrize(("kind", "said"), [("soft", True), ("diou", False)])
def test_it_says_that_a_file_removes_what_soft_nms_only_lowers(
    kind: NmsKind, said: bool, opened: Predictor, card: Card
) -> None:
    member = exporters.load_all().get("onnx")()
    text = model_card.text(member, card, VERIFIED, opened.header, None, None, OperatingPoint(0.4, kind=kind))
    assert ("soft NMS, which files can't" in text) is said


def test_it_says_what_where_from_how_good_and_under_which_licence(opened: Predictor, card: Card) -> None:
    data = snapshot()
    text = made(dataclasses.replace(card, data=data.digest), opened, EVALUATION, data)
    assert "# yolov4-tiny: cat, Hündin, 鳥" in text
    assert "- Run: first" in text
    assert "- Date: 2026-11-20T10:00:00+0000" in text
    assert "- Images trained on: 40" in text
    assert f"- Snapshot of the data: {data.digest}" in text
    assert "Boxes per label:" in text
    assert "| cat | 1 | 1 | 0 |" in text
    assert "| a\\|b | 2 | 0 | 0 |" in text
    assert "| (images with labels) | 2 | 1 | 0 |" in text
    assert "On 7 images (validation) with 41 boxes: AP 0.500, AP50 0.750" in text
    assert "It was trained on" not in text
    assert "It was trained on 3 of them" in made(card, opened, {**EVALUATION, "images_trained_on": 3})
    assert "| cat | 0.610 | 0.900 | 40 |" in text
    assert "| a\\|b | - | - | 1 |" in text
    assert "Operating point: confidence 0.4, NMS Darknet DIoU at an overlap of 0.45" in text
    assert "On 2 real images, by onnxruntime 1.32: 39 of 40 detections" in text
    assert "Fewer than 30 boxes are behind the numbers of a\\|b: they are chance." in text
    assert "## Licence\n\nCC-BY-4.0" in text


def test_that_it_is_of_a_cross_validation_is_said(opened: Predictor, card: Card) -> None:
    assert "Cross-validation" not in made(card, opened)
    header = opened.header
    assert header is not None
    recipe = {"training": {"folds": 5, "fold": 2}}
    opened.header = dataclasses.replace(header, provenance={**header.provenance, "recipe": recipe})
    assert "- Cross-validation: fold 2 of 5 judged it, so it has learnt from the others alone\n" in made(card, opened)


def test_thousands_of_images_are_written_as_everywhere(opened: Predictor, card: Card) -> None:
    assert opened.header is not None
    header = dataclasses.replace(opened.header, provenance={**opened.header.provenance, "images": 40_000})
    member = exporters.load_all().get("onnx")()
    assert "- Images trained on: 40,000\n" in model_card.text(member, card, VERIFIED, header, None, None)


def test_images_of_no_split_are_counted_too(opened: Predictor, card: Card) -> None:
    data = snapshot()
    none = tuple(dataclasses.replace(image, split=Split.NONE) for image in data.images)
    text = made(card, opened, None, dataclasses.replace(data, images=(*data.images[:2], none[2])))
    assert "| label | train | validation | test | no split |" in text
    assert "| (images with labels) | 2 | 0 | 0 | 1 |" in text
    text = made(card, opened, None, dataclasses.replace(data, images=none))
    assert "| label | no split |" in text, "no column says that it was trained on nothing"
    assert "| (images with labels) | 3 |" in text


def test_what_is_not_known_is_said_to_be_unknown(opened: Predictor, card: Card) -> None:
    text = made(dataclasses.replace(card, licence=""), opened)
    assert "These weights were not evaluated" in text
    assert "Not stated" in text
    assert "Boxes per label" not in text


def test_data_that_has_changed_since_is_said_to_have(opened: Predictor, card: Card) -> None:
    assert "of the project now: it has changed since" in made(card, opened, None, snapshot())


def test_labels_that_were_renamed_after_the_evaluation_are_called_as_they_are_now(
    opened: Predictor, card: Card
) -> None:
    now = dataclasses.replace(snapshot(), former_names=(FormerName("a|b", "mouse"),))
    text = made(card, opened, EVALUATION, now)
    assert "| mouse | - | - | 1 |" in text
    assert "are behind the numbers of mouse" in text
    numbers = {"ap": 0.1, "ap50": 0.2}
    for labels in ([{"nam": "cat"}], None, [{"name": "cat", **numbers, "boxes": "many"}]):
        text = made(card, opened, {**EVALUATION, "labels": labels}, now)
        assert "The run's evaluation could not be read." in text
        assert "they are chance" not in text


def test_labels_that_swapped_names_after_the_evaluation_keep_their_numbers(opened: Predictor, card: Card) -> None:
    numbers = {"ap": 0.2, "ap50": 0.2, "boxes": 50}
    rows = [{"name": "a", "id": 1, **numbers}, {"name": "b", "id": 2, **numbers, "ap": 0.9}]
    now = dataclasses.replace(snapshot(), former_names=(FormerName("a", "b", 1), FormerName("b", "a", 2)))
    text = made(card, opened, {**EVALUATION, "labels": rows}, now)
    assert "| b | 0.200 |" in text
    assert "| a | 0.900 |" in text


def test_the_operating_point_that_was_kept_goes_before_the_best_confidence(tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps(EVALUATION), "utf-8")
    assert model_card.suggested_settings(tmp_path) == {
        "score": 0.4,
        "iou": 0.6,
        "nms_kind": "darknet diou",
        "limit": 300,
    }
    operating_point.write(tmp_path, OperatingPoint(0.3, iou=0.5, kind="diou", limit=100))
    assert model_card.suggested_settings(tmp_path) == {"score": 0.3, "iou": 0.5, "nms_kind": "diou", "limit": 100}
    operating_point.write(tmp_path, OperatingPoint(0.3, iou=1.0, kind="soft"))
    assert model_card.suggested_settings(tmp_path) == {"score": 0.3, "iou": 0.95, "limit": 300}


def test_an_evaluation_of_another_checkpoint_or_a_damaged_one_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "evaluation.json"
    assert saved_evaluation.read_evaluation(tmp_path) is None
    file.write_text(json.dumps({**EVALUATION, "checkpoint": "best.safetensors"}), "utf-8")
    point = saved_evaluation.best_point(tmp_path, "best.safetensors")
    assert point == OperatingPoint(0.4, iou=0.6, kind="darknet diou", limit=300)
    assert saved_evaluation.point_in_use(tmp_path, "best.safetensors") == point
    assert saved_evaluation.best_point(tmp_path, "last.safetensors") is None
    file.write_text(json.dumps({**EVALUATION, "split": "train"}), "utf-8")
    assert saved_evaluation.best_point(tmp_path) is None
    for text in (
        "[1",
        '{"best_confidence": "much"}',
        '{"best_confidence": 0.4}',
        '{"best_confidence": 0.4, "rules": 1}',
    ):
        file.write_text(text, "utf-8")
        assert saved_evaluation.best_point(tmp_path) is None
        assert model_card.suggested_settings(tmp_path) == {}


def test_that_it_was_trained_in_tiles_is_said(opened: Predictor, card: Card) -> None:
    assert "tiles" not in made(card, opened)
    text = made(dataclasses.replace(card, tiles=1024, tile_overlap=0.25), opened)
    assert "photographs larger than 1,024 px in tiles" in text
    assert "overlap by at least 25%" in text
    assert "`workbench predict` and the example do that by themselves." in text
    tiled = dataclasses.replace(card, tiles=1024)
    alone = model_card.text(exporters.load_all().get("safetensors")(), tiled, VERIFIED, opened.header, None, None)
    assert "`workbench predict` does that by itself." in alone


def test_what_is_black_and_what_is_white_in_images_of_more_than_8_bits_is_said(opened: Predictor, card: Card) -> None:
    assert "is black" not in made(card, opened)
    assert "200 is black and 4095 white" in made(dataclasses.replace(card, window=(200.0, 4095.0)), opened)


def test_that_ap_was_measured_in_tiles_is_said(opened: Predictor, card: Card) -> None:
    said = "Those larger than 1,024 px were seen in tiles, too"
    assert said not in made(card, opened, evaluation=EVALUATION)
    assert said in made(dataclasses.replace(card, tiles=1024), opened, evaluation=EVALUATION)
