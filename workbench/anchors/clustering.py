"""K-means step by step, its result alone, and how well each number of anchors does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from workbench.anchors.batched_kmeans import UPDATES, Update
from workbench.anchors.overlap import Doubles, best_centres, rows_of
from workbench.anchors.search import RESTARTS, SearchResult, search
from workbench.anchors.size_pool import SizePool
from workbench.anchors.steps import Step, rated_step
from workbench.errors import WorkbenchError

CURVE_RESTARTS = 4


def kmeans(
    sizes: SizePool | ArrayLike, k: int, seed: int = 0, *, update: Update = "median", restarts: int = RESTARTS
) -> Iterator[Step]:
    """The steps of the best of `restarts` starts; the others run unseen. Same seed, same steps.

    With update "median" the mean IoU never falls from one step to the next; in a later step a centre may have jumped
    elsewhere. With "mean", the paper's rule, it is plain k-means. No cluster is ever empty.
    WorkbenchError when there are fewer than `k` distinct sizes.
    """
    pool = _whole(sizes)
    found = search(pool, k, seed, check_update(update), max(1, restarts))
    before: Step | None = None
    for centres in found.trail[:-1]:
        moved = 0.0 if before is None else float(np.abs(centres - before.centres).max())
        step = rated_step(pool, centres, before.iteration + 1 if before else 0, moved, done=False)
        if before is not None and (moved == 0 or (update == "median" and step.mean_iou < before.mean_iou)):
            continue
        if (centres == found.centres).all() or (update == "median" and step.mean_iou > found.reached):
            continue
        yield step
        before = step
    yield _last(sizes, pool, found, before)


def best(
    sizes: SizePool | ArrayLike, k: int, seed: int = 0, restarts: int = RESTARTS, *, update: Update = "median"
) -> Step:
    """The last step of kmeans(), except for its number: the steps before it are not made."""
    pool = _whole(sizes)
    return _last(sizes, pool, search(pool, k, seed, check_update(update), max(1, restarts)), None)


def curve(sizes: SizePool | ArrayLike, most: int = 15, seed: int = 0, update: Update = "median") -> Iterator[Step]:
    """The best of several starts for each number of anchors from 1 to `most`, or to the number of distinct sizes.

    With "median" the mean IoU never falls: one start is the previous anchors plus one on the worst-fitted boxes.
    """
    pool = sizes if isinstance(sizes, SizePool) else SizePool.of(sizes)
    before: Doubles | None = None
    for k in range(1, min(most, len(pool.keys)) + 1):
        given = None if before is None else _one_more(pool, before)[None]
        found = search(pool, k, seed, check_update(update), CURVE_RESTARTS, brief=True, given=given)
        before = found.centres
        yield rated_step(pool, before, k - 1)


def check_update(update: str) -> Update:
    """The update rule. WorkbenchError if it is not one of UPDATES."""
    for one in UPDATES:
        if update == one:
            return one
    raise WorkbenchError(f"Centres move by {' or '.join(UPDATES)}, not by '{update}'.")


def _whole(sizes: SizePool | ArrayLike) -> SizePool:
    return sizes if isinstance(sizes, SizePool) else SizePool.of(sizes)


def _last(sizes: SizePool | ArrayLike, pool: SizePool, found: SearchResult, before: Step | None) -> Step:
    """The last step, rated on every box where the pool's rows are histogram cells."""
    moved = 0.0 if before is None else float(np.abs(found.centres - before.centres).max())
    given = pool if isinstance(sizes, SizePool) or not pool.bin else rows_of(sizes)
    return rated_step(given, found.centres, before.iteration + 1 if before else 0, moved)


def _one_more(pool: SizePool, centres: Doubles) -> Doubles:
    """(k + 1, 2): `centres` and the row that loses most."""
    quality = best_centres(pool.sizes, centres)[1]
    return np.concatenate([centres, pool.sizes[[int((pool.weights * (1 - quality)).argmax())]]])
