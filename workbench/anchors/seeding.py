"""Where k-means begins: k-means++ on 1 - IoU, several starts at once."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from workbench.anchors.overlap import Doubles, weighted
from workbench.anchors.size_pool import SizePool


def seeds(pool: SizePool, k: int, starts: Iterable[tuple[int, ...]]) -> Doubles:
    """(R, k, 2) sizes from the pool; each of the R `starts` is a seed, and the same seed gives the same sizes.

    k-means++ (Arthur and Vassilvitskii, 2007): each next centre is drawn with probability proportional to 1 - best IoU.
    Greedy, as their section 7 suggests: of a few candidates, the one that leaves the least total distance is taken.
    """
    tries = 2 + int(math.log(k))
    drawn = np.stack([np.random.default_rng(start).random((k, tries)) for start in starts])
    count = len(drawn)
    width, height = pool.sides.astype(np.float32)
    area, weights = width * height, pool.weights.astype(np.float32)
    far = np.ones((count, len(area)), np.float32)
    rows = np.zeros((count, k), np.int64)
    every = np.arange(count)
    for index in range(k):
        chance = pool.weights * np.maximum(far, 1e-12)  # nearly equal sizes must still give k centres
        np.put_along_axis(chance, rows[:, :index], 0.0, axis=1)
        total = np.cumsum(chance, axis=1)
        spots = drawn[:, index] * total[:, -1:]
        tried = np.stack([np.searchsorted(line, spot, side="right") for line, spot in zip(total, spots)])
        tried = np.minimum(tried, len(area) - 1)  # (R, tries)
        overlap = np.minimum(width, width[tried, None])
        overlap *= np.minimum(height, height[tried, None])
        left = 1 - overlap / (area + area[tried, None] - overlap)
        left = np.minimum(left, far[:, None])
        taken = weighted(weights, left).argmin(axis=1)
        rows[:, index] = tried[every, taken]
        far = left[every, taken]
    return pool.sizes[rows]
