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
blocks, cfgs, base = parts("blocks"), parts("darknet_cfg"), detector()
Section = Any  # cfgs.Section: what parts() gives has no types
Work = Callable[..., Tensor] | nn.Module  # from some maps to one
NMS_IOU, NMS_POWER = 0.45, 0.6  # Darknet's threshold of `test`, and its power of the distance in DIoU
NORMALIZATIONS = ("none", "relu", "softmax")
HEADS = ("yolo", "region", "detection")


@dataclass(frozen=True)
class DarknetCfgSettings(DetectorSettings):
    """Settings of a network from a cfg, which sets the input side and widths: these two are not asked for."""

    input_px: int = 416
    width: float = 1.0
    cfg: str = setting(
        "", "Path of the .cfg file. It sets network and losses; how to train is the recipe's, not its [net]'s.",
        files="*.cfg",
    )  # fmt: skip
    objectness_prior: float = setting(
        0.01, "Share of priors expected to hold an object when training starts; 0.5 is Darknet's start.",
        low=0.0001, high=0.5, group="Loss",
    )  # fmt: skip
    nms: str = setting(
        "per label", "How NMS removes overlapping detections unless the user chooses otherwise: by their IoU, as"
        " programs that read cfgs do, or by the nms_kind of the cfg, as Darknet does (greedynms and diounms: DIoU).",
        choices=("per label", "as the cfg"),
    )  # fmt: skip

    @classmethod
    def renewed(cls, table: Mapping[str, Any]) -> dict[str, Any]:
        """Before 2026-11-26 the side and the width could be set but were ignored."""
        return {name: value for name, value in super().renewed(table).items() if name not in ("input_px", "width")}

    def resolved(self, labels: tuple[str, ...]) -> DarknetCfgSettings:
        """With the file's text in place of its path, and the cfg's input side and way of resizing."""
        text = self.cfg
        if "\n" not in text:
            if not text.strip():
                raise WorkbenchError("Choose the .cfg file that describes the network (setting cfg, group Network).")
            try:
                text = Path(text).expanduser().read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                why = f"this cfg could not be read: {error.strerror or error}"
                raise Refused(self.cfg, why, cause=error) from error
        try:
            net, *layers = cfgs.read(text)
        except WorkbenchError as error:
            if text is self.cfg:  # from a run, which has the text and no file
                raise
            raise Refused(self.cfg, error.sentence, cause=error) from error
        width, height = net.whole("width", 416), net.whole("height", 416)
        if width != height:
            raise net.refuse(f"the input is {width} x {height}, but only square ones can be used. Set both to the same")
        boxed = any(section.whole("letter_box", 0) for section in (net, *layers) if section.kind in ("net", *HEADS))
        resize = self.resize or ("darknet letterbox" if boxed else "darknet stretch")
        return replace(self, cfg=text, input_px=width, resize=resize)


class Layer(nn.Module):
    """A layer with earlier layers as inputs: `sources` are their indices, -1 the previous one."""

    def __init__(self, work: Work, sources: tuple[int, ...] = (-1,)) -> None:
        super().__init__()
        self.work, self.sources = work, sources

    def forward(self, before: list[Tensor]) -> Tensor:
        out: Tensor = self.work(*(before[source] for source in self.sources))
        return out


def add(*inputs: Tensor) -> Tensor:
    """Darknet's shortcut: if channels differ, only those in common are added."""
    out = inputs[0]
    for other in inputs[1:]:
        common = min(out.shape[1], other.shape[1])
        out = out + other if common == out.shape[1] == other.shape[1] else torch.cat(
            [out[:, :common] + other[:, :common], out[:, common:]], dim=1
        )  # fmt: skip
    return out


