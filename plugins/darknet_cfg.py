"""Darknet's .cfg files as detectors: any network of its layers, trained and run here. A shipped detector plugin.

A cfg (AlexeyAB's or pjreddie's Darknet) lists layers; this reads it, builds the network, and gives the heads' options
to the losses of YOLOv1, v2 or v3 and later, as the cfg has them. The number of labels is the project's: the layers
before the heads are fitted to it. The input side, the anchors and how images are resized are the cfg's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from workbench.api import DetectorSettings, Refused, WorkbenchError, detector, detectors, parts, setting

API = 1
blocks, base = parts("blocks"), detector()
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {  # activations.h has them all
    "linear": nn.Identity,
    "logistic": nn.Sigmoid,
    "loggy": lambda: Elementwise(lambda x: 2 * x.sigmoid() - 1),
    "tanh": nn.Tanh,
    "hardtan": nn.Hardtanh,
    "lhtan": lambda: Elementwise(lambda x: 0.999 * x.clamp(0, 1) + 0.001 * x),
    "plse": lambda: Elementwise(lambda x: 0.115 * x.clamp(-4, 4) + 0.01 * x + 0.5),
    "stair": lambda: Elementwise(lambda x: torch.where(x.floor() % 2 == 0, 0, x - x.floor()) + (x / 2).floor()),
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky": lambda: nn.LeakyReLU(blocks.LEAKY_SLOPE),
    "revleaky": lambda: nn.LeakyReLU(blocks.LEAKY_SLOPE),
    "relie": lambda: nn.LeakyReLU(0.01),
    "ramp": lambda: Elementwise(lambda x: x.relu() + 0.1 * x),
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": lambda: nn.GELU(approximate="tanh"),
    "swish": nn.SiLU,
    "mish": nn.Mish,
    "hard_mish": lambda: Elementwise(lambda x: torch.where(x > 0, x, 0.5 * x.clamp(-2, 0) ** 2 + x.clamp(-2, 0))),
}
NMS_IOU, NMS_POWER = 0.45, 0.6  # Darknet's threshold of `test`, and its power of the distance in DIoU
NORMALIZATIONS = ("none", "relu", "softmax")
HEADS = ("yolo", "region", "detection")
KINDS = {  # of layers, and the methods of Builder that make them
    **{kind: kind for kind in ("convolutional", "maxpool", "avgpool", "route", "shortcut", "upsample", "reorg")},
    **{kind: kind for kind in ("scale_channels", "sam", "dropout", "connected", *HEADS)},
    "conv": "convolutional", "max": "maxpool", "avg": "avgpool", "conn": "connected",
}  # fmt: skip
ONLY: dict[str, dict[str, float | str]] = {  # options that change what a network computes: what is known of them here
    "convolutional": {
        "binary": 0, "xnor": 0, "bin_output": 0, "antialiasing": 0, "flipped": 0, "share_index": "",
    },
    "maxpool": {"maxpool_depth": 0, "antialiasing": 0},
    "upsample": {"scale": 1},
    "scale_channels": {"scale_wh": 0},
    "connected": {"batch_normalize": 0},
    "yolo": {"yolo_point": "center"},
    "region": {"softmax": 1, "coords": 4, "background": 0, "tree": ""},
    "detection": {"sqrt": 1, "softmax": 0, "coords": 4, "reorg": 0},
}  # fmt: skip
UNLEARNT: dict[str, dict[str, float | str]] = {  # options that change only what is learnt: likewise
    "convolutional": {"rotate": 0, "stretch": 0, "sway": 0, "stretch_sway": 0, "assisted_excitation": 0},
    "dropout": {"dropblock": 0},
    "yolo": {
        "focal_loss": 0, "counters_per_class": "", "truth_thresh": 1, "cls_normalizer": 1, "delta_normalizer": 1,
        "iou_thresh_kind": "iou",
    },
    "region": {"bias_match": 1, "focal_loss": 0, "class_scale": 1, "coord_scale": 1, "classfix": 0},
    "detection": {"object_scale": 1, "class_scale": 1, "forced": 0},
}  # fmt: skip
ALIKE = (  # options of [yolo] that only the first of several may set
    "iou_loss", "iou_normalizer", "label_smooth_eps", "ignore_thresh", "iou_thresh",
)  # fmt: skip


class Elementwise(nn.Module):
    """A nonlinearity that PyTorch has no layer for."""

    def __init__(self, work: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.work = work

    def forward(self, inputs: Tensor) -> Tensor:
        return self.work(inputs)


@dataclass(frozen=True)
class Section:
    """One bracketed part of a cfg: a layer, or [net]."""

    kind: str
    line: int
    options: dict[str, str]

    def number(self, name: str, default: float) -> float:
        text = self.options.get(name, str(default))
        try:
            return float(text)
        except ValueError:
            raise self.refuse(f"'{name}' must be a number, not '{text}'") from None

    def whole(self, name: str, default: int) -> int:
        return int(self.number(name, default))

    def numbers(self, name: str) -> list[float]:
        try:
            return [float(part) for part in self.options.get(name, "").split(",") if part.strip()]
        except ValueError:
            raise self.refuse(f"'{name}' must be numbers with commas, not '{self.options[name]}'") from None

    def stride(self) -> int:
        """The same in both directions, or refused."""
        stride = self.whole("stride", 1)
        if any(self.whole(name, stride) != stride for name in ("stride_x", "stride_y")):
            raise self.refuse("stride_x and stride_y must be the same as stride")
        return stride

    def odd(self, known: dict[str, dict[str, float | str]]) -> list[str]:
        """The options that are set to something else than what is known of them."""
        pairs = known.get(KINDS.get(self.kind, ""), {}).items()
        return [name for name, value in pairs if name in self.options and not self._is(name, value)]

    def _is(self, name: str, value: float | str) -> bool:
        return self.options[name] == value if isinstance(value, str) else self.number(name, 0) == value

    def refuse(self, why: str) -> WorkbenchError:
        return WorkbenchError(f"The cfg can't be used: [{self.kind}] in line {self.line}: {why}.")


def read(text: str) -> list[Section]:
    """The sections of a cfg's text. WorkbenchError with the line if it is not one."""
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].partition(";")[0].strip()
        if line.startswith("[") and line.endswith("]"):
            sections.append(Section(line[1:-1].strip().lower(), number, {}))
        elif line:
            name, equals, value = line.partition("=")
            if not equals or not sections:
                what = raw.strip()[:60]
                found = f"line {number} is '{what}'" if what.isprintable() and "\ufffd" not in what else "it is no text"
                raise WorkbenchError(f"This is not a Darknet cfg: {found}.")
            sections[-1].options[name.strip()] = value.strip()
    if not sections or sections[0].kind not in ("net", "network"):
        raise WorkbenchError("This is not a Darknet cfg: it must begin with [net].")
    return sections


