"""Networks from files of Darknet, torchvision and ONNX are made ready to suggest labels, or refused with the reason."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tests import networks
from tests.inference.suggesting.test_features import CFG
from workbench import detectors, plugins
from workbench.detectors.parts import darknet
from workbench.detectors.parts.detector import Pretrained
from workbench.errors import WorkbenchError
from workbench.inference.exporters import KEY, Card
from workbench.inference.suggesting import model_files, onnx_model
from workbench.inference.suggesting.model_files import prepare_model
from workbench.inference.suggesting.suggest import SuggestionRequest, SuggestionWorker
from workbench.training import recipes
from workbench.training.checkpoints.checkpoint import load_detector, read_header

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 80, 3), np.uint8)


def labels_of(model: Path) -> list[str]:
    return [label.name for label in read_header(model).labels]


# --- Darknet ---


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network of a cfg with one label, and its weights, without names."""
    plugins.loaded()
    chosen: Any = detectors.load_all().get("darknet-cfg").settings_class()
    settings = replace(chosen, cfg=CFG).resolved(("a",))
    torch.manual_seed(0)
    detector = detectors.build("darknet-cfg", settings, 1, None)
    (tmp_path / "tiny.cfg").write_text(CFG, "utf-8")
    darknet.write(detector, tmp_path / "tiny.weights")
    return tmp_path / "tiny.weights"


