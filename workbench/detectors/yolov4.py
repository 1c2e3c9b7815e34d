"""YOLOv4: CSPDarknet-53, a pyramid pooled at its tip (SPP), and a path down and up again (PAN) to three output levels
(Bochkovskiy, Wang, Liao 2020, arXiv 2004.10934, section 3.4). Network and constants follow cfg/yolov4.cfg.

The released network has none of SAM, DropBlock, CmBN and label smoothing, which the paper lists.
To train as Darknet did: box_loss darknet ciou, objectness_prior 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.detectors import AnchorNeed, DetectorSettings, register
from workbench.detectors.parts import priors
from workbench.detectors.parts.blocks import ConvUnit, MaxPool, MishUnit, scaled, upsample
from workbench.detectors.parts.detector import Assignment, Candidates, Detector, Raw, Targets
from workbench.detectors.parts.yolo_head import YoloHead
from workbench.detectors.parts.yolo_settings import YoloV4LossSettings
from workbench.settings import setting

STRIDES = (8, 16, 32)
SCALES_X_Y = (1.2, 1.1, 1.05)
RESIDUALS = (1, 2, 8, 8, 4)  # CSPDarknet-53: residual blocks after each halving
POOLS = (13, 9, 5)  # sides of the SPP's windows, in the order of the file's route


@dataclass(frozen=True)
class YoloV4Settings(YoloV4LossSettings):
    """Settings of YOLOv4. Anchors are dealt evenly: with nine, the largest three to the coarsest level."""

    largest_delta: ClassVar[float] = 5.0  # the cfg's max_delta

    match_iou: float = setting(
        0.213,
        "Every anchor whose shape overlaps a box by more than this learns it, 0.213 as published; 1: only the best.",
        low=0.05,
        high=1.0,
        group="Loss",
    )


class Residual(nn.Module):
    """1x1 to `inner` channels, back by 3x3, added to what came in."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.squeeze = MishUnit(channels, inner, size=1)
        self.expand = MishUnit(inner, channels)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = images + self.expand(self.squeeze(images))
        return out


class CspStage(nn.Module):
    """Halve the size, then send one branch of `half` channels through residual blocks and another past them."""

    def __init__(self, inputs: int, outputs: int, half: int, inner: int, residuals: int) -> None:
        super().__init__()
        self.entry = MishUnit(inputs, outputs, stride=2)
        self.past = MishUnit(outputs, half, size=1)
        self.through = nn.Sequential(
            MishUnit(outputs, half, size=1),
            *(Residual(half, inner) for _ in range(residuals)),
            MishUnit(half, half, size=1),
        )
        self.merge = MishUnit(2 * half, outputs, size=1)

    def forward(self, images: Tensor) -> Tensor:
        entered = self.entry(images)
        past = self.past(entered)
        out: Tensor = self.merge(torch.cat([self.through(entered), past], dim=1))
        return out


class Backbone(nn.Module):
    """CSPDarknet-53: features at strides 8, 16 and 32. The first stage keeps all channels in both branches."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        """`channels`: of the stem and the five stages."""
        super().__init__()
        self.stem = MishUnit(3, channels[0])
        stages = [CspStage(channels[0], channels[1], channels[1], channels[0], RESIDUALS[0])]
        for before, after, count in zip(channels[1:], channels[2:], RESIDUALS[1:], strict=False):
            stages.append(CspStage(before, after, before, before, count))
        self.shallow, self.middle, self.deep = nn.Sequential(*stages[:3]), stages[3], stages[4]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        shallow = self.shallow(self.stem(images))
        middle = self.middle(shallow)
        return shallow, middle, self.deep(middle)


def alternating(inputs: int, half: int, whole: int, count: int) -> nn.Sequential:
    """`count` convolutions, 1x1 to `half` and 3x3 to `whole` channels by turns."""
    units: list[nn.Module] = []
    for index in range(count):
        units.append(ConvUnit(inputs, whole) if index % 2 else ConvUnit(inputs, half, size=1))
        inputs = whole if index % 2 else half
    return nn.Sequential(*units)


class PooledTip(nn.Module):
    """Spatial pyramid pooling: the largest values around each cell, at three ranges, beside the features themselves."""

    def __init__(self, inputs: int, half: int) -> None:
        super().__init__()
        self.before = alternating(inputs, half, inputs, 3)
        self.pools = nn.ModuleList(MaxPool(size, stride=1) for size in POOLS)
        self.after = alternating(half * (len(POOLS) + 1), half, inputs, 3)

    def forward(self, images: Tensor) -> Tensor:
        near = self.before(images)
        out: Tensor = self.after(torch.cat([*(pool(near) for pool in self.pools), near], dim=1))
        return out


class Finer(nn.Module):
    """From a level to the next finer one: enlarge, put the backbone's features of that size first, mix."""

    def __init__(self, coarse: int, detail: int, half: int, whole: int) -> None:
        super().__init__()
        self.enlarged = ConvUnit(coarse, half, size=1)
        self.lateral = ConvUnit(detail, half, size=1)
        self.mix = alternating(2 * half, half, whole, 5)

    def forward(self, coarse: Tensor, detail: Tensor) -> Tensor:
        out: Tensor = self.mix(torch.cat([self.lateral(detail), upsample(self.enlarged(coarse))], dim=1))
        return out


