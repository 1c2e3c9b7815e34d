"""SSDlite: SSD with depthwise separable convolutions on MobileNetV3-Large (Sandler et al., MobileNetV2, 2018, arXiv
1801.04381, section 6.2; Howard et al., Searching for MobileNetV3, 2019, arXiv 1905.02244, section 6.3).

The network is torchvision's ssdlite320_mobilenet_v3_large, so its published weights fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor
from torchvision.models.detection import SSDLite320_MobileNet_V3_Large_Weights, ssdlite320_mobilenet_v3_large
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import foreign, priors
from workbench.detectors.parts.default_boxes import DefaultBoxHead, outputs
from workbench.detectors.parts.detector import Detector, Pretrained, Raw
from workbench.detectors.parts.narrow import narrow
from workbench.settings import setting

MAPS = 6
CLASSES, BOXES = "head.classification_head.module_list", "head.regression_head.module_list"


@dataclass(frozen=True)
class SsdLiteSettings(foreign.ForeignSettings):
    """Settings of SSDlite."""

    input_px: int = setting(320, "Side of the square network input; a multiple of 32.", unit="px", low=32, high=2048)
    match_iou: float = setting(
        0.5, "Default boxes that overlap a box by at least this are trained on it.", low=0.05, high=0.95, group="Loss"
    )
    smallest_boxes: float = setting(
        0.2, "Side of the finest map's default boxes as a share of the image.", low=0.01, high=0.9
    )
    largest_boxes: float = setting(
        0.95, "Side of the coarsest map's default boxes as a share of the image.", low=0.01, high=1.0
    )


@register("ssdlite")
class SsdLite(Detector):
    """`outs` are the label layers, map by map; box layers have no labels."""

    name = "ssdlite"
    title = "SSDlite"
    paper = "Sandler et al.: MobileNetV2, 2018, arXiv 1801.04381; Howard et al.: MobileNetV3, 2019, arXiv 1905.02244"
    summary = "Needs the least computation of all: for phones and small boards. Misses small objects."
    settings_class: ClassVar[type[DetectorSettings]] = SsdLiteSettings
    shared_divisor = True
    loss_per_positive = True
    published: ClassVar[Mapping[str, Any]] = {  # torchvision's
        "epochs": 660, "batch": 192, "momentum": 0.9, "weight_decay": 0.00004, "learning_rate": 0.15, "warm_up": 1000,
        "schedule": "cosine", "final_rate": 0.0, "overlap_crop": 0.857,
    }  # fmt: skip
    published_px = 320
    smaller_by = "a smaller smallest_boxes"
    larger_by = "a larger largest_boxes"
    published_nms = ("per label", 0.55)  # torchvision's
    fixed_size = True
    pretrained: ClassVar[Pretrained | None] = foreign.pretrained(
        SSDLite320_MobileNet_V3_Large_Weights.COCO_V1, background=True
    )
    outs = tuple(f"net.{CLASSES}.{level}.1" for level in range(MAPS))
    backbone_parts = ("net.backbone.features",)

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, SsdLiteSettings)
        self.normalise = foreign.Normalise((0.5,) * 3, (0.5,) * 3)
        self.net = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=1 + labels)
        narrow(self.net, settings.width, [f"{part}.{level}.1" for part in (CLASSES, BOXES) for level in range(MAPS)])
        if settings.frozen_norms:
            foreign.freeze_norms(self.net)
        px = settings.input_px
        self.smallest_px = settings.smallest_boxes * px * settings.match_iou**0.5
        self.largest_px = (settings.largest_boxes / settings.match_iou) ** 0.5 * px  # its last scale is the image
        generator = DefaultBoxGenerator([[2, 3]] * MAPS, settings.smallest_boxes, settings.largest_boxes)
        grids = foreign.map_sizes(self.net.backbone, px)
        self.head = DefaultBoxHead(labels, px, generator, grids, settings.match_iou)

    def forward(self, images: Tensor) -> Raw:
        return outputs(self.net, self.normalise(images))
