"""YOLOv2-tiny: a plain stack of convolutions and max-pools with one output level (Redmon, Farhadi: YOLO9000, 2016,
arXiv 1612.08242; the network is cfg/yolov2-tiny.cfg or cfg/yolov2-tiny-voc.cfg, which the paper does not describe).

The two files differ in the last hidden layer (setting `tail`) and in `rescore`, which the one for COCO switches off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import priors
from workbench.detectors.parts.blocks import ConvUnit, MaxPool, scaled, set_activation
from workbench.detectors.parts.detector import Detector, Raw
from workbench.detectors.parts.region_head import RegionHead
from workbench.detectors.parts.region_settings import RegionSettings
from workbench.settings import setting


@dataclass(frozen=True)
class YoloV2TinySettings(RegionSettings):
    """Settings of YOLOv2-tiny."""

    tail: str = setting(
        "coco",
        "Which published network: coco ends in 512 channels (11 million parameters), voc in 1,024 (16 million).",
        choices=("coco", "voc"),
    )


@register("yolov2-tiny")
class YoloV2Tiny(Detector):
    """Layers stand in the order of the Darknet file, which parts/darknet.py relies on."""

    name = "yolov2-tiny"
    title = "YOLOv2-tiny"
    paper = "Redmon, Farhadi: YOLO9000: Better, Faster, Stronger, 2016, arXiv 1612.08242"
    summary = "The plainest network with anchors: good for learning how they work; weak on small objects."
    settings_class: ClassVar[type[DetectorSettings]] = YoloV2TinySettings
    darknet = True
    published_anchors = (  # from cfg/yolov2-tiny.cfg, which has them in cells of 32 pixels
        *((18.32736, 21.67632), (59.98272, 66.00096), (106.82976, 175.17888)),
        *((252.25024, 112.88896), (312.65664, 293.38496)),
    )
    published: ClassVar[Mapping[str, Any]] = {  # cfg/yolov2-tiny.cfg; DarknetSettings says what differs
        "epochs": 273, "batch": 64, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.001, "warm_up": 1000,
        "warm_up_power": 4.0, "schedule": "step", "step_at": (0.8, 0.9), "whole_jitter": 0.2, "sizes": 0.4,
        "hue": 0.1, "saturation": 1.5, "exposure": 1.5,
        "rescore": False,
    }  # fmt: skip
    outs = ("out",)
    backbone_parts = ("body",)
    published_resize = "letterbox"  # as pjreddie's Darknet, which made the public weights, does

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, YoloV2TinySettings)
        self.anchors = anchors or self.anchors  # as given: a file's channels follow its cfg, which need not ascend
        self.head = RegionHead(labels, self.anchors, settings.loss_rules())
        c16, c32, c64, c128, c256, c512, c1024 = (scaled(16 << step, settings.width) for step in range(7))
        last = c512 if settings.tail == "coco" else c1024
        self.body = nn.Sequential(
            *(ConvUnit(3, c16), MaxPool()),
            *(ConvUnit(c16, c32), MaxPool()),
            *(ConvUnit(c32, c64), MaxPool()),
            *(ConvUnit(c64, c128), MaxPool()),
            *(ConvUnit(c128, c256), MaxPool()),
            *(ConvUnit(c256, c512), MaxPool(stride=1)),
            *(ConvUnit(c512, c1024), ConvUnit(c1024, last)),
        )
        self.out = nn.Conv2d(last, self.head.channels(0), 1)
        self.head.start([self.get_submodule(out) for out in self.outs], settings.objectness_prior)
        set_activation(self, settings.activation)

    def forward(self, images: Tensor) -> Raw:
        return (self.out(self.body(images)),)
