"""The operating point that was kept with a run goes into its exports: into the card, the model card and the example."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.inference.labelled import snapshot_of
from workbench.core.detections import Candidates
from workbench.core.project import FormerName
from workbench.core.tiling import Tiling
from workbench.errors import WorkbenchError
from workbench.inference import exporters
from workbench.inference.evaluating import operating_point
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.events import ExportDone
from workbench.inference.exporters import Card, ExportSettings, result_code
from workbench.inference.exporting import export as exporting
from workbench.inference.exporting import graph, model_card
from workbench.inference.exporting.export import card_of
from workbench.inference.exporting.verification import Verification
from workbench.inference.predict import Predictor
from workbench.training.checkpoints.header import read_header

POINT = OperatingPoint(0.4, (("cat", 0.7), ("cow", 0.9), ("鳥", 0.1)), 0.5, "diou", 50, "best.safetensors")
CARD = Card("toy", ("cat", "Hündin", "鳥"), 100, "stretch", 0.4, 0.5, "diou", label_scores={"cat": 0.7, "鳥": 0.1})


@pytest.fixture
def run(checkpoint: Path, tmp_path: Path) -> Path:
    """The run's folder, with a point kept."""
    shutil.copy(checkpoint, tmp_path / "best.safetensors")
    operating_point.write(tmp_path, POINT)
    return tmp_path


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> list[Card]:
    """Those that an export would write, as nothing is written or verified: other tests see to that."""
    found: list[Card] = []
    monkeypatch.setattr(exporting, "_one", lambda _name, _member, work: found.append(work.source(False).card) or ())
    return found


def test_an_export_without_settings_is_that_of_the_point(run: Path, cards: list[Card]) -> None:
    list(exporting.export(run / "best.safetensors", run / "out", ["safetensors"]))
    assert json.loads(cards[0].to_json())["operating_point"] == {
        "confidence": 0.4, "confidence_of_labels": {"cat": 0.7, "鳥": 0.1}, "nms": "diou", "iou": 0.5, "most": 50,
    }  # fmt: skip


