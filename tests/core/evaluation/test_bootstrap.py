"""The paired bootstrap: a draw is AP of the images drawn, equal runs don't differ, a better one is told."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.generated import split_scene
from tests.core.test_metrics import found_of, truth_of
from workbench.core.detections import Candidates, Detections
from workbench.core.evaluation import bootstrap
from workbench.core.evaluation.average_precision import average_precision
from workbench.core.evaluation.bootstrap import Bools, MetricDifference
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.matching import Matching, match

LABELS = 3


@pytest.fixture(scope="module")
def split() -> tuple[GroundTruth, list[Candidates]]:
    return split_scene(images=40, candidates=40, labels=LABELS, seed=2, crowd=0.1)


def matching(split: tuple[GroundTruth, list[Candidates]], spoilt: float = 0.0) -> Matching:
    """`spoilt`: the share of each image's detections, the highest, that is moved away."""
    found = []
    for one in split[1]:
        boxes = one.boxes.copy()
        boxes[: int(len(boxes) * spoilt)] += 5000
        found.append(Detections(boxes, one.scores, one.labels))
    return match(split[0], DetectionSet.of(found), [0.5])


def difference(
    first: Matching, second: Matching, draws: int, seed: int = 0, use: Bools | None = None
) -> MetricDifference:
    """Of AP50."""
    *_, last = bootstrap.ap_differences(first, second, [0.5], draws, seed, use)
    assert isinstance(last, MetricDifference)
    return last


def test_a_draw_is_the_ap_of_the_images_with_copies(split: tuple[GroundTruth, list[Candidates]]) -> None:
    truth, candidates = split
    times = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), size=6).astype(np.uint16)
    for row in times:
        images = np.repeat(np.arange(40), row)
        boxes = [np.flatnonzero(truth.images == image) for image in images]
        rows = np.concatenate(boxes)
        copied = GroundTruth(
            truth.boxes[rows], truth.labels[rows], np.repeat(np.arange(40), [len(one) for one in boxes]),
            truth.crowd[rows], truth.ignore[rows], truth.areas[rows], 40, LABELS,
        )  # fmt: skip
        expected = average_precision(match(copied, DetectionSet.of([candidates[i] for i in images]), [0.5]))[0]
        one = matching(split)
        drawn = bootstrap._boxes(one).T @ row
        ours = [
            bootstrap._ap(bootstrap._Ranked.of(one, 0.5, label), row[:, None], drawn[[label]])[0]
            for label in range(LABELS)
        ]
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)


def test_long_runs_of_false_alarms_are_counted_whole() -> None:
    """Of 300 detections of an image the last is right; the image is drawn once and twice."""
    ranked = bootstrap._Ranked(np.zeros(300, np.int64), np.array([299]))
    times = np.array([[1, 2]], np.uint16)
    np.testing.assert_allclose(bootstrap._ap(ranked, times, np.array([1, 2])), [1 / 300, 2 / 600], atol=1e-12)


def test_equal_runs_differ_by_exactly_nothing(split: tuple[GroundTruth, list[Candidates]]) -> None:
    result = difference(matching(split), matching(split), draws=50)
    assert result.labels.tolist() == result.low.tolist() == result.high.tolist() == [0.0] * LABELS
    assert (result.overall, result.overall_low, result.overall_high) == (0.0, 0.0, 0.0)


def test_a_much_worse_run_is_told_and_the_interval_holds_the_difference(
    split: tuple[GroundTruth, list[Candidates]],
) -> None:
    good, bad = matching(split), matching(split, spoilt=0.3)
    result = difference(good, bad, draws=200, seed=1)
    expected = average_precision(bad)[0] - average_precision(good)[0]
    np.testing.assert_allclose(result.labels, expected, rtol=0, atol=1e-12)
    assert result.overall == pytest.approx(expected.mean())
    assert (result.low <= result.labels).all()
    assert (result.labels <= result.high).all()
    assert (result.high < 0).all()
    assert result.overall_low < result.overall < result.overall_high < 0


def test_the_same_seed_gives_the_same_interval_whatever_the_memory(
    split: tuple[GroundTruth, list[Candidates]], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = matching(split), matching(split, spoilt=0.1)
    first = difference(good, bad, draws=60, seed=4)
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 1000)
    again = difference(good, bad, draws=60, seed=4)
    assert np.array_equal(first.low, again.low)
    assert np.array_equal(first.high, again.high)
    assert not np.array_equal(first.low, difference(good, bad, draws=60, seed=5).low)


def test_percentiles_are_those_of_numpy_without_what_is_not_there() -> None:
    values = np.random.default_rng(0).normal(size=(37, 4))
    values[5:30, 1] = np.nan
    values[1:, 2] = np.nan
    values[:, 3] = np.nan
    for ours, share in zip(bootstrap._percentiles(values, (0.025, 0.975)), (0.025, 0.975), strict=True):
        expected = [np.quantile(column[~np.isnan(column)], share) for column in values.T[:3]]
        np.testing.assert_allclose(ours, [*expected, np.nan], rtol=0, atol=1e-12)


def test_a_label_without_boxes_has_no_interval_and_does_not_spoil_the_mean() -> None:
    truth, candidates = split_scene(images=10, candidates=20, labels=2, seed=0)
    wider = GroundTruth(truth.boxes, truth.labels, truth.images, truth.crowd, truth.ignore, truth.areas, 10, 3)
    one = match(wider, DetectionSet.of(candidates), [0.5])
    result = difference(one, one, draws=10)
    assert np.isnan([result.labels[2], result.low[2], result.high[2]]).all()
    assert result.overall == 0


def test_other_boxes_are_refused(split: tuple[GroundTruth, list[Candidates]]) -> None:
    other = split_scene(images=40, candidates=40, labels=LABELS, seed=3)
    with pytest.raises(ValueError, match="same labelled boxes"):
        difference(matching(split), matching(other), draws=5)


@pytest.mark.parametrize(("having", "tells"), [(1, False), (5, False), (6, True)])
def test_few_images_that_agree_have_no_interval(having: int, tells: bool) -> None:
    """The second run lacks the first's false alarm in every image that has label 0: all resamples say the same."""
    square, other, away = [0.0, 0, 10, 10], [50.0, 50, 60, 60], [80.0, 80, 90, 90]
    boxes = [(i, 0, square, False) for i in range(having)] + [(i, 1, other, False) for i in range(8)]
    right = [(i, label, box, 0.5) for i, label, box, _ in boxes]
    truth = GroundTruth.of(truth_of(boxes, 8, 2))
    first, second = (
        match(truth, DetectionSet.of(found_of([*right, *wrong], 8)), [0.5])
        for wrong in ([(i, 0, away, 0.9) for i in range(having)], [])
    )
    ap = difference(first, second, draws=20)
    precision = bootstrap.tally_differences(first, second, (0.1, 0.1), draws=20)["precision"]
    for found in (ap, precision):
        assert found.labels[0] == pytest.approx(0.5)
        assert np.isfinite([found.low[0], found.high[0]]).all() == tells
        assert np.isfinite([found.low[1], found.overall_low]).all()  # eight images have the other label


def test_the_interval_of_all_labels_is_of_the_images_with_those_that_are_compared() -> None:
    truth = GroundTruth.of(truth_of([(i, i // 6, [0.0, 0, 10, 10], False) for i in range(9)], 9, 2))
    one = match(truth, DetectionSet.of(found_of([], 9)), [0.5])
    assert np.isfinite(difference(one, one, draws=5).overall_low)
    assert np.isnan(difference(one, one, draws=5, use=np.array([False, True])).overall_low)
