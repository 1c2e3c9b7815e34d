"""TIDE's kinds of mistakes, in scenes small enough to know the answer."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.generated import split_scene
from tests.core.test_metrics import SQUARE, found_of, truth_of
from workbench.core.evaluation.average_precision import average_precision
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.matching import match
from workbench.core.evaluation.tide import ERROR_KINDS, ErrorKind, TideErrors, tide

FAR = [50.0, 50, 60, 60]
LOW, LOWER = [0.0, 0, 10, 4], [0.0, 0, 10, 3]  # on SQUARE by .4 and .3
A, B = 0, 1
Boxes = list[tuple[int, list[float]]]
Detections = list[tuple[int, list[float], float]]


def of(boxes: Boxes, detections: Detections) -> TideErrors:
    truth = GroundTruth.of(truth_of([(0, label, box, False) for label, box in boxes], 1, 2))
    return tide(match(truth, DetectionSet.of(found_of([(0, *row) for row in detections], 1)), [0.5]))


def costs(result: TideErrors) -> dict[str, float]:
    """Those that are not 0."""
    return {kind: cost for kind, cost in result.cost.items() if abs(cost) > 1e-12}


HALF = (51 + 50 * 2 / 3) / 101  # AP of right, wrong, right
SCENES: list[tuple[str, Boxes, Detections, float, dict[ErrorKind, float]]] = [
    ("a box not quite hit", [(A, SQUARE)], [(A, LOW, 0.9)], 0, {"localisation": 1}),
    ("another label", [(A, SQUARE)], [(B, SQUARE, 0.9)], 0, {"classification": 1}),
    ("twice", [(A, SQUARE), (A, FAR)], [(A, SQUARE, 0.9), (A, SQUARE, 0.8), (A, FAR, 0.7)], HALF,
     {"duplicate": 1 - HALF}),
    ("on nothing, above the right one", [(A, SQUARE)], [(A, FAR, 0.9), (A, SQUARE, 0.8)], 0.5, {"background": 0.5}),
    # a: 0, b: a half; without the wrong b 0 and 1; with nothing to find of a 1 and a half
    ("another label, not quite hit", [(A, SQUARE), (B, FAR)], [(B, LOW, 0.9), (B, FAR, 0.8)], 0.25,
     {"both": 0.25, "missed": 0.5}),
    ("not found", [(A, SQUARE)], [], 0, {"missed": 1}),
    ("of two near a box the higher is mended, the other goes", [(A, SQUARE)], [(A, LOW, 0.9), (A, LOWER, 0.8)], 0,
     {"localisation": 1}),
    ("near a box that is found already: it goes", [(A, SQUARE)], [(A, LOW, 0.95), (A, SQUARE, 0.9)], 0.5,
     {"localisation": 0.5}),
    ("near a box that is found already, another is not", [(A, SQUARE), (A, FAR)], [(A, LOW, 0.95), (A, SQUARE, 0.9)],
     51 / 202, {"localisation": 51 / 202, "missed": 0.5 - 51 / 202}),
    ("not found, and a wrong one: neither alone helps", [(A, SQUARE)], [(A, FAR, 0.9)], 0, {}),
    ("all right", [(A, SQUARE), (B, FAR)], [(A, SQUARE, 0.9), (B, FAR, 0.2)], 1, {}),
]  # fmt: skip


@pytest.mark.parametrize(("boxes", "detections", "ap", "expected"), [scene[1:] for scene in SCENES],
                         ids=[scene[0] for scene in SCENES])  # fmt: skip
def test_the_cost_of_every_kind(
    boxes: Boxes, detections: Detections, ap: float, expected: dict[ErrorKind, float]
) -> None:
    result = of(boxes, detections)
    assert result.ap50 == pytest.approx(ap)
    assert costs(result) == pytest.approx(expected)


def test_the_rows_behind_the_bars() -> None:
    boxes = [(A, SQUARE), (A, FAR), (B, [80.0, 80, 90, 90])]
    result = of(boxes, [(A, LOW, 0.9), (B, FAR, 0.8), (A, [30.0, 30, 40, 40], 0.7), (A, FAR, 0.6), (A, FAR, 0.5)])
    # in DetectionSet they lie by label and score: a .9 .7 .6 .5, b .8
    assert result.detections("localisation").tolist() == [0]
    assert result.detections("background").tolist() == [1]
    assert result.detections("duplicate").tolist() == [3]
    assert result.detections("classification").tolist() == [4]
    assert result.missed.tolist() == [2]
    assert result.boxes.tolist() == [0, -1, -1, 1, 1]


def test_of_two_other_labels_on_a_box_the_higher_is_mended() -> None:
    """At .9 it lies above the false alarm of .7: all of AP. The one of .5 would bring a half."""
    truth = GroundTruth.of(truth_of([(0, 2, SQUARE, False)], 1, 3))
    found = found_of([(0, 0, SQUARE, 0.5), (0, 1, SQUARE, 0.9), (0, 2, FAR, 0.7)], 1)
    result = tide(match(truth, DetectionSet.of(found), [0.5]))
    assert costs(result) == {"classification": pytest.approx(1)}
    assert result.missed.tolist() == []


def test_only_a_hundred_of_an_image_and_label_are_looked_at() -> None:
    truth = GroundTruth.of(truth_of([(0, 0, SQUARE, False)], 1, 1))
    rows = [(0, 0, FAR, 0.9)] * 105 + [(0, 0, SQUARE, 0.5)]
    result = tide(match(truth, DetectionSet.of(found_of(rows, 1), most=200), [0.5]))
    assert (result.ap50, len(result.detections("background"))) == (0, 100)


def test_costs_do_not_add_up_because_mistakes_hide_each_other() -> None:
    """A wrong one above a missed box: either alone brings a half at most, both all."""
    result = of([(A, SQUARE), (A, FAR)], [(A, [30.0, 30, 40, 40], 0.9), (A, SQUARE, 0.8)])
    assert sum(result.cost.values()) < 1 - result.ap50


def test_a_wrong_one_on_a_crowd_region_is_no_mistake() -> None:
    truth = GroundTruth.of(truth_of([(0, A, SQUARE, False), (0, A, FAR, True)], 1, 1))
    result = tide(match(truth, DetectionSet.of(found_of([(0, A, FAR, 0.9), (0, A, SQUARE, 0.8)], 1)), [0.5]))
    assert result.ap50 == pytest.approx(1)
    assert costs(result) == {}


def test_every_wrong_detection_has_one_kind_and_no_cost_is_negative() -> None:
    truth, candidates = split_scene(images=30, candidates=80, labels=4, seed=7)
    matching = match(truth, DetectionSet.of([one.detections(0.01, 0.5) for one in candidates]), [0.5])
    result = tide(matching)
    assert result.ap50 == pytest.approx(np.nanmean(average_precision(matching)), abs=1e-12)
    assert np.array_equal(result.kinds < 0, matching.taken[0] >= 0)
    assert all(len(result.detections(kind)) for kind in ERROR_KINDS[:-1])
    assert min(result.cost.values()) >= 0