@dataclass(frozen=True)
class DarknetCfgSettings(DetectorSettings):
    """Settings of a network from a cfg, which knows its input side and widths: these two are not asked for."""

    input_px: int = 416
    width: float = 1.0
    cfg: str = setting(
        "", "Path of the .cfg file. It gives network and losses; how to train is the recipe's, not its [net]'s.",
        files="*.cfg",
    )  # fmt: skip
    objectness_prior: float = setting(
        0.01, "Share of priors expected to hold an object when training starts; 0.5 is Darknet's start.",
        low=0.0001, high=0.5, group="Loss",
    )  # fmt: skip
    nms: str = setting(
        "per label", "How overlapping detections are thinned out unless a person says otherwise: by their IoU, as"
        " programs that read cfgs do, or by the nms_kind of the cfg, as Darknet does (greedynms and diounms: DIoU).",
        choices=("per label", "as the cfg"),
    )  # fmt: skip

    @classmethod
    def renewed(cls, table: Mapping[str, Any]) -> dict[str, Any]:
        """Before 2026-11-26 the side and the width could be set, and were passed over."""
        return {name: value for name, value in super().renewed(table).items() if name not in ("input_px", "width")}

    def resolved(self, labels: tuple[str, ...]) -> DarknetCfgSettings:
        """With the file's text in place of its path, and the cfg's input side and way to resize."""
        text = self.cfg
        if "\n" not in text:
            if not text.strip():
                raise WorkbenchError("Choose the .cfg file that describes the network (setting cfg, group Network).")
            try:
                text = Path(text).expanduser().read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                raise Refused(
                    self.cfg, f"this cfg could not be read: {error.strerror or error}", cause=error
                ) from error
        try:
            net = read(text)[0]
        except WorkbenchError as error:
            if text is self.cfg:  # a run's, which has the text and no file
                raise
            raise Refused(self.cfg, error.sentence, cause=error) from error
        width, height = net.whole("width", 416), net.whole("height", 416)
        if width != height:
            raise net.refuse(f"the input is {width} x {height}, but only square ones can be used. Set both to the same")
        heads = [section for section in read(text) if section.kind in HEADS]
        boxed = any(head.whole("letter_box", 0) for head in heads) or net.whole("letter_box", 0)
        return replace(
            self, cfg=text, input_px=width, resize=self.resize or ("darknet letterbox" if boxed else "darknet stretch")
        )


