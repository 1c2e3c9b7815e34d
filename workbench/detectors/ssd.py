"""SSD: VGG-16 and default boxes on maps of decreasing size (Liu, Anguelov, Erhan, Szegedy, Reed, Fu, Berg: SSD: Single
Shot MultiBox Detector, 2016, arXiv 1512.02325; figure 2, section 2.2 and, for SSD512, section 3.3).

The network is torchvision's, so its published weights fit SSD300. SSD512's last maps are the authors' (4, 2, 1 cells),
which torchvision's own `highres` form does not have.

Matching is torchvision's, too: if several boxes want the same default box, the last one gets it, while the authors give
each box one of its own; and images without boxes teach their three worst negatives, there nothing. Their scripts draw
one of five interpolations for each image, fill what is zoomed out with the mean colour, here grey, and draw crops a
little differently (training/batches/placement.py); biases there learn at twice the rate, and conv4_3's scale decays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD300_VGG16_Weights, SSDFeatureExtractorVGG, SSDHead
from torchvision.models.vgg import cfgs, make_layers

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import foreign, priors
from workbench.detectors.parts.default_boxes import DefaultBoxHead, outputs
from workbench.detectors.parts.detector import Detector, Pretrained, Raw
from workbench.detectors.parts.narrow import narrow
from workbench.errors import WorkbenchError
from workbench.settings import setting

MEAN, STD = (0.48235, 0.45882, 0.40784), (1 / 255,) * 3  # of the Caffe VGG: colours in 0..255 minus their means
CLASSES, BOXES = "head.classification_head.module_list", "head.regression_head.module_list"


@dataclass(frozen=True)
class SsdSettings(foreign.ForeignSettings):
    """Settings of SSD300."""

    input_px: int = setting(300, "Side of the square network input.", unit="px", low=64, high=2048)
    match_iou: float = setting(
        0.5, "Default boxes that overlap a box by at least this are trained on it.", low=0.05, high=0.95, group="Loss"
    )
    box_scales: tuple[float, ...] = setting(
        (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05),
        "Sides of the default boxes as shares of the image, per map and one more: as published for COCO. For Pascal VOC"
        " they are 0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05.",
    )


@dataclass(frozen=True)
class Ssd512Settings(SsdSettings):
    """Settings of SSD512."""

    input_px: int = setting(512, "Side of the square network input.", unit="px", low=64, high=2048)
    box_scales: tuple[float, ...] = setting(
        (0.04, 0.1, 0.26, 0.42, 0.58, 0.74, 0.9, 1.06),
        "Sides of the default boxes as shares of the image, per map and one more: as published for COCO. For Pascal VOC"
        " they are 0.07, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05.",
    )


class Net(nn.Module):
    """torchvision's feature extractor and head, under the names used in its published file."""

    def __init__(self, backbone: nn.Module, channels: list[int], boxes: list[int], labels: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = SSDHead(channels, boxes, 1 + labels)


def vgg(*, seven_maps: bool, px: int) -> SSDFeatureExtractorVGG:
    """VGG-16 up to conv5_3 and what SSD adds to it, with fresh weights."""
    layers = make_layers(cfgs["D"])
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d):  # as torchvision's VGG starts them
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    network = SSDFeatureExtractorVGG(layers, seven_maps)
    if seven_maps:
        for number in (3, 4):  # conv10_2, conv11_2
            network.extra[number][2].stride, network.extra[number][2].padding = (2, 2), (1, 1)
        network.extra[5][2].padding = (1, 1)  # conv12_2, 4 x 4
    side = -(-(px // 4) // 2) // 2  # of conv5_3's map; the third pool rounds up
    for extra in network.extra[1:]:
        conv = extra[2]
        size = conv.kernel_size[0]
        if side + 2 * conv.padding[0] < size:  # the input is smaller than the published one
            conv.padding = (size // 2, size // 2)
        side = (side + 2 * conv.padding[0] - size) // conv.stride[0] + 1
    return network


@register("ssd300")
class Ssd300(Detector):
    """`outs` are the label layers, map by map; box layers have no labels."""

    name = "ssd300"
    title = "SSD300"
    paper = "Liu, Anguelov, Erhan, Szegedy, Reed, Fu, Berg: SSD: Single Shot MultiBox Detector, 2016, arXiv 1512.02325"
    summary = "Six maps of default boxes on VGG-16, at 300 pixels; for objects that are not very small."
    settings_class: ClassVar[type[DetectorSettings]] = SsdSettings
    shared_divisor = True
    loss_per_positive = True
    published: ClassVar[Mapping[str, Any]] = {  # the authors' for COCO
        "epochs": 109, "batch": 32, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.001, "warm_up": 0,
        "schedule": "step", "step_at": (0.7, 0.9), "zoom_out": 0.5, "overlap_crop": 0.857, "contrast": 1.5,
        "brightness": 0.125, "saturation": 1.5, "hue": 0.1, "colour_rule": "ssd",
    }  # fmt: skip
    published_px = 300
    smaller_by = "a smaller first number of box_scales"
    larger_by = "larger last numbers of box_scales"
    multiple = 1
    fixed_size = True
    pretrained: ClassVar[Pretrained | None] = foreign.pretrained(SSD300_VGG16_Weights.COCO_V1, background=True)
    outs: ClassVar[tuple[str, ...]] = tuple(f"net.{CLASSES}.{level}" for level in range(6))
    backbone_parts = ("net.backbone.features", "net.backbone.extra.0")  # extra.0 is VGG's fifth block, fc6 and fc7
    ratios: ClassVar[list[list[int]]] = [[2], [2, 3], [2, 3], [2, 3], [2], [2]]
    steps: ClassVar[list[int]] = [8, 16, 32, 64, 100, 300]
    channels: ClassVar[list[int]] = [512, 1024, 512, 256, 256, 256]
    clipped: ClassVar[bool] = True  # no default box exceeds the image: torchvision's rule, for two of them

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, SsdSettings)
        if len(settings.box_scales) != len(self.steps) + 1 or min(settings.box_scales) <= 0:
            raise WorkbenchError(f"box_scales must be {len(self.steps) + 1} numbers above 0, one per map and one more.")
        px = settings.input_px
        self.smallest_px = settings.box_scales[0] * px * settings.match_iou**0.5
        self.largest_px = (settings.box_scales[-2] * settings.box_scales[-1] / settings.match_iou) ** 0.5 * px
        generator = DefaultBoxGenerator(
            self.ratios, scales=list(settings.box_scales), steps=self.steps if px == self.published_px else None,
            clip=self.clipped,
        )  # fmt: skip
        self.normalise = foreign.Normalise(MEAN, STD)
        backbone = vgg(seven_maps=len(self.steps) == 7, px=px)
        self.net = Net(backbone, self.channels, generator.num_anchors_per_location(), labels)
        narrow(self.net, settings.width, [f"{part}.{level}" for part in (CLASSES, BOXES) for level in range(7)])
        self.head = DefaultBoxHead(labels, px, generator, foreign.map_sizes(backbone, px), settings.match_iou)

    def forward(self, images: Tensor) -> Raw:
        return outputs(self.net, self.normalise(images))


@register("ssd512")
class Ssd512(Ssd300):
    """The same with a seventh map."""

    name = "ssd512"
    title = "SSD512"
    summary = "SSD with a seventh map, at 512 pixels: finds smaller objects, for three times the computation."
    settings_class = Ssd512Settings
    published_px = 512
    pretrained = None
    outs = tuple(f"net.{CLASSES}.{level}" for level in range(7))
    ratios: ClassVar[list[list[int]]] = [[2], [2, 3], [2, 3], [2, 3], [2, 3], [2], [2]]
    steps: ClassVar[list[int]] = [8, 16, 32, 64, 128, 256, 512]
    channels: ClassVar[list[int]] = [512, 1024, 512, 256, 256, 256, 256]
    clipped = False
