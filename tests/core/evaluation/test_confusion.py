"""The confusion matrix, by hand, and that it adds up to precision and recall."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.evaluation.confusion import confusion
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.matching import match

SQUARE, OTHER, FAR = [0.0, 0, 10, 10], [50.0, 50, 60, 60], [90.0, 90, 99, 99]
Rows = list[tuple[int, int, list[float]]]


class Plain:
    """One image's arrays."""

    def __init__(self, rows: list[tuple[int, list[float], float]]) -> None:
        self.labels = np.array([row[0] for row in rows], np.int32)
        self.boxes = np.array([row[1] for row in rows], np.float32).reshape(-1, 4)
        self.scores = np.array([row[2] for row in rows], np.float32)


def truth_of(rows: list[tuple[int, list[float]]], crowd: list[bool] | None = None) -> GroundTruth:
    none = np.array(crowd or [False] * len(rows), bool)
    boxes = np.array([row[1] for row in rows], float).reshape(-1, 4)
    labels = np.array([row[0] for row in rows], np.int64)
    return GroundTruth(boxes, labels, np.zeros(len(rows), np.int64), none, none, np.full(len(rows), 100.0), 1, 2)


def test_right_confused_false_alarm_and_missed() -> None:
    truth = truth_of([(0, SQUARE), (0, OTHER), (1, FAR)])
    found = DetectionSet.of([Plain([(0, SQUARE, 0.9), (1, OTHER, 0.8), (1, [200, 200, 210, 210], 0.7)])])
    result = confusion(match(truth, found), confidence=0.5)
    assert result.table.tolist() == [
        [1, 1, 0],  # of two 0s, one is called 1
        [0, 0, 1],  # the 1 is missed
        [0, 1, 0],  # a false alarm
    ]


def test_what_lies_below_the_confidence_is_missed() -> None:
    result = confusion(match(truth_of([(0, SQUARE)]), DetectionSet.of([Plain([(0, SQUARE, 0.4)])])), confidence=0.5)
    assert result.table.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_a_box_already_found_is_not_confused_as_well() -> None:
    found = DetectionSet.of([Plain([(1, SQUARE, 0.9), (0, SQUARE, 0.6)])])
    result = confusion(match(truth_of([(0, SQUARE)]), found), confidence=0.5)
    assert result.table.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_crowds_are_in_no_cell() -> None:
    found = DetectionSet.of([Plain([(0, SQUARE, 0.9)])])
    assert confusion(match(truth_of([(0, SQUARE)], [True]), found), 0.5).table.sum() == 0


def test_the_rows_behind_a_cell_are_named() -> None:
    found = DetectionSet.of([Plain([(1, OTHER, 0.8)])])
    result = confusion(match(truth_of([(0, OTHER)]), found), 0.5)
    assert result.cells.tolist() == [[0, 1]]
    assert (result.boxes.tolist(), result.detections.tolist()) == ([0], [0])


place = st.integers(0, 4).map(lambda n: n * 5.0)
box = st.tuples(place, place).map(lambda p: [p[0], p[1], p[0] + 10, p[1] + 10])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), box), max_size=6),
    st.lists(st.tuples(st.integers(0, 1), box, st.integers(1, 9).map(lambda n: n / 10)), max_size=10),
)
def test_the_matrix_adds_up_to_the_counts(
    boxes: list[tuple[int, list[float]]], found: list[tuple[int, list[float], float]]
) -> None:
    matching = match(truth_of(boxes), DetectionSet.of([Plain(found)]))
    table, counts = confusion(matching, 0.5).table, matching.counts(0.5)
    assert np.array_equal(np.diag(table)[:2], counts.tp.sum(0))
    assert np.array_equal(table.sum(0)[:2] - np.diag(table)[:2], counts.fp.sum(0))
    assert np.array_equal(table.sum(1)[:2] - np.diag(table)[:2], counts.fn.sum(0))
