"""Finds the anchors that fit a project's boxes: k-means on box sizes with 1 - IoU as the distance, step by step.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", 2016 (arXiv 1612.08242), section 2, "Dimension Clusters".
There a centre moves to the mean of its boxes; that costs three points of mean IoU against the median (measured over
ten samples of COCO), because the objective is nearly one of absolute distances in log size. `update="mean"` is the
paper's, the default is the median, each box weighted by how much its IoU would change: that stands still only where
the mean IoU does.

n boxes, m distinct sizes (or cells of a histogram of log sizes, when there are many), k anchors. A size is
(width, height) in pixels of the network input. IoU is that of two rectangles with a common corner.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.project import AnchorSet, Snapshot, Split
from workbench.errors import WorkbenchError

Doubles = NDArray[np.float64]
Update = Literal["median", "mean"]
UPDATES: tuple[Update, ...] = get_args(Update)
RESTARTS = 8  # the best of 8 starts is 0.03 points below the best of 300
MOST_STEPS = 300  # moving to the mean may go in circles
RECALL_IOU = 0.5  # a box is within reach of an anchor above this IoU
_EXACT = 8_192  # distinct sizes up to which every one is kept
_BINS = 128  # per axis of the histogram: at most 0.01 points of mean IoU from the exact sizes
_FEWEST_CELLS = 512  # a histogram with fewer says too little: then the distinct sizes after all
_CHUNK = 65_536  # sizes per IoU matrix: a few MB
_STILL = 1e-4  # px: a centre that moves less stands still


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The state of k-means after an iteration; iteration 0 is the start. The last one has `done`.

    `centres` are sorted by area, `counts` are boxes. `moved` is how far the centre that moved most went, in pixels.
    """

    iteration: int
    centres: Doubles  # (k, 2)
    counts: NDArray[np.int64]  # (k,) at least 1 each
    mean_iou: float
    recall: float
    moved: float
    done: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """Distinct sizes with how many boxes have each."""

    sizes: Doubles  # (m, 2)
    weights: Doubles  # (m,)


def sizes_of(snapshot: Snapshot, px: int, resize: str = "stretch") -> Doubles:
    """(n, 2) widths and heights of the snapshot's boxes in pixels of a square network input of side `px`.

    Left out: crowd regions, boxes without area, and boxes of images whose size is not known.
    """
    return sizes_and_rows(snapshot, px, resize)[0]


def sizes_and_rows(snapshot: Snapshot, px: int, resize: str = "stretch") -> tuple[Doubles, NDArray[np.int64]]:
    """`sizes_of`, and (n,) the row of each in snapshot.boxes."""
    pictures = np.array([(image.width, image.height) for image in snapshot.images], np.float64).reshape(-1, 2)
    scales = np.repeat(_scales(pictures, px, resize), np.diff(snapshot.offsets), axis=0)  # (boxes, 2)
    sizes = (snapshot.boxes[:, 2:] - snapshot.boxes[:, :2]) * scales
    rows = np.flatnonzero(_is_usable(sizes) & ~snapshot.crowd)
    return sizes[rows], rows


