"""YOLOv4: CSPDarknet-53, spatial pyramid pooling at its end (SPP), and a path down and up (PAN) to three output levels
(Bochkovskiy, Wang, Liao 2020, arXiv 2004.10934, section 3.4). Network and constants follow cfg/yolov4.cfg.

The paper lists SAM, DropBlock, MiWRC, Mish behind the backbone, CmBN, self-adversarial training, label smoothing and a
cosine schedule; the released network has none of them. All are settings here or of the training, and the preset
yolov4-paper sets them. DropBlock's share and squares are constant; Darknet's grow over the first 85 % of the run.
To train as Darknet did: box_gradient darknet, objectness_prior 0.5; DarknetSettings says what then still differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor, nn
from torchvision.ops import DropBlock2d, drop_block2d

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import priors
from workbench.detectors.parts.blocks import (
    Attention,
    ConvUnit,
    MishUnit,
    SpatialPyramid,
    scaled,
    set_activation,
    upsample,
)
from workbench.detectors.parts.csp import CspStage
from workbench.detectors.parts.detector import Detector, Raw
from workbench.detectors.parts.yolo_head import Rules, YoloHead
from workbench.detectors.parts.yolo_settings import YoloV4LossSettings
from workbench.settings import setting

STRIDES = (8, 16, 32)
SCALES_X_Y = (1.2, 1.1, 1.05)
RESIDUALS = (1, 2, 8, 8, 4)  # CSPDarknet-53: residual blocks after each halving
DROPPED_CELLS = 7  # Darknet's and the paper's block side


@dataclass(frozen=True)
class YoloV4Settings(YoloV4LossSettings):
    """Settings of YOLOv4. Anchors are divided evenly: of nine, the coarsest level gets the largest three."""

    match_iou: float = setting(
        0.213,
        "Anchors whose shape overlaps a box by more than this are trained on it; published: 0.213; 1: only the best.",
        low=0.05,
        high=1.0,
        group="Loss",
    )
    pyramid: bool = setting(
        True, "Pool the deepest features at three ranges, SPP (He 2014, arXiv 1406.4729); off: use them as they are."
    )
    path_up: bool = setting(
        True,
        "Follow the path down to fine features by one back up to coarse ones, PAN (Liu 2018, arXiv 1803.01534); off:"
        " the path down alone, as in YOLOv3 (Lin 2016, arXiv 1612.03144).",
    )
    attention: bool = setting(
        False,
        "Weight the path's features by a map computed from them, SAM (Woo 2018, arXiv 1807.06521, as the paper"
        " changed it); not in the released network.",
    )
    weighted_residuals: str = setting(
        "off",
        "Residual blocks add with learnt weights, MiWRC (Tan 2020, arXiv 1911.09070); not in the released network.",
        choices=("off", "per feature", "per channel"),
    )
    dropblock: float = setting(
        0.0,
        "DropBlock: share of the backbone's last two feature maps blanked in 7 x 7 squares in training (Ghiasi 2018,"
        " arXiv 1810.12890); 0: none, as released.",
        low=0.0,
        high=0.5,
    )

    def loss_rules(self) -> Rules:
        return replace(super().loss_rules(), largest_delta=(5.0,) * len(STRIDES))  # the cfg's max_delta


class ClippedDropBlock(DropBlock2d):  # type: ignore[misc]  # torchvision has no types
    """DropBlock with smaller squares where a map has fewer cells: torchvision refuses even sides, as on 6 x 6."""

    def forward(self, features: Tensor) -> Tensor:
        side = min(self.block_size, *features.shape[2:])
        found: Tensor = drop_block2d(features, self.p, side - 1 + side % 2, self.inplace, self.eps, self.training)
        return found


class Backbone(nn.Module):
    """CSPDarknet-53: features at strides 8, 16 and 32. The first stage keeps all channels in both branches."""

    def __init__(self, channels: tuple[int, ...], weighted: str, dropped: float) -> None:
        """`channels`: those of the stem and the five stages."""
        super().__init__()
        self.stem = MishUnit(3, channels[0])
        stages = [CspStage(channels[0], channels[1], channels[1], channels[0], RESIDUALS[0], weighted)]
        for before, after, count in zip(channels[1:], channels[2:], RESIDUALS[1:], strict=False):
            stages.append(CspStage(before, after, before, before, count, weighted))
        self.shallow, self.middle, self.deep = nn.Sequential(*stages[:3]), stages[3], stages[4]
        self.drop = ClippedDropBlock(dropped, DROPPED_CELLS) if dropped else nn.Identity()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        shallow = self.shallow(self.stem(images))
        middle = self.drop(self.middle(shallow))
        return shallow, middle, self.drop(self.deep(middle))


def alternating(inputs: int, half: int, whole: int, count: int) -> nn.Sequential:
    """`count` convolutions, alternating 1x1 to `half` and 3x3 to `whole` channels."""
    units: list[nn.Module] = []
    for index in range(count):
        units.append(ConvUnit(inputs, whole) if index % 2 else ConvUnit(inputs, half, size=1))
        inputs = whole if index % 2 else half
    return nn.Sequential(*units)


class PyramidNeck(nn.Module):
    """Three convolutions, a spatial pyramid (or none), three convolutions."""

    def __init__(self, inputs: int, half: int, pyramid: bool) -> None:
        super().__init__()
        self.before = alternating(inputs, half, inputs, 3)
        self.pyramid = SpatialPyramid() if pyramid else nn.Identity()
        self.after = alternating(4 * half if pyramid else half, half, inputs, 3)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.after(self.pyramid(self.before(images)))
        return out


class UpsampleMerge(nn.Module):
    """From a level to the next finer one: enlarge, concatenate behind the backbone's features of that size, mix."""

    def __init__(self, coarse: int, detail: int, half: int, whole: int) -> None:
        super().__init__()
        self.enlarged = ConvUnit(coarse, half, size=1)
        self.lateral = ConvUnit(detail, half, size=1)
        self.mix = alternating(2 * half, half, whole, 5)

    def forward(self, coarse: Tensor, detail: Tensor) -> Tensor:
        out: Tensor = self.mix(torch.cat([self.lateral(detail), upsample(self.enlarged(coarse))], dim=1))
        return out


