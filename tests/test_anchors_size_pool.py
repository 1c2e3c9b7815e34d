"""Pools of sizes: every box counted once, edits touch what they should, cells lose little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.anchors import SizePool, best
from workbench.anchors import size_pool as pools
from workbench.errors import WorkbenchError


def drawn(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.exp(random.normal(3.6, 1.0, (count, 1)) + random.normal(0, 0.35, (count, 2)))


def as_table(pool: SizePool) -> dict[object, tuple[float, ...]]:
    """The content of each row, by its key."""
    rows = zip(pool.weights.tolist(), np.round(pool.sums, 6).tolist(), strict=True)
    return {key: (weight, *sums) for key, (weight, sums) in zip(pool.keys.tolist(), rows, strict=True)}


def assert_same(one: SizePool, other: SizePool) -> None:
    left, right = as_table(one), as_table(other)
    assert left.keys() == right.keys()
    for key in left:
        assert left[key] == pytest.approx(right[key], abs=1e-4)


@pytest.mark.parametrize("count", [3, 2_000, 70_000, 400_000])
def test_every_box_is_counted_once(count: int) -> None:
    sizes = drawn(count)
    pool = SizePool.of(sizes)
    assert len(pool) == pool.boxes == count
    np.testing.assert_allclose(pool.weights @ pool.sizes, sizes.sum(axis=0))
    assert len(pool.keys) <= pools.BINS * pools.BINS + 4 * pools.BINS


def test_few_distinct_sizes_are_kept_as_they_are() -> None:
    pool = SizePool.of([(10, 10), (0.1, 7), (10, 10), (0.1, 7), (0.1, 7)])
    assert pool.sizes.tolist() == [[0.1, 7], [10, 10]]
    assert pool.weights.tolist() == [3, 2]


def test_few_distinct_sizes_of_very_many_boxes_are_kept_too() -> None:
    sizes = np.random.default_rng(0).integers(1, 30, (500_000, 2)).astype(float)
    pool = SizePool.of(sizes)
    assert pool.bin == 0
    assert len(pool.keys) == 29 * 29


@pytest.mark.parametrize("axis", [0, 1])
def test_boxes_of_one_width_or_height_are_few_rows_too(axis: int) -> None:
    sizes = np.full((60_000, 2), 40.0)
    sizes[:, axis] = np.random.default_rng(0).uniform(10, 300, 60_000)
    pool = SizePool.of(sizes)
    assert pools.FEWEST_CELLS <= len(pool.weights) <= 16 * pools.BINS
    assert pool.sizes[:, 1 - axis] == pytest.approx(40)


def test_what_has_no_area_is_left_out() -> None:
    assert len(SizePool.of([(0, 5), (3, 4), (np.nan, 2), (-1, 3)])) == 1
    assert len(SizePool.of([])) == 0


@pytest.mark.parametrize("count", [300, 50_000])
def test_an_edited_pool_is_that_of_the_edited_boxes(count: int) -> None:
    sizes = drawn(count)
    pool, random = SizePool.of(sizes), np.random.default_rng(1)
    for _ in range(20):
        rows = random.choice(count, 3, replace=False)
        new = sizes[rows] * np.exp(random.normal(0, 0.5, (3, 2)))
        pool = pool.replaced(sizes[rows], new)
        sizes[rows] = new
    fresh = SizePool.of(sizes)
    if pool.bin:  # a fresh pool may be divided differently: the same grid must agree
        fresh = pools._histogram(sizes, pool.bin)
    assert_same(pool, fresh)


def test_a_pool_that_lost_an_edit_is_noticed() -> None:
    sizes = drawn(300)
    pool = SizePool.of(sizes).replaced([], [(5, 5)])
    with pytest.raises(AssertionError):
        assert_same(pool, SizePool.of(sizes))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=30), st.integers(0, 30))
def test_what_was_added_can_be_removed_again(sizes: list[tuple[int, int]], kept: int) -> None:
    some, others = sizes[:kept], sizes[kept:]
    assert_same(SizePool.of(some).replaced([], others).replaced(others, []), SizePool.of(some))
    assert_same(SizePool.of(sizes).replaced(some, []), SizePool.of(others))


@pytest.mark.parametrize("count", [300, 50_000])
def test_a_box_that_is_not_there_cannot_be_removed(count: int) -> None:
    pool = SizePool.of(drawn(count))
    before = as_table(pool)
    with pytest.raises(WorkbenchError, match="not among those"):
        pool.replaced([(1e6, 1e-3)], [(3, 3)])
    assert as_table(pool) == before


def test_a_pool_of_sizes_becomes_one_of_cells_when_edits_make_it_large() -> None:
    pool = SizePool.of(drawn(pools.EXACT))
    assert pool.bin == 0
    more = drawn(pools.MOST_EXACT, seed=5)
    pool = pool.replaced([], more)
    assert pool.bin > 0
    assert len(pool) == pools.EXACT + len(more)
    assert len(pool.replaced(more, [])) == pools.EXACT


def test_an_edit_beyond_all_others_gets_a_cell_of_its_own() -> None:
    pool = SizePool.of(drawn(50_000)).replaced([], [(100_000, 0.01)])
    far = pool.sizes[pool.sizes[:, 0] > 50_000]
    np.testing.assert_allclose(far, [[100_000, 0.01]])


def test_equal_boxes_are_one_size_whatever_arithmetic_rounds_in_other_places() -> None:
    sizes = np.tile([52.0, 52.0], (40, 1))
    sizes[:7, 0] -= 7e-15
    sizes[7:15, 1] += 7e-15
    pool = SizePool.of(sizes)
    assert pool.keys.tolist() == [52 + 52j]
    assert pool.replaced(sizes[:7], [[52 + 7e-15, 52]]).weights.tolist() == [34]
    assert SizePool.of([(1e-12, 1e-12)]).keys.real > 0, "a size without area can't be compared with others"


def test_k_means_ends_where_single_precision_tells_no_size_from_another() -> None:
    sizes = [(52, 52), (52 - 2e-6, 52), (52, 52 + 3e-6)]
    assert best(sizes, 3).counts.sum() == 3