def _scales(pictures: Doubles, px: int, resize: str) -> Doubles:
    """(images, 2) network pixels per image pixel, as core.resize.fit scales; 0 where the size is not known."""
    known = np.maximum(pictures, 1)
    if resize.endswith("stretch"):
        fitted = np.full_like(known, px)
    else:
        fitted = np.maximum(known * px // known.max(axis=1, keepdims=True), 1)
    return np.asarray(np.where(pictures > 0, fitted / known, 0.0))


def kmeans(
    sizes: ArrayLike, k: int, seed: int = 0, *, update: Update = "median", restarts: int = RESTARTS
) -> Iterator[Step]:
    """The steps of the best of `restarts` starts, the others being run unseen. Same seed, same steps.

    With update "median" the mean IoU never falls from one step to the next. No cluster is ever empty.
    WorkbenchError when there are fewer than `k` distinct sizes.
    """
    if update not in UPDATES:
        raise WorkbenchError(f"Centres move by {' or '.join(UPDATES)}, not by '{update}'.")
    sizes = np.asarray(sizes, np.float64).reshape(-1, 2)
    sizes = sizes[_is_usable(sizes)]
    pool = _pool(sizes)
    _check(pool, k)
    chosen = 0
    if restarts > 1:
        last = [_last(_one_start(pool, k, seed, start, update)).mean_iou for start in range(restarts)]
        chosen = int(np.argmax(last))
    for step in _one_start(pool, k, seed, chosen, update):
        yield _exact(step, sizes) if step.done and len(pool.sizes) < len(sizes) else step


def best(sizes: ArrayLike, k: int, seed: int = 0, restarts: int = RESTARTS, *, update: Update = "median") -> Step:
    """The last step of `kmeans`."""
    return _last(kmeans(sizes, k, seed, update=update, restarts=restarts))


def anchor_set(
    snapshot: Snapshot, k: int, px: int, *, resize: str = "stretch", seed: int = 0, update: Update = "median"
) -> AnchorSet:
    """The best `k` anchors for the boxes that training sees: those of the splits train and none, if they have any."""
    seen = snapshot.only(splits=(Split.TRAIN, Split.NONE))
    step = best(sizes_of(seen if len(seen.boxes) else snapshot, px, resize), k, seed, update=update)
    return AnchorSet(
        sizes=tuple((float(w), float(h)) for w, h in step.centres),
        input_px=px,
        resize=resize,
        mean_iou=step.mean_iou,
        recall=step.recall,
        source=f"IoU k-means, k {k}, {update}, seed {seed}, {int(step.counts.sum())} boxes",
    )


def assign(sizes: ArrayLike, centres: ArrayLike) -> NDArray[np.int64]:
    """(n,) the centre with the highest IoU for each size, the first of equals."""
    return _answer(sizes, centres)[0]


def mean_iou(sizes: ArrayLike, centres: ArrayLike) -> float:
    """Mean over the sizes of the IoU with their best centre; NaN without sizes."""
    ious = _answer(sizes, centres)[1]
    return float(ious.mean()) if len(ious) else math.nan


def best_possible_recall(sizes: ArrayLike, centres: ArrayLike, iou: float = RECALL_IOU) -> float:
    """Share of the sizes that have a centre with an IoU above `iou`; NaN without sizes."""
    ious = _answer(sizes, centres)[1]
    return float((ious > iou).mean()) if len(ious) else math.nan


def ious(sizes: Doubles, centres: Doubles) -> Doubles:
    """(n, 2), (k, 2) -> (n, k) IoU of rectangles with a common corner."""
    overlap = np.minimum(sizes[:, None, 0], centres[None, :, 0]) * np.minimum(sizes[:, None, 1], centres[None, :, 1])
    union = sizes.prod(axis=1)[:, None] + centres.prod(axis=1)[None, :] - overlap
    return np.asarray(overlap / union)


def _answer(sizes: ArrayLike, centres: ArrayLike) -> tuple[NDArray[np.int64], Doubles]:
    """(n,) best centre and (n,) its IoU, in chunks so that a million sizes need little memory."""
    rows = np.asarray(sizes, np.float64).reshape(-1, 2)
    anchors = np.asarray(centres, np.float64).reshape(-1, 2)
    where, how_well = np.zeros(len(rows), np.int64), np.zeros(len(rows))
    for start in range(0, len(rows), _CHUNK):
        span = slice(start, start + _CHUNK)
        matrix = ious(rows[span], anchors)
        where[span] = matrix.argmax(axis=1)
        how_well[span] = matrix.max(axis=1)
    return where, how_well


def _is_usable(sizes: Doubles) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(sizes).all(axis=1) & (sizes > 0).all(axis=1))


def _pool(sizes: Doubles) -> _Pool:
    """Distinct sizes and how often each occurs; of very many, the means of the cells of a histogram of log sizes."""
    # complex numbers sort by real, then imaginary part: ten times faster than unique rows
    distinct, counts = np.unique(sizes[:, 0] + 1j * sizes[:, 1], return_counts=True)
    exact = _Pool(np.column_stack([distinct.real, distinct.imag]), counts.astype(np.float64))
    if len(distinct) <= _EXACT:
        return exact
    logs = np.log(exact.sizes)
    low, high = logs.min(axis=0), logs.max(axis=0)
    cells = np.minimum((logs - low) / np.maximum(high - low, 1e-12) * _BINS, _BINS - 1).astype(np.int64)
    used, cell = np.unique(cells[:, 0] * _BINS + cells[:, 1], return_inverse=True)
    if len(used) < _FEWEST_CELLS:
        return exact
    weights = np.bincount(cell, exact.weights).astype(np.float64)
    sums = [np.bincount(cell, exact.weights * exact.sizes[:, axis]) for axis in (0, 1)]
    return _Pool(np.column_stack(sums) / weights[:, None], weights)


def _check(pool: _Pool, k: int) -> None:
    found = len(pool.sizes)
    if k < 1:
        raise WorkbenchError(f"The number of anchors must be at least 1, not {k}.")
    if not found:
        raise WorkbenchError("There are no boxes to compute anchors from. Draw or import some first.")
    if found < k:
        sizes = "is only one box size" if found == 1 else f"are only {found} different box sizes"
        raise WorkbenchError(f"There {sizes}, too few for {k} anchors. Choose {found}, or draw more boxes.")


def _one_start(pool: _Pool, k: int, seed: int, start: int, update: Update) -> Iterator[Step]:
    centres = _sorted(_seeds(pool, k, np.random.default_rng((seed, start))))
    nearest, quality = _answer(pool.sizes, centres)
    moved = 0.0
    for iteration in range(MOST_STEPS + 1):
        following = _filled(pool, _moved(pool, centres, nearest, update))
        distance = float(np.abs(following - centres).max())
        done = distance < _STILL or iteration == MOST_STEPS
        yield _step(pool, iteration, centres, nearest, quality, moved, done)
        if done:
            return
        centres, moved = _sorted(following), distance
        nearest, quality = _answer(pool.sizes, centres)


