"""Settings that all YOLO detectors with anchors have, and those of the losses of YOLOv3 and YOLOv4."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from workbench.detectors import DetectorSettings
from workbench.detectors.parts.yolo_head import Rules
from workbench.settings import setting

DARKNET_BOX_WEIGHT = 0.07  # the cfg's iou_normalizer; fits Darknet's gradient only
# Our own, as the true gradient is smaller by about the cells per image (rules 23, 24). Measured on drawn rectangles
# (width 0.25, 128 px, 600 steps): boxes found at IoU 0.75 with weight 1, 3, 5, 8: 16, 17, 29, 35 %.
AUTOGRAD_BOX_WEIGHT = 5.0


@dataclass(frozen=True)
class YoloSettings(DetectorSettings):
    """What every YOLO head can be told."""

    ignore_iou: float = setting(
        0.7,
        "A prediction that overlaps a box by more than this is not taught to be background.",
        low=0.0,
        high=1.0,
        group="Loss",
    )
    match_iou: float = setting(
        1.0,
        "Every anchor whose shape overlaps a box by more than this learns it; 1: only the best anchor, as published.",
        low=0.05,
        high=1.0,
        group="Loss",
    )
    objectness_prior: float = setting(
        0.01,
        "Share of priors expected to hold an object when training starts; 0.5 is Darknet's start.",
        low=0.0001,
        high=0.5,
        group="Loss",
    )


@dataclass(frozen=True)
class YoloV3LossSettings(YoloSettings):
    """The settings of YOLOv3 and v3-tiny: the loss as one of the two public lines of Darknet has it.

    They differ in three places: AlexeyAB weighs the box term 0.75 (rule 17), lets a prediction be ignored only if one
    of its labels has a probability above 0.25 (rule 19), and adds up the boxes that share a prior (rule 5).
    """

    rules: str = setting(
        "alexeyab",
        "Whose Darknet the loss follows: alexeyab (box term weighs 0.75) or pjreddie (1, as in the paper).",
        choices=("alexeyab", "pjreddie"),
        group="Loss",
    )

    def loss_rules(self) -> Rules:
        shared = Rules("coordinates", 1.0, ignore_iou=self.ignore_iou, match_iou=self.match_iou, add_boxes=False)
        if self.rules == "pjreddie":
            return shared
        return replace(shared, box_weight=0.75, ignore_label=0.25, add_boxes=True)


@dataclass(frozen=True)
class YoloV4LossSettings(YoloSettings):
    """The settings of YOLOv4 and v4-tiny: boxes by their overlap, with the true gradient or Darknet's."""

    largest_delta: ClassVar[float] = math.inf  # of Darknet's own box gradient; for a subclass to bound

    box_loss: str = setting(
        "ciou",
        "What pulls boxes into place. ciou is the paper's; darknet ciou repeats Darknet's own gradient, which differs.",
        choices=("ciou", "diou", "giou", "iou", "darknet ciou"),
        group="Loss",
    )
    box_weight: float | None = setting(
        None,
        "Weight of the box term; auto: 0.07 for darknet ciou, 5 for the others.",
        low=0.0,
        high=100.0,
        group="Loss",
    )

    def loss_rules(self) -> Rules:
        auto = DARKNET_BOX_WEIGHT if self.box_loss == "darknet ciou" else AUTOGRAD_BOX_WEIGHT
        weight = auto if self.box_weight is None else self.box_weight
        shared = Rules(self.box_loss, weight, ignore_iou=self.ignore_iou, ignore_label=0.25, match_iou=self.match_iou)
        return replace(shared, largest_delta=self.largest_delta)
