"""Every network at full size has as many weights, and multiplies as often, as the published one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import detection as models

from workbench import detectors
from workbench.detectors import DetectorSettings
from workbench.detectors.parts import counting, darknet
from workbench.detectors.parts.detector import Detector


def build(name: str, px: int, labels: int, **settings: Any) -> Detector:
    kind = detectors.load_all().get(name)
    with torch.device("meta"):
        return kind(kind.settings_class(input_px=px, **settings), labels)


# detector, input side, labels, settings, trainable numbers, floats in the .weights file, BFLOPs (2 x multiply-adds)
PUBLISHED: list[tuple[str, int, int, dict[str, Any], int, int, float]] = [
    ("yolov1", 448, 20, {}, 271_703_550, 271_703_550, 40.570),
    ("yolov1-tiny", 448, 20, {}, 27_095_374, 27_099_950, 3.216),
    ("yolov2", 608, 80, {}, 50_962_889, 50_983_561, 62.938),
    ("yolov2", 416, 80, {}, 50_962_889, 50_983_561, 29.464),
    ("yolov2", 416, 20, {}, 50_655_389, 50_676_061, 29.360),
    ("yolov2-tiny", 416, 80, {"tail": "coco"}, 11_232_057, 11_237_145, 5.406),
    ("yolov2-tiny", 416, 20, {"tail": "voc"}, 15_861_773, 15_867_885, 6.971),
    ("yolo9000", 544, 9418, {}, 48_793_101, 48_807_501, 49.062),
    ("yolov3", 608, 80, {}, 61_949_149, 62_001_757, 140.692),
    ("yolov3", 416, 80, {}, 61_949_149, 62_001_757, 65.864),
    ("yolov3", 416, 20, {}, 61_626_049, 61_678_657, 65.428),
    ("yolov3-tiny", 416, 80, {}, 8_852_366, 8_858_734, 5.565),
    ("yolov3-spp", 608, 80, {}, 62_998_749, 63_052_381, 141.449),
    ("yolov4", 608, 80, {}, 64_363_101, 64_429_405, 128.389),
    ("yolov4-tiny", 416, 80, {}, 6_056_606, 6_062_814, 6.908),
    ("yolov4-tiny-3l", 608, 80, {}, 6_327_453, 6_334_045, 17.735),
    ("yolov4-csp", 512, 80, {}, 52_921_437, 52_986_205, 76.953),
]


@pytest.mark.parametrize(("name", "px", "labels", "settings", "trainable", "floats", "bflops"), PUBLISHED)
def test_the_counts_are_those_of_the_published_network(
    name: str, px: int, labels: int, settings: dict[str, Any], trainable: int, floats: int, bflops: float
) -> None:
    detector = build(name, px, labels, **settings)
    assert counting.parameters(detector) == trainable
    assert darknet.count(detector) == floats
    assert round(2 * counting.multiply_adds(detector) / 1e9, 3) == bflops


# with batch norms that do not learn, where torchvision's figures were counted so
OF_TORCHVISION = [
    ("ssd300", {}, models.SSD300_VGG16_Weights.COCO_V1, 1),
    ("ssdlite", {}, models.SSDLite320_MobileNet_V3_Large_Weights.COCO_V1, 1),
    ("retinanet", {"frozen_norms": True}, models.RetinaNet_ResNet50_FPN_Weights.COCO_V1, 0),
    ("retinanet-v2", {}, models.RetinaNet_ResNet50_FPN_V2_Weights.COCO_V1, 0),
    ("fcos", {"frozen_norms": True}, models.FCOS_ResNet50_FPN_Weights.COCO_V1, 0),
    ("faster-rcnn", {"frozen_norms": True}, models.FasterRCNN_ResNet50_FPN_Weights.COCO_V1, 1),
]


@pytest.mark.parametrize(("name", "settings", "published", "background"), OF_TORCHVISION)
def test_there_are_as_many_weights_as_torchvision_says(
    name: str, settings: dict[str, Any], published: Any, background: int
) -> None:
    kind = detectors.load_all().get(name)
    labels = len(published.meta["categories"]) - background
    with torch.device("meta"):
        detector = kind(kind.settings_class(**settings), labels)
    assert counting.parameters(detector) == published.meta["num_params"]
    px = None if name in ("ssd300", "ssdlite") else 800  # what torchvision counted at
    assert round(counting.multiply_adds(detector, px) / 1e9, 2) == pytest.approx(published.meta["_ops"], abs=0.006)


def test_the_second_network_counts_once_per_proposal() -> None:
    """By hand: the maps at 800 pixels, then 1,000 times the two hidden layers and the two outputs of 91 labels."""
    detector = build("faster-rcnn", 800, 90)
    second = 1000 * (12544 * 1024 + 1024 * 1024 + 1024 * (91 + 4 * 91))
    assert detector.later_multiply_adds == second
    with torch.device("meta"):
        fewer = build("faster-rcnn", 800, 90, proposals=10)
    assert counting.multiply_adds(detector) - counting.multiply_adds(fewer) == second * 99 // 100


def test_a_convolution_multiplies_once_per_output_and_weight_that_it_sees() -> None:
    """YOLOv1-tiny on one label: by hand, its first layer is 448 x 448 outputs of 16 channels, each of 27 products."""
    detector: Any = build("yolov1-tiny", 448, 1)
    with torch.device("meta"):
        whole = counting.multiply_adds(detector)
        detector.body[0] = torch.nn.Identity()
        detector.body[2].conv = torch.nn.Conv2d(3, 32, 3, padding=1, bias=False)
    fewer = whole - counting.multiply_adds(detector)
    assert fewer == 448**2 * 16 * 27 + 224**2 * 32 * 9 * (16 - 3)


class Upwards(Detector):
    """Stride 2 down and up again: 8 x 8 cells of 4 channels become 16 x 16 of 5 by a kernel of 3 x 3."""

    name = "upwards"

    def __init__(self) -> None:
        super().__init__(DetectorSettings(input_px=32), 1)
        self.up = nn.ConvTranspose2d(4, 5, 3, stride=2, padding=1, output_padding=1)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.up(images[:, :1, ::4, ::4].expand(-1, 4, -1, -1)),)


def test_a_transposed_convolution_multiplies_each_input_with_its_whole_kernel() -> None:
    with torch.device("meta"):
        detector = Upwards()
    assert counting.multiply_adds(detector) == 8 * 8 * 4 * 5 * 3 * 3
