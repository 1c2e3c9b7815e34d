"""The moves of k-means, for several starts at once: boxes go to their best centre, centres to the middle of theirs.

R starts, m rows of a pool, k centres. Assignment is computed in single precision (the choice between two centres that
fit a box equally well changes nothing), the sums that decide whether a move is taken in double.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import numpy as np

from workbench.anchors.overlap import Doubles, Numbers, best_centres
from workbench.anchors.size_pool import SizePool

Update = Literal["median", "mean"]
UPDATES: tuple[Update, ...] = get_args(Update)
MOST_STEPS = 300  # moving to the mean may go in circles
STILL = 1e-4  # px: a centre that moves less stands still
SHARES = (1.0, 0.5, 0.125)  # of the way to the median: the best one is taken; empty: go all the way, untested
_BLOCK = 1 << 15  # IoUs at a time, so that they stay in the cache


class _Held(NamedTuple):
    """Rows and their centres: `label` (R, m) indexes the R k centres of all starts, `overlap` and `union` (R, m) are in
    px^2, `quality` (R k,) is the sum of the IoUs of each centre's boxes."""

    label: Numbers
    overlap: Doubles
    union: Doubles
    quality: Doubles


@dataclass
class BatchedKMeans:
    """K-means from every start: `path[i]` (R, k, 2) are the centres after i moves, `reached` (R,) their mean IoU.

    The centres of a start keep their initial order.
    """

    pool: SizePool
    centres: Doubles  # (R, k, 2)
    update: Update = "median"
    shares: tuple[float, ...] = SHARES
    path: list[Doubles] = field(default_factory=list)
    reached: Doubles = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        self.centres = self.centres.copy()
        self._sides = self.pool.sides
        self._areas = self._sides[0] * self._sides[1]
        self._width, self._height = self._sides.astype(np.float32)
        self._area = self._width * self._height

    def run(self, most: int = MOST_STEPS, gain: float = 0.0) -> BatchedKMeans:
        """Move until no centre moves, until a move gains no more than `gain` of mean IoU, or `most` times."""
        centres = self.centres.copy()  # of the starts that still move
        alive = np.arange(len(centres))
        self.reached = np.zeros(len(centres))
        label = self._filled(centres)
        self.centres[alive] = centres
        for turn in range(most + 1):
            held = self._held(centres, label + centres.shape[1] * np.arange(len(alive))[:, None])
            now = held.quality.reshape(len(alive), -1).sum(axis=1) / self.pool.boxes
            going = (now - self.reached[alive] > gain) | (gain == 0)
            self.reached[alive] = now
            self.path.append(self.centres.copy())
            if turn == most or not going.any():
                break
            moved = self._moved(centres, held)
            going &= np.abs(moved - centres).max(axis=(1, 2)) >= STILL
            if not going.any():
                break
            alive, centres = alive[going], moved[going]
            label = self._filled(centres)
            self.centres[alive] = centres
        return self

    def _filled(self, centres: Doubles) -> Numbers:
        """(R, m) the best centre of each row. A centre without rows is moved (in place) to the row with the lowest IoU.

        This can only raise the mean IoU.
        """
        label = self._nearest(centres)
        count, k, _ = centres.shape
        found = np.bincount((label + k * np.arange(count)[:, None]).ravel(), minlength=count * k).reshape(count, k)
        for index in np.flatnonzero((found == 0).any(axis=1)):
            few = centres[index]
            label[index], quality = best_centres(self.pool.sizes, few)  # single precision may not tell such rows apart
            while len(empty := np.flatnonzero(np.bincount(label[index], minlength=k) == 0)):
                few[empty[0]] = self.pool.sizes[int((self.pool.weights * (1 - quality)).argmax())]
                label[index], quality = best_centres(self.pool.sizes, few)
        return label

    def _moved(self, centres: Doubles, held: _Held) -> Doubles:
        """(R, k, 2) centres after one move."""
        if self.update == "mean":
            return self._means(held.label, centres)
        target = self._targets(centres, held)
        if not self.shares:
            return target
        moved, best = centres.reshape(-1, 2).copy(), held.quality * (1 + 1e-12)
        for share in self.shares:
            tried = centres + share * (target - centres)
            there = self._held(tried, held.label).quality
            better = there > best
            moved[better], best[better] = tried.reshape(-1, 2)[better], there[better]
        return moved.reshape(centres.shape)

    def _means(self, label: Numbers, centres: Doubles) -> Doubles:
        """(R, k, 2) the mean of each centre's boxes; a centre without boxes stays where it is."""
        count, size = len(centres), centres.size // 2
        boxes, *sums = (
            np.bincount(label.ravel(), np.tile(values, count), size)
            for values in (self.pool.weights, *self.pool.sums.T)
        )
        there = boxes[:, None] > 0
        moved = np.where(there, np.column_stack(sums) / np.maximum(boxes, 1)[:, None], centres.reshape(-1, 2))
        return moved.reshape(centres.shape)

    def _targets(self, centres: Doubles, held: _Held) -> Doubles:
        """(R, k, 2) the median of each centre's boxes, each weighted by how fast its IoU changes with the centre.

        With respect to the log of the centre's width, that rate is I a / U^2 while the centre is narrower than the box
        and I c / U^2 while it is wider: I = intersection, U = union, a = area of the box, c = of the centre. So the
        centre stops only where the mean IoU does.
        """
        flat, label = centres.reshape(-1, 2), held.label
        slope = held.overlap * self.pool.weights
        slope /= held.union
        slope /= held.union
        own = flat.prod(axis=1).take(label)
        target = np.empty_like(flat)
        size = len(flat)
        small = label.astype(np.uint16 if size < 1 << 16 else np.int64)  # sorted by digits: several times faster
        ends = np.cumsum(np.bincount(label.ravel(), minlength=size))
        starts = np.concatenate([[0], ends[:-1]])
        for axis, (side, order) in enumerate(zip(self._sides, self.pool.orders, strict=True)):
            speed = slope * np.where(flat[:, axis].take(label) < side, self._areas, own)
            grouped = np.argsort(small[:, order].ravel(), kind="stable")  # by centre, within it by side
            total = np.cumsum(speed[:, order].ravel()[grouped])
            before = np.where(starts > 0, total[starts - 1], 0.0)
            middle = np.searchsorted(total, (before + total[ends - 1]) / 2)
            place = grouped[np.clip(middle, starts, ends - 1)] % len(side)
            target[:, axis] = np.where(ends > starts, side[order[place]], flat[:, axis])
        return target.reshape(centres.shape)

    def _nearest(self, centres: Doubles) -> Numbers:
        """(R, m) the centre with the highest IoU; the first one on ties."""
        count, k, _ = centres.shape
        w, h = centres.astype(np.float32).transpose(2, 0, 1)[..., None]
        areas = w * h  # (R, k, 1)
        nearest = np.empty((count, len(self._area)), np.int64)
        rows = max(_BLOCK // (count * k), 1)
        for start in range(0, len(self._area), rows):
            span = slice(start, start + rows)
            overlap = np.minimum(self._width[span], w)
            overlap *= np.minimum(self._height[span], h)
            overlap /= self._area[span] + areas  # x / (1 - x) is the IoU: the same order
            overlap.argmax(axis=1, out=nearest[:, span])
        return nearest

    def _held(self, centres: Doubles, label: Numbers) -> _Held:
        """Each row with the centre of its `label` (R, m), an index over the centres of all starts."""
        w, h = centres.reshape(-1, 2).T.copy().take(label, axis=1)
        width, height = self._sides
        overlap = np.minimum(width, w)
        overlap *= np.minimum(height, h)
        w *= h
        w += self._areas
        w -= overlap
        quality = overlap / w
        quality *= self.pool.weights
        sums = np.bincount(label.ravel(), quality.ravel(), centres.size // 2)
        return _Held(label, overlap, w, np.asarray(sums, np.float64))
