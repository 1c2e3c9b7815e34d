"""Two runs object by object, on a table that can be checked by hand, and on a generated split against plain loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.core.generated import split_scene
from workbench.core.detections import Candidates, Detections
from workbench.core.evaluation import bootstrap
from workbench.core.evaluation.average_precision import average_precision
from workbench.core.evaluation.confidence import tally
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.matching import Matching, match
from workbench.core.evaluation.run_comparison import (
    BOX_OUTCOMES,
    FALSE_ALARM_KINDS,
    MEASURES,
    MISLABELLED,
    MISSED,
    RIGHT,
    RunComparison,
    RunDetections,
    compare,
)
from workbench.core.evaluation.sliders import Sliders

# three images, two labels (0: cat, 1: dog), boxes of 10 x 10 at these places along x
#            image 0         image 1          image 2
BOXES = [(0, 0, 0), (0, 20, 0), (1, 0, 1), (1, 40, 0), (2, 0, 1)]  # image, x, label
FIRST = [
    (0, 0, 0, 0.9),  # box 0 is found
    (0, 60, 0, 0.8),  # a false alarm that the second has too, 2 px beside it
    (1, 0, 0, 0.7),  # box 2 is called a cat
    (1, 80, 1, 0.6),  # a false alarm that goes
    (2, 0, 1, 0.5),  # box 4 is found
]
SECOND = [
    (0, 20, 0, 0.9),  # box 1 is found; box 0 is not
    (0, 62, 0, 0.8),
    (1, 0, 1, 0.7),  # box 2 is right now
    (1, 80, 0, 0.6),  # at the place of the one that goes, but a cat
    (2, 0, 1, 0.2),  # box 4 is found below the confidence
]


def truth() -> GroundTruth:
    images, xs, labels = (np.array(column) for column in zip(*BOXES, strict=True))
    none = np.zeros(len(BOXES), bool)
    return GroundTruth(_boxes(xs), labels, images, none, none, np.full(len(BOXES), 100.0), 3, 2)


def seen(rows: list[tuple[int, int, int, float]], confidence: float = 0.4) -> RunDetections:
    images = []
    for image in range(3):
        mine = [row for row in rows if row[0] == image]
        xs, labels, scores = ([row[k] for row in mine] for k in (1, 2, 3))
        images.append(Detections(_boxes(np.array(xs)), np.array(scores, np.float32), np.array(labels, np.int32)))
    return RunDetections(match(truth(), DetectionSet.of(images), [0.5]), confidence)


def _boxes(xs: np.ndarray) -> np.ndarray:
    return np.array([(x, 0, x + 10, 10) for x in xs.tolist()], np.float64).reshape(-1, 4)


def table(result: RunComparison) -> dict[str, list[int]]:
    boxes = {outcome: result.boxes_per_label(outcome).tolist() for outcome in BOX_OUTCOMES}
    return boxes | {f"alarms {kind}": result.alarms_per_label(kind).tolist() for kind in FALSE_ALARM_KINDS}


def test_every_box_and_every_false_alarm_has_its_fate() -> None:
    result = compare(seen(FIRST), seen(SECOND))
    assert {outcome: result.boxes_of(outcome).tolist() for outcome in BOX_OUTCOMES} == {
        "fixed": [1, 2], "regressed": [0, 4], "wrong in both": [3], "right in both": [],
    }  # fmt: skip
    assert list(result.before) == [RIGHT, MISSED, MISLABELLED, MISSED, RIGHT]
    assert list(result.after) == [MISSED, RIGHT, RIGHT, MISSED, MISSED]
    assert table(result) == {
        "fixed": [1, 1], "regressed": [1, 1], "wrong in both": [1, 0], "right in both": [0, 0],
        "alarms gone": [1, 1], "alarms new": [1, 0], "alarms in both": [1, 0],
    }  # fmt: skip
    first, second = result.first.matching.found, result.second.matching.found
    ((a, b),) = result.alarms_of("in both").tolist()
    assert (first.boxes[a, 0], second.boxes[b, 0]) == (60, 62)
    assert sorted(first.boxes[result.alarms_of("gone")[:, 0], 0].tolist()) == [0, 80]
    assert second.boxes[result.alarms_of("new")[:, 1], 0].tolist() == [80]


def test_a_lower_confidence_of_the_second_alone_keeps_what_it_found() -> None:
    """Each run has its own."""
    result = compare(seen(FIRST), seen(SECOND, confidence=0.1))
    assert result.boxes_of("right in both").tolist() == [4]
    assert result.boxes_of("regressed").tolist() == [0]


def test_labels_that_are_not_compared_are_left_out() -> None:
    result = compare(seen(FIRST), seen(SECOND), np.array([True, False]))
    assert result.boxes.tolist() == [0, 1, 3]
    assert table(result)["alarms gone"] == [1, 0]
    everything, cats = (result.first.numbers("recall", np.array(use))[1] for use in ([True, True], [True, False]))
    assert (everything, cats) == (2 / 5, 1 / 3)
    assert result.tally_differences(20)["recall"].overall == 0


def test_a_run_and_itself_differ_in_nothing() -> None:
    result = compare(seen(FIRST), seen(FIRST))
    changed = [*result.boxes_of("fixed"), *result.boxes_of("regressed")]
    assert changed == [*result.alarms_of("gone"), *result.alarms_of("new")] == []
    for one in result.tally_differences(50).values():
        assert one.overall == 0


def test_other_boxes_are_refused() -> None:
    other = seen(SECOND)
    moved = replace(other.matching, truth=replace(truth(), boxes=truth().boxes + 1))
    with pytest.raises(ValueError, match="same labelled boxes"):
        compare(seen(FIRST), RunDetections(moved, 0.4))


@pytest.fixture(scope="module")
def generated() -> tuple[RunDetections, RunDetections, GroundTruth, list[Candidates]]:
    truth, candidates = split_scene(images=30, candidates=60, labels=4, seed=8, crowd=0.1)
    sliders = Sliders.of(truth, candidates)
    return (
        RunDetections(sliders.matching_at(0.6), 0.3),
        RunDetections(sliders.matching_at(0.3), np.array([0.2, 0.3, 0.5, 0.4])),
        truth,
        candidates,
    )


def test_fates_add_up_to_what_the_other_tabs_count(
    generated: tuple[RunDetections, RunDetections, GroundTruth, list[Candidates]],
) -> None:
    first, second, *_ = generated
    result = compare(first, second)
    counts = table(result)
    assert min(sum(row) for row in counts.values()) > 0  # every case occurs
    assert 0 < len(result.boxes) == int(first.matching.counted.sum()) < len(first.matching.counted)  # no crowds
    for one, boxes, alarms in ((first, "regressed", "gone"), (second, "fixed", "new")):
        totals = tally(one.matching, one.confidence)
        assert (np.array(counts[boxes]) + counts["right in both"]).tolist() == totals.right.tolist()
        assert (np.array(counts[f"alarms {alarms}"]) + counts["alarms in both"]).tolist() == totals.wrong.tolist()


def test_numbers_and_differences_are_those_of_the_page(
    generated: tuple[RunDetections, RunDetections, GroundTruth, list[Candidates]],
) -> None:
    first, second, *_ = generated
    use = np.ones(4, bool)
    result = compare(first, second)
    tallies = result.tally_differences(30)
    for measure in MEASURES:
        (before, all_before), (after, all_after) = (one.numbers(measure, use) for one in (first, second))
        if measure in tallies:
            np.testing.assert_allclose(tallies[measure].labels, after - before, rtol=0, atol=1e-12)
            assert tallies[measure].overall == pytest.approx(all_after - all_before, abs=1e-12)
    mine = first.numbers("ap", use)[0]
    np.testing.assert_allclose(mine, average_precision(first.matching).mean(axis=0), rtol=0, atol=1e-12)


def test_a_draw_counts_an_image_as_often_as_it_is_drawn(
    generated: tuple[RunDetections, RunDetections, GroundTruth, list[Candidates]],
) -> None:
    """The interval of precision is the quantiles of sums over drawn images, here added one by one."""
    first, second, *_ = generated
    counts = [one.matching.counts(one.confidence) for one in (first, second)]
    draws = np.concatenate([times for _, times in bootstrap.draw_counts(30, 40, seed=3)])
    apart = []
    for times in draws[1:]:
        values = []
        for one in counts:
            tp = sum(n * one.tp[i].sum() for i, n in enumerate(times.tolist()))
            fp = sum(n * one.fp[i].sum() for i, n in enumerate(times.tolist()))
            values.append(tp / (tp + fp))
        apart.append(values[1] - values[0])
    ours = compare(first, second).tally_differences(40, seed=3)["precision"]
    assert ours.overall_low == pytest.approx(np.quantile(apart, 0.025), abs=1e-12)
    assert ours.overall_high == pytest.approx(np.quantile(apart, 0.975), abs=1e-12)
    assert (draws.sum(axis=1) == 30).all()


def test_ap_over_all_overlaps_tells_how_far_it_is(
    generated: tuple[RunDetections, RunDetections, GroundTruth, list[Candidates]],
) -> None:
    first, second, *_ = generated
    levels = first.matching.thresholds.tolist()
    told: list[Any] = list(bootstrap.ap_differences(first.matching, second.matching, levels, draws=10))
    *shares, last = told
    assert isinstance(last, bootstrap.MetricDifference)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    apart = average_precision(second.matching).mean(axis=0) - average_precision(first.matching).mean(axis=0)
    np.testing.assert_allclose(last.labels, apart, rtol=0, atol=1e-12)


def test_nothing_labelled_and_nothing_found() -> None:
    empty = np.zeros(0, np.int64)
    none = np.zeros(0, bool)
    nothing = GroundTruth(np.zeros((0, 4)), empty, empty, none, none, np.zeros(0), 2, 1)
    matching: Matching = match(nothing, DetectionSet.of([Candidates.none()] * 2), [0.5])
    result = compare(RunDetections(matching, 0.5), RunDetections(matching, 0.5))
    assert table(result) == {name: [0] for name in table(result)}
    assert np.isnan(result.tally_differences(10)["f1"].overall)
