"""The order of images to label: by hand-checked numbers, and as the plain algorithm gives it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from workbench.core import image_queue
from workbench.core.image_queue import QueueOrder, k_center_order, order_images, uncertainty, uncertainty_ranks


def test_doubt_is_most_at_a_half_and_adds_up_over_boxes() -> None:
    assert uncertainty(np.array([0.5])) == 1
    assert uncertainty(np.array([1.0, 0.75, 0.5])) == pytest.approx(0 + 0.25 + 1)
    assert uncertainty(np.array([0.25])) == pytest.approx(uncertainty(np.array([0.75])))
    assert uncertainty(np.array([0.09] * 1000)) == 0, "a thousand times nothing is nothing"
    assert uncertainty(np.zeros(0)) == 0


def directions(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


PLANE = directions(0, 2, 4, 90, 93, 180)


def test_next_is_always_the_farthest_from_all_labelled_and_chosen_ones() -> None:
    labelled = PLANE[:1]
    assert k_center_order(PLANE[1:], labelled).tolist() == [4, 2, 1, 3, 0], "180, 90, 4, 93, and 2 at last"
    assert k_center_order(PLANE[1:] * np.array([[1], [2], [3], [4], [5]]), labelled)[0] == 4, "lengths don't count"


def test_without_labelled_ones_it_begins_in_the_middle_or_at_the_most_uncertain() -> None:
    nothing = PLANE[:0]
    assert k_center_order(directions(0, 80, 40), nothing).tolist() == [2, 0, 1]
    assert order_images(QueueOrder.BOTH, np.array([0, 0, 0, 0, 5, 0]), PLANE, nothing)[0] == 4


def test_both_means_far_and_uncertain() -> None:
    uncertain = np.array([3.0, 1.0, 9.0, 5.0, 0.0])  # of 2, 4, 90, 93 and 180 degrees
    assert order_images(QueueOrder.UNCERTAIN, uncertain, PLANE[1:], PLANE[:1]).tolist() == [2, 3, 0, 1, 4]
    assert uncertainty_ranks(uncertain).tolist() == pytest.approx([0.6, 0.4, 1.0, 0.8, 0.2])
    assert order_images(QueueOrder.BOTH, uncertain, PLANE[1:], PLANE[:1])[0] == 2, "90 counts whole, 180 a fifth"
    assert order_images(QueueOrder.DIFFERENT, uncertain, PLANE[1:], PLANE[:1])[0] == 4


def plain(x: np.ndarray, labelled: np.ndarray, weights: np.ndarray) -> list[int]:
    """One after the other, as the paper has it."""
    x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, labelled))
    away = np.linalg.norm(x[:, None] - y[None], axis=2).min(axis=1)
    chosen: list[int] = []
    for _ in range(len(x)):
        value = np.where(np.isin(np.arange(len(x)), chosen), -1, away * weights)
        chosen.append(int(value.argmax()))
        away = np.minimum(away, np.linalg.norm(x - x[chosen[-1]], axis=1))
    return chosen


@pytest.mark.parametrize("few", [3, 40, 256])
def test_many_at_a_time_are_those_of_one_at_a_time(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_queue, "_FEW", few)
    draw = np.random.default_rng(2)
    x, labelled, weights = draw.normal(size=(120, 6)), draw.normal(size=(4, 6)), draw.uniform(0.1, 1, 120)
    assert k_center_order(x, labelled, weights).tolist() == plain(x, labelled, weights)
    assert k_center_order(x, labelled).tolist() == plain(x, labelled, np.ones(120))


def test_after_the_most_the_others_follow_by_their_distance() -> None:
    draw = np.random.default_rng(3)
    x, labelled = draw.normal(size=(60, 4)), draw.normal(size=(2, 4))
    order = k_center_order(x, labelled, most=10)
    assert sorted(order.tolist()) == list(range(60))
    away = image_queue.nearest(x, np.concatenate([labelled, x[order[:10]]]))[order[10:]]
    assert (np.diff(away) <= 1e-6).all()
    at_random = [farthest(x, draw.permutation(60)[:10]) for _ in range(20)]
    assert farthest(x, order[:10]) < np.mean(at_random)


def farthest(x: NDArray[np.float64], chosen: NDArray[np.int64]) -> float:
    """The distance of the image farthest from the chosen rows, which k-center minimises."""
    return float(image_queue.nearest(x, x[chosen]).max())


def test_equals_and_nothing_are_put_in_order_too() -> None:
    same = np.ones((5, 3))
    assert sorted(k_center_order(same, same[:1]).tolist()) == [0, 1, 2, 3, 4]
    for by in QueueOrder:
        assert order_images(by, np.zeros(0), np.zeros((0, 3)), np.zeros((0, 3))).tolist() == []
        assert sorted(order_images(by, np.zeros(2), np.zeros((2, 3)), np.zeros((0, 3))).tolist()) == [0, 1]
