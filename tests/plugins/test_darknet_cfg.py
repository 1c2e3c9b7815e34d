"""The plugin that makes detectors of Darknet's cfgs: golden arrays, real weights on photographs, and bad files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
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
from workbench.training import prepare, recipes
from workbench.training.batches.data import Dataset
from workbench.training.checkpoints import weights

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


def network(layers: str, head: str = "") -> Detector:
    """Two convolutions of four channels, these layers, and a head of one anchor whose cells are a pixel."""
    filters = "[convolutional]\nfilters=4\nactivation=linear\n"
    return build(
        f"[net]\nwidth=32\nheight=32\n{filters}{filters}{layers}\n"
        f"[convolutional]\nactivation=linear\n[yolo]\nanchors=10,10\nnum=1\nmask=0\n{head}\n",
        1,
    )


@pytest.mark.parametrize("layer", ["[shortcut]\nfrom=-2", "[sam]\nfrom=-2", "[scale_channels]\nfrom=-2"])
def test_layers_that_combine_are_linear_unless_they_say_otherwise(layer: str) -> None:
    """Only [convolutional] and [connected] are logistic without a word (parser.c)."""
    combine = network(layer).get_submodule("layers.2")
    first, second = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    wanted = second + first if "shortcut" in layer else second * first
    torch.testing.assert_close(combine([torch.zeros(1, 3, 8, 8), first, second]), wanted)
    logistic = network(f"{layer}\nactivation=logistic").get_submodule("layers.2")
    torch.testing.assert_close(logistic([torch.zeros(1, 3, 8, 8), first, second]), wanted.sigmoid())


SHARES: dict[str, Callable[[list[float]], list[float]]] = {  # after fuse_conv_batchnorm() in Darknet's network.c
    "none": lambda weights: weights,
    "relu": lambda weights: [max(w, 1e-3) / (sum(max(v, 1e-3) for v in weights) + 1e-4) for w in weights],
    "softmax": lambda weights: [
        math.exp(w - max(weights)) / (sum(math.exp(v - max(weights)) for v in weights) + 1e-4) for w in weights
    ],
}


@pytest.mark.parametrize("normalization", SHARES)
@pytest.mark.parametrize("kind", ["per_feature", "per_layer", "per_channel"])
def test_shortcuts_of_three_inputs_weigh_them_as_darknet_does(kind: str, normalization: str) -> None:
    weigh = network(
        f"[convolutional]\nfilters=4\nactivation=linear\n[shortcut]\nfrom=-2,-3\nweights_type={kind}\n"
        + (f"weights_normalization={normalization}" if normalization != "none" else "")
    ).get_submodule("layers.3")
    weights, inputs = weigh.get_parameter("work.work.weights"), [torch.randn(2, 4, 8, 8) for _ in range(3)]
    assert weights.shape == (3, 4 if kind == "per_channel" else 1)
    torch.nn.init.normal_(weights)
    found = weigh([torch.zeros(2, 3, 8, 8), inputs[2], inputs[1], inputs[0]])
    for channel in range(4):
        column = weights[:, channel if kind == "per_channel" else 0].tolist()
        shares = SHARES[normalization](column)
        wanted = sum(share * one[:, channel] for share, one in zip(shares, inputs, strict=True))
        torch.testing.assert_close(found[:, channel], wanted)


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ("[activation]\nactivation=relu", "line 10: this kind of layer is not supported"),
        ("[next]", "this kind of layer is not supported"),
        ("[sources]", "this kind of layer is not supported"),
        ("[upsample]\nstride=2\nscale=.5", "'scale=.5' is not supported"),
        ("[upsample]\nstride=-2", "must enlarge, not by -2"),
        ("[maxpool]\nsize=3\nstride=1\npadding=0", "only padding=2 is supported"),
        ("[maxpool]\nsize=2\nstride_x=1\nstride=2", "stride_x and stride_y must equal stride"),
        ("[maxpool]\nmaxpool_depth=1", "'maxpool_depth=1' is not supported"),
        ("[convolutional]\nstride_y=2", "stride_x and stride_y must equal stride"),
        ("[conv]\nantialiasing=1", "'antialiasing=1' is not supported"),
        ("[convolutional]\nshare_index=1", "'share_index=1' is not supported"),
        ("[sam]\nfrom=9", "'from' must name earlier layers"),
        ("[shortcut]\nfrom=-2\nweights_type=per_pixel", "weights of the kind 'per_pixel', 'none' are not supported"),
        ("[scale_channels]\nfrom=-2\nscale_wh=1", "'scale_wh=1' is not supported"),
    ],
)
def test_what_would_be_computed_otherwise_is_refused(layer: str, sentence: str) -> None:
    with pytest.raises(WorkbenchError, match=sentence):
        network(layer)


UNKNOWN = " is not supported: the training ignores it."


def test_what_would_only_be_learnt_otherwise_is_said_when_a_training_begins() -> None:
    detector = network("[dropout]\nprobability=.2\ndropblock=1", "focal_loss=1\ncounters_per_class=5,7\ntruth_thresh=1")
    assert detector.remarks == (
        "'dropblock=1' of [dropout] in line 10 of the cfg" + UNKNOWN,
        "'focal_loss=1' of [yolo] in line 15 of the cfg" + UNKNOWN,
        "'counters_per_class=5,7' of [yolo] in line 15 of the cfg" + UNKNOWN,
    )
    image = Dataset(
        snapshot=None,
        pixels=np.zeros((1, 32, 32, 3), np.uint8), rows=np.arange(1), fits=(),
        boxes=np.array([[0.0, 0, 9, 9]], np.float32), labels=np.zeros(1, np.int64), ignore=np.zeros(1, bool),
        offsets=np.array([0, 1]),
    )  # fmt: skip
    assert [message.sentence for message in prepare.check(detector, image)] == list(detector.remarks)


def test_heads_that_differ_are_learnt_as_the_first_and_that_is_said() -> None:
    head = "[convolutional]\nactivation=linear\n[yolo]\nanchors=10,10\nnum=1\nmask=0"
    detector = network(f"{head}\nignore_thresh=.5", "ignore_thresh=.7")
    assert detector.remarks == ("The [yolo] layers of the cfg differ in ignore_thresh: the first one's is used.",)
    with pytest.raises(WorkbenchError, match="new_coords must be the same"):
        network(f"{head}\nnew_coords=1", "new_coords=0")
    with pytest.raises(WorkbenchError, match="anchors must be the same"):  # else boxes of the second had wrong sides
        network(head.replace("10,10", "9,10"))


def test_activated_outputs_are_exact_also_in_half_precision() -> None:
    """Rounded to bfloat16, a centre at stride 32 would lie up to a quarter of a pixel off."""
    cfg = "[net]\nwidth=8\nheight=8\n[convolutional]\nactivation=logistic\n[yolo]\nanchors=9,9\nmask=0\nnew_coords=1\n"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (raw,) = build(cfg, 1).eval()(torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)))
    assert raw.dtype == torch.float32
    assert not torch.equal(raw, raw.bfloat16().float())


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
        ("[net]\nwidth=64\nheight=64\n[lstm]\n[yolo]\n", "in line 4: this kind of layer is not supported"),
        ("[net]\nwidth=64\nheight=64\n[route]\nlayers=5\n[yolo]\n", "'layers' must name earlier layers"),
        (
            "[net]\nwidth=64\nheight=64\n[convolutional]\nactivation=cosh\n[yolo]\n",
            "activation 'cosh' is not supported",
        ),
        ("[net]\nwidth=64\nheight=64\n[convolutional]\nactivation=linear\n[yolo]\nnum=2\nanchors=1,2\n", "2 anchors"),
    ],
)
def test_what_is_wrong_with_a_cfg_is_said_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(WorkbenchError, match=sentence):
        build(text)


def test_the_weight_of_a_loss_whose_darknet_gradient_is_not_known_is_spoken_of() -> None:
    assert "iou_normalizer is not used" in network("", "iou_loss=giou\niou_normalizer=.5").remarks[0]
    assert network("", "iou_loss=ciou\niou_normalizer=.5").remarks == ()


def test_an_option_that_darknet_does_not_use_either_is_not_spoken_of() -> None:
    """cls_normalizer has an effect with counters_per_class alone (delta_yolo_class); Scaled-YOLOv4's cfgs name it."""
    assert network("", "cls_normalizer=.5").remarks == ()