def _seeds(pool: _Pool, k: int, random: np.random.Generator) -> Doubles:
    """k-means++ (Arthur and Vassilvitskii, 2007): each next centre with a chance proportional to 1 - best IoU.

    Greedy as their section 7 suggests: of a few drawn, the one that leaves the least distance is taken.
    """
    rows: list[int] = []
    far = np.ones(len(pool.sizes))
    for _ in range(k):
        chance = pool.weights * np.maximum(far, 1e-12)  # sizes that hardly differ still must give k centres
        chance[rows] = 0.0
        drawn = random.choice(len(far), 2 + int(math.log(k)), p=chance / chance.sum())
        left = np.minimum(far[:, None], 1 - ious(pool.sizes, pool.sizes[drawn]))
        taken = int((pool.weights @ left).argmin())
        rows.append(int(drawn[taken]))
        far = left[:, taken]
    return pool.sizes[rows]


def _moved(pool: _Pool, centres: Doubles, nearest: NDArray[np.int64], update: Update) -> Doubles:
    """(k, 2) centres after one move; in the order of `centres`."""
    result = centres.copy()
    for index, centre in enumerate(centres):
        mine = nearest == index
        sizes, weights = pool.sizes[mine], pool.weights[mine]
        if update == "mean":
            result[index] = np.average(sizes, axis=0, weights=weights)
        else:
            result[index] = _ascended(sizes, weights, centre)
    return result


def _ascended(sizes: Doubles, weights: Doubles, centre: Doubles) -> Doubles:
    """The centre moved towards the weighted median of its boxes, as far as their IoU does not fall."""
    now = float(weights @ ious(sizes, centre[None])[:, 0])
    target = np.array([_median(sizes[:, axis], weights * _slope(sizes, centre, axis)) for axis in (0, 1)])
    plain = np.array([_median(sizes[:, axis], weights) for axis in (0, 1)])
    tries = np.stack([target, plain, *(centre + (target - centre) / share for share in (2, 4, 8, 16))])
    reached = weights @ ious(sizes, tries)
    best = int(reached.argmax())
    return np.asarray(tries[best] if reached[best] > now * (1 + 1e-12) else centre)


def _slope(sizes: Doubles, centre: Doubles, axis: int) -> Doubles:
    """(m,) how fast the IoU of each size changes with the logarithm of the centre's width (or height), unsigned.

    I = intersection, U = union, a = area of the size, c = of the centre: I a / U^2 while the centre is the narrower
    one, I c / U^2 while it is the wider.
    """
    overlap = np.minimum(sizes, centre).prod(axis=1)
    area, own = sizes.prod(axis=1), float(centre.prod())
    union = area + own - overlap
    return np.asarray(overlap * np.where(centre[axis] < sizes[:, axis], area, own) / union**2)


def _median(values: Doubles, weights: Doubles) -> float:
    """The value below and above which at most half of the weight lies."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(total, total[-1] / 2)]])


def _filled(pool: _Pool, centres: Doubles) -> Doubles:
    """`centres`, those without a box put where the worst served boxes are: which only raises the mean IoU."""
    centres = centres.copy()
    while True:
        nearest, quality = _answer(pool.sizes, centres)
        empty = np.flatnonzero(np.bincount(nearest, minlength=len(centres)) == 0)
        if not len(empty):
            return centres
        centres[empty[0]] = pool.sizes[int((pool.weights * (1 - quality)).argmax())]


def _sorted(centres: Doubles) -> Doubles:
    """By area, then by width: the order in which detectors number their anchors."""
    return centres[np.lexsort((centres[:, 0], centres.prod(axis=1)))]


def _step(
    pool: _Pool,
    iteration: int,
    centres: Doubles,
    nearest: NDArray[np.int64],
    quality: Doubles,
    moved: float,
    done: bool,
) -> Step:
    counts = np.bincount(nearest, pool.weights, minlength=len(centres)).astype(np.int64)
    total = pool.weights.sum()
    mean = float(pool.weights @ quality / total)
    recall = float(pool.weights @ (quality > RECALL_IOU) / total)
    return Step(iteration, centres, counts, mean, recall, moved, done)


def _exact(step: Step, sizes: Doubles) -> Step:
    """The same centres judged on every box instead of on cells."""
    nearest, quality = _answer(sizes, step.centres)
    counts = np.bincount(nearest, minlength=len(step.centres)).astype(np.int64)
    recall = float((quality > RECALL_IOU).mean())
    return Step(step.iteration, step.centres, counts, float(quality.mean()), recall, step.moved, True)


def _last(steps: Iterator[Step]) -> Step:
    *_, last = steps
    return last
