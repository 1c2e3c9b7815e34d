"""Anchors are quick because equal sizes are one row and restarts run side by side: ratios to published ways and counts.

Seconds are of this process's own, so that what else the machine does weighs less. WORKBENCH_FULL_BENCHMARKS=1 runs the
published ways to their ends and goes to ten million boxes; without it they are timed for a share of their work.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import anchor_methods, anchor_sets
from workbench import anchors

FULL = os.environ.get("WORKBENCH_FULL_BENCHMARKS") == "1"
MANY = 10_000_000 if FULL else 1_000_000
FRAME = 0.016  # s


def seconds(act: Callable[[], object], times: int = 3) -> float:
    taken = []
    for _ in range(times):
        begun = time.process_time()
        act()
        taken.append(time.process_time() - begun)
    return min(taken)


def row_loop(sizes: np.ndarray, k: int, nearest_of: Callable[..., np.ndarray], middle: str) -> float:
    """Seconds of the whole loop; in the short form one turn of it is timed, and turns are counted by its quick form.

    The number of turns depends much on where it begins: the mean of ten.
    """
    if FULL:
        return float(
            np.mean([seconds(lambda s=s: anchor_methods.loop(sizes, k, s, middle, nearest_of), 1) for s in range(10)])  # type: ignore[misc]
        )
    turns = float(np.mean([anchor_methods.loop(sizes, k, seed, middle)[1] for seed in range(10)]))
    centres = anchor_methods.drawn(sizes, k, 0)
    return turns * seconds(lambda: nearest_of(sizes, centres), 1)


def genetic(sizes: np.ndarray, k: int) -> float:
    if FULL:
        return seconds(lambda: anchor_methods.genetic(sizes, k, 0), 1)
    start, some = (seconds(lambda n=n: anchor_methods.genetic(sizes, k, 0, n), 1) for n in (0, 20))  # type: ignore[misc]
    return start + (some - start) / 20 * anchor_methods.GENERATIONS


@pytest.mark.slow
def test_b1_eight_starts_cost_a_hundredth_of_one_row_loop_and_of_a_genetic_search(test_data: Path) -> None:
    sizes = anchor_sets.many(test_data, 10_000)
    ours = seconds(lambda: anchors.best(sizes, 9), 20)
    rows = row_loop(sizes, 9, anchor_methods.row_loop_nearest, "median")
    scalars = row_loop(sizes, 9, anchor_methods.scalar_loop_nearest, "mean")
    chance = genetic(sizes, 9)
    print(
        f"10,000 boxes, k 9: ours with 8 starts {1000 * ours:.0f} ms; one row loop {rows / ours:.0f} x, one scalar loop"
        f" {scalars / ours:.0f} x, genetic {chance / ours:.0f} x that"
    )
    hundred = 100 if FULL else 75  # 119 to 123 were measured; on a busy machine a millisecond more of ours is much
    assert ours <= rows / hundred
    assert ours <= scalars / hundred
    assert ours <= chance / hundred


def test_b1_assigning_is_ten_times_quicker_than_the_loop_and_agrees() -> None:
    sizes = anchor_sets.drawn(20_000)
    centres = sizes[:9]
    assert anchors.assign(sizes, centres).tolist() == anchor_methods.scalar_loop_nearest(sizes, centres).tolist()
    loop = seconds(lambda: anchor_methods.scalar_loop_nearest(sizes, centres))
    assert seconds(lambda: anchors.assign(sizes, centres)) < loop / 10


def edits(sizes: np.ndarray, k: int, act: Callable[[anchors.AnchorFit, np.ndarray, np.ndarray], object]) -> float:
    """Median seconds of `act` for one box after another that grows by a third."""
    fit, random, taken = anchors.AnchorFit(sizes, k), np.random.default_rng(0), []
    for row in random.choice(len(sizes), 60, replace=False):
        old = sizes[[row]]
        begun = time.process_time()
        act(fit, old, old * 1.3)
        taken.append(time.process_time() - begun)
    return float(np.median(taken))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_b2_a_refit_after_one_edit_is_within_a_frame_however_many_boxes_there_are() -> None:
    few, many = (edits(anchor_sets.drawn(count), 9, anchors.AnchorFit.refit) for count in (10_000, MANY))
    print(f"refit after one edit: 10,000 boxes {1000 * few:.1f} ms, {MANY:,} boxes {1000 * many:.1f} ms")
    assert many <= 3 * few
    assert many <= FRAME


def test_b2_a_fit_that_begins_anew_after_each_edit_is_seen_to_take_longer() -> None:
    sizes = anchor_sets.drawn(10_000)

    def anew(fit: anchors.AnchorFit, old: np.ndarray, new: np.ndarray) -> None:
        anchors.AnchorFit(fit.pool.replaced(old, new), fit.k)

    assert edits(sizes, 9, anew) > 1.5 * edits(sizes, 9, anchors.AnchorFit.refit)


@pytest.mark.slow
def test_a_dragged_anchor_is_judged_on_a_million_boxes_in_a_fraction_of_a_frame() -> None:
    sizes = anchor_sets.drawn(1_000_000)
    pool, centres = anchors.SizePool.of(sizes), sizes[:9]
    on_pool, on_boxes = (seconds(lambda one=one: anchors.rate_anchors(one, centres)) for one in (pool, sizes))  # type: ignore[misc]
    print(f"judging nine anchors: {1000 * on_pool:.2f} ms on the pool, {1000 * on_boxes:.0f} ms on a million boxes")
    assert on_pool < FRAME / 4
    assert on_pool < on_boxes / 20


@pytest.mark.slow
def test_the_curve_of_fifteen_numbers_takes_less_than_a_second_and_no_longer_for_more_boxes() -> None:
    few, many = (anchors.SizePool.of(anchor_sets.drawn(count)) for count in (10_000, 1_000_000))
    short, long = (seconds(lambda pool=pool: list(anchors.curve(pool))) for pool in (few, many))  # type: ignore[misc]
    print(f"curve of k = 1..15: {short:.2f} s for 10,000 boxes, {long:.2f} s for 1,000,000")
    assert long < 1
    assert long < 3 * short
