"""Who takes which labelled box, where the ways to find out could differ."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.generated import split_scene
from tests.core.test_metrics import SQUARE, found_of, truth_of
from workbench.core.evaluation import evaluation_data, greedy_matching
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.matching import match

LEVELS = [0.5, 0.75]


def test_of_two_equal_boxes_the_later_is_taken_first_as_pycocotools_does() -> None:
    truth = GroundTruth.of(truth_of([(0, 0, SQUARE, False), (0, 0, SQUARE, False)], 1, 1))
    matching = match(
        truth, DetectionSet.of(found_of([(0, 0, SQUARE, 0.9), (0, 0, SQUARE, 0.8), (0, 0, SQUARE, 0.7)], 1))
    )
    assert matching.taken.tolist() == [[1, 0, -1]]


def test_a_box_is_free_at_a_threshold_that_its_first_detection_misses() -> None:
    """The first overlaps the box by .6, the second by .8: at .75 the second takes it."""
    truth = GroundTruth.of(truth_of([(0, 0, SQUARE, False)], 1, 1))
    found = DetectionSet.of(found_of([(0, 0, [0, 0, 10, 6], 0.9), (0, 0, [0, 0, 10, 8], 0.8)], 1))
    matching = match(truth, found, LEVELS)
    assert matching.taken.tolist() == [[0, -1], [-1, 0]]
    assert matching.ignored.tolist() == [[False, False], [False, False]]


@pytest.mark.parametrize("name", ["long turns", "no table"])
def test_the_ways_for_large_sets_take_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups that share no box are searched for where turns would be many; cells are searched where they are many."""
    truth, candidates = split_scene(images=8, candidates=120, labels=2, seed=4, crowd=0.1)
    found = DetectionSet.of(candidates)
    plain = match(truth, found, LEVELS)
    if name == "long turns":
        monkeypatch.setattr(greedy_matching, "_LONG", 0)
        calls, real = [], greedy_matching._together
        monkeypatch.setattr(greedy_matching, "_together", lambda *given: calls.append(1) or real(*given))
        other = match(truth, found, LEVELS)
        assert calls
    else:
        monkeypatch.setattr(evaluation_data, "_TABLE", -1)
        other = match(truth, found, LEVELS)
    assert (plain.taken >= 0).sum() > 20
    assert np.array_equal(plain.taken, other.taken)
    assert np.array_equal(plain.ignored, other.ignored)


def test_pairs_are_together_if_others_lead_from_one_to_the_other() -> None:
    """The first two share a detection, the second and third a box; the last two a detection."""
    detection, box = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 3])
    assert greedy_matching._together(detection, box, 4).tolist() == [0, 0, 0, 3, 3]


def test_more_thresholds_than_bits_are_refused() -> None:
    truth = GroundTruth.of(truth_of([(0, 0, SQUARE, False)], 1, 1))
    found = DetectionSet.of(found_of([(0, 0, SQUARE, 0.9)], 1))
    assert match(truth, found, np.linspace(0.1, 1, 64).tolist()).taken.tolist() == [[0]] * 64
    with pytest.raises(ValueError, match="64 thresholds"):
        match(truth, found, np.linspace(0.1, 1, 65).tolist())
