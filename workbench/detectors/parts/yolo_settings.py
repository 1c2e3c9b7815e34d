"""Settings that all YOLO detectors with anchors have, and those of YOLOv3's loss."""

from __future__ import annotations

from dataclasses import dataclass, replace

from workbench.detectors import DetectorSettings
from workbench.detectors.parts.yolo_head import Rules
from workbench.settings import setting


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
