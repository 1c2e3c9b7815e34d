"""The best of many starts: k-means from each, then single centres are moved elsewhere as long as that helps.

Most of it happens on a coarse histogram, and the best results are finished on the pool itself. Where many boxes have
exactly the same side, as boxes drawn on small images do, each such side is a small local maximum that a histogram
does not show: then the best few also try other places on the pool.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.anchors.batched_kmeans import SHARES, BatchedKMeans, Update
from workbench.anchors.overlap import Doubles, weighted
from workbench.anchors.seeding import seeds
from workbench.anchors.size_pool import SizePool
from workbench.anchors.steps import by_area
from workbench.errors import WorkbenchError

RESTARTS = 8
COARSE = 48  # bins of the histogram on which starts compete
_OF_CELLS = 24  # where the pool is itself a histogram: as good (measured: 10,000 boxes, 6 seeds) and faster
_COARSE_ABOVE = 1_000  # rows; a smaller pool is its own
_SPOTS = 4  # places tried for a centre, of which the best is taken
_GAIN = 1e-5  # of mean IoU: a move on the coarse histogram that gains less is the last


@dataclass(frozen=True)
class _Plan:
    """How long to search. `first`: moves from each start, after which the best `chains` go on. Each then moves a centre
    elsewhere `rounds` times, with `moves` after each; finally the best few do so `fine` times on the pool itself.
    """

    first: int
    chains: int
    rounds: int
    moves: int
    fine: int = 0


_SMALL = _Plan(first=30, chains=1_000, rounds=18, moves=6)
_EXACT = _Plan(first=30, chains=1_000, rounds=10, moves=6, fine=8)
_CELLS = _Plan(first=4, chains=4, rounds=8, moves=4)
_BRIEF = _Plan(first=4, chains=4, rounds=2, moves=6)  # for a curve, where each number of anchors helps the next
_FINALISTS = 5


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The best centres (k, 2), their mean IoU on the pool, and the centres at each step towards them."""

    centres: Doubles
    reached: float
    trail: list[Doubles]


