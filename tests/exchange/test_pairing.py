"""Boxes of two lists are paired off by nearness, without a table of all with all."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from workbench.exchange.pairing import coded, hashable, near, pair


def boxes(*lefts: float) -> np.ndarray:
    """(n, 4): 10 x 10 pixels, at these distances from the left."""
    return np.array([(x, 0, x + 10, 10) for x in lefts], float).reshape(-1, 4)


def reach(here: np.ndarray, there: np.ndarray, pixels: float) -> tuple[np.ndarray, np.ndarray]:
    return np.full(len(here), pixels), np.full(len(there), pixels)


def both(here: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.ones(len(here), bool), np.ones(len(there), bool)


def test_near_is_by_the_furthest_edge_and_the_larger_reach() -> None:
    here, there = np.array([(0, 0, 10, 10)], float), np.array([(1, 0, 10, 14), (-5, 0, 10, 10), (9, 9, 20, 20)], float)
    rows, columns, parts = near(here, there, np.array([4.0]), np.array([1.0, 10.0, 1.0]))
    found = sorted(zip(rows.tolist(), columns.tolist(), parts.tolist(), strict=True))
    assert found == [(0, 0, 1.0), (0, 1, 0.5)]


@pytest.mark.parametrize("at_once", [1, 3, 1 << 20])
def test_the_nearest_go_together_first_and_each_once(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("workbench.exchange.pairing._AT_ONCE", at_once)
    here, there = boxes(50, 0, 3, 90), boxes(2, 51, 0, 200)
    left = both(here, there)
    assert pair(here, there, reach(here, there, 5), left) == [(1, 2), (0, 1), (2, 0)]
    assert [side.tolist() for side in left] == [[False, False, False, True], [False, False, False, True]]


def test_only_what_is_left_and_accepted_is_paired() -> None:
    here, there = boxes(0, 1, 2), boxes(0, 1, 2)
    left = both(here, there)
    left[0][0] = False
    assert pair(here, there, reach(here, there, 5), left, lambda rows, columns: rows != columns) == [(1, 0), (2, 1)]
    assert left[1].tolist() == [False, False, True]


def test_nothing_is_near_nothing() -> None:
    assert near(boxes(), boxes(1), *reach(boxes(), boxes(1), 5))[0].tolist() == []
    assert near(boxes(1), boxes(), *reach(boxes(1), boxes(), 5))[0].tolist() == []


def test_an_image_of_many_boxes_takes_little_memory() -> None:
    """4,000 with 4,000 in one table would be 512 MB of differences; 20,000 had the program ended by the system."""
    corners = np.random.default_rng(0).uniform(0, 4000, (4000, 2))
    here = np.hstack([corners, corners + 20])
    left = both(here, here)
    tracemalloc.start()
    try:
        pairs = pair(here, here + 1, reach(here, here, 10), left)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(pairs) > 3900
    assert peak < 150 << 20


def test_equal_values_of_json_have_one_number() -> None:
    one, other = {"a": [1, {"b": 2.0}], "c": None}, {"c": None, "a": [1.0, {"b": 2}]}
    numbers = coded([hashable(one), hashable({"a": [1]})], [hashable(other), hashable("a")])
    assert [side.tolist() for side in numbers] == [[0, 1], [0, 2]]
