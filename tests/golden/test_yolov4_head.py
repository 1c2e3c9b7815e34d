"""YOLOv4's head rules (several anchors per box, three scale_x_y, cut gradients) against Darknet's arrays of yolov4."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.darknet_arrays import LABELS, Case, worst_delta
from workbench.detectors.parts.yolo_head import Rules, YoloHead

ANCHORS = ((12, 16), (19, 36), (40, 28), (36, 75), (76, 55), (72, 146), (142, 110), (192, 243), (459, 401))
MASKS = ((0, 1, 2), (3, 4, 5), (6, 7, 8))


def head(rules: Rules) -> YoloHead:
    return YoloHead(LABELS, ANCHORS, (8, 16, 32), MASKS, (1.2, 1.1, 1.05), rules)


def test_every_anchor_above_the_match_iou_is_pulled_as_in_darknet(test_data: Path) -> None:
    rules = Rules("darknet ciou", 0.07, ignore_label=0.25, match_iou=0.213, largest_delta=5.0)
    assert worst_delta(Case(test_data, "yolov4"), head(rules).loss) < 1e-5


@pytest.mark.parametrize(
    "other",
    [
        Rules("darknet ciou", 0.07, ignore_label=0.25, largest_delta=5.0),  # only the best anchor
        Rules("darknet ciou", 0.75, ignore_label=0.25, match_iou=0.213, largest_delta=5.0),
        Rules("ciou", 0.07, ignore_label=0.25, match_iou=0.213),  # the true gradient is not Darknet's
    ],
    ids=["best anchor only", "v3 box weight", "autograd"],
)
def test_other_rules_pull_elsewhere(test_data: Path, other: Rules) -> None:
    assert worst_delta(Case(test_data, "yolov4"), head(other).loss) > 1e-3
