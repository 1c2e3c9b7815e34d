"""IoU of sizes, i.e. of two rectangles with a common corner, as the YOLOv2 paper compares a box with an anchor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]
Numbers = NDArray[np.int64]

RECALL_IOU = 0.5  # above this IoU an anchor covers a box
RATIO = 4.0  # or, as current trainers count, if neither side differs from the anchor's by this factor
_CHUNK = 65_536  # sizes per IoU matrix: a few MB


def weighted(weights: NDArray[Any], values: NDArray[Any]) -> Doubles:
    """(m,), (..., m) -> (...) weighted sums. Without BLAS: its second thread spins for milliseconds after each call."""
    return np.asarray(np.einsum("m,...m->...", weights, values))


def rows_of(sizes: ArrayLike) -> Doubles:
    """The sizes as an array (n, 2), from anything that holds them so."""
    return np.asarray(sizes, np.float64).reshape(-1, 2)


def is_usable(sizes: Doubles) -> NDArray[np.bool_]:
    """(n,) sizes that are finite and have an area."""
    return np.asarray(np.isfinite(sizes).all(axis=1) & (sizes > 0).all(axis=1))


def best_centres(sizes: ArrayLike, centres: ArrayLike) -> tuple[Numbers, Doubles]:
    """(n,) the best centre (the first of equals) and (n,) its IoU. In chunks, as there may be a million sizes."""
    rows, anchors = rows_of(sizes), rows_of(centres)
    where, how_well = np.zeros(len(rows), np.int64), np.zeros(len(rows))
    for start in range(0, len(rows), _CHUNK):
        span = slice(start, start + _CHUNK)
        width, height = rows[span].T.copy()
        area, best, nearest = width * height, how_well[span], where[span]
        for index, (w, h) in enumerate(anchors.tolist()):
            overlap = np.minimum(width, w)
            overlap *= np.minimum(height, h)
            overlap /= area + w * h - overlap
            nearest[overlap > best] = index
            np.maximum(best, overlap, out=best)
    return where, how_well


def ratios(sizes: ArrayLike, centres: ArrayLike) -> Doubles:
    """(n,) by which factor a size differs from a centre, at the worse of its two sides, for the
    centre where that is least.
    """
    rows = rows_of(sizes)
    result = np.full(len(rows), math.inf)
    for start in range(0, len(rows), _CHUNK):
        span = slice(start, start + _CHUNK)
        width, height = rows[span].T.copy()
        for w, h in rows_of(centres).tolist():
            across, down = width / w, height / h
            np.maximum(across, 1 / across, out=across)
            np.maximum(down, 1 / down, out=down)
            np.maximum(across, down, out=across)
            np.minimum(result[span], across, out=result[span])
    return result


def assign(sizes: ArrayLike, centres: ArrayLike) -> Numbers:
    """(n,) the centre with the highest IoU for each size; the first one on ties."""
    return best_centres(sizes, centres)[0]
