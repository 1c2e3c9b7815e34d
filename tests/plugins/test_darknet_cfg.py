"""The plugin that makes detectors of Darknet's cfgs: golden arrays, real weights on photographs, and bad files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.golden.darknet_arrays import Case, worst_delta, worst_forward
from tests.golden.test_yolov1 import targets as first_targets
from tests.plugins import cfgs
from workbench import cli, detectors, plugins
from workbench.core import images
from workbench.core.detections import Detections
from workbench.detectors.parts import darknet
from workbench.detectors.parts.detector import Detector
from workbench.errors import WorkbenchError
from workbench.inference.predict import Predictor
from workbench.training import recipes, weights

NAME = "darknet-cfg"
NETWORKS: dict[str, Any] = {
    "yolov1-tiny": cfgs.yolov1_tiny,
    "yolov2-tiny-voc": cfgs.yolov2_tiny_voc,
    "yolov3-tiny": cfgs.yolov3_tiny,
    "yolov4-tiny": cfgs.yolov4_tiny,
}


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    plugins.loaded()
    assert NAME in detectors.load_all().names()


def build(cfg: str, labels: int = 3) -> Detector:
    return detectors.build(NAME, detectors.load_all().get(NAME).settings_class(cfg=cfg), labels)  # type: ignore[call-arg]


def cfg_of(case: Case) -> str:
    heads = [{**head, "num": head.get("num", 3)} for head in case.meta["heads"]]
    text: str = NETWORKS[case.file](case.px, *heads)
    return text


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_of_a_cfg_computes_and_learns_as_darknets(name: str, test_data: Path) -> None:
    case = Case(test_data, name, NAME)
    detector = case.detector((), cfg=cfg_of(case))
    for path, buffer in detector.named_buffers():
        if path.endswith("seen"):
            buffer.fill_(case.meta["seen"])
    assert worst_forward(case, detector) < 1e-4
    wanted = first_targets(case) if name == "yolov1-tiny" else None
    assert worst_delta(case, detector.loss, wanted) < 1e-5


@pytest.mark.parametrize(("name", "labels", "floats"), [("yolo-fastest-1.1", 80, 346_062), ("yoloface-50k", 1, 11_248)])
def test_real_weights_fit_to_the_last_number_and_come_back_byte_for_byte(
    name: str, labels: int, floats: int, test_data: Path, tmp_path: Path
) -> None:
    detector = build(str(test_data / "weights" / f"{name}.cfg"), labels)
    file = test_data / "weights" / f"{name}.weights"
    assert darknet.count(detector) == floats
    header = darknet.read(detector, file)
    darknet.write(detector, tmp_path / "again.weights", header.seen)
    assert (tmp_path / "again.weights").read_bytes() == file.read_bytes()


def golden(test_data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((test_data / "weights" / "yolo-fastest-1.1.json").read_text())
    return found


@pytest.fixture(scope="module")
def imported(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of yolo-fastest-1.1, by the command line."""
    folder = test_data / "weights"
    target = tmp_path_factory.mktemp("imported") / "yolo-fastest.safetensors"
    arguments = ["import-weights", str(folder / "yolo-fastest-1.1.weights"), str(target), "--detector", NAME]
    arguments += ["--set", f"cfg={folder / 'yolo-fastest-1.1.cfg'}", "--labels", str(folder / "coco.names")]
    assert cli.main(arguments) == 0
    return target


