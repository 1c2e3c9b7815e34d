"""Whether one run is better than another on the same images, or only luckier with these: a paired bootstrap.

Images are drawn with replacement, the same ones for both runs, and AP is taken of what was drawn. An image drawn
twice counts twice, as if a copy of it lay beside it. The middle 95 % of the differences are the interval; if it
contains 0, these images don't tell which run is better (Efron 1979; percentile method).

C = labels, I = images, N = draws, n = detections of a label, H = right ones among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.core.matching import Matching
from workbench.core.precision import MOST, reached_at
from workbench.core.size_ranges import mean_of_known

Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]
DRAWS = 500
LEVEL = 0.95
_AT_ONCE = 8_000_000  # numbers: bounds the working memory to some 100 MB


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """AP of the second run less that of the first, by label, and between `low` and `high` in 95 % of the draws."""

    labels: Doubles  # (C,) NaN: no boxes
    low: Doubles  # (C,)
    high: Doubles  # (C,)
    overall: float  # mean over the labels with boxes
    overall_low: float
    overall_high: float

    @property
    def certain(self) -> NDArray[np.bool_]:
        """(C,) labels whose interval leaves out 0."""
        return np.asarray((self.low > 0) | (self.high < 0))


def difference(first: Matching, second: Matching, iou: float = 0.5, draws: int = DRAWS, seed: int = 0) -> Difference:
    """Both of the same images, labels and boxes: ValueError otherwise. The same seed gives the same interval."""
    same = first.truth.image_count == second.truth.image_count and first.truth.label_count == second.truth.label_count
    if not same or not np.array_equal(first.truth.boxes, second.truth.boxes):
        raise ValueError("the two runs were not compared with the same labelled boxes")
    images, labels = first.truth.image_count, first.truth.label_count
    rng = np.random.default_rng(seed)
    drawn = np.ones((draws + 1, images), np.int32)  # the first row is the images as they are
    drawn[1:] = rng.multinomial(images, np.full(images, 1 / max(images, 1)), size=draws) if images else 1
    apart = np.stack([_ap(second, iou, label, drawn) - _ap(first, iou, label, drawn) for label in range(labels)], 1)
    overall = mean_of_known(apart)  # (N + 1,)
    sides = [_percentile(apart[1:], share) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)]
    low, high = (_percentile(overall[1:, None], share)[0] for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Difference(apart[0], sides[0], sides[1], float(overall[0]), float(low), float(high))


def _ap(matching: Matching, iou: float, label: int, drawn: NDArray[np.int32]) -> Doubles:
    """(N + 1,) AP of one label in every draw; NaN where no box of it was drawn."""
    truth, found = matching.truth, matching.found
    ranking = found.by_label(truth.label_count)
    rows = ranking.rows[ranking.ends[label] : ranking.ends[label + 1]]
    taken, ignored = matching.level(matching.at(iou))
    allowed = matching.among(MOST[-1])
    rows = rows[~ignored[rows] if allowed is None else ~ignored[rows] & allowed[rows]]
    at = np.flatnonzero(taken[rows] >= 0)
    rows = rows[: at[-1] + 1] if len(at) else rows[:0]  # what comes after the last right one changes nothing
    mine = matching.counted & (truth.labels == label)
    per_image = np.bincount(truth.images[mine], minlength=truth.image_count)
    boxes = drawn @ per_image  # (N + 1,)
    some = max(_AT_ONCE // max(len(rows), 1), 1)
    parts = [
        _drawn_ap(found.images[rows], at, drawn[k : k + some], boxes[k : k + some]) for k in range(0, len(drawn), some)
    ]
    return np.concatenate(parts)


def _drawn_ap(images: Rows, at: Rows, drawn: NDArray[np.int32], boxes: Rows) -> Doubles:
    """(draws,) images (n,) of detections by descending score, of which `at` (H,), the last one too, are right."""
    result = np.where(boxes > 0, 0.0, np.nan)
    if not len(at):
        return result
    times = np.ascontiguousarray(drawn.T)[images]  # (n, draws): whole rows are copied and added
    begin = np.concatenate([[0], at[:-1] + 1])
    seen = np.cumsum(np.add.reduceat(times, begin, axis=0, dtype=np.int32), axis=0, dtype=np.int32)
    right = np.cumsum(times[at], axis=0, dtype=np.int32)
    best = np.zeros((len(at) + 1, len(drawn)))
    np.divide(right, seen + np.spacing(1), out=best[:-1], where=seen > 0)
    best = np.maximum.accumulate(best[::-1], axis=0)[::-1]
    by_draw, envelope = np.ascontiguousarray(right.T), np.ascontiguousarray(best.T)
    for row in np.flatnonzero(boxes):
        where = np.searchsorted(by_draw[row], reached_at(int(boxes[row])) + 1, side="left")
        result[row] = envelope[row, where].mean()
    return result


def _percentile(values: Doubles, share: float) -> Doubles:
    """(C,) of each column, without what is NaN; NaN where everything is."""
    columns = [column[~np.isnan(column)] for column in values.T]
    return np.array([np.quantile(column, share) if len(column) else np.nan for column in columns])
