"""The moves of k-means, several starts at once: each box to its best centre, each centre to the middle of its boxes.

R starts, m rows of a pool, k centres. Assignment is computed in single precision (the choice between two centres that
fit a box equally well changes nothing), the sums that decide whether a move is taken in double.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from workbench.anchors.overlap import Doubles, Numbers, answer
from workbench.anchors.pool import Pool
from workbench.anchors.steps import by_area

Update = Literal["median", "mean"]
UPDATES: tuple[Update, ...] = get_args(Update)
MOST_STEPS = 300  # moving to the mean may go in circles
STILL = 1e-4  # px: a centre that moves less stands still
SHARES = (1.0, 0.5, 0.125)  # of the way to the median: the one that the boxes like best is taken; none: unasked


@dataclass
class Climb:
    """All the starts' ways up: `path[i]` (R, k, 2) are the centres after i moves, `reached` (R,) their mean IoU."""

    pool: Pool
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

    def run(self, most: int = MOST_STEPS, gain: float = 0.0) -> Climb:
        """Until no centre moves, or until a move wins no more than `gain` of mean IoU, or `most` moves."""
        centres = self.centres.copy()  # of the starts that still move
        alive = np.arange(len(centres))
        self.reached = np.zeros(len(centres))
        label = self._filled(centres)
        self.centres[alive] = centres
        for turn in range(most + 1):
            moved, now = self._moved(centres, label)
            won = now - self.reached[alive]
            self.reached[alive] = now
            self.path.append(by_area(self.centres))
            going = (np.abs(moved - centres).max(axis=(1, 2)) >= STILL) & ((won > gain) | (gain == 0))
            if turn == most or not going.any():
                break
            alive, centres = alive[going], moved[going]
            label = self._filled(centres)
            self.centres[alive] = centres
        return self

    def _filled(self, centres: Doubles) -> Numbers:
        """(R, m) the best centre of each row. A centre without one is put, in place, where the worst served row is.

        Which only raises the mean IoU.
        """
        label = self._nearest(centres)
        count, k, _ = centres.shape
        found = np.bincount((label + k * np.arange(count)[:, None]).ravel(), minlength=count * k).reshape(count, k)
        for index in np.flatnonzero((found == 0).any(axis=1)):
            few = centres[index]
            while len(empty := np.flatnonzero(np.bincount(label[index], minlength=k) == 0)):
                quality = answer(self.pool.sizes, few)[1]
                few[empty[0]] = self.pool.sizes[int((self.pool.weights * (1 - quality)).argmax())]
                label[index] = self._nearest(few[None])[0]
        return label

    def _moved(self, centres: Doubles, label: Numbers) -> tuple[Doubles, Doubles]:
        """(R, k, 2) centres after one move, and (R,) the mean IoU before it."""
        count, k, _ = centres.shape
        label = label + k * np.arange(count)[:, None]
        overlap, union = self._own(centres, label)
        own = self._sums(label, overlap / union, count * k)  # (R k,)
        now = own.reshape(count, k).sum(axis=1) / self.pool.boxes
        if self.update == "mean":
            return self._means(label, centres), now
        target = self._targets(centres, label, overlap, union)
        if not self.shares:
            return target, now
        moved, best = centres.reshape(-1, 2).copy(), own * (1 + 1e-12)
        for share in self.shares:
            tried = centres + share * (target - centres)
            overlap, union = self._own(tried, label)
            overlap /= union
            there = self._sums(label, overlap, count * k)
            better = there > best
            moved[better], best[better] = tried.reshape(-1, 2)[better], there[better]
        return moved.reshape(count, k, 2), now

    def _means(self, label: Numbers, centres: Doubles) -> Doubles:
        """(R, k, 2) the mean of each centre's boxes; a centre without boxes stays."""
        count, size = len(centres), centres.size // 2
        boxes, *sums = (
            np.bincount(label.ravel(), np.tile(values, count), size)
            for values in (self.pool.weights, *self.pool.sums.T)
        )
        there = boxes[:, None] > 0
        moved = np.where(there, np.column_stack(sums) / np.maximum(boxes, 1)[:, None], centres.reshape(-1, 2))
        return moved.reshape(centres.shape)

    def _targets(self, centres: Doubles, label: Numbers, overlap: Doubles, union: Doubles) -> Doubles:
        """(R, k, 2) the median of each centre's boxes, each weighted by how fast its IoU changes with the centre.

        That speed, with the logarithm of the centre's width, is I a / U^2 while the centre is the narrower one and
        I c / U^2 while it is the wider: I = intersection, U = union, a = area of the box, c = of the centre. So the
        centre stands still only where the mean IoU does.
        """
        flat = centres.reshape(-1, 2)
        slope = overlap * self.pool.weights
        slope /= union
        slope /= union
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
        """(R, m) the centre with the highest IoU, the first of equals."""
        count, k, _ = centres.shape
        narrow = centres.astype(np.float32)
        best = np.zeros((count, len(self._area)), np.float32)
        nearest = np.zeros((count, len(self._area)), np.uint8 if k < 256 else np.int64)
        overlap, other, better = np.empty_like(best), np.empty_like(best), np.empty(best.shape, bool)
        for index in range(k):
            w, h = narrow[:, index, 0, None], narrow[:, index, 1, None]
            np.minimum(self._width, w, out=overlap)
            np.minimum(self._height, h, out=other)
            overlap *= other
            np.add(self._area, w * h, out=other)
            overlap /= other  # x / (1 - x) is the IoU: the same order
            if index == 0:
                best[...] = overlap
                continue
            np.greater(overlap, best, out=better)
            np.copyto(nearest, index, where=better)
            np.maximum(best, overlap, out=best)
        return nearest.astype(np.int64)

    def _own(self, centres: Doubles, label: Numbers) -> tuple[Doubles, Doubles]:
        """(R, m) intersection and union of each row with its own centre."""
        w, h = centres.reshape(-1, 2).T.copy().take(label, axis=1)
        width, height = self._sides
        overlap = np.minimum(width, w)
        overlap *= np.minimum(height, h)
        w *= h
        w += self._areas
        w -= overlap
        return overlap, w

    def _sums(self, label: Numbers, values: Doubles, size: int) -> Doubles:
        return np.asarray(np.bincount(label.ravel(), (values * self.pool.weights).ravel(), size), np.float64)
