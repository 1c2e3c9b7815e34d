"""Whether one run is better than another on the same images, or only luckier with these: a paired bootstrap.

Images are drawn with replacement, the same ones for both runs, and the metrics are computed on each sample. An image
drawn twice counts twice, as if there were a copy. The middle 95 % of the differences are the interval; if it contains
0, these images don't tell which run is better (Efron 1979; percentile method). With fewer than LEAST images with a
label there is no interval: it excludes 0 as soon as all images agree, which five do by chance in one of 16 cases.

C = labels, I = images, N = draws, T = IoU thresholds, n = detections of a label, H = right ones among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation.average_precision import MOST, reached_at
from workbench.core.evaluation.confidence import Tally
from workbench.core.evaluation.evaluation_data import Confidence
from workbench.core.evaluation.matching import Matching
from workbench.core.evaluation.size_ranges import mean_of_known

Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]
Times = NDArray[np.uint16]  # how often each image was drawn
DRAWS = 1000
LEVEL = 0.95
LEAST = 6  # images with boxes: the fewest that agree by chance with a probability below 1 - LEVEL (sign test, 2/2^6)
_AT_ONCE = 8_000_000  # numbers: bounds the working memory to some 100 MB
_EXACT = 2**24  # whole numbers up to this are exact in float32, whose sums take half the time


@dataclass(frozen=True, slots=True, eq=False)
class MetricDifference:
    """A number of the second run minus that of the first, per label and overall.

    In 95 % of the draws it lies between `low` and `high`. NaN where the number does not exist: AP and recall without
    boxes, precision where one run detects nothing. `low` and `high` are also NaN where fewer than LEAST images have
    boxes.
    """

    labels: Doubles  # (C,)
    low: Doubles  # (C,)
    high: Doubles  # (C,)
    overall: float
    overall_low: float
    overall_high: float


def ap_differences(
    first: Matching, second: Matching, ious: Sequence[float], draws: int = DRAWS, seed: int = 0,
    use: Bools | None = None,
) -> Iterator[float | MetricDifference]:  # fmt: skip
    """The difference in AP, averaged over the IoU thresholds `ious`: yields progress, 0 to 1, then a MetricDifference.

    `use` (C,) chooses the labels that count for `overall`. The same seed gives the same interval. ValueError unless
    both are of the same images, labels and boxes. Takes seconds for thousands of images, so run it in a job.
    """
    check_same(first, second)
    labels, images = first.truth.label_count, first.truth.image_count
    ranked = [
        [[_Ranked.of(matching, iou, label) for iou in ious] for matching in (first, second)] for label in range(labels)
    ]
    per_image = _boxes(first).astype(np.float64)  # (I, C)
    apart = np.full((draws + 1, labels), np.nan)
    for begin, times in draw_counts(images, draws, seed):
        rows = slice(begin, begin + len(times))
        turned, boxes = np.ascontiguousarray(times.T), np.rint(times @ per_image).astype(np.int64)
        for label, (mine, theirs) in enumerate(ranked):
            wanted = boxes[:, label]
            apart[rows, label] = _mean_ap(theirs, turned, wanted) - _mean_ap(mine, turned, wanted)
            yield (begin + len(times) * (label + 1) / labels) / (draws + 1)
    yield _of_draws(apart, mean_of_known(apart if use is None else apart[:, use]), _tells(first, use))


def tally_differences(
    first: Matching, second: Matching, confidences: tuple[Confidence, Confidence], draws: int = DRAWS, seed: int = 0,
    use: Bools | None = None,
) -> dict[str, MetricDifference]:  # fmt: skip
    """The differences of "precision", "recall" and "f1", each run at a confidence of its own.

    `overall` is computed from the counts of all labels (of those in `use`, (C,)). As these are sums over images, all
    draws are one product of two tables: a tenth of a second for 5,000 images and 80 labels. ValueError as of
    ap_differences().
    """
    check_same(first, second)
    counts = [matching.counts(confidence) for matching, confidence in zip((first, second), confidences, strict=True)]
    table = np.concatenate([part for one in counts for part in (one.tp, one.fp, one.fn)], axis=1)  # (I, 6 C)
    exact = np.float32 if 2 * table.sum(axis=0).max(initial=0) * 4 < _EXACT else np.float64
    table = table.astype(exact)
    sums = np.concatenate([times.astype(exact) @ table for _, times in draw_counts(len(table), draws, seed)])
    parts = np.split(sums.astype(np.int64), 6, axis=1)  # each (N + 1, C)
    tallies = Tally(*parts[:3]), Tally(*parts[3:])
    some = slice(None) if use is None else use
    overall = [Tally(one.right[:, some], one.wrong[:, some], one.missed[:, some]).overall for one in tallies]
    tells = _tells(first, use)
    return {
        name: _of_draws(
            getattr(tallies[1], name) - getattr(tallies[0], name),
            getattr(overall[1], name) - getattr(overall[0], name),
            tells,
        )
        for name in ("precision", "recall", "f1")
    }


def check_same(first: Matching, second: Matching) -> None:
    """ValueError if the two are not of the same images, labels and boxes."""
    a, b = first.truth, second.truth
    same = a is b or (
        (a.image_count, a.label_count) == (b.image_count, b.label_count)
        and np.array_equal(a.boxes, b.boxes)
        and np.array_equal(a.labels, b.labels)
        and np.array_equal(a.images, b.images)
    )
    if not same or not np.array_equal(first.counted, second.counted):
        raise ValueError("the two runs were not compared with the same labelled boxes")


def draw_counts(images: int, draws: int = DRAWS, seed: int = 0) -> Iterator[tuple[int, Times]]:
    """Yields how often each image is drawn, (k, I) for k draws at a time, with the number of the first of these rows.

    Row 0 has each image once: the images as they are. The `draws` rows follow.
    """
    yield 0, np.ones((1, images), np.uint16)
    some = max(_AT_ONCE // max(images, 1), 1)
    if draws <= some:
        yield 1, _drawn_once(images, draws, seed)
        return
    rng = np.random.default_rng(seed)
    for begin in range(0, draws, some):
        yield begin + 1, _some_drawn(rng, images, min(some, draws - begin))


@lru_cache(maxsize=1)
def _drawn_once(images: int, draws: int, seed: int) -> Times:
    """All draws, cached for sliders, which ask again and again. Do not modify."""
    times = _some_drawn(np.random.default_rng(seed), images, draws)
    times.setflags(write=False)
    return times


def _some_drawn(rng: np.random.Generator, images: int, count: int) -> Times:
    which = rng.integers(0, max(images, 1), (count, images))
    cells = which + np.arange(count)[:, None] * images
    times = np.bincount(cells.ravel(), minlength=count * images).astype(np.uint16)
    return times.reshape(count, images)


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked:
    """The detections of a label by descending score, down to the last correct one: later ones change nothing."""

    images: Rows  # (n,)
    at: Rows  # (H,) the right ones, the last too

    @staticmethod
    def of(matching: Matching, iou: float, label: int) -> _Ranked:
        truth, found = matching.truth, matching.found
        ranking = found.by_label(truth.label_count)
        rows = ranking.rows[ranking.ends[label] : ranking.ends[label + 1]]
        taken, ignored = matching.level(matching.at(iou))
        allowed = matching.among(MOST[-1])
        rows = rows[~ignored[rows] if allowed is None else ~ignored[rows] & allowed[rows]]
        at = np.flatnonzero(taken[rows] >= 0)
        return _Ranked(found.images[rows[: at[-1] + 1] if len(at) else rows[:0]], at)


def _boxes(matching: Matching) -> Rows:
    """(I, C) labelled boxes that count."""
    truth, rows = matching.truth, matching.counted
    cells = truth.images[rows] * truth.label_count + truth.labels[rows]
    table = np.bincount(cells, minlength=truth.image_count * truth.label_count)
    return table.reshape(truth.image_count, truth.label_count).astype(np.int64)


def _tells(matching: Matching, use: Bools | None) -> Bools:
    """(C + 1,) whether enough images for an interval have boxes of each label, and, at the end, of any in `use`."""
    there = _boxes(matching) > 0
    any_ = (there if use is None else there[:, use]).any(axis=1, keepdims=True)
    return np.asarray(np.concatenate([there, any_], axis=1).sum(axis=0) >= LEAST)


def _mean_ap(levels: Sequence[_Ranked], times: Times, boxes: Rows) -> Doubles:
    """(N,) mean over the overlaps."""
    return np.asarray(np.mean([_ap(one, times, boxes) for one in levels], axis=0))


def _ap(ranked: _Ranked, times: Times, boxes: Rows) -> Doubles:
    """(N,) AP of one label; boxes (N,): how many of its boxes were drawn; NaN where none. times (I, N)."""
    some = max(_AT_ONCE // max(len(ranked.images), 1), 1)
    parts = [_drawn_ap(ranked, times[:, k : k + some], boxes[k : k + some]) for k in range(0, len(boxes), some)]
    return np.concatenate(parts)


def _drawn_ap(ranked: _Ranked, times: Times, boxes: Rows) -> Doubles:
    images, at = ranked.images, ranked.at
    result = np.where(boxes > 0, 0.0, np.nan)
    if not len(at):
        return result
    begin = np.concatenate([[0], at[:-1] + 1])
    here = times[images]  # (n, N): whole rows are copied and added
    most = int(np.diff(begin, append=len(images)).max()) * int(times.max(initial=0))
    kind = here.dtype if most <= np.iinfo(here.dtype).max else np.dtype(np.int64)
    seen = np.cumsum(np.add.reduceat(here, begin, axis=0, dtype=kind), axis=0, dtype=np.int64)
    right = np.cumsum(here[at], axis=0, dtype=np.int64)
    best = np.zeros((len(at) + 1, len(boxes)))
    np.divide(right, seen + np.spacing(1), out=best[:-1], where=seen > 0)
    best = np.maximum.accumulate(best[::-1], axis=0)[::-1]
    some = np.flatnonzero(boxes)
    wanted = np.array([reached_at(count) for count in boxes[some].tolist()]).reshape(len(some), -1) + 1  # (k, R)
    where = _first_with(np.ascontiguousarray(right.T[some]), wanted)
    result[some] = np.take_along_axis(np.ascontiguousarray(best.T[some]), where, axis=1).mean(axis=1)
    return result


def _first_with(running: Rows, wanted: Rows) -> Rows:
    """(k, R) for each row of `running` (k, H; ascending) the first column that reaches `wanted`; H where none does."""
    count = running.shape[1]
    apart = int(wanted.max(initial=0)) + 1
    lift = (np.arange(len(running)) * apart)[:, None]
    flat = np.searchsorted((np.minimum(running, apart - 1) + lift).ravel(), (wanted + lift).ravel())
    local = flat.reshape(wanted.shape) - np.arange(len(running))[:, None] * count
    return np.asarray(np.minimum(local, count), np.int64)


def _of_draws(apart: Doubles, overall: Doubles, tells: Bools) -> MetricDifference:
    """apart (N + 1, C) and overall (N + 1,): the first row is for the images as they are. `tells`: see _tells()."""
    every = np.concatenate([apart, overall[:, None]], axis=1)
    low, high = (np.where(tells, one, np.nan) for one in _percentiles(every[1:], ((1 - LEVEL) / 2, (1 + LEVEL) / 2)))
    return MetricDifference(apart[0], low[:-1], high[:-1], float(overall[0]), float(low[-1]), float(high[-1]))


def _percentiles(values: Doubles, shares: tuple[float, float]) -> list[Doubles]:
    """(C,) percentiles of each column, ignoring NaN; NaN if all are. Like numpy.quantile, for all columns at once."""
    ranked = np.sort(values, axis=0)  # NaN last
    count = (~np.isnan(values)).sum(axis=0)
    if not len(values):
        return [np.full(values.shape[1], np.nan) for _ in shares]
    found = []
    for share in shares:
        place = share * np.maximum(count - 1, 0)
        below = place.astype(np.int64)
        above = np.minimum(below + 1, np.maximum(count - 1, 0))
        low, high = (np.take_along_axis(ranked, rows[None], axis=0)[0] for rows in (below, above))
        found.append(low + (high - low) * (place - below))
    return found
