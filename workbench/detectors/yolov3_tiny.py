"""YOLOv3-tiny: a plain stack of convolutions and max-pools with two output levels (Redmon, Farhadi: YOLOv3, 2018,
arXiv 1804.02767; the network is cfg/yolov3-tiny.cfg, which the paper does not describe).

The cfg of May 2018 gave the fine level anchors 1, 2, 3, and the public weights were trained that way; since August
2018 it has been 0, 1, 2. The setting `masks` chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import priors
from workbench.detectors.parts.blocks import ConvUnit, MaxPool, scaled, set_activation, upsample
from workbench.detectors.parts.detector import Detector, Raw
from workbench.detectors.parts.yolo_head import YoloHead
from workbench.detectors.parts.yolo_settings import TINY_MASKS, YoloV3LossSettings, tiny_masks

STRIDES = (32, 16)


@dataclass(frozen=True)
class YoloV3TinySettings(YoloV3LossSettings):
    """Settings of YOLOv3-tiny."""

    masks: str = tiny_masks()


@register("yolov3-tiny")
class YoloV3Tiny(Detector):
    """Layers stand in the order of the Darknet file, which parts/darknet.py relies on."""

    name = "yolov3-tiny"
    title = "YOLOv3-tiny"
    paper = "Redmon, Farhadi: YOLOv3: An Incremental Improvement, 2018, arXiv 1804.02767"
    summary = "The simplest network here: runs on anything and is supported by every embedded toolkit."
    settings_class: ClassVar[type[DetectorSettings]] = YoloV3TinySettings
    darknet = True
    published_anchors = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))
    published: ClassVar[Mapping[str, Any]] = {  # cfg/yolov3-tiny.cfg; DarknetSettings says what differs
        "epochs": 273, "batch": 64, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.001, "warm_up": 1000,
        "warm_up_power": 4.0, "schedule": "step", "step_at": (0.8, 0.9), "whole_jitter": 0.3, "sizes": 0.4,
        "hue": 0.1, "saturation": 1.5, "exposure": 1.5,
        "objectness_prior": 0.5, "rules": "pjreddie",
    }  # fmt: skip
    outs = ("coarse_out", "fine_out")
    backbone_parts = ("shallow", "deep")
    published_resize = "letterbox"  # as pjreddie's Darknet, which made the public weights, did in training and test

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, YoloV3TinySettings)
        masks = (
            TINY_MASKS[settings.masks] if len(self.anchors) == 6 else priors.even_masks(len(self.anchors), len(STRIDES))
        )
        self.head = YoloHead(labels, self.anchors, STRIDES, masks, (1.0, 1.0), settings.loss_rules())
        c16, c32, c64, c128, c256, c512, c1024 = (scaled(16 << step, settings.width) for step in range(7))
        self.shallow = nn.Sequential(
            *(ConvUnit(3, c16), MaxPool()),
            *(ConvUnit(c16, c32), MaxPool()),
            *(ConvUnit(c32, c64), MaxPool()),
            *(ConvUnit(c64, c128), MaxPool()),
            ConvUnit(c128, c256),
        )
        self.deep = nn.Sequential(
            *(MaxPool(), ConvUnit(c256, c512)),
            *(MaxPool(size=2, stride=1), ConvUnit(c512, c1024)),
            ConvUnit(c1024, c256, size=1),
        )
        self.coarse = ConvUnit(c256, c512)
        self.coarse_out = nn.Conv2d(c512, self.head.channels(0), 1)
        self.lateral = ConvUnit(c256, c128, size=1)
        self.fine = ConvUnit(c128 + c256, c256)
        self.fine_out = nn.Conv2d(c256, self.head.channels(1), 1)
        self.head.start([self.get_submodule(out) for out in self.outs], settings.objectness_prior)
        set_activation(self, settings.activation)

    def forward(self, images: Tensor) -> Raw:
        detail = self.shallow(images)
        neck = self.deep(detail)
        coarse = self.coarse_out(self.coarse(neck))
        fine = self.fine(torch.cat([upsample(self.lateral(neck)), detail], dim=1))
        return coarse, self.fine_out(fine)
