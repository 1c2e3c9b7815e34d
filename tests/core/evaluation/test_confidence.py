"""Precision, recall and F1 against confidence: by hand, and as the counts at each confidence."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.generated import split_scene
from tests.core.test_metrics import SQUARE, found_of, truth_of
from workbench.core import metrics
from workbench.core.evaluation.average_precision import average_precision
from workbench.core.evaluation.confidence import USUAL, confidence_curves, tally
from workbench.core.evaluation.evaluation_data import DetectionSet
from workbench.core.evaluation.matching import match

FAR = [50.0, 50, 60, 60]


def test_tallies_by_hand() -> None:
    truth = truth_of([(0, 0, SQUARE, False), (1, 1, SQUARE, False), (1, 0, SQUARE, False)], 2, 2)
    found = found_of([(0, 0, SQUARE, 0.9), (0, 0, FAR, 0.6), (1, 0, SQUARE, 0.3), (1, 1, FAR, 0.5)], 2)
    matching = metrics.evaluate(truth, found).matching
    at = tally(matching, np.array([[0.2], [0.55], [0.95]]))  # (3, 2)
    assert at.right.tolist() == [[2, 0], [1, 0], [0, 0]]
    assert at.wrong.tolist() == [[1, 1], [1, 0], [0, 0]]
    assert at.missed.tolist() == [[0, 1], [1, 1], [2, 1]]
    assert at.precision[0].tolist() == pytest.approx([2 / 3, 0])
    assert at.recall[:, 0].tolist() == pytest.approx([1, 0.5, 0])
    assert at.f1[0].tolist() == pytest.approx([4 / 5, 0])
    assert at.overall.f1.tolist() == pytest.approx([4 / 7, 2 / 5, 0])
    assert np.isnan(at.precision[2]).all()


def test_the_best_confidence_is_midway_between_the_false_alarms_and_the_right_one() -> None:
    """Label 0: right at .8, wrong at .6. Label 1: right at .4 alone. Label 2: nothing right.

    It was the lowest at which F1 is highest, one step above what was wrong in these images.
    """
    truth = truth_of([(0, label, SQUARE, False) for label in range(3)], 1, 3)
    found = found_of([(0, 0, SQUARE, 0.8), (0, 0, FAR, 0.6), (0, 1, SQUARE, 0.4), (0, 2, FAR, 0.9)], 1)
    curves = confidence_curves(metrics.evaluate(truth, found).matching)
    assert curves.best.tolist() == [0.70, 0.20, USUAL]
    assert curves.best_overall == 0.20  # 2 right, 2 wrong, 1 missed: 4/7; at .41 1, 2, 2: 2/5
    assert curves.confidences[[0, 39, 79]].tolist() == [0.01, 0.4, 0.8]
    assert curves.overall.right[[0, 39, 79]].tolist() == [2, 2, 1]
    assert curves.labels.right[[0, 39, 79]].tolist() == [[1, 1, 0], [1, 1, 0], [1, 0, 0]]


def test_of_two_ranges_with_the_highest_f1_the_lower_one_counts() -> None:
    """Right at .9 and .5, twice wrong at .7: above it 1 right and 1 missed, below it 2 right and 2 wrong make 2/3."""
    squares = [[30.0 * n, 0, 30.0 * n + 10, 10] for n in range(4)]
    truth = truth_of([(0, 0, square, False) for square in squares[:2]], 1, 1)
    found = [(0, 0, square, score) for square, score in zip(squares, (0.9, 0.5, 0.7, 0.7), strict=True)]
    curves = confidence_curves(metrics.evaluate(truth, found_of(found, 1)).matching)
    assert curves.overall.f1[[10, 60, 80]].tolist() == pytest.approx([2 / 3, 2 / 5, 2 / 3])
    assert curves.best_overall == 0.25


def test_the_best_confidence_counts_more_than_a_hundred_objects_of_an_image() -> None:
    """Of 150 right ones the first 100 counted, as for AP, and it was below 0.2, with the 150 false alarms there."""
    squares = [[20.0 * n, 0, 20.0 * n + 10, 10] for n in range(150)]
    truth = truth_of([(0, 0, square, False) for square in squares], 1, 1)
    right = [(0, 0, square, 0.9 - n / 500) for n, square in enumerate(squares)]
    wrong = [(0, 0, [20.0 * n, 50, 20.0 * n + 10, 60], 0.2) for n in range(150)]
    evaluation = metrics.evaluate(truth, found_of([*right, *wrong], 1))
    assert confidence_curves(evaluation.matching).best_overall == 0.40
    assert (evaluation.ap50, evaluation.ar100) == pytest.approx((67 / 101, 2 / 3)), "of 100, as in COCO"


def test_tallies_are_the_counts_of_the_matching_with_one_confidence_or_one_per_label() -> None:
    truth, candidates = split_scene(images=12, candidates=60, labels=4, seed=1, crowd=0.2)
    matching = match(truth, DetectionSet.of(candidates), metrics.THRESHOLDS.tolist())
    for confidence in (0.0, 0.3, float(matching.found.scores[70]), 2.0, np.array([0.1, 0.9, 0.0, 0.4])):
        for iou in (0.5, 0.75):
            at = tally(matching, confidence, iou)
            counts = matching.counts(confidence, iou).per_label
            assert np.array_equal(np.stack([at.right, at.wrong, at.missed], 1), counts)
    wanted = np.array([0.1, 0.9, 0.0, 0.4])
    each = [matching.counts(float(one)).per_label[label] for label, one in enumerate(wanted)]
    assert np.array_equal(matching.counts(wanted).per_label, each)


def test_average_precision_is_cut_at_a_confidence_per_label() -> None:
    truth, candidates = split_scene(images=12, candidates=60, labels=3, seed=2)
    matching = match(truth, DetectionSet.of(candidates), [0.5])
    wanted = np.array([0.1, 0.6, 0.3])
    together = average_precision(matching, wanted)
    for label, one in enumerate(wanted):
        assert together[0, label] == average_precision(matching, float(one))[0, label]


def test_no_labels() -> None:
    assert confidence_curves(metrics.evaluate(truth_of([], 1, 0), found_of([], 1)).matching).best_overall == USUAL