class DownsampleMerge(nn.Module):
    """From a level to the next coarser one: halve, concatenate before the path down's features of that size, mix."""

    def __init__(self, fine: int, half: int, whole: int) -> None:
        super().__init__()
        self.halved = ConvUnit(fine, half, stride=2)
        self.mix = alternating(2 * half, half, whole, 5)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        out: Tensor = self.mix(torch.cat([self.halved(fine), coarse], dim=1))
        return out


class Output(nn.Module):
    """The last two convolutions of a level, with `attention` between them."""

    def __init__(self, half: int, whole: int, attention: bool, outputs: int) -> None:
        super().__init__()
        self.last = ConvUnit(half, whole)
        self.attention = Attention(whole) if attention else nn.Identity()
        self.out = nn.Conv2d(whole, outputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.out(self.attention(self.last(images)))
        return out


@register("yolov4")
class YoloV4(Detector):
    """Layers stand in the order of the Darknet file, which parts/darknet.py relies on."""

    name = "yolov4"
    title = "YOLOv4"
    paper = "Bochkovskiy, Wang, Liao: YOLOv4: Optimal Speed and Accuracy of Object Detection, 2020, arXiv 2004.10934"
    summary = (
        "Large, and by its published figures the most accurate of the YOLO versions here. Needs a graphics card and"
        " a few thousand boxes."
    )
    settings_class: ClassVar[type[DetectorSettings]] = YoloV4Settings
    darknet = True
    published_anchors = (
        *((12, 16), (19, 36), (40, 28)),
        *((36, 75), (76, 55), (72, 146)),
        *((142, 110), (192, 243), (459, 401)),
    )
    published: ClassVar[Mapping[str, Any]] = {  # cfg/yolov4.cfg, which uses mosaic in half of its batches
        "epochs": 273, "batch": 64, "momentum": 0.949, "weight_decay": 0.0005, "learning_rate": 0.0013,
        "warm_up": 1000, "warm_up_power": 4.0, "schedule": "step", "step_at": (0.8, 0.9), "jitter": 0.3,
        "sizes": 0.4, "mosaic": 0.5, "hue": 0.1, "saturation": 1.5, "exposure": 1.5, "box_gradient": "darknet",
        "objectness_prior": 0.5, "input_px": 608,
    }  # fmt: skip
    outs = ("fine.out", "medium.out", "coarse.out")
    backbone_parts = ("backbone",)
    published_px = 608
    published_nms = ("darknet diou", 0.45)  # the cfg's nms_kind=greedynms

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, YoloV4Settings)
        masks = tuple(reversed(priors.even_masks(len(self.anchors), len(STRIDES))))  # fine to coarse
        self.head = YoloHead(labels, self.anchors, STRIDES, masks, SCALES_X_Y, settings.loss_rules())
        channels = tuple(scaled(32 << step, settings.width) for step in range(6))
        _, _, c128, c256, c512, c1024 = channels
        self.backbone = Backbone(channels, settings.weighted_residuals, settings.dropblock)
        self.tip = PyramidNeck(c1024, c512, settings.pyramid)
        self.to_medium = UpsampleMerge(c512, c512, c256, c512)
        self.to_fine = UpsampleMerge(c256, c256, c128, c256)
        self.fine = Output(c128, c256, settings.attention, self.head.channels(0))
        self.back_to_medium = DownsampleMerge(c128, c256, c512) if settings.path_up else None
        self.medium = Output(c256, c512, settings.attention, self.head.channels(1))
        self.back_to_coarse = DownsampleMerge(c256, c512, c1024) if settings.path_up else None
        self.coarse = Output(c512, c1024, settings.attention, self.head.channels(2))
        self.head.start([self.get_submodule(out) for out in self.outs], settings.objectness_prior)
        set_activation(self, settings.activation)

    def forward(self, images: Tensor) -> Raw:
        shallow, middle, deep = self.backbone(images)
        tip = self.tip(deep)
        down = self.to_medium(tip, middle)
        fine = self.to_fine(down, shallow)
        medium = self.back_to_medium(fine, down) if self.back_to_medium is not None else down
        coarse = self.back_to_coarse(medium, tip) if self.back_to_coarse is not None else tip
        return self.fine(fine), self.medium(medium), self.coarse(coarse)
