"""What the anchors page computes in its thread: the steps of k-means, then how good other numbers of anchors are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench import anchors
from workbench.anchors import Step, Update

MOST_ANCHORS = 15
CURVE_RESTARTS = 3  # a curve of 15 fits should not take longer than the one that was asked for


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """What is to be computed, frozen. `sizes` (n, 2) in network pixels."""

    sizes: NDArray[np.float64]
    k: int
    seed: int
    update: Update
    with_curve: bool = True


@dataclass(frozen=True, slots=True)
class ByCount:
    """How well `k` anchors would do."""

    k: int
    mean_iou: float
    recall: float


def compute(wish: Wish) -> Iterator[Step | ByCount]:
    """The steps, then a ByCount for each number of anchors from 1 up that the boxes allow."""
    yield from anchors.kmeans(wish.sizes, wish.k, wish.seed, update=wish.update)
    if not wish.with_curve:
        return
    distinct = len(np.unique(wish.sizes[:, 0] + 1j * wish.sizes[:, 1]))
    for k in range(1, min(MOST_ANCHORS, distinct) + 1):
        step = anchors.best(wish.sizes, k, wish.seed, CURVE_RESTARTS, update=wish.update)
        yield ByCount(k, step.mean_iou, step.recall)
