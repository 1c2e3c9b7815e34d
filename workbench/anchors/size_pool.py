"""The boxes' sizes as a few weighted rows: the distinct sizes, or the cells of a histogram of log sizes.

Fitting then costs the same for ten thousand boxes and for ten million, and an edited box touches one row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.anchors.overlap import Doubles, best_centres, is_usable, rows_of, weighted
from workbench.errors import WorkbenchError

EXACT = 4_096  # distinct sizes up to which every one is kept
BINS = 128  # per axis over the range of the sizes: at most 0.01 points of mean IoU from the exact sizes
DECIMALS = 10  # of a px to which sizes are rounded: equal boxes in other places differ by what arithmetic rounds
FEWEST_CELLS = 512  # a histogram with fewer is too coarse: the distinct sizes are used instead
MOST_EXACT = 2 * EXACT  # to which edits may bring it before it is recounted
_CHUNK = 1 << 18
_ROW = 1 << 20  # cells per row in the numbering: far more than any edited box can reach


@dataclass(frozen=True, eq=False)
class SizePool:
    """m rows, each with the number of boxes it stands for and the sums of their widths and heights.

    `keys` (m,) are sorted and say which row a size belongs to: the size itself, rounded, as a complex number
    or, where `bin` is above 0, the number of its cell in a grid with that step in the logarithm of either side. Frozen:
    an edit returns a new pool.
    """

    keys: NDArray[np.generic]
    weights: Doubles  # (m,) boxes, whole numbers
    sums: Doubles  # (m, 2) px
    bin: float = 0.0

    @classmethod
    def of(cls, sizes: ArrayLike, bins: int = BINS, exact: int = EXACT) -> SizePool:
        """A pool of sizes (n, 2); those without area are left out."""
        rows = rows_of(sizes)
        usable = is_usable(rows)
        rows = rows if usable.all() else rows[usable]
        some = _rounded(rows[: 16 * exact])  # a sample is enough, and complex numbers sort faster than pairs
        if len(some) > exact and len(np.unique(some[:, 0] + math.pi * some[:, 1])) > exact:
            for finer in (1, 4, 16):  # boxes that share one width or height fill only a line of the grid
                pool = _histogram(rows, _step(rows, bins * finer))
                if len(pool.keys) >= FEWEST_CELLS:
                    return pool
        pool = _counted(rows)
        return pool.binned(bins) if len(pool.keys) > exact else pool

    def binned(self, bins: int) -> SizePool:
        """The same rows in a coarser histogram; the pool itself if that would have too few cells."""
        pool = _histogram(self.sizes, _step(self.sizes, bins), self.sums, self.weights)
        return pool if len(pool.keys) >= min(FEWEST_CELLS, bins * bins // 8) else self

    def replaced(self, removed: ArrayLike, added: ArrayLike) -> SizePool:
        """Without the sizes `removed` (r, 2) and with `added` (a, 2). Costs r + a boxes and a copy of the rows.

        WorkbenchError if a removed one was not in it.
        """
        gone, new = rows_of(removed), rows_of(added)
        gone, new = gone[is_usable(gone)], new[is_usable(new)]
        changes = np.concatenate([gone, new]) if self.bin else _rounded(np.concatenate([gone, new]))
        sign = np.repeat([-1.0, 1.0], [len(gone), len(new)])
        if not len(changes):
            return self
        keys, where = np.unique(self._keys_of(changes), return_inverse=True)
        weights = np.bincount(where, sign)
        sums = np.column_stack([np.bincount(where, sign * changes[:, axis]) for axis in (0, 1)])
        at = np.asarray(np.searchsorted(self.keys, keys))
        known = np.isin(keys, self.keys[np.minimum(at, len(self.keys) - 1)]) if len(self.keys) else at < 0
        if (weights[~known] < 0).any() or (self.weights[at[known]] + weights[known] < 0).any():
            raise WorkbenchError("A box that was changed is not among those the anchors were computed from.")
        all_keys, all_weights, all_sums = self.keys, self.weights.copy(), self.sums.copy()
        all_weights[at[known]] += weights[known]
        all_sums[at[known]] += sums[known]
        fresh = ~known & (weights > 0)
        if fresh.any():
            all_keys = np.insert(all_keys, at[fresh], keys[fresh])
            all_weights = np.insert(all_weights, at[fresh], weights[fresh])
            all_sums = np.insert(all_sums, at[fresh], sums[fresh], axis=0)
        empty = all_weights <= 0
        if empty.any():
            all_keys, all_weights, all_sums = all_keys[~empty], all_weights[~empty], all_sums[~empty]
        pool = SizePool(all_keys, all_weights, all_sums, self.bin)
        if self.bin and all_keys is self.keys:  # means that moved within their cells hardly change the order
            pool.__dict__["orders"] = self.orders
        return pool.binned(BINS) if not self.bin and len(pool.keys) > MOST_EXACT else pool

    def _keys_of(self, sizes: Doubles) -> NDArray[np.generic]:
        return _cells(sizes, self.bin) if self.bin else np.asarray(sizes[:, 0] + 1j * sizes[:, 1])

    @cached_property
    def sizes(self) -> Doubles:
        """(m, 2) the rows' sizes; for a cell, the mean of its boxes."""
        if self.bin:
            return self.sums / self.weights[:, None]
        return np.column_stack([self.keys.real, self.keys.imag])

    @cached_property
    def sides(self) -> Doubles:
        """(2, m) widths and heights, each in a row of its own."""
        return self.sizes.T.copy()

    @cached_property
    def orders(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(m,) rows by width and by height, ascending."""
        width, height = self.sides
        return np.argsort(width, kind="stable"), np.argsort(height, kind="stable")

    def mean_iou(self, centres: ArrayLike) -> float:
        return float(weighted(self.weights, best_centres(self.sizes, centres)[1])) / max(self.boxes, 1)

    @cached_property
    def boxes(self) -> int:
        return int(self.weights.sum())

    def __len__(self) -> int:
        return self.boxes


def pool_of(given: SizePool | ArrayLike) -> SizePool:
    return given if isinstance(given, SizePool) else SizePool.of(given)


def _rounded(sizes: Doubles) -> Doubles:
    """(n, 2) sizes to DECIMALS, never 0."""
    return np.maximum(np.round(sizes, DECIMALS), 10.0**-DECIMALS)


def _step(sizes: Doubles, bins: int) -> float:
    """The step in the logarithm at which the longer of the two ranges has that many bins."""
    if not len(sizes):
        return 1.0
    width, height = sizes.T.copy()  # reducing long rows is many times faster than reducing pairs
    spread = np.log(max(width.max() / width.min(), height.max() / height.min()))
    return max(float(spread), 1e-9) / bins


def _cells(sizes: Doubles, step: float) -> NDArray[np.int64]:
    numbers = np.log(sizes)
    numbers /= step
    cells = np.floor(numbers, out=numbers).astype(np.int64)
    return np.asarray(cells[:, 0] * _ROW + cells[:, 1])


def _counted(rows: Doubles) -> SizePool:
    """Equal sizes merged; complex numbers sort by real, then imaginary part."""
    rows = _rounded(rows)
    keys, weights = np.unique(rows[:, 0] + 1j * rows[:, 1], return_counts=True)
    return SizePool(keys, weights.astype(np.float64), weights[:, None] * np.column_stack([keys.real, keys.imag]))


def _histogram(sizes: Doubles, step: float, sums: Doubles | None = None, weights: Doubles | None = None) -> SizePool:
    """Sizes in the same cell merged; with a dense grid, because sorting ten million takes a second."""
    width, height = sizes.T.copy()
    low = np.floor(np.log([width.min(), height.min()]) / step).astype(np.int64) - 1
    high = np.floor(np.log([width.max(), height.max()]) / step).astype(np.int64) + 2
    rows, columns = (high - low).tolist()
    tables = np.zeros((3, rows * columns))
    for start in range(0, len(sizes), _CHUNK):
        span = slice(start, start + _CHUNK)
        numbers = np.log(sizes[span])
        numbers /= step
        cells = np.floor(numbers, out=numbers).astype(np.int64) - low
        place = cells[:, 0] * columns + cells[:, 1]
        part = (sizes if sums is None else sums)[span]
        for table, values in zip(tables, (None if weights is None else weights[span], part[:, 0], part[:, 1])):
            table += np.bincount(place, values, rows * columns)
    used = np.flatnonzero(tables[0])
    keys = (used // columns + low[0]) * _ROW + used % columns + low[1]
    return SizePool(keys, tables[0, used], tables[1:, used].T.copy(), step)
