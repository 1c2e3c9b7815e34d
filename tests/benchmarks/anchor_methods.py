"""How others compute anchors, written anew from what they publish about it, to be measured beside Workbench.

row_loop: k-means with the median, a loop over the boxes (as the widely copied `kmeans.py` for YOLO does); scalar_loop:
k-means with the mean, loops over boxes and anchors (as the gen_anchors script beside Darknet); genetic: k-means by
Euclidean distance, then a thousand generations that raise a fitness of side ratios (as current trainers document).
`quick` forms of the first two take the same decisions by arrays: for results, not for times.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Nearest = Callable[[Doubles, Doubles], NDArray[np.int64]]
GENERATIONS = 1000


def drawn(sizes: Doubles, k: int, seed: int) -> Doubles:
    """(k, 2) boxes at random: where both loops begin."""
    distinct = np.unique(sizes, axis=0)
    return distinct[np.random.default_rng(seed).choice(len(distinct), k, replace=False)]


def row_loop_nearest(sizes: Doubles, centres: Doubles) -> NDArray[np.int64]:
    distances = np.empty((len(sizes), len(centres)))
    for row in range(len(sizes)):
        overlap = np.minimum(centres[:, 0], sizes[row, 0]) * np.minimum(centres[:, 1], sizes[row, 1])
        union = sizes[row, 0] * sizes[row, 1] + centres[:, 0] * centres[:, 1] - overlap
        distances[row] = 1 - overlap / union
    return distances.argmin(axis=1)


def scalar_loop_nearest(sizes: Doubles, centres: Doubles) -> NDArray[np.int64]:
    rows, anchors, nearest = sizes.tolist(), centres.tolist(), []
    for w, h in rows:
        distances = []
        for a, b in anchors:
            overlap = min(w, a) * min(h, b)
            distances.append(1 - overlap / (w * h + a * b - overlap))
        nearest.append(min(range(len(anchors)), key=distances.__getitem__))
    return np.array(nearest)


def quick_nearest(sizes: Doubles, centres: Doubles) -> NDArray[np.int64]:
    overlap = np.minimum(sizes[:, None, 0], centres[:, 0]) * np.minimum(sizes[:, None, 1], centres[:, 1])
    union = sizes[:, None, 0] * sizes[:, None, 1] + centres[:, 0] * centres[:, 1] - overlap
    return np.asarray((1 - overlap / union).argmin(axis=1))


def loop(
    sizes: Doubles, k: int, seed: int, middle: str, nearest_of: Nearest = quick_nearest, most: int = 1000
) -> tuple[Doubles, int]:
    """(k, 2) centres when no box changes its own, and how many assignments that took. middle: median or mean."""
    centres, before = drawn(sizes, k, seed), np.zeros(0, np.int64)
    for turn in range(1, most + 1):
        nearest = nearest_of(sizes, centres)
        if np.array_equal(nearest, before):
            return centres, turn
        before = nearest
        for index in range(k):
            if (nearest == index).any():
                centres[index] = getattr(np, middle)(sizes[nearest == index], axis=0)
    return centres, most


def fitness(sizes: Doubles, centres: Doubles) -> float:
    ratio = sizes[:, None] / centres[None]
    best: Doubles = np.minimum(ratio, 1 / ratio).min(axis=2).max(axis=1)
    return float((best * (best > 0.25)).mean())


def genetic(sizes: Doubles, k: int, seed: int, generations: int = GENERATIONS) -> Doubles:
    random = np.random.default_rng(seed)
    spread = np.maximum(sizes.std(axis=0), 1e-9)
    centres = drawn(sizes, k, seed) / spread
    for _ in range(30):
        nearest = ((sizes[:, None] / spread - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        for index in range(k):
            if (nearest == index).any():
                centres[index] = (sizes[nearest == index] / spread).mean(axis=0)
    centres = centres * spread
    reached = fitness(sizes, centres)
    for _ in range(generations):
        factor = np.ones(centres.shape)
        while (factor == 1).all():
            chosen = random.random(centres.shape) < 0.9
            factor = (chosen * random.random() * random.normal(size=centres.shape) * 0.1 + 1).clip(0.3, 3)
        tried = np.maximum(centres * factor, 2)
        quality = fitness(sizes, tried)
        if quality > reached:
            centres, reached = tried, quality
    return centres
