"""Where k-means begins, by itself: k-means hides a poor beginning, until one of its centres is lost for good."""

from __future__ import annotations

import numpy as np

from workbench.anchors import SizePool
from workbench.anchors.seeding import seeds

STARTS = [(seed,) for seed in range(20)]


def test_each_group_of_sizes_gets_a_seed_whatever_the_start() -> None:
    """Arthur and Vassilvitskii, 2007: what lies far from all seeds so far is hardly ever missed."""
    groups = np.array([(200.0, 10.0), (10.0, 200.0), (12.0, 12.0), (200.0, 200.0)])
    jitter = np.random.default_rng(1).uniform(0.97, 1.03, (50, 4, 2))
    found = seeds(SizePool.of((groups * jitter).reshape(-1, 2)), 4, STARTS)
    assert found.shape == (20, 4, 2)
    nearest = np.abs(np.log(found[:, :, None] / groups)).sum(axis=-1).argmin(axis=-1)
    assert np.array_equal(np.sort(nearest, axis=1), np.tile(np.arange(4), (20, 1)))


def test_sizes_that_are_nearly_equal_still_give_as_many_seeds() -> None:
    sizes = 10 + np.arange(6)[:, None] * 1e-7 + np.zeros(2)
    for found in seeds(SizePool.of(sizes), 6, STARTS):
        assert np.array_equal(np.unique(found, axis=0), sizes)


def test_a_single_box_of_another_size_is_not_outvoted_by_a_thousand_equal_ones() -> None:
    sizes = np.concatenate([10 + np.arange(1000)[:, None] * 1e-7 + np.zeros(2), [(300.0, 300.0)]])
    assert (seeds(SizePool.of(sizes), 2, STARTS).max(axis=(1, 2)) == 300).all()


def test_a_start_gives_the_same_seeds_again_and_another_one_others() -> None:
    pool = SizePool.of(np.random.default_rng(2).uniform(5, 100, (300, 2)))
    one, again, other = seeds(pool, 5, [(1,), (1,), (2,)])
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
