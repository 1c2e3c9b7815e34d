"""YOLOv4 against the arrays that Darknet computed: forward, boxes, and the gradients at its heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.golden.darknet_arrays import Case, decoded, objectness, worst_delta, worst_forward
from workbench.detectors.parts.detector import Detector


@pytest.fixture(scope="module")
def case(test_data: Path) -> Case:
    return Case(test_data, "yolov4")


@pytest.fixture(scope="module")
def detector(case: Case) -> Detector:
    return case.detector(box_loss="darknet ciou")


def test_the_network_computes_what_darknet_computes(case: Case, detector: Detector) -> None:
    assert worst_forward(case, detector) < 1e-4


def test_boxes_are_decoded_as_darknet_decodes_them_and_in_its_order(case: Case, detector: Detector) -> None:
    golden = case.boxes("boxes")
    ours = decoded(case, detector)[objectness(case) > 0.1]
    assert ours.shape[0] == golden.shape[0]
    largest = np.maximum(1, golden[:, 2:4].max(axis=1, keepdims=True))  # corners of a box 1,000 images wide are coarse
    np.testing.assert_array_less(np.abs(ours[:, :4] - golden[:, :4]) / largest, 1e-5)
    counted = golden[:, 5:] > 0
    np.testing.assert_allclose(ours[:, 4:][counted], golden[:, 5:][counted], rtol=0, atol=1e-5)


def test_the_loss_pulls_where_darknets_pulls(case: Case, detector: Detector) -> None:
    assert worst_delta(case, detector.loss) < 1e-5
