"""YOLOv1: 24 convolutions and two fully connected layers look at the whole image once (Redmon, Divvala, Girshick,
Farhadi: You Only Look Once, 2015, arXiv 1506.02640; the network is figure 3). Four networks have this name; this is
the paper's, without batch norm. The released yolov1.weights belong to another.

A cell learns only the first of the boxes whose centres it holds, so crowded objects are missed. As published, the
learning rate rises along a straight line, the cfg's in stairs at steps 200, 400 and 600; and the first boxes lie in the
middle of their cells, a tenth of the image wide, where Darknet's are random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import priors
from workbench.detectors.parts.blocks import LEAKY_SLOPE, ConvUnit, MaxPool, scaled, set_activation
from workbench.detectors.parts.detection_head import DetectionHead
from workbench.detectors.parts.detection_settings import DetectionSettings
from workbench.detectors.parts.detector import Detector, Raw
from workbench.settings import setting

STRIDE = 64  # two convolutions and four pools halve the image


@dataclass(frozen=True)
class YoloV1Settings(DetectionSettings):
    """Settings of YOLOv1."""

    dropout: float = setting(
        0.5, "Share of the fully connected layer's outputs dropped in training.", low=0.0, high=0.9
    )


def unit(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> ConvUnit:
    return ConvUnit(inputs, outputs, size, stride, norm=False)


def squeezes(wide: int, narrow: int, count: int) -> list[ConvUnit]:
    """`count` times: to `narrow` channels by 1x1 and back to `wide` by 3x3."""
    return [made for _ in range(count) for made in (unit(wide, narrow, size=1), unit(narrow, wide))]


@register("yolov1")
class YoloV1(Detector):
    """Layers stand in the order of the Darknet file, which parts/darknet.py relies on."""

    name = "yolov1"
    title = "YOLOv1"
    paper = "Redmon, Divvala, Girshick, Farhadi: You Only Look Once, 2015, arXiv 1506.02640"
    summary = "The original: one grid, no anchors. To see how it worked; hard to train from scratch."
    settings_class: ClassVar[type[DetectorSettings]] = YoloV1Settings
    darknet = True
    published: ClassVar[Mapping[str, Any]] = {  # cfg/yolov1.cfg; epochs are the paper's; see DarknetSettings
        "epochs": 135, "batch": 64, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.005, "warm_up": 600,
        "schedule": "step", "step_at": (0.5, 0.75), "jitter": 0.2, "hue": 0.1, "saturation": 1.5, "exposure": 1.5,
    }  # fmt: skip
    published_px = 448
    fixed_size = True
    one_per_cell = True
    outs = ("out",)
    backbone_parts = ("body",)

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, YoloV1Settings)
        self.head = DetectionHead(labels, settings.side, settings.boxes, settings.input_px, settings.loss_rules())
        c64, c128, c256, c512, c1024, c4096 = (scaled(64 << step, settings.width) for step in (0, 1, 2, 3, 4, 6))
        c192 = scaled(192, settings.width)
        self.body = nn.Sequential(
            *(unit(3, c64, size=7, stride=2), MaxPool()),
            *(unit(c64, c192), MaxPool()),
            *(unit(c192, c128, size=1), unit(c128, c256), unit(c256, c256, size=1), unit(c256, c512), MaxPool()),
            *(*squeezes(c512, c256, 4), unit(c512, c512, size=1), unit(c512, c1024), MaxPool()),
            *(*squeezes(c1024, c512, 2), unit(c1024, c1024), unit(c1024, c1024, stride=2)),
            *(unit(c1024, c1024), unit(c1024, c1024)),
        )
        cells = -(-settings.input_px // STRIDE)
        self.hidden = nn.Linear(c1024 * cells**2, c4096)
        self.leaky, self.dropout = nn.LeakyReLU(LEAKY_SLOPE), nn.Dropout(settings.dropout)
        self.out = nn.Linear(c4096, self.head.outputs)
        nn.init.kaiming_normal_(self.hidden.weight, a=LEAKY_SLOPE, nonlinearity="leaky_relu")
        self.head.start(self.out)
        set_activation(self, settings.activation)

    def forward(self, images: Tensor) -> Raw:
        features = self.body(images).flatten(1)
        return (self.out(self.dropout(self.leaky(self.hidden(features)))),)
