"""How good a set of anchors is: the number of boxes of each, the mean IoU, and the share of boxes covered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from workbench.anchors.overlap import (
    RATIO,
    RECALL_IOU,
    Doubles,
    Numbers,
    best_centres,
    is_usable,
    ratios,
    rows_of,
    weighted,
)
from workbench.anchors.size_pool import SizePool


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The state of a fit after an iteration; iteration 0 is the start. The last one has `done`.

    `centres` are sorted by area, `counts` are boxes. `moved` is the largest distance any centre moved, in pixels.
    """

    iteration: int
    centres: Doubles  # (k, 2)
    counts: Numbers  # (k,) at least 1 each; centres moved by hand may have 0
    mean_iou: float
    recall: float  # share of the boxes with an IoU above RECALL_IOU
    ratio_recall: float  # share of the boxes whose sides differ from those of an anchor by less than RATIO times
    moved: float
    done: bool


def rate_anchors(given: SizePool | ArrayLike, centres: ArrayLike) -> Step:
    """Rate any centres, in the given order; on a pool this takes milliseconds, fast enough to follow a dragged one.

    Sizes (n, 2) are assigned one by one, a pool by its rows. NaN without boxes.
    """
    return rated_step(given, rows_of(centres))


def rated_step(
    given: SizePool | ArrayLike, centres: Doubles, iteration: int = 0, moved: float = 0.0, *, done: bool = True
) -> Step:
    if isinstance(given, SizePool):
        sizes, weights = given.sizes, given.weights
    else:
        sizes = rows_of(given)
        sizes = sizes[is_usable(sizes)]
        weights = np.ones(len(sizes))
    nearest, quality = best_centres(sizes, centres)
    boxes = weights.sum() or np.nan
    return Step(
        iteration=iteration,
        centres=centres,
        counts=np.bincount(nearest, weights, minlength=len(centres)).astype(np.int64),
        mean_iou=float(weighted(weights, quality) / boxes),
        recall=float(weighted(weights, quality > RECALL_IOU) / boxes),
        ratio_recall=float(weighted(weights, ratios(sizes, centres) < RATIO) / boxes),
        moved=moved,
        done=done,
    )


def by_area(centres: Doubles) -> Doubles:
    """(..., k, 2) by area, then by width: the order in which detectors number their anchors."""
    order = np.lexsort((centres[..., 0], centres.prod(axis=-1)))
    return np.take_along_axis(centres, order[..., None], axis=-2)
