"""Which points of a curve to draw: no more than are visible, and on a logarithmic axis none at minus infinity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TURNS = 20  # total ups and downs, in units of the curve's height


def visible_rows(x: Floats, low: float, high: float) -> slice:
    """The rows of rising `x` from `low` to `high`, plus one at each end so that the lines reach the edge."""
    return slice(max(int(np.searchsorted(x, low)) - 1, 0), int(np.searchsorted(x, high, side="right")) + 1)


def downsampled(x: Floats, y: Floats, pixels: int, smooth: bool = False) -> tuple[Floats, Floats]:
    """At most two points per pixel: the lowest and the highest of those that share it, so that no peak is lost.

    `smooth`: neighbours are similar, so it is enough to keep one point in so many, and the last.
    """
    each = -(-len(x) // max(pixels, 1))
    if each < 3:
        return x, y
    if smooth:
        rows = np.append(np.arange(0, len(x) - 1, each), len(x) - 1)
        return x[rows], y[rows]
    whole = len(x) // each * each  # the rest, less than a pixel, is kept unchanged
    groups = y[:whole].reshape(-1, each)
    least, greatest = np.fmin.reduce(groups, axis=1), np.fmax.reduce(groups, axis=1)
    falls = groups[:, 0] > groups[:, -1]
    pairs = np.stack([np.where(falls, greatest, least), np.where(falls, least, greatest)], axis=1)
    places = np.stack([x[:whole:each], x[each // 2 : whole : each]], axis=1)
    return np.concatenate([places.ravel(), x[whole:]]), np.concatenate([pairs.ravel(), y[whole:]])


def is_busy(y: Floats) -> bool:
    """Whether a curve goes up and down so often that a wide line would be a blot, slow to draw."""
    known = y[~np.isnan(y)]
    return len(known) > 1 and bool(np.abs(np.diff(known)).sum() > TURNS * np.ptp(known))


def logarithms(y: Floats, floor: float) -> Floats:
    """log10 of `y`; 0 and less, which have no logarithm, are drawn at `floor`. NaN stays NaN."""
    return np.asarray(np.log10(np.maximum(y, floor)))
