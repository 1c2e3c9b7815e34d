"""Every detector leaves the program in every format that can hold it, and Darknet's files come back as they went."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from workbench import detectors
from workbench.detectors.parts import darknet
from workbench.detectors.parts.blocks import settle_norms
from workbench.detectors.parts.detector import Detector
from workbench.errors import Refused
from workbench.inference.events import Agreement, ExportDone
from workbench.inference.export import export_predictor
from workbench.inference.exporters import ExportSettings
from workbench.inference.predict import Predictor
from workbench.training import recipes, weights

BUILT_IN = [name for name, _ in detectors.load_all() if detectors.detectors.owner(name) == "built in"]
DARKNETS = [name for name in BUILT_IN if detectors.load_all().get(name).darknet]
TORCHVISIONS = [name for name in BUILT_IN if name not in DARKNETS]
LABELS = ("a", "b", "c")


def build(name: str, px: int = 64) -> Detector:
    torch.manual_seed(0)
    kind = detectors.load_all().get(name)
    return detectors.build(name, kind.settings_class(input_px=px, width=0.05), len(LABELS))


def predictor(name: str, px: int) -> Predictor:
    """Of a network whose features and scores differ from place to place, as those of a trained one."""
    detector = build(name, px)
    for layer in detector.outs:
        torch.nn.init.normal_(detector.get_parameter(f"{layer}.weight"), std=0.2)
    settle_norms(detector, 0)
    detector(torch.rand(4, 3, px, px))
    return Predictor(detector.eval(), LABELS, px, "stretch", device="cpu")


def is_same(agreed: Agreement | None) -> bool:
    return agreed is not None and agreed.matched == agreed.compared > 0 and not agreed.foreign


def test_the_two_families_are_what_they_are_called() -> None:
    assert len(DARKNETS) == 12
    assert sorted(TORCHVISIONS) == [
        "faster-rcnn", "fcos", "retinanet", "retinanet-v2", "ssd300", "ssd512", "ssdlite",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "output"),
    [
        ("ssd300", "torchscript", "detections"),
        ("ssdlite", "onnx", "detections"),
        ("retinanet-v2", "pt2", "detections"),
        ("fcos", "onnx", "decoded"),
        ("faster-rcnn", "torchscript", "detections"),
        ("faster-rcnn", "pt2", "detections"),
        ("faster-rcnn", "onnx", "detections"),
        ("faster-rcnn", "onnx", "decoded"),
    ],
)
def test_torchvisions_detectors_run_elsewhere_and_find_the_same(
    name: str, kind: str, output: str, tmp_path: Path
) -> None:
    *_, done = export_predictor(predictor(name, 128), tmp_path, [kind], settings=ExportSettings(output=output))
    assert isinstance(done, ExportDone)
    agreed = done.results[0].agreement
    assert agreed is not None
    assert agreed.compared >= 20
    assert agreed.matched == agreed.compared
    assert agreed.foreign == 0


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_what_is_not_darknets_is_neither_written_nor_read_as_its_weights(name: str, tmp_path: Path) -> None:
    *_, done = export_predictor(predictor(name, 64), tmp_path, ["darknet", "safetensors"])
    assert isinstance(done, ExportDone)
    assert "not a network of Darknet's" in done.failed[0].sentence
    assert is_same(done.results[0].agreement), "the other format is written and verified"
    assert not (tmp_path / "darknet").exists()
    (tmp_path / "a.weights").write_bytes(bytes(4000))
    with pytest.raises(Refused, match="not a network of Darknet's"):
        darknet.load(build(name), tmp_path / "a.weights")


@pytest.mark.parametrize("name", DARKNETS)
def test_darknets_weights_go_in_and_out_byte_for_byte(name: str, tmp_path: Path) -> None:
    """As a user does it: import, then export; with the number of images that trained them."""
    file = tmp_path / "a.weights"
    darknet.write(predictor(name, 64).detector, file, seen=32_013_312)
    recipe = recipes.plain(name).changed({"input_px": 64, "width": 0.05})
    weights.import_weights(file, recipe, LABELS, tmp_path / "a.safetensors")
    opened = Predictor.open(tmp_path / "a.safetensors", device="cpu")
    *_, done = export_predictor(opened, tmp_path, ["darknet", "safetensors"])
    assert isinstance(done, ExportDone)
    assert [is_same(result.agreement) for result in done.results] == [True, True], "each verified by its own reader"
    assert (tmp_path / "darknet" / "model.weights").read_bytes() == file.read_bytes()
