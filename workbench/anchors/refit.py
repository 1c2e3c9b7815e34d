"""A fit that follows edits: a changed box moves the anchors within a frame, however many boxes there are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from workbench.anchors.batched_kmeans import BatchedKMeans, Update
from workbench.anchors.clustering import check_update
from workbench.anchors.overlap import Doubles, rows_of
from workbench.anchors.search import RESTARTS, check, coarse_of, search, transplant
from workbench.anchors.seeding import seeds
from workbench.anchors.size_pool import SizePool, pool_of
from workbench.anchors.steps import Step, by_area, rated_step

FRESH_SHARE = 0.1  # of the boxes: after so many edits a full search is made; after so many at once, from new starts
_MOVES = 2  # after an edit; the rest is done after the next one
_GAIN = 1e-6  # of mean IoU: a move that gains less is the last
_EXPLORERS, _LIFE = 2, 16  # fits from fresh starts beside this one, and how many turns each of them gets
_BETTER = 5e-5  # of mean IoU: a centre does not jump for less


class AnchorFit:
    """The best anchors of a pool of boxes, kept up with its edits; `pool` and `step` are the state after the last one.

    `refit` after each edit takes milliseconds; `try_elsewhere`, called when there is time, keeps the result after a
    thousand edits as good as a fresh start's. Not thread-safe. The same calls in the same order give the same anchors.
    """

    def __init__(
        self,
        sizes: SizePool | ArrayLike,
        k: int,
        seed: int = 0,
        update: Update = "median",
        restarts: int = RESTARTS,
        *,
        centres: ArrayLike | None = None,
    ) -> None:
        """`centres` (k, 2): the best ones, if they are known; else they are searched for.

        WorkbenchError when there are fewer than `k` distinct sizes.
        """
        self.k, self.seed, self.update, self.restarts = k, seed, check_update(update), restarts
        self.pool = pool_of(sizes)
        self._tries = 0  # each draws different random numbers
        self._pending = 0  # boxes changed since the last full search
        self._age = 0  # of the explorers, in turns
        self._explorers = np.zeros((0, k, 2))
        if centres is None:
            self._fresh(self.pool)
        else:
            self.step = rated_step(self.pool, by_area(rows_of(centres)))

    def _fresh(self, pool: SizePool) -> None:
        self._pending = 0
        centres = search(pool, self.k, self.seed, self.update, self.restarts).centres
        self.pool, self.step = pool, rated_step(pool, centres)

    def refit(self, removed: ArrayLike, added: ArrayLike) -> Step:
        """The anchors after the sizes `removed` (r, 2) went and `added` (a, 2) came, in pixels.

        They climb on from where they were; after many changes at once, from a fresh start.
        WorkbenchError, and nothing changed, if a removed size was not there or fewer than k distinct sizes are left.
        """
        pool = self.pool.replaced(removed, added)
        check(pool, self.k)
        changed = np.size(removed) // 2 + np.size(added) // 2
        self._pending += changed
        if changed > 2 and changed > FRESH_SHARE * len(pool):
            self._fresh(pool)
            return self.step
        self.pool = pool
        kmeans = BatchedKMeans(pool, self.step.centres[None], self.update, (1.0,)).run(_MOVES, _GAIN)
        return self._taken(kmeans.centres[0])

    def try_elsewhere(self) -> Step:
        """Look for better anchors farther away, a little at each call.

        One of the anchors is tried in another place, and explorers that began from fresh starts go a step further;
        whatever is better is taken.
        """
        if self.update == "median" and self.k > 1:
            self._tries += 1
            return self._taken(self._challenged())
        return self.step

    def _taken(self, centres: Doubles) -> Step:
        centres = by_area(centres)
        moved = float(np.abs(centres - self.step.centres).max())
        self.step = rated_step(self.pool, centres, self.step.iteration + 1, moved)
        return self.step

    def _challenged(self) -> Doubles:
        """The centres or something better: with one of them moved elsewhere, or what an explorer has found by now."""
        pool, centres, reached = self.pool, self.step.centres, self.step.mean_iou
        if self._pending > FRESH_SHARE * len(pool):
            self._pending = 0
            found = search(pool, self.k, self._tries, restarts=self.restarts, given=centres[None])
            return found.centres if found.reached > reached + _BETTER else centres
        coarse = coarse_of(pool)
        if self._age % _LIFE == 0:
            self._explorers = seeds(coarse, self.k, [(self.seed, self._tries, one) for one in range(_EXPLORERS)])
        self._age += 1
        all_of_them = np.concatenate([centres[None], self._explorers])
        draws = [np.random.default_rng((self.seed, self._tries, one, 1)) for one in range(len(all_of_them))]
        moved = transplant(coarse, all_of_them, draws)
        kmeans = BatchedKMeans(coarse, np.concatenate([all_of_them, moved]), shares=()).run(5, _GAIN)
        stayed, went = np.split(kmeans.reached, 2)
        better = (went > stayed)[1:, None, None]
        staying, going = np.split(kmeans.centres, 2)
        self._explorers = np.where(better, going[1:], staying[1:])
        best = int(kmeans.reached.argmax())
        if kmeans.reached[best] < stayed[0] + _BETTER:
            return centres
        ended = BatchedKMeans(pool, kmeans.centres[[best]]).run(_MOVES, _GAIN)
        return ended.centres[0] if ended.reached[0] > reached + _BETTER else centres