def as_the_cfg(settings: Any) -> Any:
    return replace(settings, nms="as the cfg")


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ("", "per label"),
        ("nms_kind=default\nbeta_nms=.9", "per label"),
        ("nms_kind=greedynms\nbeta_nms=.9", "darknet diou"),  # whose power is always .6
        ("nms_kind=diounms", "darknet diou"),
        ("nms_kind=diounms\nbeta_nms=1", "diou"),
    ],
)
def test_boxes_are_thinned_out_as_the_cfg_says_if_asked_to(options: str, kind: str) -> None:
    plain = network("", options)
    assert plain.published_nms == ("per label", 0.45)
    as_told = detectors.build(NAME, as_the_cfg(plain.settings), 1)
    assert as_told.published_nms == (kind, 0.45)


@pytest.mark.parametrize("options", ["nms_kind=cornersnms", "nms_kind=diounms\nbeta_nms=.8"])
def test_a_way_to_thin_out_that_is_not_known_is_refused_if_asked_for(options: str) -> None:
    plain = network("", options)
    with pytest.raises(WorkbenchError, match="nms_kind=.* is not supported"):
        detectors.build(NAME, as_the_cfg(plain.settings), 1)


def test_a_path_may_hold_brackets(tmp_path: Path) -> None:
    file = tmp_path / "models [old]" / "a.cfg"
    file.parent.mkdir()
    file.write_text(cfgs.everything(64))
    assert build(str(file), 2).settings.input_px == 64


