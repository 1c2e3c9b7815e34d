"""Anchors are quick because equal sizes are one row and one matrix answers all boxes: ratios to the naive way."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from workbench import anchors


def seconds(act: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        act()
        times.append(time.perf_counter() - begun)
    return min(times)


def naive_iteration(sizes: list[tuple[float, float]], centres: list[tuple[float, float]]) -> list[int]:
    """One assignment as the scripts in circulation write it: a loop over boxes and anchors."""
    nearest = []
    for w, h in sizes:
        overlaps = []
        for a, b in centres:
            overlap = min(w, a) * min(h, b)
            overlaps.append(overlap / (w * h + a * b - overlap))
        nearest.append(max(range(len(centres)), key=overlaps.__getitem__))
    return nearest


def some_sizes(count: int) -> np.ndarray:
    random = np.random.default_rng(0)
    logs = random.normal(3.6, 1.0, (count, 1)) + random.normal(0, 0.35, (count, 2))
    return np.exp(np.clip(logs, 0.5, 6))


def test_b1_a_fit_with_eight_starts_costs_less_than_a_hundred_naive_iterations() -> None:
    sizes = some_sizes(10_000)
    rows, centres = [tuple(size) for size in sizes.tolist()], [tuple(size) for size in sizes[:9].tolist()]
    naive = seconds(lambda: naive_iteration(rows, centres))
    assert seconds(lambda: anchors.best(sizes, 9)) < 100 * naive  # eight starts of twenty iterations are 160 of them


def test_b1_assigning_is_ten_times_quicker_than_the_loop_and_agrees() -> None:
    sizes = some_sizes(20_000)
    rows, centres = [tuple(size) for size in sizes.tolist()], [tuple(size) for size in sizes[:9].tolist()]
    assert anchors.assign(sizes, centres).tolist() == naive_iteration(rows, centres)
    assert seconds(lambda: anchors.assign(sizes, centres)) < seconds(lambda: naive_iteration(rows, centres)) / 10


def test_b2_ten_times_the_boxes_cost_less_than_four_times_as_long() -> None:
    few, many = some_sizes(30_000), some_sizes(300_000)
    assert seconds(lambda: anchors.best(many, 9, restarts=4)) < 4 * seconds(lambda: anchors.best(few, 9, restarts=4))