class Layer(nn.Module):
    """A layer that takes earlier ones: `sources` are their indices, -1 the one before."""

    def __init__(self, work: Callable[..., Tensor] | nn.Module, sources: tuple[int, ...] = (-1,)) -> None:
        super().__init__()
        self.work, self.sources = work, sources

    def forward(self, before: list[Tensor]) -> Tensor:
        out: Tensor = self.work(*(before[source] for source in self.sources))
        return out


def add(*inputs: Tensor) -> Tensor:
    """Darknet's shortcut: where channels differ, those in common are added."""
    out = inputs[0]
    for other in inputs[1:]:
        common = min(out.shape[1], other.shape[1])
        out = out + other if common == out.shape[1] == other.shape[1] else torch.cat(
            [out[:, :common] + other[:, :common], out[:, common:]], dim=1
        )  # fmt: skip
    return out


def concatenate(groups: int, group: int) -> Callable[..., Tensor]:
    """Darknet's route: of each input its slice, one after the other."""
    return lambda *inputs: torch.cat([one.chunk(groups, dim=1)[group] for one in inputs], dim=1)


class Builder:
    """Makes the layers one by one; `channels` and `sides` are those of the image and of every layer so far."""

    def __init__(self, sections: list[Section], labels: int) -> None:
        self.labels, self.sections = labels, sections[1:]
        self.channels = [sections[0].whole("channels", 3)]
        self.sides = [sections[0].whole("width", 416)]
        if self.channels[0] != 3:
            raise sections[0].refuse(f"images have 3 channels here, not {self.channels[0]}")

    def layers(self) -> list[Layer]:
        made = []
        for index, section in enumerate(self.sections):
            if section.kind not in KINDS:
                raise section.refuse("this kind of layer is not known")
            for name in section.odd(ONLY):
                raise section.refuse(f"'{name}={section.options[name]}' is not known here")
            layer, channels, side = getattr(self, f"_{KINDS[section.kind]}")(section, index)
            made.append(layer)
            self.channels.append(channels)
            self.sides.append(side)
        return made

    def _sources(self, section: Section, name: str, index: int) -> tuple[int, ...]:
        """Indices into the outputs, of which number 0 is the image: layer k is number k + 1."""
        numbers = [int(number) for number in section.numbers(name)]
        found = tuple(1 + (number if number >= 0 else index + number) for number in numbers)
        if not found or not all(0 < source <= index for source in found):
            raise section.refuse(f"'{name}' must name earlier layers, not '{section.options.get(name, '')}'")
        return found

    def _activation(self, section: Section, default: str) -> nn.Module:
        name = section.options.get("activation", default)
        if name not in ACTIVATIONS:
            raise section.refuse(f"the activation '{name}' is not known")
        return ACTIVATIONS[name]()

    def _next(self, index: int) -> Section | None:
        return self.sections[index + 1] if index + 1 < len(self.sections) else None

    def _convolutional(self, section: Section, index: int) -> tuple[Layer, int, int]:
        size, stride, head = section.whole("size", 1), section.stride(), self._next(index)
        outputs = section.whole("filters", 1)
        if head is not None and head.kind in ("yolo", "region"):
            priors = (
                len(head.numbers("mask")) if head.kind == "yolo" and "mask" in head.options else head.whole("num", 1)
            )
            outputs = priors * (5 + self.labels)
        groups = section.whole("groups", 1)
        if self.channels[-1] % groups or outputs % groups:
            raise section.refuse(f"{self.channels[-1]} and {outputs} channels can't be dealt to {groups} groups")
        norm = bool(section.whole("batch_normalize", 0))
        unit = blocks.ConvUnit(self.channels[-1], outputs, size, stride, norm=norm, groups=groups)
        padding = size // 2 if section.whole("pad", 0) else section.whole("padding", 0)
        dilation = section.whole("dilation", 1)
        unit.conv.padding, unit.conv.dilation = (padding * dilation,) * 2, (dilation,) * 2
        unit.activation = self._activation(section, "logistic")
        side = (self.sides[-1] + 2 * padding * dilation - dilation * (size - 1) - 1) // stride + 1
        return Layer(unit), outputs, side

    def _maxpool(self, section: Section, index: int) -> tuple[Layer, int, int]:
        stride = section.stride()
        size = section.whole("size", stride)
        if section.whole("padding", size - 1) != size - 1:
            raise section.refuse(f"only padding={size - 1} is known, size - 1")
        pool = blocks.MaxPool(size, stride)
        return Layer(pool), self.channels[-1], (self.sides[-1] + size - 1 - size) // stride + 1

    def _avgpool(self, section: Section, index: int) -> tuple[Layer, int, int]:
        return Layer(nn.AdaptiveAvgPool2d(1)), self.channels[-1], 1

    def _route(self, section: Section, index: int) -> tuple[Layer, int, int]:
        sources, groups = self._sources(section, "layers", index), section.whole("groups", 1)
        channels = sum(self.channels[source] // groups for source in sources)
        if len({self.sides[source] for source in sources}) > 1:
            raise section.refuse("the layers differ in size")
        work = concatenate(groups, section.whole("group_id", 0))
        return Layer(work, sources), channels, self.sides[sources[0]]

    def _shortcut(self, section: Section, index: int) -> tuple[Layer, int, int]:
        sources, activation = self._sources(section, "from", index), self._activation(section, "linear")
        kind = section.options.get("weights_type", "none")
        normalization = section.options.get("weights_normalization", "none").replace("avg_relu", "relu")
        if kind == "none":
            work: Callable[..., Tensor] | nn.Module = add
        elif kind not in ("per_feature", "per_layer", "per_channel") or normalization not in NORMALIZATIONS:
            raise section.refuse(f"weights of the kind '{kind}', '{normalization}' are not known")
        elif {self.channels[source] for source in sources} != {self.channels[-1]}:
            raise section.refuse("inputs with weights must have the same number of channels")
        else:
            channels = self.channels[-1] if kind == "per_channel" else 1
            work = parts("csp").WeightedSum(channels, 1 + len(sources), normalization)
        return Layer(Activated(work, activation), (index, *sources)), self.channels[-1], self.sides[-1]

    def _scale_channels(self, section: Section, index: int) -> tuple[Layer, int, int]:
        """An earlier layer times the one before, which is one cell wide; [sam] has them of one size."""
        (source,) = self._sources(section, "from", index)[:1]
        work = Activated(torch.mul, self._activation(section, "linear"))
        return Layer(work, (index, source)), self.channels[source], self.sides[source]

    _sam = _scale_channels

    def _upsample(self, section: Section, index: int) -> tuple[Layer, int, int]:
        stride = section.whole("stride", 2)
        if stride < 1:
            raise section.refuse(f"it must enlarge, not by {stride}")
        return Layer(nn.Upsample(scale_factor=float(stride))), self.channels[-1], self.sides[-1] * stride

    def _reorg(self, section: Section, index: int) -> tuple[Layer, int, int]:
        if section.whole("stride", 1) != 2 or section.whole("reverse", 0):
            raise section.refuse("only stride 2 is known")
        return Layer(blocks.reorg), self.channels[-1] * 4, self.sides[-1] // 2

    def _dropout(self, section: Section, index: int) -> tuple[Layer, int, int]:
        return Layer(nn.Dropout(section.number("probability", 0.5))), self.channels[-1], self.sides[-1]

    def _connected(self, section: Section, index: int) -> tuple[Layer, int, int]:
        outputs, head = section.whole("output", 1), self._next(index)
        if head is not None and head.kind == "detection":
            cells = head.whole("side", 7) ** 2
            outputs = cells * (head.whole("num", 1) * 5 + self.labels)
        linear = nn.Linear(self.channels[-1] * self.sides[-1] ** 2, outputs)
        return Layer(nn.Sequential(nn.Flatten(), linear, self._activation(section, "logistic"))), outputs, 1

    def _yolo(self, section: Section, index: int) -> tuple[Layer, int, int]:
        return Layer(nn.Identity()), self.channels[-1], self.sides[-1]

    _region = _detection = _yolo


class Activated(nn.Module):
    """What comes of the inputs, through a nonlinearity."""

    def __init__(self, work: Callable[..., Tensor] | nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.work, self.activation = work, activation

    def forward(self, *inputs: Tensor) -> Tensor:
        out: Tensor = self.activation(self.work(*inputs))
        return out


@detectors.register("darknet-cfg")
class DarknetCfg(base.Detector):  # type: ignore[name-defined, misc]
    """Layers stand in the order of the cfg, so that its .weights files fit."""

    name = "darknet-cfg"
    title = "Darknet .cfg"
    paper = "Redmon, Bochkovskiy and others: Darknet, 2013-2020; the cfg says more"
    summary = "Any network that a Darknet .cfg file describes, with its own weights or from scratch."
    settings_class: ClassVar[type[DetectorSettings]] = DarknetCfgSettings
    darknet = True
    multiple = 1
    outs: tuple[str, ...] = ()  # each network has those of its cfg

    def __init__(self, settings: DetectorSettings, labels: int, anchors: Any = None) -> None:
        assert isinstance(settings, DarknetCfgSettings)
        settings = settings.resolved(())
        super().__init__(settings, labels, None)
        sections = read(settings.cfg)
        heads = [(index, section) for index, section in enumerate(sections[1:]) if section.kind in HEADS]
        if not heads or len({section.kind for _, section in heads}) > 1:
            raise WorkbenchError("The cfg can't be used: it needs [yolo], [region] or [detection] layers, of one kind.")
        builder = Builder(sections, labels)
        self.remarks = tuple(_remarks(sections))
        self.layers = nn.ModuleList(builder.layers())
        self.ends = tuple(index for index, _ in heads)
        self.fixed_size = any(section.kind == "connected" for section in sections)
        sides = [builder.sides[index + 1] for index in self.ends]
        self.head = _head([section for _, section in heads], labels, settings, sides)
        self.anchors = _anchors(heads[0][1])
        self.published_nms = (_nms(heads[-1][1]) if settings.nms == "as the cfg" else "per label"), NMS_IOU
        inside = "1" if heads[0][1].kind == "detection" else "conv"
        self.outs = tuple(f"layers.{index - 1}.work.{inside}" for index in self.ends)
        if heads[0][1].kind != "detection":
            self.head.start([self.get_submodule(out) for out in self.outs], settings.objectness_prior)

    def cfg_text(self) -> str:
        """The cfg for the labels that it has now, as its weights are exported with it."""
        sections = read(self.settings.cfg)
        for end, out in zip(self.ends, self.outs, strict=True):
            rows, layer = len(self.get_submodule(out).weight), sections[end]  # sections begin with [net]
            layer.options["output" if layer.kind in ("connected", "conn") else "filters"] = str(rows)
            sections[end + 1].options["classes"] = str(self.label_count)
        return "\n".join(f"[{s.kind}]\n" + "".join(f"{n}={v}\n" for n, v in s.options.items()) for s in sections)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        outputs = [images]
        for layer in self.layers:
            outputs.append(layer(outputs))
        return tuple(outputs[end + 1] for end in self.ends)


def _nms(head: Section) -> str:
    """How Darknet thins out what is found: as the last head says. beta_nms is of diounms alone."""
    kind, power = head.options.get("nms_kind", "default"), head.number("beta_nms", NMS_POWER)
    if kind == "default":
        return "per label"
    if kind == "greedynms" or (kind == "diounms" and power == NMS_POWER):
        return "darknet diou"
    if kind == "diounms" and power == 1:
        return "diou"
    raise head.refuse(f"'nms_kind={kind}' with 'beta_nms={power:g}' is not known; set nms to \"per label\" instead")


def _remarks(sections: list[Section]) -> Iterator[str]:
    """What the cfg asks of a training that this one doesn't do."""
    for section in sections:
        for name in section.odd(UNLEARNT):
            option = f"'{name}={section.options[name]}' of [{section.kind}] in line {section.line}"
            yield f"{option} of the cfg is not known here: the training goes on as without it."
    heads = [section for section in sections if section.kind == "yolo"]
    if (
        heads
        and heads[0].options.get("iou_loss", "mse") not in ("mse", "ciou")
        and "iou_normalizer" in heads[0].options
    ):
        yield "The cfg's iou_normalizer is not used: it fits Darknet's gradient, which is known for ciou and mse alone."
    for name in ALIKE:
        if len({section.options.get(name) for section in heads}) > 1:
            yield f"The [yolo] layers of the cfg differ in {name}: that of the first is learnt with."


def _head(sections: list[Section], labels: int, settings: DarknetCfgSettings, sides: list[int]) -> Any:
    """The rules of the cfg's heads."""
    first, px = sections[0], settings.input_px
    strides = tuple(px // side for side in sides)
    if first.kind == "detection":
        module = parts("detection_head")
        if "sqrt" not in first.options:
            raise first.refuse("'sqrt=0' is not known here")
        rules = module.DetectionRules(
            bool(first.whole("rescore", 0)), first.number("coord_scale", 1), first.number("noobject_scale", 1)
        )
        return module.DetectionHead(labels, first.whole("side", 7), first.whole("num", 1), px, rules)
    anchors = _anchors(first)
    if len(anchors) != first.whole("num", 1) or not anchors:
        raise first.refuse(f"{first.whole('num', 1)} anchors are expected, {len(anchors)} were found")
    if first.kind == "region":
        module = parts("region_head")
        if strides != (module.STRIDE,) or "softmax" not in first.options:
            raise first.refuse(f"cells must be {module.STRIDE} pixels wide, and softmax=1")
        rules = module.RegionRules(
            rescore=bool(first.whole("rescore", 0)), ignore_iou=first.number("thresh", 0.5),
            object_weight=first.number("object_scale", 1), background_weight=first.number("noobject_scale", 1),
        )  # fmt: skip
        return module.RegionHead(labels, anchors, rules)
    return _yolo_head(sections, labels, anchors, strides)


def _anchors(head: Section) -> tuple[tuple[float, float], ...]:
    """(w, h) in pixels; a region's are in cells."""
    numbers, unit = head.numbers("anchors"), parts("region_head").STRIDE if head.kind == "region" else 1
    return tuple((w * unit, h * unit) for w, h in zip(numbers[::2], numbers[1::2], strict=False))


def _yolo_head(sections: list[Section], labels: int, anchors: Any, strides: tuple[int, ...]) -> Any:
    module, first = parts("yolo_head"), sections[0]
    if len({section.whole("new_coords", 0) for section in sections}) > 1:
        raise first.refuse("new_coords must be the same in all of them")
    masks = tuple(tuple(int(n) for n in section.numbers("mask")) or tuple(range(len(anchors))) for section in sections)
    if any(not 0 <= anchor < len(anchors) for mask in masks for anchor in mask):
        raise first.refuse("a mask names an anchor that is not there")
    box = first.options.get("iou_loss", "mse")
    darknet = box == "ciou"  # of the others Darknet's own gradient is not known here
    weight = first.number("iou_normalizer", 0.75)
    bounds = [section.number("max_delta", 0) for section in sections]
    rules = module.Rules(
        box, weight if darknet or box == "mse" else parts("yolo_settings").AUTOGRAD_BOX_WEIGHT,
        darknet_gradient=darknet,
        largest_delta=tuple(bound or float("inf") for bound in bounds) if any(bounds) else (),
        activated=bool(first.whole("new_coords", 0)),
        objectness_weight=tuple(section.number("obj_normalizer", 1) for section in sections),
        smooth_objectness=tuple(bool(section.whole("objectness_smooth", 0)) for section in sections),
        label_smoothing=first.number("label_smooth_eps", 0),
        ignore_iou=first.number("ignore_thresh", 0.5), ignore_label=0.25, match_iou=first.number("iou_thresh", 1),
    )  # fmt: skip
    scales = tuple(section.number("scale_x_y", 1) for section in sections)
    return module.YoloHead(labels, anchors, strides, masks, scales, rules)