def test_input_side_and_width_are_the_cfgs_and_the_recipes_own_wait_for_another_detector() -> None:
    quick = recipes.preset("quick-cpu")
    of_cfg = quick.with_detector(NAME)
    assert not {"input_px", "width"} & set(recipes.to_dict(of_cfg)["detector_settings"])
    back = of_cfg.with_detector("yolov4").detector_settings
    assert (back.input_px, back.width) == (320, 0.25)  # those of the recipe for yolov4
    with pytest.raises(WorkbenchError, match="input_px"):
        of_cfg.changed({"input_px": 96})


def test_a_network_with_fully_connected_layers_takes_one_size_by_either_of_their_names() -> None:
    cfg = cfgs.yolov1_tiny(64, {"side": 1, "num": 2, "sqrt": 1})
    assert "[connected]" in cfg
    for text in (cfg, cfg.replace("[connected]", "[conn]")):
        assert build(text).fixed_size


def test_settings_of_runs_from_when_side_and_width_were_asked_for_are_read() -> None:
    kind: Any = detectors.load_all().get(NAME).settings_class
    assert kind.renewed({"cfg": "a.cfg", "input_px": 96, "width": 0.5}) == {"cfg": "a.cfg"}


def test_a_checkpoint_does_not_need_the_cfg_any_more(tmp_path: Path) -> None:
    file = tmp_path / "small.cfg"
    file.write_text(cfgs.everything(64))
    recipe = recipes.default_recipe(NAME).changed({"cfg": str(file)})
    darknet.write(build(str(file), 2), tmp_path / "a.weights")
    weights.import_weights(tmp_path / "a.weights", recipe, ("a", "b"), tmp_path / "a.safetensors")
    file.unlink()
    assert Predictor.open(tmp_path / "a.safetensors", device="cpu").input_px == 64
