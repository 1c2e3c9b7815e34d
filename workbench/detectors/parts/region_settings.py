"""Settings shared by YOLOv2 and YOLOv2-tiny."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.detectors.parts.region_head import RegionRules
from workbench.detectors.parts.yolo_settings import DarknetSettings
from workbench.settings import setting


@dataclass(frozen=True)
class RegionSettings(DarknetSettings):
    """Settings of a YOLOv2 head; the defaults are those of cfg/yolov2.cfg."""

    rules: str = setting(
        "paper",
        "Which published loss: paper (2016) squares errors through the sigmoid; 2018 is cross-entropy for centre and"
        " objectness, with small boxes weighing up to twice as much.",
        choices=("paper", "2018"),
        group="Loss",
    )
    rescore: bool = setting(
        True,
        "Objectness learns how well the box currently fits (YOLOv2, arXiv 1612.08242); off: it learns 1 at every box.",
        group="Loss",
    )
    ignore_iou: float = setting(
        0.6,
        "A prediction that overlaps a box by more than this is not trained as background.",
        low=0.0,
        high=1.0,
        group="Loss",
    )
    warm_up_images: int = setting(
        12800,
        "For this many images, every prediction without a box is pulled to its anchor; 0: never.",
        low=0,
        high=10_000_000,
        group="Loss",
    )
    objectness_prior: float = setting(
        0.5,  # the paper's loss has almost no gradient where the sigmoid is nearly 0
        "Share of priors expected to hold an object when training starts; 0.5 is Darknet's start.",
        low=0.0001,
        high=0.5,
        group="Loss",
    )

    def loss_rules(self) -> RegionRules:
        return RegionRules(
            sigmoid_squares=self.rules == "paper",
            rescore=self.rescore,
            ignore_iou=self.ignore_iou,
            warm_up_images=self.warm_up_images,
        )
