"""The .cfg that lies beside exported .weights: read by the program's own cfg reader, it is the network again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.inference import small
from tests.plugins import cfgs
from workbench import detectors, plugins
from workbench.detectors.parts import darknet
from workbench.detectors.parts.detector import Detector
from workbench.inference import exporters
from workbench.inference.events import ExportDone
from workbench.inference.exporters import ExportSettings
from workbench.inference.exporting import darknet_cfg
from workbench.inference.exporting.export import card_of, export_predictor
from workbench.inference.predict import Predictor
from workbench.training import recipes

PX = 64


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    plugins.loaded()


def written(predictor: Predictor) -> str:
    return darknet_cfg.text(predictor.detector, card_of(predictor, ExportSettings()))


def read_back(cfg: Path, weights: Path) -> Detector:
    """As somebody else's cfg and weights are imported."""
    kind: Any = detectors.load_all().get("darknet-cfg").settings_class
    detector = detectors.build("darknet-cfg", kind(cfg=str(cfg), nms="as the cfg"), len(small.LABELS)).eval()
    darknet.read(detector, weights)
    return detector


def assert_same(predictor: Predictor, folder: Path) -> Detector:
    """Of the same images the same candidates, to the last digits of a sum."""
    (folder / "model.cfg").write_text(written(predictor), "utf-8")
    darknet.write(predictor.detector, folder / "model.weights")
    again = read_back(folder / "model.cfg", folder / "model.weights")
    images = torch.rand(2, 3, PX, PX, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, theirs = (one.candidates(one(images)) for one in (predictor.detector, again))
    assert ours.scores.max() > 1.05 * ours.scores.min()
    torch.testing.assert_close(theirs.scores, ours.scores, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(theirs.boxes, ours.boxes, rtol=1e-5, atol=1e-4)
    return again


@pytest.mark.parametrize("name", small.DARKNETS)
def test_the_cfg_of_a_detector_is_the_network_again(name: str, tmp_path: Path) -> None:
    predictor = small.predictor(name, PX)
    again = assert_same(predictor, tmp_path)
    assert again.published_nms == predictor.detector.published_nms
    torch.testing.assert_close(torch.tensor(again.anchors), torch.tensor(predictor.detector.anchors))
    assert again.remarks == ()


@pytest.mark.parametrize("name", small.DARKNETS)
def test_who_trains_on_with_the_cfg_has_the_published_loss(name: str, tmp_path: Path) -> None:
    """Weights of terms, bounds and smoothing; of [region] not the thresh, which other readers take for a score."""
    settings = (
        recipes.preset("published").with_detector(name).changed({"width": 0.05, "input_px": PX}).detector_settings
    )
    detector = detectors.build(name, settings, len(small.LABELS))
    predictor = small.lively(detector, PX)
    (tmp_path / "model.cfg").write_text(written(predictor), "utf-8")
    darknet.write(detector, tmp_path / "model.weights")
    ours, theirs = (
        vars_of(one.head) for one in (detector, read_back(tmp_path / "model.cfg", tmp_path / "model.weights"))
    )
    assert theirs == ours


def vars_of(head: Any) -> dict[str, Any]:
    """The rules that a cfg can name. Weights of 1 and levels that are not smoothed may be left out."""
    rules = dataclasses.asdict(getattr(head, "region", head.rules))
    for name, same in (("objectness_weight", 1), ("smooth_objectness", False)):
        if name in rules and set(rules[name]) == {same}:
            rules[name] = ()
    if "ignore_iou" in rules and hasattr(head, "region"):
        del rules["ignore_iou"]
    if rules.get("box") == "mse":  # whose Darknet it is can't be said: pjreddie's two rules besides the weight
        del rules["ignore_label"], rules["add_boxes"]
    return rules


def test_a_box_term_by_the_true_derivative_leaves_with_darknets_own_weight() -> None:
    for name, weight in (("yolov4-tiny", 0.07), ("yolov4-csp", 0.05)):
        text = written(small.predictor(name, PX))
        assert f"iou_normalizer={weight}\n" in text


@pytest.mark.parametrize(
    "settings",
    [
        {"weighted_residuals": "per channel", "attention": True, "path_up": False},
        {"activation": "silu"},
    ],
)
def test_parts_that_the_published_cfg_lacks_are_written_too(settings: dict[str, Any], tmp_path: Path) -> None:
    kind = detectors.load_all().get("yolov4").settings_class
    torch.manual_seed(0)
    chosen = kind(input_px=PX, width=0.05, **settings)
    assert_same(small.lively(detectors.build("yolov4", chosen, len(small.LABELS)), PX), tmp_path)


def test_a_detector_that_came_from_a_cfg_leaves_with_it_for_its_own_labels(tmp_path: Path) -> None:
    kind: Any = detectors.load_all().get("darknet-cfg").settings_class
    torch.manual_seed(0)
    predictor = small.lively(detectors.build("darknet-cfg", kind(cfg=cfgs.everything(PX)), len(small.LABELS)), PX)
    assert_same(predictor, tmp_path)
    text = (tmp_path / "model.cfg").read_text("utf-8")
    assert "classes=3\n" in text, "those of the file were 7"
    assert "filters=24\n" in text, "3 anchors of 5 + 3 numbers"


def test_yolov3_tiny_s_cfg_reads_like_darknets_own(tmp_path: Path) -> None:
    """Layer by layer: kinds and what they come from; routes are counted from the first layer."""
    lines = [line for line in written(small.predictor("yolov3-tiny", PX)).splitlines() if line]
    kinds = [line for line in lines if line.startswith("[")]
    body = ["[convolutional]", "[maxpool]"] * 6 + ["[convolutional]"] * 4 + ["[yolo]"]
    fine = ["[route]", "[convolutional]", "[upsample]", "[route]", "[convolutional]", "[convolutional]", "[yolo]"]
    assert kinds == ["[net]", *body, *fine]
    assert [line for line in lines if line.startswith("layers=")] == ["layers=13", "layers=19,8"]
    assert "width=64" in lines
    assert lines.count("classes=3") == 2


@pytest.mark.parametrize(("resize", "boxed"), [("letterbox", True), ("darknet letterbox", True), ("stretch", False)])
@pytest.mark.parametrize("name", ["yolov1-tiny", "yolov2-tiny", "yolov3-tiny"])
def test_how_an_image_is_fitted_stands_where_darknet_looks_for_it(name: str, resize: str, boxed: bool) -> None:
    """AlexeyAB's parser asks [net] for letter_box and no other section; written there it would be an unused field."""
    made = small.predictor(name, PX)
    made.resize = resize  # type: ignore[assignment]
    lines = written(made).splitlines()
    where, section = [], ""
    for line in lines:
        section = line if line.startswith("[") else section
        if line == "letter_box=1":
            where.append(section)
    assert where == (["[net]"] if boxed else [])


def test_weights_cfg_and_names_lie_together_and_labels_keep_their_order(tmp_path: Path) -> None:
    *_, done = export_predictor(small.predictor("yolov2-tiny", PX), tmp_path, ["darknet"])
    assert isinstance(done, ExportDone)
    folder = tmp_path / "darknet"
    assert {file.name for file in folder.iterdir()} >= {"model.weights", "model.cfg", "model.names"}
    assert (folder / "model.names").read_text("utf-8") == "a\nb\nc\n"
    assert read_back(folder / "model.cfg", folder / "model.weights").label_count == 3


def test_labels_in_a_tree_have_no_cfg_and_that_is_said(tmp_path: Path) -> None:
    predictor = small.predictor("yolo9000", PX)
    predictor.detector.planted = True  # type: ignore[assignment]
    *_, done = export_predictor(predictor, tmp_path, ["darknet"])
    assert isinstance(done, ExportDone)
    assert "labels form a tree" in done.results[0].remark
    assert not (tmp_path / "darknet" / "model.cfg").exists()


def test_darknets_weights_say_which_detectors_they_can_not_hold() -> None:
    kinds, darknets = dict(detectors.load_all()), dict(exporters.load_all())["darknet"]
    assert exporters.unfit(darknets, kinds["yolov4-tiny"]) == ""
    assert exporters.unfit(darknets, kinds["fcos"]).startswith("FCOS is not a Darknet network")
