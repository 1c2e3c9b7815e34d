"""Which output levels of a detector learn a box, by its size: the rule of Darknet's detectors with anchors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.anchors.overlap import assign, best_centres, rows_of
from workbench.anchors.steps import by_area


def learnt_by_level(
    sizes: ArrayLike, centres: ArrayLike, masks: Sequence[Sequence[int]], match_iou: float = 1.0
) -> NDArray[np.bool_]:
    """(levels, n) whether a level learns a size: one of its anchors is the best of all or has an IoU above `match_iou`.

    `masks[i]` are the anchors that level i uses, numbered by ascending area, as detectors.AnchorNeed has them. No level
    learns a size whose best anchor none of them uses, unless another one is above `match_iou`.
    """
    anchors = by_area(rows_of(centres))
    nearest = assign(sizes, anchors)
    found = np.stack([np.isin(nearest, list(mask)) for mask in masks])
    if match_iou < 1:
        found |= np.stack([best_centres(sizes, anchors[list(mask)])[1] > match_iou for mask in masks])
    return found


def smaller_than_cell(sizes: ArrayLike, stride: float) -> NDArray[np.bool_]:
    """(n,) sizes that are narrower and lower than a cell of `stride` pixels: neighbours may share a cell."""
    return np.asarray((rows_of(sizes) < stride).all(axis=1))