def test_darknets_weights_are_those_of_the_cfg_beside_them(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.names").write_text("cell\n", "utf-8")
    ready = prepare_model(weights, tmp_path / "cache")
    assert ready.source == weights
    assert labels_of(ready.model) == ["cell"]
    written = ready.model.stat().st_mtime_ns
    assert prepare_model(weights, tmp_path / "cache") == ready
    assert ready.model.stat().st_mtime_ns == written, "made once"
    (tmp_path / "tiny.names").write_text("plate\n", "utf-8")
    assert labels_of(prepare_model(weights, tmp_path / "cache").model) == ["plate"]


def test_the_names_are_those_beside_it_that_fit(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "coco.names").write_text("person\ncar\n", "utf-8")
    with pytest.raises(WorkbenchError, match=r"names of its 1 label are not known\. Put a file tiny\.names"):
        prepare_model(weights, tmp_path / "cache")
    (tmp_path / "face.names").write_text("face\n", "utf-8")
    assert labels_of(prepare_model(weights, tmp_path / "cache").model) == ["face"], "the one of so many lines"
    (tmp_path / "tiny.txt").write_text("a\nb\n", "utf-8")
    with pytest.raises(WorkbenchError, match=r"tiny\.txt beside it has 2 labels, but the network 1"):
        prepare_model(weights, tmp_path / "cache")


def test_without_a_cfg_the_network_must_have_a_name(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.cfg").unlink()
    with pytest.raises(WorkbenchError, match=r"Put its tiny\.cfg beside them, or .* yolov4-tiny"):
        prepare_model(weights, tmp_path / "cache")
    with pytest.raises(WorkbenchError, match="no such file"):
        prepare_model(tmp_path / "gone.weights", tmp_path / "cache")
    shutil.copy(weights, tmp_path / "yolov3-tiny.weights")
    with pytest.raises(WorkbenchError):  # it is none, whatever its name
        prepare_model(tmp_path / "yolov3-tiny.weights", tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


# --- torchvision ---


def test_a_state_dict_is_known_by_its_tensors_and_their_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained for two labels of its own. torchvision's networks take seconds to build: a small one stands for them."""
    small = replace(recipes.default_recipe("yolov4-tiny"), name="small").changed({"width": 0.05, "input_px": 64})
    kind = detectors.load_all().get("yolov4-tiny")
    published = Pretrained("https://a.b/c.pth", 1.0, "torchvision", "BSD", ("person", "car", "dog"))
    monkeypatch.setattr(kind, "pretrained", published)
    monkeypatch.setattr(recipes, "default_recipe", lambda _: small)
    torch.manual_seed(0)
    detector = detectors.build("yolov4-tiny", small.detector_settings, 2, None)
    file = tmp_path / "yolov4tiny_own.pth"
    torch.save(detector.state_dict(), file)
    with pytest.raises(WorkbenchError, match=r"names of its 2 labels are not known\. Put a file yolov4tiny_own\.names"):
        prepare_model(file, tmp_path / "cache")
    file.with_suffix(".names").write_text("cell\nplate\n", "utf-8")
    made, header = load_detector(prepare_model(file, tmp_path / "cache").model)
    assert [label.name for label in header.labels] == ["cell", "plate"]
    theirs, ours = detector.state_dict(), made.state_dict()
    assert all(torch.equal(theirs[name], ours[name]) for name in ours)
    file.with_suffix(".names").unlink()
    torch.save(detectors.build("yolov4-tiny", small.detector_settings, 3, None).state_dict(), file)
    assert labels_of(prepare_model(file, tmp_path / "cache").model) == ["person", "car", "dog"], "the published ones"
    torch.save({"some.weight": torch.ones(3)}, tmp_path / "other.pth")
    monkeypatch.setattr(model_files, "_skeleton", lambda _: {"net.weight": ((3,), None)})
    with pytest.raises(WorkbenchError, match="do not match any of torchvision's detectors known here: .*faster-rcnn"):
        prepare_model(tmp_path / "other.pth", tmp_path / "cache")


@pytest.mark.parametrize("name", ["retinanet", "fcos", "faster-rcnn"])
def test_a_file_from_before_torchvision_renamed_its_layers_is_known_too(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = recipes.default_recipe(name).changed({"width": 0.05, "input_px": 64})
    monkeypatch.setattr(recipes, "default_recipe", lambda _: small)
    monkeypatch.setattr(model_files, "_skeleton", model_files._skeleton.__wrapped__)  # nothing small is to be kept
    detector = networks.build(name, small.detector_settings, 2, seed=1)
    file = tmp_path / f"{name.replace('-', '')}_own.pth"
    torch.save(networks.older_names(detector.get_submodule("net").state_dict()), file)
    file.with_suffix(".names").write_text("cell\nplate\n", "utf-8")
    made, _ = load_detector(prepare_model(file, tmp_path / "cache").model)
    for one, parameter in detector.named_parameters():
        torch.testing.assert_close(made.get_parameter(one), parameter, rtol=1e-6, atol=0)  # norms add less in old files


# --- ONNX ---

CARD = Card("yolov4-tiny", ("cell", "plate"), 32, "letterbox", 0.25, 0.5, "per label")
BOXES = np.array([[0, 8, 16, 24], [16, 8, 32, 24], [0, 0, 32, 4]], np.float32)  # of the input: rows 8 to 24 are picture


def onnx_file(file: Path, card: str, arrays: dict[str, np.ndarray]) -> Path:
    """A file that answers with these arrays, whatever it sees."""
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value)) for name, value in arrays.items()
    ]
    kinds = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
    outputs = [helper.make_tensor_value_info(n, kinds[str(v.dtype)], v.shape) for n, v in arrays.items()]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(helper.make_graph(nodes, "g", [image], outputs), opset_imports=opsets, ir_version=9)
    if card:
        helper.set_model_props(model, {KEY: card})
    onnx.save(model, str(file))
    return file


def test_what_an_onnx_file_of_ours_finds_comes_in_pixels_of_the_picture(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    arrays = {"boxes": BOXES, "scores": np.array([0.9, 0.8, 0.7], np.float32), "labels": np.array([0, 1, 1])}
    file = onnx_file(tmp_path / "a.onnx", CARD.to_json(), arrays)
    assert prepare_model(file, tmp_path / "cache").model == file
    finder = SuggestionWorker()
    found = finder(SuggestionRequest(file, 1, tmp_path / "a.png"))
    finder.close()
    assert found.candidates.boxes.tolist() == [[0, 0, 40, 40], [40, 0, 80, 40]], "80 x 40 lies in 32 x 16; one is grey"
    assert found.candidates.labels.tolist() == [0, 1]
    assert (found.labels, found.kind, found.iou) == (("cell", "plate"), "per label", 0.5)


def test_a_process_that_has_ended_is_begun_anew_at_the_next_image(tmp_path: Path) -> None:
    """As by a system that is short of memory: the image at hand fails, and not every one from then on."""
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    arrays = {"boxes": BOXES, "scores": np.array([0.9, 0.8, 0.7], np.float32), "labels": np.array([0, 1, 1])}
    file = onnx_file(tmp_path / "a.onnx", CARD.to_json(), arrays)
    finder, others = SuggestionWorker(), set(psutil.Process().children())
    before = finder(SuggestionRequest(file, 1, tmp_path / "a.png"))
    (running,) = set(psutil.Process().children()) - others
    running.kill()
    with pytest.raises(WorkbenchError, match=r"a\.onnx could not be run"):
        finder(SuggestionRequest(file, 2, tmp_path / "a.png"))
    after = finder(SuggestionRequest(file, 3, tmp_path / "a.png"))
    finder.close()
    assert after.candidates.boxes.tolist() == before.candidates.boxes.tolist()


class Told:
    """Stands for the process of a file with this card, which answers with these arrays."""

    def __init__(self, card: str, *arrays: np.ndarray) -> None:
        self.card, self.arrays = card, arrays
        self.seen: list[np.ndarray] = []
        self.closed = False

    def run(self, image: np.ndarray) -> tuple[np.ndarray, ...]:
        self.seen.append(image)
        return self.arrays

    def close(self) -> None:
        self.closed = True


def test_decoded_boxes_of_any_batch_are_taken_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.array([[[0.1, 0.6], [0.7, 0.2], [0.5, 0.5]]] * 2, np.float32)
    told = Told(replace(CARD, output="decoded", batch=2).to_json(), np.stack([BOXES] * 2), scores)
    monkeypatch.setattr(onnx_model, "ExportedFile", lambda *_: told)
    (found,) = onnx_model.OnnxModel(tmp_path / "a.onnx").candidates([PICTURE])
    assert told.seen[0].shape == (2, 3, 32, 32), "as many as the file takes"
    assert found.scores.tolist() == pytest.approx([0.7, 0.6, 0.2, 0.1])
    assert found.labels.tolist() == [0, 1, 1, 0]


def test_a_file_of_a_network_that_learnt_from_tiles_sees_large_images_in_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(
        replace(CARD, tiles=64, tile_overlap=0.5).to_json(), BOXES, np.array([0.9, 0.8, 0.7]), np.array([0, 1, 1])
    )
    monkeypatch.setattr(onnx_model, "ExportedFile", lambda *_: told)
    pictures = [np.zeros((64, 128, 3), np.uint8), np.zeros((40, 60, 3), np.uint8)]
    wide, small = onnx_model.OnnxModel(tmp_path / "a.onnx").candidates(pictures)
    assert (wide.views, small.views, len(told.seen)) == (4, 1, 4 + 1)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"anchors": None}, "does not say its anchors, as files"),
        ({"output": "raw"}, "raw heads"),
        ({"resize": "folded"}, "description is damaged"),
        ({"input_px": "wide"}, "description is damaged"),
    ],
)
def test_a_description_that_says_too_little_is_refused(
    changes: dict[str, object], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = json.loads(CARD.to_json()) | changes
    (tmp_path / "a.onnx").write_bytes(b"any")
    told = Told(json.dumps({name: value for name, value in card.items() if value is not None}))
    monkeypatch.setattr(onnx_model, "ExportedFile", lambda *_: told)
    with pytest.raises(WorkbenchError, match=why):
        prepare_model(tmp_path / "a.onnx", tmp_path)
    assert told.closed


def test_a_foreign_onnx_file_and_what_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="does not say its labels, its input size, how .* its anchors, as files"):
        prepare_model(onnx_file(tmp_path / "foreign.onnx", "", {"boxes": BOXES}), tmp_path)
    (tmp_path / "no.onnx").write_bytes(b"nothing")
    with pytest.raises(WorkbenchError, match="ONNX Runtime could not open it"):
        prepare_model(tmp_path / "no.onnx", tmp_path)