class Coarser(nn.Module):
    """From a level to the next coarser one: halve, put the features that came down at that size second, mix."""

    def __init__(self, fine: int, half: int, whole: int) -> None:
        super().__init__()
        self.halved = ConvUnit(fine, half, stride=2)
        self.mix = alternating(2 * half, half, whole, 5)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        out: Tensor = self.mix(torch.cat([self.halved(fine), coarse], dim=1))
        return out


def output(half: int, whole: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(ConvUnit(half, whole), nn.Conv2d(whole, outputs, 1))


@register("yolov4")
class YoloV4(Detector):
    """Layers stand in the order of the Darknet file, which parts/darknet.py relies on."""

    name = "yolov4"
    title = "YOLOv4"
    paper = "Bochkovskiy, Wang, Liao: YOLOv4: Optimal Speed and Accuracy of Object Detection, 2020, arXiv 2004.10934"
    summary = (
        "Large, and by its published figures the most accurate of the YOLO versions here. Wants a graphics card and"
        " some thousand boxes."
    )
    settings_class: ClassVar[type[DetectorSettings]] = YoloV4Settings
    published_anchors = (
        *((12, 16), (19, 36), (40, 28)),
        *((36, 75), (76, 55), (72, 146)),
        *((142, 110), (192, 243), (459, 401)),
    )
    published_px = 512  # YOLOv3's, the largest exactly times 512 / 416, though the cfg says 608

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, YoloV4Settings)
        masks = tuple(reversed(priors.even_masks(len(self.anchors), len(STRIDES))))  # fine to coarse
        self.head = YoloHead(labels, self.anchors, STRIDES, masks, SCALES_X_Y, settings.loss_rules())
        channels = tuple(scaled(32 << step, settings.width) for step in range(6))
        _, _, c128, c256, c512, c1024 = channels
        self.backbone = Backbone(channels)
        self.tip = PooledTip(c1024, c512)
        self.to_medium = Finer(c512, c512, c256, c512)
        self.to_fine = Finer(c256, c256, c128, c256)
        self.fine = output(c128, c256, self.head.channels(0))
        self.back_to_medium = Coarser(c128, c256, c512)
        self.medium = output(c256, c512, self.head.channels(1))
        self.back_to_coarse = Coarser(c256, c512, c1024)
        self.coarse = output(c512, c1024, self.head.channels(2))
        outs = [level[1] for level in (self.fine, self.medium, self.coarse)]
        self.head.start([out for out in outs if isinstance(out, nn.Conv2d)], settings.objectness_prior)

    def forward(self, images: Tensor) -> Raw:
        shallow, middle, deep = self.backbone(images)
        tip = self.tip(deep)
        down = self.to_medium(tip, middle)
        fine = self.to_fine(down, shallow)
        medium = self.back_to_medium(fine, down)
        coarse = self.back_to_coarse(medium, tip)
        return self.fine(fine), self.medium(medium), self.coarse(coarse)

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        return self.head.loss(raw, targets)

    def candidates(self, raw: Raw) -> Candidates:
        return self.head.candidates(raw)

    def assignment(self, targets: Targets, size: tuple[int, int]) -> Assignment:
        return self.head.assignment(targets, size)

    @property
    def anchor_need(self) -> AnchorNeed:
        return self.head.need
