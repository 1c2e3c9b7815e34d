"""Finds which boxes of one list are those of another: the nearest are paired, each once.

Never all against all at once: for an image with 20,000 boxes (an aerial photograph, a slide of cells) that table has
400 million entries, and the system killed the program.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

import numpy as np

_AT_ONCE = 1 << 20  # pairs: 32 MB of differences

Accept = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(k,) rows on either side -> (k,) bool: whether they may be the same box."""


def near(
    here: np.ndarray, there: np.ndarray, reach_here: np.ndarray, reach_there: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of `here` (n, 4) and `there` (m, 4) with no edges further apart than the larger reach, and their distance.

    `reach_here` (n,) and `reach_there` (m,) in pixels; the distance is the largest of the four edges', relative to the
    larger reach: 0 to 1. Three arrays of (k,), in no particular order.
    """
    assert here.shape[1:] == there.shape[1:] == (4,), "boxes are xyxy"
    if not len(here) or not len(there):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    found = []
    by_left, columns = np.argsort(here[:, 0]), np.argsort(there[:, 0])
    lefts, furthest = there[columns, 0], reach_there.max()
    step = max(1, _AT_ONCE // len(there))
    for rows in (by_left[at : at + step] for at in range(0, len(here), step)):
        reach = max(furthest, reach_here[rows].max())
        first = np.searchsorted(lefts, here[rows[0], 0] - reach)
        last = np.searchsorted(lefts, here[rows[-1], 0] + reach, side="right")
        some = columns[first:last]
        apart = np.abs(here[rows, None] - there[None, some]).max(2)  # (rows, some)
        limit = np.maximum(reach_here[rows, None], reach_there[None, some])
        row, column = np.nonzero(apart <= limit)
        found.append((rows[row], some[column], (apart / limit)[row, column]))
    rows, columns, parts = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return rows, columns, parts


def pair(
    here: np.ndarray,
    there: np.ndarray,
    reach: tuple[np.ndarray, np.ndarray],
    left: tuple[np.ndarray, np.ndarray],
    accept: Accept | None = None,
) -> list[tuple[int, int]]:
    """Pair the nearest of the rows `left` (bools of either side) and clear them there; returns the pairs of rows.

    Of equally near pairs, the first rows go together. `reach` as in `near`, above 0.
    """
    one, other = (np.flatnonzero(side) for side in left)
    if not len(one) or not len(other):  # nearly always, once identical boxes are paired
        return []
    rows, columns, parts = near(here[one], there[other], reach[0][one], reach[1][other])
    rows, columns = one[rows], other[columns]
    if accept is not None:
        taken = accept(rows, columns)
        rows, columns, parts = rows[taken], columns[taken], parts[taken]
    pairs = []
    order = np.lexsort((columns, rows, parts))
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if left[0][row] and left[1][column]:
            left[0][row] = left[1][column] = False
            pairs.append((row, column))
    return pairs


def alike(here: np.ndarray, there: np.ndarray) -> int:
    """How many of `there` (m, 4) lie where one of `here` (n, 4) does, to a hundredth of a pixel."""
    return len(np.unique(near(here, there, np.full(len(here), 0.01), np.full(len(there), 0.01))[1]))


def coded(*sides: Iterable[Hashable]) -> list[np.ndarray]:
    """Integers for values: equal values get the same number in all `sides`."""
    numbers: dict[Hashable, int] = {}
    return [np.array([numbers.setdefault(value, len(numbers)) for value in side], np.int64) for side in sides]


def hashable(value: object) -> Hashable:
    """A JSON value in hashable form; equal values give equal results."""
    if isinstance(value, dict):
        return frozenset((key, hashable(inner)) for key, inner in value.items())
    return tuple(map(hashable, value)) if isinstance(value, list) else value  # type: ignore[return-value]
