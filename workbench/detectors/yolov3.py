"""YOLOv3: Darknet-53 with three output levels (Redmon, Farhadi: YOLOv3, 2018, arXiv 1804.02767; the backbone is
table 1, the levels section 2.3). Network and constants follow cfg/yolov3.cfg.

YOLOv3-SPP pools the coarsest features at three ranges: cfg/yolov3-spp.cfg, which the paper does not describe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import priors
from workbench.detectors.parts.blocks import ConvUnit, SpatialPyramid, scaled, set_activation, upsample
from workbench.detectors.parts.detector import Detector, Raw
from workbench.detectors.parts.yolo_head import YoloHead
from workbench.detectors.parts.yolo_settings import YoloV3LossSettings

STRIDES = (32, 16, 8)
RESIDUALS = (1, 2, 8, 8, 4)  # Darknet-53: residual blocks after each halving


@dataclass(frozen=True)
class YoloV3Settings(YoloV3LossSettings):
    """Settings of YOLOv3. Anchors are divided evenly: of nine, the coarsest level gets the largest three."""


class Residual(nn.Module):
    """1x1 to half the channels, 3x3 back, added to the input."""

    def __init__(self, channels: int, half: int) -> None:
        super().__init__()
        self.squeeze = ConvUnit(channels, half, size=1)
        self.expand = ConvUnit(half, channels)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = images + self.expand(self.squeeze(images))
        return out


class Level(nn.Module):
    """One output level: five convolutions to the neck, which the next finer level continues from, then the outputs.

    With `pooled`, a spatial pyramid and a convolution that takes its output come after the third.
    """

    def __init__(self, inputs: int, half: int, whole: int, outputs: int, *, pooled: bool = False) -> None:
        super().__init__()
        self.neck = nn.Sequential(
            *(ConvUnit(inputs, half, size=1), ConvUnit(half, whole), ConvUnit(whole, half, size=1)),
            *((SpatialPyramid(), ConvUnit(4 * half, half, size=1)) if pooled else ()),
            *(ConvUnit(half, whole), ConvUnit(whole, half, size=1)),
        )
        self.last = ConvUnit(half, whole)
        self.out = nn.Conv2d(whole, outputs, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        neck = self.neck(images)
        return neck, self.out(self.last(neck))


def stage(inputs: int, outputs: int, half: int, residuals: int) -> nn.Sequential:
    """Halve the size, then `residuals` residual blocks."""
    return nn.Sequential(ConvUnit(inputs, outputs, stride=2), *(Residual(outputs, half) for _ in range(residuals)))


@register("yolov3")
class YoloV3(Detector):
    """Layers stand in the order of the Darknet file, which parts/darknet.py relies on."""

    name = "yolov3"
    title = "YOLOv3"
    paper = "Redmon, Farhadi: YOLOv3: An Incremental Improvement, 2018, arXiv 1804.02767"
    summary = "Large and accurate, also for small objects; needs a graphics card and a few thousand boxes."
    settings_class: ClassVar[type[DetectorSettings]] = YoloV3Settings
    darknet = True
    published_anchors = (
        *((10, 13), (16, 30), (33, 23)),
        *((30, 61), (62, 45), (59, 119)),
        *((116, 90), (156, 198), (373, 326)),
    )
    published: ClassVar[Mapping[str, Any]] = {  # cfg/yolov3.cfg; DarknetSettings says what differs
        "epochs": 273, "batch": 64, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.001, "warm_up": 1000,
        "warm_up_power": 4.0, "schedule": "step", "step_at": (0.8, 0.9), "whole_jitter": 0.3, "sizes": 0.4,
        "hue": 0.1, "saturation": 1.5, "exposure": 1.5,
        "objectness_prior": 0.5, "rules": "pjreddie",
    }  # fmt: skip
    outs = ("coarse.out", "medium.out", "fine.out")
    backbone_parts = ("stem", "shallow", "middle", "deep")
    published_resize = "letterbox"  # as pjreddie's Darknet, which made the public weights, did in training and test
    pooled: ClassVar[bool] = False

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, YoloV3Settings)
        masks = priors.even_masks(len(self.anchors), len(STRIDES))
        self.head = YoloHead(labels, self.anchors, STRIDES, masks, (1.0, 1.0, 1.0), settings.loss_rules())
        c32, *channels = (scaled(32 << step, settings.width) for step in range(6))
        _, c128, c256, c512, c1024 = channels
        self.stem = ConvUnit(3, c32)
        stages = [stage(a, b, a, count) for a, b, count in zip((c32, *channels), channels, RESIDUALS, strict=False)]
        self.shallow, self.middle, self.deep = nn.Sequential(*stages[:3]), stages[3], stages[4]
        self.coarse = Level(c1024, c512, c1024, self.head.channels(0), pooled=self.pooled)
        self.coarse_lateral = ConvUnit(c512, c256, size=1)
        self.medium = Level(c256 + c512, c256, c512, self.head.channels(1))
        self.medium_lateral = ConvUnit(c256, c128, size=1)
        self.fine = Level(c128 + c256, c128, c256, self.head.channels(2))
        self.head.start([self.get_submodule(out) for out in self.outs], settings.objectness_prior)
        set_activation(self, settings.activation)

    def forward(self, images: Tensor) -> Raw:
        shallow = self.shallow(self.stem(images))
        middle = self.middle(shallow)
        neck, coarse = self.coarse(self.deep(middle))
        neck, medium = self.medium(torch.cat([upsample(self.coarse_lateral(neck)), middle], dim=1))
        _, fine = self.fine(torch.cat([upsample(self.medium_lateral(neck)), shallow], dim=1))
        return coarse, medium, fine


@register("yolov3-spp")
class YoloV3Spp(YoloV3):
    """YOLOv3 with a spatial pyramid."""

    name = "yolov3-spp"
    title = "YOLOv3-SPP"
    summary = "YOLOv3 that sees more around each cell: better on large objects, one percent slower."
    published: ClassVar[Mapping[str, Any]] = {**YoloV3.published, "input_px": 608}  # cfg/yolov3-spp.cfg
    published_px = 608  # which has YOLOv3's anchors as they are
    pooled = True
