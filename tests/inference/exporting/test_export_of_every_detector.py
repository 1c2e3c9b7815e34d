"""Darknet's files come back as they went, and what is none of Darknet's networks is neither written nor read as one.

That every format holds every detector: tests/contract/test_every_exporter.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inference import small
from workbench.detectors.parts import darknet
from workbench.errors import Refused
from workbench.inference import exporters
from workbench.inference.events import ExportDone
from workbench.inference.exporting.export import export_predictor
from workbench.inference.predict import Predictor
from workbench.training import recipes
from workbench.training.checkpoints import weights


def test_the_two_families_are_what_they_are_called() -> None:
    assert len(small.DARKNETS) == 12, f"darknet = True says that Darknet has its file: {small.DARKNETS}"
    others = {"faster-rcnn", "fcos", "retinanet", "retinanet-v2", "ssd300", "ssd512", "ssdlite"}
    odd = sorted(others ^ set(small.TORCHVISIONS))
    assert not odd, f"built-in detectors that are not Darknet's, or `others` here, lack {', '.join(odd)}"


@pytest.mark.parametrize("name", small.TORCHVISIONS)
def test_what_is_not_darknets_is_not_read_as_its_weights(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.weights").write_bytes(bytes(4000))
    with pytest.raises(Refused, match="not a Darknet network"):
        darknet.load(small.build(name), tmp_path / "a.weights")


def test_a_format_that_can_t_hold_the_detector_is_told_and_the_other_is_written(tmp_path: Path) -> None:
    *_, done = export_predictor(small.predictor("ssd300"), tmp_path, ["darknet", "safetensors"])
    assert isinstance(done, ExportDone)
    assert "not a Darknet network" in done.failed[0].sentence
    assert done.results[0].agreement is not None
    assert done.results[0].agreement.holds
    assert not (tmp_path / "darknet").exists()


@pytest.mark.parametrize("name", small.DARKNETS)
def test_darknets_weights_go_in_and_out_byte_for_byte(name: str, tmp_path: Path) -> None:
    """As a user does it: import, then export; with the number of images that trained them."""
    file = tmp_path / "a.weights"
    darknet.write(small.predictor(name).detector, file, seen=32_013_312)
    recipe = recipes.default_recipe(name).changed({"input_px": 64, "width": 0.05})
    weights.import_weights(file, recipe, small.LABELS, tmp_path / "a.safetensors")
    opened = Predictor.open(tmp_path / "a.safetensors", device="cpu")
    *_, done = export_predictor(opened, tmp_path, ["darknet"])
    assert isinstance(done, ExportDone)
    assert done.results[0].agreement is not None, "verified by its own reader"
    assert (tmp_path / "darknet" / "model.weights").read_bytes() == file.read_bytes()


def test_every_built_in_format_is_named_in_the_list_of_formats_that_run_or_hold_weights() -> None:
    members = {name: member() for name, member in exporters.load_all() if exporters.exporters.owner(name) == "built in"}
    running = {name for name, member in members.items() if exporters.is_runnable(member)}
    assert running == {"onnx", "torchscript", "pt2"}
    assert set(members) - running == {"safetensors", "state-dict", "darknet"}
