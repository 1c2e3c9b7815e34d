"""Settings shared by YOLOv1 and YOLOv1-tiny."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.detectors.parts.detection_head import DetectionRules
from workbench.detectors.parts.yolo_settings import DarknetSettings
from workbench.settings import setting


@dataclass(frozen=True)
class DetectionSettings(DarknetSettings):
    """Settings of a YOLOv1 head; the defaults are the paper's."""

    input_px: int = setting(448, "Side of the square network input; a multiple of 32.", unit="px", low=32, high=2048)
    side: int = setting(7, "Cells per side of the grid, S. Each finds at most one object.", low=1, high=64)
    boxes: int = setting(2, "Boxes that each cell predicts, B.", low=1, high=10)
    rescore: bool = setting(
        True,
        "Confidence learns how well the box currently fits (YOLOv1, arXiv 1506.02640); off: it learns 1 at every box.",
        group="Loss",
    )
    box_weight: float = setting(
        5.0, "Weight of the box term, lambda_coord in the paper.", low=0.0, high=100.0, group="Loss"
    )
    background_weight: float = setting(
        0.5, "Weight of confidences without an object, lambda_noobj in the paper.", low=0.0, high=100.0, group="Loss"
    )

    def loss_rules(self) -> DetectionRules:
        return DetectionRules(self.rescore, self.box_weight, self.background_weight)