def search(
    pool: SizePool,
    k: int,
    seed: int = 0,
    update: Update = "median",
    restarts: int = RESTARTS,
    *,
    brief: bool = False,
    given: Doubles | None = None,
) -> SearchResult:
    """The best of `restarts` starts by k-means++ and of `given` (g, k, 2); with "mean" no centre is moved elsewhere.

    WorkbenchError when there are fewer than `k` distinct sizes.
    """
    check(pool, k)
    coarse = coarse_of(pool, _OF_CELLS if pool.bin else COARSE) if update == "median" else pool
    begun = seeds(coarse, k, [(seed, start) for start in range(restarts)])
    if given is not None:
        begun = np.concatenate([begun, given])
    kmeans = BatchedKMeans(coarse, begun, update, () if pool.bin else SHARES)
    if update == "mean":
        kmeans.run()
        best = int(kmeans.reached.argmax())
        trail = [by_area(step[best]) for step in kmeans.path]
        return SearchResult(trail[-1], float(kmeans.reached[best]), trail)
    plan = _BRIEF if brief else _SMALL if coarse is pool else _CELLS if pool.bin else _EXACT
    kmeans.run(plan.first, _GAIN)
    members = _Population(
        kmeans.centres, kmeans.reached, [[step[i] for step in kmeans.path] for i in range(len(begun))]
    )
    chains = plan.chains if k <= 9 else 2 * plan.chains
    if len(begun) > chains:
        members = members.only(chains)
    draws = [np.random.default_rng((seed, chain, 1)) for chain in range(len(members.centres))]
    more = max(k / 9, (k / 9) ** 2)  # the more centres, the more ways to get stuck
    rounds = math.ceil(plan.rounds * more) if k > 1 else 0
    for turn in range(rounds):
        if turn in (rounds // 2, rounds * 3 // 4):
            members.cull()
        members.breed(coarse, draws, plan.moves)
    if plan.fine and k > 1:
        members = members.only(_FINALISTS).moved_to(pool)
        for _ in range(math.ceil(plan.fine * more)):
            members.breed(pool, draws[: len(members.centres)], plan.moves)
    last = members.only(1).moved_to(pool, 40, _GAIN / 10 if pool.bin else 0.0)
    trail = [by_area(step) for step in last.trails[0]]
    return SearchResult(trail[-1], float(last.reached[0]), trail)


def check(pool: SizePool, k: int) -> None:
    """WorkbenchError when there are fewer than `k` distinct sizes."""
    found = len(pool.keys)
    if k < 1:
        raise WorkbenchError(f"The number of anchors must be at least 1, not {k}.")
    if not found:
        raise WorkbenchError(
            "There are no boxes to compute anchors from. Draw or import some first; crowd regions, and boxes of images"
            " that were never read, don't count."
        )
    if found < k:
        sizes = "is only one box size" if found == 1 else f"are only {found} different box sizes"
        raise WorkbenchError(f"There {sizes}, too few for {k} anchors. Choose {found}, or draw more boxes.")


def coarse_of(pool: SizePool, bins: int = COARSE) -> SizePool:
    return pool.binned(bins) if len(pool.keys) > _COARSE_ABOVE else pool


class _Population:
    """Sets of centres (R, k, 2), the mean IoU they reached (R,) and how each came about."""

    def __init__(self, centres: Doubles, reached: Doubles, trails: list[list[Doubles]]) -> None:
        self.centres, self.reached, self.trails = centres, reached, trails

    def breed(self, pool: SizePool, draws: list[np.random.Generator], moves: int) -> None:
        """Move one centre of each set elsewhere and run k-means; the result replaces its origin if it is better."""
        kmeans = BatchedKMeans(pool, transplant(pool, self.centres, draws), shares=()).run(moves, _GAIN)
        for index in np.flatnonzero(kmeans.reached > self.reached):
            self.centres[index], self.reached[index] = kmeans.centres[index], kmeans.reached[index]
            self.trails[index] = [*self.trails[index], kmeans.centres[index]]

    def moved_to(self, pool: SizePool, moves: int = 20, gain: float = _GAIN) -> _Population:
        """The same sets after climbing on another pool."""
        kmeans = BatchedKMeans(pool, self.centres, shares=SHARES[:1] if pool.bin else SHARES).run(moves, gain)
        trails = [[*trail, *(step[i] for step in kmeans.path)] for i, trail in enumerate(self.trails)]
        return _Population(kmeans.centres, kmeans.reached, trails)

    def only(self, count: int) -> _Population:
        order = self.best(count)
        return _Population(self.centres[order], self.reached[order], [self.trails[index] for index in order])

    def cull(self) -> None:
        """Replace the worse half by copies of the better half."""
        order = np.resize(self.best((len(self.reached) + 1) // 2), len(self.reached))
        self.centres, self.reached = self.centres[order], self.reached[order]
        self.trails = [self.trails[index] for index in order]

    def best(self, count: int) -> list[int]:
        return [int(index) for index in np.argsort(-self.reached, kind="stable")[:count]]


def transplant(pool: SizePool, centres: Doubles, draws: list[np.random.Generator]) -> Doubles:
    """(R, k, 2) with one centre of each start moved to another row of the pool.

    Among a few rows drawn by their 1 - IoU and all centres, the pair whose exchange leaves the highest mean IoU: with
    the best and second-best IoU of each row at hand, trying a row costs as much as assigning boxes to one centre.
    """
    count, k, _ = centres.shape
    width, height = pool.sides.astype(np.float32)
    area, weights = width * height, pool.weights

    def overlaps(sides: Doubles) -> NDArray[np.float32]:
        """(R, s, 2) -> (R, s, m) IoU."""
        w, h = sides.astype(np.float32).transpose(2, 0, 1)[..., None]
        iou = np.minimum(width, w)
        iou *= np.minimum(height, h)
        iou /= area + w * h - iou
        return np.asarray(iou)

    iou = overlaps(centres)
    nearest = iou.argmax(axis=1)[:, None]  # (R, 1, m)
    best = np.take_along_axis(iou, nearest, axis=1)
    np.put_along_axis(iou, nearest, 0.0, axis=1)
    second = iou.max(axis=1, keepdims=True)
    total = np.cumsum(weights * np.maximum(1 - best[:, 0], 1e-9), axis=1)
    spots = np.stack([np.searchsorted(line, draw.random(_SPOTS) * line[-1]) for line, draw in zip(total, draws)])
    spots = np.minimum(spots, len(area) - 1)  # (R, s)
    iou = overlaps(pool.sizes[spots])
    kept = np.maximum(iou, best)
    change = weights * (np.maximum(iou, second) - kept)  # where the row's own centre is the one removed
    place = nearest + k * np.arange(count * _SPOTS).reshape(count, _SPOTS, 1)
    lost = np.bincount(place.ravel(), change.ravel(), count * _SPOTS * k)
    won = weighted(weights, kept).reshape(count, _SPOTS, 1) + lost.reshape(count, _SPOTS, k)
    which = won.reshape(count, -1).argmax(axis=1)
    every = np.arange(count)
    result = centres.copy()
    result[every, which % k] = pool.sizes[spots[every, which // k]]
    return result
