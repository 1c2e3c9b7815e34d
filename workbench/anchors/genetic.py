"""Anchors by chance: small random changes, of which the better ones stay; as a second stage after k-means.

The idea is that of the evolution of anchors in Ultralytics' YOLOv5 (2020), as its documentation tells it: every
generation multiplies the sides by random factors and keeps what has the higher fitness. Nothing of its code is here,
and the fitness is another: the mean IoU, which k-means raises too, in place of a ratio of sides.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from workbench.anchors.overlap import rows_of
from workbench.anchors.pool import Pool, pool_of
from workbench.anchors.steps import Step, by_area, judged

CHANCE = 0.5  # of each side to change in a generation
SPREADS = (0.01, 0.1)  # of the logarithm of a side: drawn between these, as what helps grows finer


def refine(given: Pool | ArrayLike, centres: ArrayLike, seed: int = 0, generations: int = 1000) -> Iterator[Step]:
    """A step for each generation that was better, its `iteration` the generation's number, and one at the end.

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
        yield judged(pool, now, generation, moved, done=False)
    yield judged(pool, now, generations, moved)
