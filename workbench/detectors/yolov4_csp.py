"""YOLOv4-CSP, the middle of Scaled-YOLOv4: cross stage partial connections everywhere, outputs through a sigmoid
(C.-Y. Wang, Bochkovskiy, Liao 2021, arXiv 2011.08036, section 4.1). Network and constants follow cfg/yolov4-csp.cfg.

Its last convolutions end in a sigmoid: the centre reaches half a cell beyond its cell (2 s - 0.5) and a side is the
anchor's times (2 s)^2, which can't explode as exp(t) can. As in Darknet, these outputs are trained by squared errors,
and at the two coarser levels objectness learns only from predictions that already fit: their overlap.
To train as Darknet did: box_gradient darknet, objectness_prior 0.5; DarknetSettings says what then still differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import priors
from workbench.detectors.parts.blocks import MishUnit, SpatialPyramid, scaled, set_activation, upsample
from workbench.detectors.parts.csp import CspStage, Residual, TwoBranches
from workbench.detectors.parts.detector import Detector, Raw
from workbench.detectors.parts.yolo_head import Rules, YoloHead
from workbench.detectors.parts.yolo_settings import YoloV4LossSettings
from workbench.errors import WorkbenchError
from workbench.settings import setting

STRIDES = (8, 16, 32)
SCALE_X_Y = 2.0
RESIDUALS = (2, 8, 8, 4)  # of the CSP stages, which follow a plain residual stage
DARKNET_BOX_WEIGHT = 0.05  # the cfg's iou_normalizer


@dataclass(frozen=True)
class YoloV4CspSettings(YoloV4LossSettings):
    """Settings of YOLOv4-CSP. Anchors are divided evenly: of nine, the coarsest level gets the largest three."""

    match_iou: float = setting(
        0.2,
        "Anchors whose shape overlaps a box by more than this are trained on it; published: 0.2; 1: only the best.",
        low=0.05,
        high=1.0,
        group="Loss",
    )
    objectness_weights: tuple[float, ...] = setting(
        (4.0, 1.0, 0.4), "Weights of the objectness term for the fine, medium and coarse levels.", group="Loss"
    )
    smooth_objectness: str = setting(
        "medium, coarse",
        "Levels at which objectness learns the overlap of predictions that already fit, instead of 1 at each box.",
        choices=("medium, coarse", "none", "all"),
        group="Loss",
    )

    def loss_rules(self) -> Rules:
        if len(self.objectness_weights) != len(STRIDES) or min(self.objectness_weights) < 0:
            raise WorkbenchError("objectness_weights must be three numbers of at least 0, such as 4, 1, 0.4.")
        smooth = {"none": (), "all": (True,) * 3, "medium, coarse": (False, True, True)}[self.smooth_objectness]
        return replace(
            self._overlap_rules(DARKNET_BOX_WEIGHT),
            activated=True,
            objectness_weight=self.objectness_weights,
            smooth_objectness=smooth,
            largest_delta=(5.0, 5.0, 2.0),
        )


class Mix(TwoBranches):
    """Two branches and a convolution over both: 1x1 alone, or alternating 1x1 and 3x3. Used in the PAN and the tip.

    With `pooled` the second branch contains a spatial pyramid (SPP, at the tip of the backbone).
    """

    def __init__(self, inputs: int, channels: int, *, pooled: bool = False) -> None:
        super().__init__()
        self.entry = nn.Identity() if pooled else MishUnit(inputs, channels, size=1)
        inside = inputs if pooled else channels
        self.past = MishUnit(inside, channels, size=1)
        self.through = nn.Sequential(
            *(MishUnit(inside, channels, size=1), MishUnit(channels, channels)),
            *((MishUnit(channels, channels, size=1), SpatialPyramid()) if pooled else ()),
            *(MishUnit(4 * channels if pooled else channels, channels, size=1), MishUnit(channels, channels)),
        )
        self.merge = MishUnit(2 * channels, channels, size=1)


class UpsampleMerge(nn.Module):
    """From a level to the next finer one: enlarge, concatenate behind the backbone's features of that size, mix."""

    def __init__(self, coarse: int, detail: int, channels: int) -> None:
        super().__init__()
        self.enlarged = MishUnit(coarse, channels, size=1)
        self.lateral = MishUnit(detail, channels, size=1)
        self.mix = Mix(2 * channels, channels)

    def forward(self, coarse: Tensor, detail: Tensor) -> Tensor:
        enlarged = upsample(self.enlarged(coarse))
        out: Tensor = self.mix(torch.cat([self.lateral(detail), enlarged], dim=1))
        return out