def compare(found: Detections, names: tuple[str, ...], wanted: dict[str, Any]) -> float:
    """The largest difference of a score or, as a share of the image, of a box."""
    width, height = wanted["size"]
    assert [names[label] for label in found.labels] == [one["label"] for one in wanted["detections"]]
    worst = 0.0
    for box, score, one in zip(found.boxes, found.scores, wanted["detections"], strict=True):
        x, y, w, h = one["box_cxcywh_rel"]
        expected = np.clip([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 0, 1)
        worst = max(worst, abs(float(score) - one["score"]))
        worst = max(worst, float(np.abs(box / [width, height, width, height] - expected).max()))
    return worst


def test_yolo_fastest_finds_in_photographs_what_darknet_finds(imported: Path, test_data: Path) -> None:
    predictor, wanted = Predictor.open(imported, device="cpu"), golden(test_data)
    assert predictor.input_px == 320
    worst = 0.0
    for name, one in wanted["images"].items():
        found = predictor.candidates([images.read(test_data / "images" / name)])[0]
        worst = max(worst, compare(found.detections(wanted["threshold"], wanted["nms_iou"]), predictor.labels, one))
    print(f"the largest difference of a score or box is {worst:.1e}")
    assert worst < 1e-3


def test_the_command_line_finds_the_same(imported: Path, test_data: Path, tmp_path: Path) -> None:
    files = [str(test_data / "images" / name) for name in golden(test_data)["images"]]
    arguments = ["predict", str(imported), *files, "--out", str(tmp_path / "found"), "--no-pictures"]
    assert cli.main([*arguments, "--device", "cpu"]) == 0
    names = Predictor.open(imported, device="cpu").labels
    for record in json.loads((tmp_path / "found" / "predictions.json").read_text()):
        rows = record["detections"]
        found = Detections(
            np.array([row["box"] for row in rows], np.float32), np.array([row["score"] for row in rows], np.float32),
            np.array([names.index(row["label"]) for row in rows], np.int32),
        )  # fmt: skip
        assert compare(found, names, golden(test_data)["images"][Path(record["file"]).name]) < 1e-3


def test_a_cfg_with_every_kind_of_layer_is_built_trained_and_exported(tmp_path: Path) -> None:
    torch.manual_seed(0)
    detector = build(cfgs.everything(64), labels=2)
    raw = detector(torch.rand(2, 3, 64, 64))
    assert raw[0].shape == (2, 21, 16, 16)
    exported = torch.export.export(detector.eval(), (torch.rand(1, 3, 64, 64),))
    picture = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(detector(picture)[0], exported.module()(picture)[0])
    darknet.write(detector, tmp_path / "a.weights")
    other = build(cfgs.everything(64), labels=2)
    darknet.read(other, tmp_path / "a.weights")
    torch.testing.assert_close(other.eval()(picture)[0], detector(picture)[0])


ON_PAPER: dict[str, Callable[[float], float]] = {  # after Darknet's activations.h
    "linear": lambda x: x,
    "logistic": lambda x: 1 / (1 + math.exp(-x)),
    "loggy": lambda x: 2 / (1 + math.exp(-x)) - 1,
    "tanh": math.tanh,
    "hardtan": lambda x: min(max(x, -1), 1),
    "lhtan": lambda x: 0.001 * x if x < 0 else 0.001 * (x - 1) + 1 if x > 1 else x,
    "plse": lambda x: 0.01 * (x + 4) if x < -4 else 0.01 * (x - 4) + 1 if x > 4 else 0.125 * x + 0.5,
    "stair": lambda x: math.floor(x / 2) + (0 if math.floor(x) % 2 == 0 else x - math.floor(x)),
    "relu": lambda x: max(x, 0),
    "relu6": lambda x: min(max(x, 0), 6),
    "leaky": lambda x: x if x > 0 else 0.1 * x,
    "revleaky": lambda x: x if x > 0 else 0.1 * x,
    "relie": lambda x: x if x > 0 else 0.01 * x,
    "ramp": lambda x: (x if x > 0 else 0) + 0.1 * x,
    "elu": lambda x: x if x >= 0 else math.exp(x) - 1,
    "selu": lambda x: 1.0507 * (x if x >= 0 else 1.6732 * (math.exp(x) - 1)),
    "gelu": lambda x: 0.5 * x * (1 + math.tanh(0.797885 * x + 0.035677 * x**3)),
    "swish": lambda x: x / (1 + math.exp(-x)),
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "hard_mish": lambda x: x if x > 0 else x * x / 2 + x if x > -2 else 0,
}


@pytest.mark.parametrize("name", ON_PAPER)
def test_the_activations_are_darknets(name: str) -> None:
    cfg = (
        f"[net]\nwidth=32\nheight=32\n[convolutional]\nfilters=3\nactivation={name}\n"
        "[convolutional]\nactivation=linear\n[yolo]\nanchors=10,10\nnum=1\nmask=0\n"
    )
    activation = build(cfg, 1).get_submodule("layers.0.work.activation")
    points = [-7.3, -4.5, -2.6, -2.1, -1.4, -0.6, -0.1, 0.0, 0.3, 0.9, 1.5, 2.2, 3.7, 4.4, 6.8]
    told = activation(torch.tensor(points)).tolist()
    assert told == pytest.approx([ON_PAPER[name](x) for x in points], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Choose the .cfg file"),
        ("no/such/file.cfg", "could not be read"),
        ("[net]\nwidth=64\nheight=32\n", "only square"),
        ("[net]\nwidth=wide\n", "'width' must be a number, not 'wide'"),
        ("width=64\n[net]\n", "not a Darknet cfg: line 1"),
        ("[convolutional]\nfilters=3\n", "must begin with"),
        ("[net]\nwidth=64\nheight=64\n", "needs .yolo., .region. or .detection."),
        ("[net]\nwidth=64\nheight=64\n[lstm]\n[yolo]\n", "in line 4: this kind of layer is not known"),
        ("[net]\nwidth=64\nheight=64\n[route]\nlayers=5\n[yolo]\n", "'layers' must name earlier layers"),
        ("[net]\nwidth=64\nheight=64\n[convolutional]\nactivation=cosh\n[yolo]\n", "activation 'cosh' is not known"),
        ("[net]\nwidth=64\nheight=64\n[convolutional]\nactivation=linear\n[yolo]\nnum=2\nanchors=1,2\n", "2 anchors"),
    ],
)
def test_what_is_wrong_with_a_cfg_is_said_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(WorkbenchError, match=sentence):
        build(text)


def test_a_checkpoint_does_not_need_the_cfg_any_more(tmp_path: Path) -> None:
    file = tmp_path / "small.cfg"
    file.write_text(cfgs.everything(64))
    recipe = recipes.plain(NAME).changed({"cfg": str(file)})
    darknet.write(build(str(file), 2), tmp_path / "a.weights")
    weights.import_weights(tmp_path / "a.weights", recipe, ("a", "b"), tmp_path / "a.safetensors")
    file.unlink()
    assert Predictor.open(tmp_path / "a.safetensors", device="cpu").input_px == 64
