"""YOLOv2 and its tiny relative against the arrays that Darknet computed: forward, boxes, gradients at the head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.golden.darknet_arrays import Case, decoded, kept_of, worst_delta, worst_forward
from workbench.detectors.parts.detector import Detector
from workbench.detectors.parts.region_head import RegionHead

KINDS = {"yolov2-voc": "yolov2", "yolov2-tiny-voc": "yolov2-tiny", "yolov2-tiny-voc-warmup": "yolov2-tiny"}


@pytest.fixture(scope="module", params=KINDS)
def case(request: pytest.FixtureRequest, test_data: Path) -> Case:
    return Case(test_data, request.param, KINDS[request.param], labels=20)


@pytest.fixture(scope="module")
def detector(case: Case) -> Detector:
    """With the anchors of the cfg, in its order, which for yolov2-tiny-voc is not that of their areas."""
    numbers = [float(number) * 32 for number in case.meta["heads"][0]["anchors"].split(",")]
    anchors = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    detector = case.detector(anchors, **({} if case.kind == "yolov2" else {"tail": "voc"}))
    assert isinstance(detector.head, RegionHead)
    detector.head.seen.fill_(case.meta["seen"])
    return detector


def test_the_network_computes_what_darknet_computes(case: Case, detector: Detector) -> None:
    assert worst_forward(case, detector) < 1e-4


def test_boxes_are_decoded_as_darknet_decodes_them_and_in_its_order(case: Case, detector: Detector) -> None:
    golden, ours = case.boxes("boxes"), decoded(case, detector)
    assert ours.shape[0] == golden.shape[0]
    largest = np.maximum(1, golden[:, 2:4].max(axis=1, keepdims=True))  # corners of a box 100 images wide are coarse
    np.testing.assert_array_less(np.abs(ours[:, :4] - golden[:, :4]) / largest, 1e-5)
    counted = golden[:, 5:] > 0
    assert counted.any()
    np.testing.assert_allclose(ours[:, 4:][counted], golden[:, 5:][counted], rtol=0, atol=1e-5)
    assert not (ours[:, 4:][~counted] > 0.1 + 1e-5).any()


def test_nms_keeps_what_darknets_keeps(case: Case, detector: Detector) -> None:
    before = {tuple(np.round(row[:4], 6)): index for index, row in enumerate(case.boxes("boxes"))}
    after = case.boxes("boxes_nms45")
    order = [before[tuple(np.round(row[:4], 6))] for row in after]  # Darknet sorts while it suppresses
    golden = {(order[box], int(label)) for box, label in zip(*np.nonzero(after[:, 5:]), strict=True)}
    assert golden
    assert kept_of(decoded(case, detector), case.px) == golden


def test_the_loss_pulls_where_darknets_pulls(case: Case, detector: Detector) -> None:
    assert worst_delta(case, detector.loss) < 1e-5
