"""Boxes: the arithmetic, on numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.core import boxes

A = np.array([[0.0, 0.0, 10.0, 10.0]])


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ([0, 0, 10, 10], 1.0),
        ([0, 0, 10, 5], 0.5),
        ([5, 0, 15, 10], 50 / 150),
        ([10, 0, 20, 10], 0.0),  # half-open: touching is not overlapping
        ([20, 20, 30, 30], 0.0),
        ([3, 3, 3, 3], 0.0),
    ],
)
def test_iou_of_two_boxes(other: list[float], expected: float) -> None:
    assert boxes.iou(A, np.array([other], float)).item() == pytest.approx(expected)


def test_iou_of_two_empty_boxes_is_zero_and_not_a_number_error() -> None:
    empty = np.array([[4.0, 4.0, 4.0, 4.0]])
    assert boxes.iou(empty, empty).item() == 0.0


def test_iou_is_a_row_per_first_and_a_column_per_second_box() -> None:
    assert boxes.iou(np.zeros((3, 4)), np.zeros((2, 4))).shape == (3, 2)
    assert boxes.iou(np.zeros((0, 4)), np.zeros((2, 4))).shape == (0, 2)


def test_float32_stays_float32() -> None:
    assert boxes.iou(A.astype(np.float32), A.astype(np.float32)).dtype == np.float32


def test_areas_of_a_box_and_of_one_turned_inside_out() -> None:
    assert boxes.areas(np.array([[1.0, 1, 4, 3], [4, 1, 1, 3]])).tolist() == [6.0, 0.0]


def test_clipping_cuts_at_the_edges_of_the_image() -> None:
    cut = boxes.clip(np.array([[-5.0, -5, 50, 50], [120, 10, 130, 20]]), width=100, height=40)
    assert cut.tolist() == [[0, 0, 50, 40], [100, 10, 100, 20]]


def test_centre_penalty_is_squared_distance_over_squared_diagonal() -> None:
    # centres (5, 5) and (8, 9): 9 + 16; hull 0..13 by 0..14
    penalty = boxes.centre_penalty(A, np.array([[3.0, 4, 13, 14]]))
    assert penalty.item() == pytest.approx(25 / (13**2 + 14**2))
    away = np.array([100.0, 50, 100, 50])  # wherever in the image they are
    assert boxes.centre_penalty(A + away, np.array([[3.0, 4, 13, 14]]) + away).item() == pytest.approx(penalty.item())


def test_a_box_is_beyond_its_image_when_no_pixel_of_it_is_inside() -> None:
    told = np.array(
        [[-5, 2, 0, 4], [-5, 2, 1, 4], [40, 2, 45, 4], [2, 31, 4, 33], [2, -3, 4, -1], [0, 2, 0, 4], [40, 2, 40, 4]],
        float,
    )
    assert boxes.are_outside(told, 40, 30).tolist() == [True, False, True, True, True, False, False]
    assert boxes.are_outside(told, np.full(7, 50), np.full(7, 40)).tolist() == [True, *[False] * 3, True, False, False]
    assert not boxes.are_outside(told, 0, 30).any(), "nobody knows where the image ends"
