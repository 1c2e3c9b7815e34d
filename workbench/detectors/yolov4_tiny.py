"""YOLOv4-tiny: a small, fast detector with two output levels (Bochkovskiy et al. 2020, arXiv 2004.10934; C.-Y. Wang
et al., Scaled-YOLOv4, 2021, arXiv 2011.08036, section 4.3). Network and constants follow cfg/yolov4-tiny.cfg.

The published file gives the fine level anchors 1, 2, 3 instead of 0, 1, 2, and the public weights were trained with
this slip: anchor 0 is unused (boxes nearest to it are never learnt), anchor 3 used twice. The setting `masks` chooses.
To train as Darknet did: masks published, box_gradient darknet, match_iou 1, objectness_prior 0.5;
DarknetSettings says what then still differs.
YOLOv4-tiny-3l has a third, finer level: cfg/yolov4-tiny-3l.cfg, whose masks are in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import priors
from workbench.detectors.parts.blocks import ConvUnit, MaxPool, scaled, second_half, set_activation, upsample
from workbench.detectors.parts.detector import Detector, Raw
from workbench.detectors.parts.yolo_head import YoloHead
from workbench.detectors.parts.yolo_settings import TINY_MASKS, YoloV4LossSettings, tiny_masks

SCALE_X_Y = 1.05


@dataclass(frozen=True)
class YoloV4TinySettings(YoloV4LossSettings):
    """Settings of YOLOv4-tiny."""

    masks: str = tiny_masks()


@dataclass(frozen=True)
class YoloV4Tiny3lSettings(YoloV4LossSettings):
    """Settings of YOLOv4-tiny-3l. Anchors are divided evenly: of nine, the coarsest level gets the largest three."""


class CspBlock(nn.Module):
    """Half of the channels pass two more convolutions and are concatenated to all of them: C -> 2 C at half size.

    Also returns the features before the pooling, which the last block passes to the fine level.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.entry = ConvUnit(channels, channels)
        self.first = ConvUnit(half, half)
        self.second = ConvUnit(half, half)
        self.merge = ConvUnit(channels, channels, size=1)
        self.pool = MaxPool()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        whole = self.entry(images)
        first = self.first(second_half(whole))
        merged = self.merge(torch.cat([self.second(first), first], dim=1))
        return self.pool(torch.cat([whole, merged], dim=1)), merged


@register("yolov4-tiny")
class YoloV4Tiny(Detector):
    """Layers stand in the order of the Darknet file, which parts/darknet.py relies on."""

    name = "yolov4-tiny"
    title = "YOLOv4-tiny"
    paper = "Bochkovskiy, Wang, Liao: YOLOv4, 2020, arXiv 2004.10934; Scaled-YOLOv4, 2021, arXiv 2011.08036"
    summary = "Small and fast: the first choice without a graphics card or with few images."
    settings_class: ClassVar[type[DetectorSettings]] = YoloV4TinySettings
    darknet = True
    published_anchors: ClassVar[priors.Anchors] = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))

    # cfg/yolov4-tiny.cfg, whose two million steps are 1,092 epochs of COCO. Its resize=1.5 is `scale` here: Darknet
    # moves opposite borders apart independently, which also shifts the image by up to a fifth; `scale` keeps the centre
    published: ClassVar[Mapping[str, Any]] = {
        "epochs": 1092, "batch": 64, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.00261,
        "warm_up": 1000, "warm_up_power": 4.0, "schedule": "step", "step_at": (0.8, 0.9), "jitter": 0.3,
        "scale": 0.5, "hue": 0.1, "saturation": 1.5, "exposure": 1.5, "box_gradient": "darknet",
        "objectness_prior": 0.5, "masks": "published",
    }  # fmt: skip
    published_nms = ("darknet diou", 0.45)  # the cfg's nms_kind=greedynms
    strides: ClassVar[tuple[int, ...]] = (32, 16)
    outs: ClassVar[tuple[str, ...]] = ("coarse_out", "fine_out")
    backbone_parts = ("stem", "block1", "block2", "block3")

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, YoloV4LossSettings)
        masks = priors.even_masks(len(self.anchors), len(self.strides))
        if isinstance(settings, YoloV4TinySettings) and len(self.anchors) == 6:
            masks = TINY_MASKS[settings.masks]
        scales = (SCALE_X_Y,) * len(self.strides)
        self.head = YoloHead(labels, self.anchors, self.strides, masks, scales, settings.loss_rules())
        c32, c64, c128, c256, c512 = (scaled(c, settings.width) for c in (32, 64, 128, 256, 512))
        self.stem = nn.Sequential(ConvUnit(3, c32, stride=2), ConvUnit(c32, c64, stride=2))
        self.block1, self.block2, self.block3 = CspBlock(c64), CspBlock(2 * c64), CspBlock(4 * c64)
        self.neck = nn.Sequential(ConvUnit(8 * c64, c512), ConvUnit(c512, c256, size=1))
        self.coarse = ConvUnit(c256, c512)
        self.coarse_out = nn.Conv2d(c512, self.head.channels(0), 1)
        self.lateral = ConvUnit(c256, c128, size=1)
        self.fine = ConvUnit(c128 + 4 * c64, c256)
        self.fine_out = nn.Conv2d(c256, self.head.channels(1), 1)
        if len(self.strides) == 3:
            self.finer_lateral = ConvUnit(c256, c64, size=1)
            self.finer = ConvUnit(c64 + 2 * c64, c128)
            self.finer_out = nn.Conv2d(c128, self.head.channels(2), 1)
        self.head.start([self.get_submodule(out) for out in self.outs], settings.objectness_prior)
        set_activation(self, settings.activation)

    def forward(self, images: Tensor) -> Raw:
        features, _ = self.block1(self.stem(images))
        features, finer_detail = self.block2(features)
        features, detail = self.block3(features)
        neck = self.neck(features)
        coarse = self.coarse_out(self.coarse(neck))
        fine = self.fine(torch.cat([upsample(self.lateral(neck)), detail], dim=1))
        if len(self.strides) == 2:
            return coarse, self.fine_out(fine)
        finer = self.finer(torch.cat([upsample(self.finer_lateral(fine)), finer_detail], dim=1))
        return coarse, self.fine_out(fine), self.finer_out(finer)


@register("yolov4-tiny-3l")
class YoloV4Tiny3l(YoloV4Tiny):
    """The same with a third level."""

    name = "yolov4-tiny-3l"
    title = "YOLOv4-tiny-3l"
    summary = "YOLOv4-tiny with a third, finer level: for small objects, for about a fifth more computation."
    settings_class = YoloV4Tiny3lSettings
    published_anchors = (
        *((12, 16), (19, 36), (40, 28)),
        *((36, 75), (76, 55), (72, 146)),
        *((142, 110), (192, 243), (459, 401)),
    )
    published_px = 608
    published: ClassVar[Mapping[str, Any]] = {  # cfg/yolov4-tiny-3l.cfg
        **{name: value for name, value in YoloV4Tiny.published.items() if name != "masks"},
        "epochs": 273, "input_px": 608,
    }  # fmt: skip
    strides = (32, 16, 8)
    outs = ("coarse_out", "fine_out", "finer_out")
