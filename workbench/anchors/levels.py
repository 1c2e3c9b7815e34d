"""Which output level of a detector learns a box, by its size: the rule of Darknet's detectors with anchors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.anchors.overlap import Numbers, assign, rows_of
from workbench.anchors.steps import by_area

Masks = Sequence[Sequence[int]]
NO_LEVEL = -1


def by_level(sizes: ArrayLike, centres: ArrayLike, masks: Masks) -> Numbers:
    """(n,) the level of each size's best anchor; NO_LEVEL where no level uses that anchor, so the box is not learnt.

    `masks[i]` are the anchors that level i uses, numbered by ascending area, as detectors.AnchorNeed has them. An
    anchor that several levels use counts for the first.
    """
    first = np.full(len(rows_of(centres)), NO_LEVEL, np.int64)
    for level, mask in reversed(list(enumerate(masks))):
        first[list(mask)] = level
    return first[assign(sizes, by_area(rows_of(centres)))]


def smaller_than_cell(sizes: ArrayLike, stride: float) -> NDArray[np.bool_]:
    """(n,) sizes that are narrower and lower than a cell of `stride` pixels: neighbours may share a cell."""
    return np.asarray((rows_of(sizes) < stride).all(axis=1))
