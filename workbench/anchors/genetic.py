"""Genetic refinement of anchors: small random changes, keeping those that help; a second stage after k-means.

The idea is the anchor evolution of Ultralytics' YOLOv5 (2020), as its documentation describes it: every generation
multiplies the sides by random factors and keeps the result if its fitness is higher. None of its code is used, and
the fitness is different: the mean IoU, as in k-means, instead of a ratio of sides.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from workbench.anchors.overlap import rows_of
from workbench.anchors.size_pool import SizePool, pool_of
from workbench.anchors.steps import Step, by_area, rated_step

CHANCE = 0.5  # that a side changes in a generation
SPREADS = (0.01, 0.1)  # of the logarithm of a side: drawn from this range, because smaller changes help later


def refine(given: SizePool | ArrayLike, centres: ArrayLike, seed: int = 0, generations: int = 1000) -> Iterator[Step]:
    """A step for each generation that was better (`iteration` is the generation's number), and one at the end.

    Same seed, same steps; the mean IoU only rises.
    """
    pool = pool_of(given)
    now = by_area(rows_of(centres))
    random = np.random.default_rng(seed)
    reached = pool.mean_iou(now)
    moved = 0.0
    for generation in range(1, generations + 1):
        spread = np.exp(random.uniform(*np.log(SPREADS)))
        changes = random.normal(0, spread, now.shape) * (random.random(now.shape) < CHANCE)
        tried = now * np.exp(changes)
        quality = pool.mean_iou(tried)
        if quality <= reached:
            continue
        tried = by_area(tried)
        moved = float(np.abs(tried - now).max())
        now, reached = tried, quality
        yield rated_step(pool, now, generation, moved, done=False)
    yield rated_step(pool, now, generations, moved)