class DownsampleMerge(nn.Module):
    """From a level to the next coarser one: halve, concatenate before the path down's features of that size, mix."""

    def __init__(self, fine: int, channels: int) -> None:
        super().__init__()
        self.halved = MishUnit(fine, channels, stride=2)
        self.mix = Mix(2 * channels, channels)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        out: Tensor = self.mix(torch.cat([self.halved(fine), coarse], dim=1))
        return out


def output(channels: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(MishUnit(channels, 2 * channels), nn.Conv2d(2 * channels, outputs, 1))


@register("yolov4-csp")
class YoloV4Csp(Detector):
    """Layers stand in the order of the Darknet file, which parts/darknet.py relies on."""

    name = "yolov4-csp"
    title = "YOLOv4-CSP"
    paper = "Wang, Bochkovskiy, Liao: Scaled-YOLOv4: Scaling Cross Stage Partial Network, 2021, arXiv 2011.08036"
    summary = "YOLOv4 a year later: a fifth fewer weights and, by its published figures, more accurate."
    settings_class: ClassVar[type[DetectorSettings]] = YoloV4CspSettings
    darknet = True
    published_anchors = (
        *((12, 16), (19, 36), (40, 28)),
        *((36, 75), (76, 55), (72, 146)),
        *((142, 110), (192, 243), (459, 401)),
    )
    published_px = 512
    published: ClassVar[Mapping[str, Any]] = {  # cfg/yolov4-csp.cfg: mosaic in half of its batches, resize=1.5
        "epochs": 273, "batch": 64, "momentum": 0.949, "weight_decay": 0.0005, "learning_rate": 0.001,
        "warm_up": 1000, "warm_up_power": 4.0, "schedule": "step", "step_at": (0.8, 0.9), "jitter": 0.1,
        "scale": 0.5, "mosaic": 0.5, "ema": 0.9998, "hue": 0.1, "saturation": 1.5, "exposure": 1.5,
        "box_gradient": "darknet", "objectness_prior": 0.5, "input_px": 512,
    }  # fmt: skip
    outs = ("fine.1", "medium.1", "coarse.1")
    backbone_parts = ("stem", "shallow", "middle", "deep")
    published_resize = "letterbox"  # the cfg's letter_box=1
    published_nms = ("darknet diou", 0.45)  # the cfg's nms_kind=diounms, beta_nms=0.6

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, YoloV4CspSettings)
        masks = tuple(reversed(priors.even_masks(len(self.anchors), len(STRIDES))))  # fine to coarse
        self.head = YoloHead(labels, self.anchors, STRIDES, masks, (SCALE_X_Y,) * 3, settings.loss_rules())
        c32, c64, c128, c256, c512, c1024 = (scaled(32 << step, settings.width) for step in range(6))
        self.stem = nn.Sequential(MishUnit(3, c32), MishUnit(c32, c64, stride=2), Residual(c64, c32))
        widths = zip((c64, c128, c256, c512), (c128, c256, c512, c1024), RESIDUALS, strict=True)
        stages = [CspStage(before, after, before, before, count) for before, after, count in widths]
        self.shallow, self.middle, self.deep = nn.Sequential(*stages[:2]), stages[2], stages[3]
        self.tip = Mix(c1024, c512, pooled=True)
        self.to_medium = UpsampleMerge(c512, c512, c256)
        self.to_fine = UpsampleMerge(c256, c256, c128)
        self.fine = output(c128, self.head.channels(0))
        self.back_to_medium = DownsampleMerge(c128, c256)
        self.medium = output(c256, self.head.channels(1))
        self.back_to_coarse = DownsampleMerge(c256, c512)
        self.coarse = output(c512, self.head.channels(2))
        self.head.start([self.get_submodule(out) for out in self.outs], settings.objectness_prior)
        set_activation(self, settings.activation)

    def forward(self, images: Tensor) -> Raw:
        shallow = self.shallow(self.stem(images))
        middle = self.middle(shallow)
        tip = self.tip(self.deep(middle))
        down = self.to_medium(tip, middle)
        fine = self.to_fine(down, shallow)
        medium = self.back_to_medium(fine, down)
        coarse = self.back_to_coarse(medium, tip)
        # in float32 even under autocast: bf16 would move a centre in steps of up to a quarter of a pixel at stride 32
        maps = self.fine(fine), self.medium(medium), self.coarse(coarse)
        return maps[0].float().sigmoid(), maps[1].float().sigmoid(), maps[2].float().sigmoid()
