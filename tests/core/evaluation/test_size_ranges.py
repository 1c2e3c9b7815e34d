"""AP over sizes: by hand, and COCO's three sizes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.generated import split_scene
from tests.core.test_metrics import SQUARE, found_of, truth_of
from workbench.core import metrics
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.matching import match
from workbench.core.evaluation.size_ranges import ap_by_size
from workbench.core.evaluation.sliders import Sliders

LEVELS = metrics.THRESHOLDS.tolist()
NAMES = tuple("abcd")


def test_sizes_by_hand() -> None:
    """A square of 10 pixels is found, one of 16 is not, none is larger."""
    truth = GroundTruth.of(truth_of([(0, 0, SQUARE, False), (0, 0, [50, 50, 66, 66], False)], 1, 1))
    found = DetectionSet.of(found_of([(0, 0, SQUARE, 0.9)], 1))
    result = ap_by_size(lambda area: match(truth, found, LEVELS, area), sides=(0, 16, 32))
    assert result.boxes.tolist() == [[1], [1], [0]]  # 16 is where the second range begins
    assert result.ap[:2, 0].tolist() == pytest.approx([1, 0])
    assert np.isnan(result.ap[2, 0])
    assert np.isnan(result.overall[2])


def test_cocos_three_sizes_are_its_numbers_and_follow_the_nms_slider() -> None:
    truth, candidates = split_scene(images=20, candidates=80, labels=4, seed=1)
    found = DetectionSet.of([one.detections(0, 0.6) for one in candidates])
    expected = metrics.evaluate_arrays(truth, found, NAMES)
    result = ap_by_size(lambda area: match(truth, found, LEVELS, area), sides=(0, 32, 96))
    numbers = [expected.ap_small, expected.ap_medium, expected.ap_large]
    assert result.overall.tolist() == pytest.approx(numbers, abs=1e-12)
    sliders = Sliders.of(truth, candidates)
    moved = ap_by_size(lambda area: sliders.matching_at(0.6, area=area), sides=(0, 32, 96))
    assert np.array_equal(moved.ap, result.ap, equal_nan=True)
