"""YOLOv2: Darknet-19 with a passthrough of finer features and one output level (Redmon, Farhadi: YOLO9000, 2016,
arXiv 1612.08242; the backbone is table 6, the passthrough section 2). Network and constants follow cfg/yolov2.cfg.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import priors
from workbench.detectors.parts.blocks import ConvUnit, MaxPool, reorg, scaled, set_activation
from workbench.detectors.parts.detector import Detector, Raw
from workbench.detectors.parts.region_head import RegionHead
from workbench.detectors.parts.region_settings import RegionSettings


@dataclass(frozen=True)
class YoloV2Settings(RegionSettings):
    """Settings of YOLOv2."""


def squeezes(wide: int, narrow: int, count: int) -> list[ConvUnit]:
    """`count` times: to `narrow` channels by 1x1 and back to `wide` by 3x3."""
    return [unit for _ in range(count) for unit in (ConvUnit(wide, narrow, size=1), ConvUnit(narrow, wide))]


@register("yolov2")
class YoloV2(Detector):
    """Layers stand in the order of the Darknet file, which parts/darknet.py relies on."""

    name = "yolov2"
    title = "YOLOv2"
    paper = "Redmon, Farhadi: YOLO9000: Better, Faster, Stronger, 2016, arXiv 1612.08242"
    summary = "The first YOLO with anchors; for objects that are neither small nor crowded."
    settings_class: ClassVar[type[DetectorSettings]] = YoloV2Settings
    darknet = True
    published_anchors = (  # from cfg/yolov2.cfg, which has them in cells of 32 pixels
        *((18.32736, 21.67632), (59.98272, 66.00096), (106.82976, 175.17888)),
        *((252.25024, 112.88896), (312.65664, 293.38496)),
    )
    published: ClassVar[Mapping[str, Any]] = {  # cfg/yolov2.cfg; DarknetSettings says what differs
        "epochs": 273, "batch": 64, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.001, "warm_up": 1000,
        "warm_up_power": 4.0, "schedule": "step", "step_at": (0.8, 0.9), "whole_jitter": 0.3, "sizes": 0.4,
        "hue": 0.1, "saturation": 1.5, "exposure": 1.5,
    }  # fmt: skip
    outs = ("out",)
    backbone_parts = ("shallow", "deep")
    published_resize = "letterbox"  # as pjreddie's Darknet, which made the public weights, does

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, YoloV2Settings)
        self.anchors = anchors or self.anchors  # as given: a file's channels follow its cfg, which need not ascend
        self.head = RegionHead(labels, self.anchors, settings.loss_rules())
        c32, c64, c128, c256, c512, c1024 = (scaled(32 << step, settings.width) for step in range(6))
        self.shallow = nn.Sequential(
            *(ConvUnit(3, c32), MaxPool()),
            *(ConvUnit(c32, c64), MaxPool()),
            *(ConvUnit(c64, c128), *squeezes(c128, c64, 1), MaxPool()),
            *(ConvUnit(c128, c256), *squeezes(c256, c128, 1), MaxPool()),
            *(ConvUnit(c256, c512), *squeezes(c512, c256, 2)),
        )
        self.deep = nn.Sequential(
            *(MaxPool(), ConvUnit(c512, c1024), *squeezes(c1024, c512, 2)),
            *(ConvUnit(c1024, c1024), ConvUnit(c1024, c1024)),
        )
        self.passthrough = ConvUnit(c512, c64, size=1)
        self.merge = ConvUnit(4 * c64 + c1024, c1024)
        self.out = nn.Conv2d(c1024, self.head.channels(0), 1)
        self.head.start([self.get_submodule(out) for out in self.outs], settings.objectness_prior)
        set_activation(self, settings.activation)

    def forward(self, images: Tensor) -> Raw:
        shallow = self.shallow(images)
        finer = reorg(self.passthrough(shallow))
        return (self.out(self.merge(torch.cat([finer, self.deep(shallow)], dim=1))),)
