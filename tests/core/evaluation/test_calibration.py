"""Scores against precision, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.test_metrics import SQUARE, found_of, truth_of
from workbench.core import metrics
from workbench.core.evaluation.calibration import calibration
from workbench.core.evaluation.matching import Matching

FAR = [50.0, 50, 60, 60]


def matching(scores: list[tuple[int, float, bool]], crowd: bool = False) -> Matching:
    """(label, score, right) of detections in an image each."""
    truth = truth_of([(i, label, SQUARE, crowd) for i, (label, _, _) in enumerate(scores)], len(scores), 2)
    rows = [(i, label, SQUARE if right else FAR, score) for i, (label, score, right) in enumerate(scores)]
    return metrics.evaluate(truth, found_of(rows, len(scores))).matching


FOUR = [(0, 0.75, True), (0, 0.75, True), (1, 0.75, False), (0, 0.25, False), (1, 0.02, False)]


def test_bins_and_error_by_hand() -> None:
    result = calibration(matching(FOUR), bins=2)
    assert result.count.tolist() == [1, 3]
    assert result.score.tolist() == pytest.approx([0.25, 0.75])
    assert result.precision.tolist() == pytest.approx([0, 2 / 3])
    assert result.error == pytest.approx((1 * 0.25 + 3 * (0.75 - 2 / 3)) / 4)
    assert calibration(matching(FOUR), bins=2, floor=0.0).count.tolist() == [2, 3]
    assert calibration(matching(FOUR), bins=2, label=1).count.tolist() == [0, 1]


def test_a_score_at_an_edge_is_in_the_upper_bin_and_one_in_the_last() -> None:
    result = calibration(matching([(0, 0.5, True), (0, 1.0, True), (0, 0.25, True)]), bins=4)
    assert result.count.tolist() == [0, 1, 1, 1]
    assert result.error == pytest.approx((0.75 + 0.5 + 0) / 3), "a bin without a detection has no gap"


def test_detections_of_unknown_labels_are_left_out() -> None:
    truth = truth_of([(0, 0, SQUARE, False)], 1, 2)
    found = found_of([(0, 0, SQUARE, 0.75), (0, 2, FAR, 0.75), (0, -1, FAR, 0.75)], 1)
    assert calibration(metrics.evaluate(truth, found).matching, bins=1).count.tolist() == [1]


def test_the_rows_of_a_bin_are_its_detections() -> None:
    found = matching(FOUR)
    result = calibration(found, bins=2)
    rows = result.detections[result.bins == 1]
    assert found.found.scores[rows].tolist() == [0.75] * 3


def test_ignored_ones_are_left_out_and_nothing_is_no_number() -> None:
    empty = calibration(matching([(0, 0.9, True)], crowd=True))
    assert empty.count.sum() == 0
    assert np.isnan(empty.error)
    assert np.isnan(empty.precision).all()
