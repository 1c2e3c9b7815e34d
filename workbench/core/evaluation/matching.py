"""Which detection is which labelled box: the pairing behind every score, as COCO defines it.

Within one image and label, detections choose in order of their scores; each takes the free box that it overlaps most.
Boxes that don't count (crowd regions; boxes outside an area range) are taken only if nothing that counts is left, and
a detection that takes one is *ignored*: neither right nor wrong. A crowd region can be taken many times, and its
overlap is relative to the detection's area alone.

A detection's choice depends only on those with higher scores. So the matching of the detections above a confidence is
the beginning of the whole matching, and changing the confidence requires no new matching.

M = labelled boxes, K = detections, P = pairs of both that overlap enough, T = IoU thresholds, C = labels, I = images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation import greedy_matching
from workbench.core.evaluation.evaluation_data import (
    Confidence,
    DetectionSet,
    GroundTruth,
    OverlapPairs,
    first_of_each,
    pairs,
)
from workbench.core.evaluation.greedy_matching import Bools, MatchedPairs, Rows

Sum = TypeVar("Sum")
ANY_AREA = (0.0, 1e10)  # COCO's "all"


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Which detection took which box, at each IoU threshold, for the labelled boxes of one area range."""

    truth: GroundTruth
    found: DetectionSet
    thresholds: NDArray[np.float64]  # (T,)
    links: MatchedPairs
    counted: Bools  # (M,) labelled boxes that count here
    outside: Bools | None  # (K,) detections that count only if they take a box that counts; None: there are none
    present: Bools | None = None  # (K,) detections that take part; None: all
    _memo: dict[object, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def taken(self) -> Rows:
        """(T, K) row of the labelled box that each detection takes, -1 for none."""
        return np.stack([self.level(t)[0] for t in range(len(self.thresholds))])

    @property
    def ignored(self) -> Bools:
        """(T, K) detections that are neither right nor wrong, or take no part."""
        return np.stack([self.level(t)[1] for t in range(len(self.thresholds))])

    def level(self, t: int) -> tuple[Rows, Bools]:
        """(K,) taken and (K,) ignored at one threshold. Remembered one by one, as all thresholds together are large."""
        known: tuple[Rows, Bools] | None = self._memo.get(t)
        if known is not None:
            return known
        here = self._at_level(t)
        detection, box = self.links.detection[here], self.links.box[here]
        taken, ignored = np.full(len(self.found), -1, np.int64), ~self.judged
        taken[detection], ignored[detection] = box, ~self.counted[box]
        return self.remember(t, (taken, ignored))

    def remembered(self, what: object) -> Any:
        """What was stored under this key with `remember`, or None: sums that sliders need repeatedly."""
        return self._memo.get(what)

    def remember(self, what: object, value: Sum) -> Sum:
        self._memo[what] = value
        return value

    def among(self, most: int) -> Bools | None:
        """(K,) detections that are present and among the `most` highest of their image and label. None: all of them
        are.
        """
        if most > self.found.longest:
            return self.present
        if self.present is None:
            return self.found.rank < most
        return first_of_each(self.present, self.found.rank, most)

    @property
    def judged(self) -> Bools:
        """(K,) detections that count as wrong if they take no box."""
        judged = np.ones(len(self.found), bool) if self.outside is None else ~self.outside
        return judged if self.present is None else judged & self.present

    def _at_level(self, t: int) -> Rows:
        """Rows of `links` that hold at threshold `t`."""
        return np.flatnonzero(self.links.levels & np.uint64(1 << t))

    def at(self, iou: float) -> int:
        """The index of threshold `iou`. ValueError if the matching was not made at it."""
        near = np.flatnonzero(np.isclose(self.thresholds, iou, rtol=0, atol=1e-9))
        if not len(near):
            raise ValueError(f"matched at {self.thresholds.tolist()}, not at {iou}")
        return int(near[0])

    def counts(self, confidence: Confidence, iou: float = 0.5) -> Counts:
        """Right, wrong and missed at or above a confidence: one for all labels, or (C,) one for each.

        Nothing is matched anew: what scores higher does not depend on what scores lower.
        """
        here, cells = self._at_level(self.at(iou)), (self.truth.image_count, self.truth.label_count)
        above, judged = self.above(confidence), self.judged
        took = self.links.detection[here]
        counts = self.counted[self.links.box[here]]
        right = took[counts & above[took]]
        tp = _table(self.found.images[right], self.found.labels[right], cells)
        wrong = above & judged
        wrong[took] = False
        rows = np.flatnonzero(wrong)
        fp = _table(self.found.images[rows], self.found.labels[rows], cells)
        boxes = _table(self.truth.images[self.counted], self.truth.labels[self.counted], cells)
        return Counts(tp, fp, boxes - tp)

    def above(self, confidence: Confidence, rows: slice = slice(None)) -> Bools:
        """(K,) detections with at least this score: one for all labels, or (C,) one for each."""
        if np.ndim(confidence) == 0:
            return np.asarray(self.found.scores[rows] >= confidence)
        labels = self.found.labels[rows]
        known = (labels >= 0) & (labels < self.truth.label_count)
        wanted = np.asarray(confidence, np.float64)[np.where(known, labels, 0)] if self.truth.label_count else np.inf
        return np.asarray(known & (self.found.scores[rows] >= wanted))

    def of_image(self, image: int, confidence: Confidence, iou: float = 0.5) -> ImageMatch:
        """The same for the boxes of one image, by row, for drawing."""
        t = self.at(iou)
        span = slice(*np.searchsorted(self.found.images, [image, image + 1]))
        shown = self.above(confidence, span)
        if self.present is not None:
            shown &= self.present[span]
        source, taken, ignored = self.found.source[span], *(column[span] for column in self.level(t))
        source, taken, ignored = source[shown], taken[shown], ignored[shown]
        rows = slice(*np.searchsorted(self.truth.images, [image, image + 1]))
        mine = np.arange(rows.start, rows.stop)
        missed = mine[self.counted[rows] & ~np.isin(mine, taken)]
        right = (taken >= 0) & ~ignored
        return ImageMatch(
            right=source[right],
            partner=taken[right] - rows.start,
            wrong=source[(taken < 0) & ~ignored],
            ignored=source[ignored],
            missed=missed - rows.start,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Right detections (tp), wrong ones (fp) and missed boxes (fn), by image and label."""

    tp: NDArray[np.int64]  # (I, C)
    fp: NDArray[np.int64]  # (I, C)
    fn: NDArray[np.int64]  # (I, C)

    @property
    def total(self) -> tuple[int, int, int]:
        return int(self.tp.sum()), int(self.fp.sum()), int(self.fn.sum())

    @property
    def per_image(self) -> NDArray[np.int64]:
        """(I, 3) tp, fp, fn of each image."""
        return np.stack([self.tp.sum(1), self.fp.sum(1), self.fn.sum(1)], axis=1)

    @property
    def per_label(self) -> NDArray[np.int64]:
        """(C, 3) tp, fp, fn of each label."""
        return np.stack([self.tp.sum(0), self.fp.sum(0), self.fn.sum(0)], axis=1)

    @property
    def precision(self) -> float:
        """tp / (tp + fp); NaN without detections."""
        tp, fp, _ = self.total
        return tp / (tp + fp) if tp + fp else float("nan")

    @property
    def recall(self) -> float:
        """tp / (tp + fn); NaN without labelled boxes."""
        tp, _, fn = self.total
        return tp / (tp + fn) if tp + fn else float("nan")

    @property
    def f1(self) -> float:
        """2 tp / (2 tp + fp + fn); NaN when there is nothing at all."""
        tp, fp, fn = self.total
        return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class ImageMatch:
    """One image: rows of its detections (right, wrong, ignored) and rows of its labelled boxes (partner, missed)."""

    right: Rows
    partner: Rows  # of each right one
    wrong: Rows
    ignored: Rows
    missed: Rows


def _table(images: Rows, labels: Rows, cells: tuple[int, int]) -> NDArray[np.int64]:
    inside = (labels >= 0) & (labels < cells[1])
    flat = images[inside] * cells[1] + labels[inside]
    return np.bincount(flat, minlength=cells[0] * cells[1]).astype(np.int64).reshape(cells)


def match(
    truth: GroundTruth,
    found: DetectionSet,
    thresholds: Sequence[float] = (0.5,),
    area: tuple[float, float] = ANY_AREA,
    overlapping: OverlapPairs | None = None,
) -> Matching:
    """Match at each of `thresholds` (IoU). Boxes outside `area` (square pixels, ends included) don't count.

    `overlapping`, from pairs() with a floor no higher than the lowest threshold, can be shared between areas.
    """
    counted = truth.inside(area)
    links = greedy_matching.match_greedily(ranked_pairs(truth, found, thresholds, counted, overlapping))
    return Matching(truth, found, np.asarray(thresholds, np.float64), links, counted, found.outside(area))


def ranked_pairs(
    truth: GroundTruth,
    found: DetectionSet,
    thresholds: Sequence[float],
    counted: Bools,
    overlapping: OverlapPairs | None = None,
) -> greedy_matching.RankedPairs:
    """The order in which each detection would take boxes: made once, to match again and again with some of the
    detections.
    """
    levels = np.minimum(np.asarray(thresholds, np.float64), 1 - 1e-10)  # pycocotools' guard for a threshold of 1
    near = pairs(truth, found, float(levels.min())) if overlapping is None else overlapping
    cells = found.images[near.detection] * truth.label_count + found.labels[near.detection]
    return greedy_matching.rank_pairs(near.detection, near.truth, near.iou, cells, counted, truth.crowd, levels)
