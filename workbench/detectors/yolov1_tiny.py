"""YOLOv1-tiny: eight convolutions with batch norm and one fully connected layer (Redmon et al. 2015, arXiv 1506.02640,
calls a smaller one Fast YOLO; the network is cfg/yolov1-tiny.cfg, which is newer than the paper). yolov1.py and
DarknetSettings say what differs from Darknet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import priors
from workbench.detectors.parts.blocks import ConvUnit, MaxPool, scaled, set_activation
from workbench.detectors.parts.detection_head import DetectionHead
from workbench.detectors.parts.detection_settings import DetectionSettings
from workbench.detectors.parts.detector import Detector, Raw

STRIDE = 64  # six pools halve the image


@dataclass(frozen=True)
class YoloV1TinySettings(DetectionSettings):
    """Settings of YOLOv1-tiny."""


@register("yolov1-tiny")
class YoloV1Tiny(Detector):
    """Layers stand in the order of the Darknet file, which parts/darknet.py relies on."""

    name = "yolov1-tiny"
    title = "YOLOv1-tiny"
    paper = "Redmon, Divvala, Girshick, Farhadi: You Only Look Once, 2015, arXiv 1506.02640"
    summary = "The first YOLO's idea in a network that trains from scratch; for few, large objects."
    settings_class: ClassVar[type[DetectorSettings]] = YoloV1TinySettings
    darknet = True
    published: ClassVar[Mapping[str, Any]] = {  # cfg/yolov1-tiny.cfg, .75 .. 1/.75; epochs are the paper's
        "epochs": 135, "batch": 64, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.01, "warm_up": 800,
        "schedule": "step", "step_at": (0.5, 0.75), "jitter": 0.2, "hue": 0.1, "saturation": 1.333,
        "exposure": 1.333,
    }  # fmt: skip
    published_px = 448
    fixed_size = True
    one_per_cell = True
    outs = ("out",)
    backbone_parts = ("body",)

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, YoloV1TinySettings)
        self.head = DetectionHead(labels, settings.side, settings.boxes, settings.input_px, settings.loss_rules())
        c16, c32, c64, c128, c256, c512, c1024 = (scaled(16 << step, settings.width) for step in range(7))
        self.body = nn.Sequential(
            *(ConvUnit(3, c16), MaxPool()),
            *(ConvUnit(c16, c32), MaxPool()),
            *(ConvUnit(c32, c64), MaxPool()),
            *(ConvUnit(c64, c128), MaxPool()),
            *(ConvUnit(c128, c256), MaxPool()),
            *(ConvUnit(c256, c512), MaxPool()),
            *(ConvUnit(c512, c1024), ConvUnit(c1024, c256)),
        )
        cells = -(-settings.input_px // STRIDE)
        self.out = nn.Linear(c256 * cells**2, self.head.outputs)
        self.head.start(self.out)
        set_activation(self, settings.activation)

    def forward(self, images: Tensor) -> Raw:
        return (self.out(self.body(images).flatten(1)),)