def test_the_card_says_in_which_tiles_the_network_learnt_to_see(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor.open(checkpoint, device="cpu")
    assert card_of(predictor, ExportSettings()).tiles == 0
    monkeypatch.setattr(predictor, "tiling", Tiling(640, 0.5))
    card = json.loads(card_of(predictor, ExportSettings()).to_json())
    assert (card["tiles"], card["tile_overlap"]) == (640, 0.5)


def test_a_run_that_was_renamed_goes_out_by_its_name_of_now(run: Path, cards: list[Card]) -> None:
    list(exporting.export(run / "best.safetensors", run / "out", ["safetensors"]))
    renamed = run / "renamed"
    renamed.mkdir()
    shutil.copy(run / "best.safetensors", renamed)
    (renamed / "events.jsonl").touch()  # a run, not a lone checkpoint
    list(exporting.export(renamed / "best.safetensors", renamed / "out", ["safetensors"]))
    assert [card.provenance["run"] for card in cards] == ["first", "renamed"]


def test_labels_that_were_renamed_since_go_out_by_their_names_of_now(run: Path, photographs: list[Path]) -> None:
    """In all that is written, with their own confidences; a checkpoint without its run is of who knows what project."""
    truth = snapshot_of(photographs[:1], [[]], ["Katze", "Hündin", "鳥"])
    truth = dataclasses.replace(truth, former_names=(FormerName("cat", "Katze"),))

    def exported(folder: Path) -> tuple[list[str], dict[str, float], list[str]]:
        events = list(exporting.export(run / "best.safetensors", folder, ["safetensors"], photographs[:1], None, truth))
        assert isinstance(events[-1], ExportDone)
        assert [one.format for one in events[-1].results] == ["safetensors"]
        told = json.loads((folder / "safetensors" / "model.json").read_text("utf-8"))
        labels = [label.name for label in read_header(folder / "safetensors" / "model.safetensors").labels]
        return told["labels"], told["operating_point"]["confidence_of_labels"], labels

    old, own, inside = exported(run / "lone")
    assert old == inside == ["cat", "Hündin", "鳥"]
    assert own == {"cat": 0.7, "鳥": 0.1}
    (run / "events.jsonl").touch()
    new, own, inside = exported(run / "out")
    assert new == inside == ["Katze", "Hündin", "鳥"]
    assert own == {"Katze": 0.7, "鳥": 0.1}
    assert (
        (run / "out" / "safetensors" / "MODEL_CARD.md").read_text("utf-8").startswith("# yolov4-tiny: Katze, Hündin,")
    )


def test_another_confidence_for_all_leaves_the_labels_their_own(predictor: Predictor) -> None:
    card = card_of(predictor, ExportSettings(score=0.6), POINT)
    assert (card.score, card.label_scores) == (0.6, {"cat": 0.7, "鳥": 0.1})
    assert "confidence_of_labels" not in card_of(predictor, ExportSettings()).to_json()


def test_a_point_of_another_checkpoint_is_not_taken_and_a_damaged_one_is_told(run: Path, cards: list[Card]) -> None:
    (run / "best.safetensors").rename(run / "last.safetensors")
    list(exporting.export(run / "last.safetensors", run / "out", ["safetensors"]))
    assert (cards[0].score, cards[0].label_scores) == (0.25, {})
    (run / operating_point.FILE).write_text("{", "utf-8")
    with pytest.raises(WorkbenchError, match="Keep the operating point again"):
        list(exporting.export(run / "last.safetensors", run / "again", ["safetensors"]))


def test_the_model_card_names_the_labels_with_their_own() -> None:
    verified = Verification("onnx", "model.onnx", "ab", (), {}, None, ())
    words = model_card.text(exporters.load_all().get("onnx")(), CARD, verified, None, None, None)
    assert "confidence 0.4 (labels with their own: cat 0.7; 鳥 0.1), NMS DIoU at an overlap of 0.5" in words


def printed(card: Card, found: tuple[np.ndarray, ...]) -> list[str]:
    """What the example's last lines print of `found`, in a picture of 100 x 100 pixels."""
    around = {
        "about": json.loads(card.to_json()), "found": found, "np": np, "cv2": cv2, "pad": 0, "scale": 1, "width": 100,
        "height": 100,
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(result_code(card), around)
    return [" ".join(line.split()[:2]) for line in out.getvalue().splitlines()]


def test_the_example_uses_the_confidence_of_each_label() -> None:
    # cats of 0.8 and 0.6, dogs of 0.5 and 0.3, a bird of 0.2
    boxes = np.array([(10 * k, 0, 10 * k + 8, 8) for k in range(5)], np.float32)
    scores, labels = np.array([0.8, 0.6, 0.5, 0.3, 0.2]), np.array([0, 0, 1, 1, 2])
    expected = POINT.detections(Candidates.of_arrays(boxes, scores, labels), CARD.labels)
    assert [CARD.labels[label] for label in expected.labels] == ["cat", "Hündin", "鳥"]
    assert printed(CARD, (boxes, scores, labels)) == ["cat 0.8", "Hündin 0.5", "鳥 0.2"]
    everyone = dataclasses.replace(CARD, label_scores={})
    assert printed(everyone, (boxes, scores, labels)) == ["cat 0.8", "cat 0.6", "Hündin 0.5"]


@pytest.mark.parametrize("kind", ["per label", "across labels", "diou"])
def test_nms_in_the_example_does_not_lose_a_label_whose_confidence_is_low(kind: str) -> None:
    boxes = np.array([(0, 0, 10, 10), (0, 0, 10, 9.5), (50, 0, 60, 10)], np.float32)
    scores = np.array([(0.8, 0, 0), (0.75, 0, 0), (0, 0, 0.2)])  # (N, C): a twin of the cat, and the bird
    card = dataclasses.replace(CARD, output="decoded", nms_kind=kind)
    assert printed(card, (boxes, scores)) == ["cat 0.8", "鳥 0.2"]


@pytest.mark.parametrize("output", ["detections", "decoded"])
def test_across_labels_what_is_below_its_own_confidence_removes_nothing(output: str) -> None:
    """A cat of 0.6, who needs 0.7, lies on a dog of 0.5, who needs 0.4: in the file as in the program the dog stays."""
    boxes = np.array([(0, 0, 10, 10), (0, 0, 10, 9.5)], np.float32)
    scores, labels = np.array([0.6, 0.5], np.float32), np.array([0, 1])
    card = dataclasses.replace(CARD, output=output, nms_kind="across labels")
    point = dataclasses.replace(POINT, kind="across labels")
    left = point.detections(Candidates.of_arrays(boxes, scores, labels), CARD.labels)
    assert (left.labels.tolist(), left.boxes.tolist()) == ([1], [[0, 0, 10, 9.5]])
    if output == "decoded":
        assert printed(card, (boxes, np.eye(3)[labels] * scores[:, None])) == ["Hündin 0.5"]
        return
    for batch in (1, 2):
        network = graph.build_graph(torch.nn.Identity(), dataclasses.replace(card, batch=batch))  # type: ignore[arg-type]
        assert isinstance(network, graph.EndToEnd)
        there, confidences, kinds = (torch.from_numpy(one)[None] for one in (boxes, scores, labels))
        found = tuple(one.numpy() for one in network.after_nms(there, confidences, kinds, 200))
        assert printed(dataclasses.replace(card, batch=batch), found) == ["Hündin 0.5"]