def concatenate(groups: int, group: int) -> Callable[..., Tensor]:
    """Darknet's route: a slice of each input, concatenated."""
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
        for section in self.sections:
            make = getattr(self, f"make_{section.kind}", None)
            if make is None:
                raise section.refuse("this kind of layer is not supported")
            for name in section.unknown:
                raise section.refuse(f"'{name}={section.options[name]}' is not supported")
            made.append(make(section))
        return made

    def _layer(self, work: Work, channels: int = 0, side: int = 0, sources: tuple[int, ...] = (-1,)) -> Layer:
        """0: as many channels as the previous layer, and a map of the same size."""
        self.channels.append(channels or self.channels[-1])
        self.sides.append(side or self.sides[-1])
        return Layer(work, sources)

    @property
    def _before(self) -> int:
        """The index of the previous layer among the outputs, of which number 0 is the image."""
        return len(self.channels) - 1

    def _sources(self, section: Section, name: str) -> tuple[int, ...]:
        """Indices into the outputs: a cfg counts layers from 0, or backwards from the current one."""
        numbers = [int(number) for number in section.numbers(name)]
        found = tuple(1 + (number if number >= 0 else self._before + number) for number in numbers)
        if not found or not all(0 < source <= self._before for source in found):
            raise section.refuse(f"'{name}' must name earlier layers, not '{section.options.get(name, '')}'")
        return found

    def _activation(self, section: Section, default: str) -> nn.Module:
        name = section.options.get("activation", default)
        if name not in cfgs.ACTIVATIONS:
            raise section.refuse(f"the activation '{name}' is not supported")
        made: nn.Module = cfgs.ACTIVATIONS[name]()
        return made

    def _head(self, *kinds: str) -> Section | None:
        """The section after the current layer, if it is a head of these kinds."""
        behind = self.sections[self._before + 1 : self._before + 2]
        return behind[0] if behind and behind[0].kind in kinds else None

    def make_convolutional(self, section: Section) -> Layer:
        size, stride, head = section.whole("size", 1), section.stride(), self._head("yolo", "region")
        outputs = section.whole("filters", 1)
        if head is not None:
            is_masked = head.kind == "yolo" and "mask" in head.options
            priors = len(head.numbers("mask")) if is_masked else head.whole("num", 1)
            outputs = priors * (5 + self.labels)
        groups = section.whole("groups", 1)
        if self.channels[-1] % groups or outputs % groups:
            raise section.refuse(f"{self.channels[-1]} and {outputs} channels can't be divided into {groups} groups")
        norm = bool(section.whole("batch_normalize", 0))
        unit = blocks.ConvUnit(self.channels[-1], outputs, size, stride, norm=norm, groups=groups)
        padding = size // 2 if section.whole("pad", 0) else section.whole("padding", 0)
        dilation = section.whole("dilation", 1)
        unit.conv.padding, unit.conv.dilation = (padding * dilation,) * 2, (dilation,) * 2
        unit.activation = self._activation(section, "logistic")
        if head is not None and isinstance(unit.activation, nn.Sigmoid):  # float32 as in yolov4_csp.py
            unit.activation = cfgs.Elementwise(lambda outputs: outputs.float().sigmoid())
        side = (self.sides[-1] + 2 * padding * dilation - dilation * (size - 1) - 1) // stride + 1
        return self._layer(unit, outputs, side)

    def make_maxpool(self, section: Section) -> Layer:
        stride = section.stride()
        size = section.whole("size", stride)
        if section.whole("padding", size - 1) != size - 1:
            raise section.refuse(f"only padding={size - 1} is supported, size - 1")
        return self._layer(blocks.MaxPool(size, stride), side=(self.sides[-1] - 1) // stride + 1)

    def make_avgpool(self, _: Section) -> Layer:
        return self._layer(nn.AdaptiveAvgPool2d(1), side=1)

    def make_route(self, section: Section) -> Layer:
        sources, groups = self._sources(section, "layers"), section.whole("groups", 1)
        channels = sum(self.channels[source] // groups for source in sources)
        if len({self.sides[source] for source in sources}) > 1:
            raise section.refuse("the layers differ in size")
        work = concatenate(groups, section.whole("group_id", 0))
        return self._layer(work, channels, self.sides[sources[0]], sources)

    def make_shortcut(self, section: Section) -> Layer:
        sources, activation = self._sources(section, "from"), self._activation(section, "linear")
        kind = section.options.get("weights_type", "none")
        normalization = section.options.get("weights_normalization", "none").replace("avg_relu", "relu")
        if kind == "none":
            work: Work = add
        elif kind not in ("per_feature", "per_layer", "per_channel") or normalization not in NORMALIZATIONS:
            raise section.refuse(f"weights of the kind '{kind}', '{normalization}' are not supported")
        elif {self.channels[source] for source in sources} != {self.channels[-1]}:
            raise section.refuse("inputs with weights must have the same number of channels")
        else:
            channels = self.channels[-1] if kind == "per_channel" else 1
            work = parts("csp").WeightedSum(channels, 1 + len(sources), normalization)
        return self._layer(Activated(work, activation), sources=(self._before, *sources))

    def make_scale_channels(self, section: Section) -> Layer:
        """An earlier layer times the previous one, which is one cell wide; in [sam] they have the same size."""
        source = self._sources(section, "from")[0]
        work = Activated(torch.mul, self._activation(section, "linear"))
        return self._layer(work, self.channels[source], self.sides[source], (self._before, source))

    make_sam = make_scale_channels

    def make_upsample(self, section: Section) -> Layer:
        stride = section.whole("stride", 2)
        if stride < 1:
            raise section.refuse(f"it must enlarge, not by {stride}")
        return self._layer(nn.Upsample(scale_factor=float(stride)), side=self.sides[-1] * stride)

    def make_reorg(self, section: Section) -> Layer:
        if section.whole("stride", 1) != 2 or section.whole("reverse", 0):
            raise section.refuse("only stride 2 is supported")
        return self._layer(blocks.reorg, self.channels[-1] * 4, self.sides[-1] // 2)

    def make_dropout(self, section: Section) -> Layer:
        return self._layer(nn.Dropout(section.number("probability", 0.5)))

    def make_connected(self, section: Section) -> Layer:
        outputs, head = section.whole("output", 1), self._head("detection")
        if head is not None:
            outputs = head.whole("side", 7) ** 2 * (head.whole("num", 1) * 5 + self.labels)
        linear = nn.Linear(self.channels[-1] * self.sides[-1] ** 2, outputs)
        return self._layer(nn.Sequential(nn.Flatten(), linear, self._activation(section, "logistic")), outputs, 1)

    def make_yolo(self, _: Section) -> Layer:
        return self._layer(nn.Identity())

    make_region = make_detection = make_yolo


class Activated(nn.Module):
    """The result of the inputs, through a nonlinearity."""

    def __init__(self, work: Work, activation: nn.Module) -> None:
        super().__init__()
        self.work, self.activation = work, activation

    def forward(self, *inputs: Tensor) -> Tensor:
        out: Tensor = self.activation(self.work(*inputs))
        return out


@detectors.register("darknet-cfg")
class DarknetCfg(base.Detector):  # type: ignore[name-defined, misc]
    """Layers stand in the order of the cfg, so that its .weights files fit."""

    title = "Darknet .cfg"
    paper = "Redmon, Bochkovskiy and others: Darknet, 2013-2020; the cfg says more"
    summary = "Any network that a Darknet .cfg file describes, with its own weights or from scratch."
    settings_class: ClassVar[type[DetectorSettings]] = DarknetCfgSettings
    darknet = True
    multiple = 1
    outs: tuple[str, ...] = ()  # set for each network from its cfg

    def __init__(self, settings: DetectorSettings, labels: int, anchors: Any = None) -> None:
        assert isinstance(settings, DarknetCfgSettings)
        settings = settings.resolved(())
        super().__init__(settings, labels, None)
        sections = cfgs.read(settings.cfg)
        self.ends = tuple(index for index, section in enumerate(sections[1:]) if section.kind in HEADS)
        heads = [sections[end + 1] for end in self.ends]
        if len({head.kind for head in heads}) != 1:
            raise WorkbenchError("The cfg can't be used: it needs [yolo], [region] or [detection] layers, of one kind.")
        builder = Builder(sections, labels)
        self.remarks = tuple(_remarks(sections))
        self.layers = nn.ModuleList(builder.layers())
        self.fixed_size = any(section.kind == "connected" for section in sections)
        sides = [builder.sides[end + 1] for end in self.ends]
        self.head = _head(heads, labels, settings, sides)
        self.anchors = _anchors(heads[0])
        self.published_nms = (_nms(heads[-1]) if settings.nms == "as the cfg" else "per label"), NMS_IOU
        inside = "1" if heads[0].kind == "detection" else "conv"
        self.outs = tuple(f"layers.{end - 1}.work.{inside}" for end in self.ends)
        if heads[0].kind != "detection":
            self.head.start([self.get_submodule(out) for out in self.outs], settings.objectness_prior)

    @classmethod
    def chosen_multiple(cls, settings: Any) -> int:
        stride: int = cfgs.largest_stride(cfgs.read(settings.resolved(()).cfg))
        return stride

    def cfg_text(self) -> str:
        """The cfg for its current labels, to export with its weights."""
        sections = cfgs.read(self.settings.cfg)
        for end, out in zip(self.ends, self.outs, strict=True):
            rows, layer = len(self.get_submodule(out).weight), sections[end]  # sections start with [net]
            layer.options["output" if layer.kind == "connected" else "filters"] = str(rows)
            sections[end + 1].options["classes"] = str(self.label_count)
        return "\n".join(cfgs.section_text(section.kind, section.options) for section in sections)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        outputs = [images]
        for layer in self.layers:
            outputs.append(layer(outputs))
        return tuple(outputs[end + 1] for end in self.ends)


def _nms(head: Section) -> str:
    """Darknet's NMS, as the last head says. beta_nms applies only to diounms."""
    kind, power = head.options.get("nms_kind", "default"), head.number("beta_nms", NMS_POWER)
    if kind == "default":
        return "per label"
    if kind == "greedynms" or (kind == "diounms" and power == NMS_POWER):
        return "darknet diou"
    if kind == "diounms" and power == 1:
        return "diou"
    raise head.refuse(f"'nms_kind={kind}' with 'beta_nms={power:g}' is not supported; set nms to \"per label\" instead")


def _remarks(sections: list[Section]) -> Iterator[str]:
    """Options of the cfg for training that are not supported here."""
    for section in sections:
        for name in section.unlearnt:
            option = f"'{name}={section.options[name]}' of [{section.kind}] in line {section.line}"
            yield f"{option} of the cfg is not supported: the training ignores it."
    heads = [section for section in sections if section.kind == "yolo"]
    is_other = heads and heads[0].options.get("iou_loss", "mse") not in ("mse", "ciou")
    if is_other and "iou_normalizer" in heads[0].options:
        yield "The cfg's iou_normalizer is not used: it fits Darknet's gradient, which is known for ciou and mse only."
    for name in cfgs.ALIKE:
        if len({section.options.get(name) for section in heads}) > 1:
            yield f"The [yolo] layers of the cfg differ in {name}: the first one's is used."


def _head(sections: list[Section], labels: int, settings: DarknetCfgSettings, sides: list[int]) -> Any:
    """The rules of the cfg's heads."""
    first, px = sections[0], settings.input_px
    strides = tuple(px // side for side in sides)
    if first.kind == "detection":
        module = parts("detection_head")
        if "sqrt" not in first.options:
            raise first.refuse("'sqrt=0' is not supported")
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
    if any(_anchors(section) != anchors for section in sections):
        raise first.refuse("anchors must be the same in all of them")
    masks = tuple(tuple(int(n) for n in section.numbers("mask")) or tuple(range(len(anchors))) for section in sections)
    if any(not 0 <= anchor < len(anchors) for mask in masks for anchor in mask):
        raise first.refuse("a mask refers to an anchor that does not exist")
    box = first.options.get("iou_loss", "mse")
    darknet = box == "ciou"  # Darknet's own gradient is not implemented for the others
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
