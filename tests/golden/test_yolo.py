"""YOLOv2 to Scaled-YOLOv4 against the arrays that Darknet computed: forward, boxes, NMS, gradients at the heads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.golden.darknet_arrays import (
    Case,
    decoded,
    kept,
    kept_by_darknet,
    objectness,
    worst_delta,
    worst_forward,
)
from workbench.detectors.parts.detector import Detector
from workbench.detectors.parts.region_head import RegionHead
from workbench.detectors.parts.yolo_head import Rules, YoloHead

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "yolov2-voc": ("yolov2", {}),
    "yolov2-tiny-voc": ("yolov2-tiny", {"tail": "voc"}),
    "yolov2-tiny-voc-warmup": ("yolov2-tiny", {"tail": "voc"}),
    "yolov3": ("yolov3", {}),
    "yolov3-tiny": ("yolov3-tiny", {}),
    "yolov4": ("yolov4", {"box_gradient": "darknet"}),
    "yolov4-tiny": ("yolov4-tiny", {"box_gradient": "darknet", "masks": "published"}),
    "yolov4-csp": ("yolov4-csp", {"box_gradient": "darknet"}),
}


@pytest.fixture(scope="module", params=NETWORKS)
def case(request: pytest.FixtureRequest, test_data: Path) -> Case:
    return Case(test_data, request.param, NETWORKS[request.param][0])


@pytest.fixture(scope="module")
def detector(case: Case) -> Detector:
    """With the anchors of the cfg, in its order, which for yolov2-tiny-voc is not that of their areas."""
    detector = case.detector(case.anchors, **NETWORKS[case.file][1])
    if isinstance(detector.head, RegionHead):
        detector.head.seen.fill_(case.meta["seen"])
    return detector


def test_the_network_computes_what_darknet_computes(case: Case, detector: Detector, figures: dict[str, float]) -> None:
    figures["forward"] = worst_forward(case, detector)
    assert figures["forward"] < 1e-4


def test_boxes_are_decoded_as_darknet_decodes_them_and_in_its_order(
    case: Case, detector: Detector, figures: dict[str, float]
) -> None:
    golden, ours = case.boxes("boxes"), decoded(case, detector)
    if not isinstance(detector.head, RegionHead):  # where Darknet sets the objectness of all to 1
        ours = ours[objectness(case) > 0.1]
    assert ours.shape[0] == golden.shape[0]
    largest = np.maximum(1, golden[:, 2:4].max(axis=1, keepdims=True))  # corners of a box 1,000 images wide are coarse
    figures["boxes"] = float((np.abs(ours[:, :4] - golden[:, :4]) / largest).max())
    counted = golden[:, 5:] > 0
    assert counted.any()
    figures["scores"] = float(np.abs(ours[:, 4:] - golden[:, 5:])[counted].max())
    assert figures["boxes"] < 1e-5
    assert figures["scores"] < 1e-5
    assert not (ours[:, 4:][~counted] > 0.1 + 1e-5).any()


def test_nms_keeps_what_darknets_keeps(case: Case) -> None:
    golden = kept_by_darknet(case)
    assert golden
    assert kept(case.boxes("boxes"), case.px) == golden


def test_the_loss_pulls_where_darknets_pulls(case: Case, detector: Detector, figures: dict[str, float]) -> None:
    figures["gradient"] = worst_delta(case, detector.loss)
    assert figures["gradient"] < 1e-5


ANCHORS = ((12, 16), (19, 36), (40, 28), (36, 75), (76, 55), (72, 146), (142, 110), (192, 243), (459, 401))
MASKS = ((0, 1, 2), (3, 4, 5), (6, 7, 8))
V4 = Rules("ciou", 0.07, darknet_gradient=True, ignore_label=0.25, match_iou=0.213, largest_delta=(5.0,) * 3)


@pytest.mark.parametrize(
    "other",
    [
        {"match_iou": 1.0},
        {"box_weight": 0.75},
        {"darknet_gradient": False},
        {"ignore_iou": 0.5},
        {"add_boxes": False},
        {"label_smoothing": 0.1},
        {"focal_gamma": 2.0},
        {"negatives_per_positive": 3.0},
        {"rescore": True},
        {"smooth_objectness": (True,) * 3},
    ],
    ids=str,
)
def test_other_rules_than_yolov4s_pull_elsewhere(test_data: Path, other: dict[str, Any]) -> None:
    """So the arrays can tell the rules apart."""
    head = YoloHead(80, ANCHORS, (8, 16, 32), MASKS, (1.2, 1.1, 1.05), replace(V4, **other))
    assert worst_delta(Case(test_data, "yolov4"), head.loss) > 1e-3
