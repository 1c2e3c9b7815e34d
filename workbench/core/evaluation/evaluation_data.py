"""The two sides of a comparison, flat over a set of images: labelled boxes and detections; and their overlaps.

M = labelled boxes, K = detections, P = pairs of both that overlap enough, C = labels, I = images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.core.evaluation.greedy_matching import Bools, Rows
from workbench.core.project import Snapshot

Confidence = float | NDArray[np.float64]  # one for all, or (C,) one per label
_PAIRS_AT_ONCE = 2_000_000  # bounds the working memory to about 200 MB
_TABLE = 20_000_000  # cells (images x labels) up to which a table is faster than searching


class DetectionArrays(Protocol):
    """One image's detections: core.detections.Detections, Candidates, or anything with these arrays."""

    @property
    def boxes(self) -> NDArray[Any]: ...  # (n, 4) xyxy pixels of the upright original
    @property
    def scores(self) -> NDArray[Any]: ...  # (n,)
    @property
    def labels(self) -> NDArray[Any]: ...  # (n,) indices of labels


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """The labelled boxes of a set of images, flat. `ignore`d boxes count neither way; crowd regions never count."""

    boxes: NDArray[np.float64]  # (M, 4)
    labels: Rows  # (M,)
    images: Rows  # (M,) ascending
    crowd: Bools  # (M,)
    ignore: Bools  # (M,) includes crowd
    areas: NDArray[np.float64]  # (M,) square pixels, for the area ranges
    image_count: int
    label_count: int

    @staticmethod
    def of(snapshot: Snapshot) -> GroundTruth:
        """The boxes of `snapshot`; difficult ones count like others."""
        crowd = np.asarray(snapshot.crowd, bool)
        images = np.repeat(np.arange(len(snapshot)), np.diff(snapshot.offsets))
        boxes = np.asarray(snapshot.boxes, np.float64).reshape(-1, 4)
        areas = np.asarray(geometry.areas(boxes), np.float64)
        return GroundTruth(
            boxes, snapshot.label_index, images, crowd, crowd, areas, len(snapshot), len(snapshot.labels)
        )

    def inside(self, area: tuple[float, float]) -> Bools:
        """(M,) which boxes count for an area range (square pixels, inclusive)."""
        return np.asarray(~self.ignore & (self.areas >= area[0]) & (self.areas <= area[1]))

    def take(self, rows: Rows) -> GroundTruth:
        """These of the boxes, whose images must ascend."""
        return replace(
            self, boxes=self.boxes[rows], labels=self.labels[rows], images=self.images[rows], crowd=self.crowd[rows],
            ignore=self.ignore[rows], areas=self.areas[rows],
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class DetectionSet:
    """The detections of a set of images, flat: sorted by image, label and descending score."""

    boxes: NDArray[np.floating[Any]]  # (K, 4), float32 if all inputs were
    scores: NDArray[np.float64]  # (K,)
    labels: Rows  # (K,)
    images: Rows  # (K,)
    rank: Rows  # (K,) within its image and label, 0 for the highest score
    source: Rows  # (K,) row in its image's arrays
    _memo: dict[object, Any] = field(default_factory=dict, init=False, repr=False)

    @staticmethod
    def of(detections: Sequence[DetectionArrays], most: int = 100) -> DetectionSet:
        """The `most` highest detections of each image and label; ties keep the given order."""
        counts = np.array([len(image.scores) for image in detections], np.int64)
        images = np.repeat(np.arange(len(detections)), counts)
        source = np.arange(len(images)) - np.repeat(np.cumsum(counts) - counts, counts)
        boxes = np.concatenate([np.zeros((0, 4), np.float32), *(np.reshape(one.boxes, (-1, 4)) for one in detections)])
        scores = np.concatenate([np.zeros(0), *(one.scores for one in detections)]).astype(np.float64)
        labels = np.concatenate([np.zeros(0, np.int64), *(one.labels for one in detections)]).astype(np.int64)
        order = np.lexsort((-scores, labels, images))  # stable: ties keep their order
        rank = ranks(images[order], labels[order])
        order, rank = order[rank < most], rank[rank < most]
        return DetectionSet(boxes[order], scores[order], labels[order], images[order], rank, source[order])

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: Rows) -> DetectionSet:
        """These of the detections, with the ranks that they have among all."""
        return DetectionSet(
            self.boxes[rows], self.scores[rows], self.labels[rows], self.images[rows], self.rank[rows],
            self.source[rows],
        )  # fmt: skip

    def outside(self, area: tuple[float, float]) -> Bools | None:
        """(K,) detections whose own area (square pixels) lies outside the range, ends included; None if none does."""
        if "areas" not in self._memo:
            self._memo["areas"] = geometry.areas(self.boxes.astype(np.float64))
        sizes = self._memo["areas"]
        outside: Bools = (sizes < area[0]) | (sizes > area[1])
        return outside if outside.any() else None

    @property
    def longest(self) -> int:
        """The highest rank."""
        if "longest" not in self._memo:
            self._memo["longest"] = int(self.rank.max(initial=0))
        known: int = self._memo["longest"]
        return known

    def by_label(self, label_count: int) -> Ranking:
        """The order in which precision is counted, computed once."""
        if label_count not in self._memo:
            self._memo[label_count] = Ranking.of(self, label_count)
        known: Ranking = self._memo[label_count]
        return known


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Rows of DetectionSet by label and descending score, ties by image, then as given; unknown labels left out."""

    rows: Rows  # (k,)
    ends: Rows  # (C + 1,) label c is rows[ends[c] : ends[c + 1]]
    place: Rows  # (K,) the position of a row in `rows`; len(rows) for an unknown label
    scores: NDArray[np.float64]  # (k,)

    @staticmethod
    def of(found: DetectionSet, label_count: int) -> Ranking:
        rows = np.flatnonzero((found.labels >= 0) & (found.labels < label_count))
        rows = rows[np.argsort(-found.scores[rows], kind="stable")]
        # small integers sort in a tenth of the time
        labels = found.labels[rows].astype(np.min_scalar_type(max(label_count, 1)))
        rows = rows[np.argsort(labels, kind="stable")]
        ends = np.concatenate([[0], np.cumsum(np.bincount(found.labels[rows], minlength=label_count))])
        place = np.full(len(found), len(rows), np.int64)
        place[rows] = np.arange(len(rows))
        return Ranking(rows, ends.astype(np.int64), place, found.scores[rows])

    def above(self, confidence: Confidence) -> Rows:
        """(..., C) how many of each label have at least this score, which is (), (C,) or (..., C); a single search."""
        wanted = np.asarray(confidence, np.float64)
        wanted = np.broadcast_to(wanted, np.broadcast_shapes(wanted.shape, (len(self.ends) - 1,)))
        low, high = (np.broadcast_to(ends, wanted.shape).copy() for ends in (self.ends[:-1], self.ends[1:]))
        while (open_ := low < high).any():
            middle = (low + high) // 2
            enough = open_ & (self.scores[np.where(open_, middle, 0)] >= wanted)
            low = np.where(enough, middle + 1, low)
            high = np.where(open_ & ~enough, middle, high)
        return np.asarray(low - self.ends[:-1], np.int64)


def first_of_each(present: Bools, rank: Rows, most: int) -> Bools:
    """(K,) `present`, but only the `most` first of each run; a run (an image and label) begins where rank is 0."""
    begin = np.flatnonzero(rank == 0)
    running = np.cumsum(present, dtype=np.int32)
    ends = running[np.append(begin[1:], len(rank)) - 1]
    before = np.concatenate([[0], ends[:-1]])
    full = np.flatnonzero(ends - before > most)
    if not len(full):
        return present
    left = present.copy()
    for first, last, start in zip(begin[full], np.append(begin[1:], len(rank))[full], before[full], strict=True):
        left[first:last] &= running[first:last] - start <= most
    return left


def ranks(*keys: Rows) -> Rows:
    """(K,) the position of each row within its run of equal keys."""
    count = len(keys[0])
    if not count:
        return np.zeros(0, np.int64)
    fresh = np.concatenate([[True], np.logical_or.reduce([key[1:] != key[:-1] for key in keys])])
    starts = np.flatnonzero(fresh)
    return np.arange(count) - np.repeat(starts, np.diff(np.append(starts, count)))


@dataclass(frozen=True, slots=True, eq=False)
class OverlapPairs:
    """Detections and labelled boxes of the same image and label that overlap by at least the lowest threshold."""

    detection: Rows  # (P,) ascending
    truth: Rows  # (P,)
    iou: NDArray[np.float64]  # (P,)


def pairs(truth: GroundTruth, found: DetectionSet, floor: float) -> OverlapPairs:
    """All pairs of one image and label with an IoU of at least `floor`; with crowd regions, the share of the
    detection's area.
    """
    cells = truth.image_count * truth.label_count
    group = truth.images * truth.label_count + truth.labels
    order = np.argsort(group, kind="stable")
    mine = found.images * truth.label_count + found.labels
    known = (found.labels >= 0) & (found.labels < truth.label_count)
    if cells <= _TABLE:
        per = np.bincount(group, minlength=cells + 1)
        ends, mine = np.cumsum(per), np.where(known, mine, cells)
        begin, count = (ends - per)[mine], per[mine]
    else:
        begin = np.searchsorted(group[order], mine)
        count = np.searchsorted(group[order], mine, side="right") - begin
        count[~known] = 0
    parts = list(_overlapping(truth, found, order, begin, count, floor))
    return OverlapPairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def pairs_across(truth: GroundTruth, found: DetectionSet, boxes: Rows, detections: Rows, floor: float) -> OverlapPairs:
    """As pairs(), but among `boxes` and `detections` (rows of truth and found), and whatever their labels."""
    some = replace(truth.take(boxes), labels=np.zeros(len(boxes), np.int64), label_count=1)
    near = pairs(some, replace(found.take(detections), labels=np.zeros(len(detections), np.int64)), floor)
    return OverlapPairs(detections[near.detection], boxes[near.truth], near.iou)


def _overlapping(
    truth: GroundTruth, found: DetectionSet, order: Rows, begin: Rows, count: Rows, floor: float
) -> Iterator[tuple[Rows, Rows, NDArray[np.float64]]]:
    yield np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    some = np.flatnonzero(count)
    begin, count = begin[some], count[some]
    ends = np.cumsum(count)
    first = 0
    while first < len(some):
        last = int(np.searchsorted(ends, ends[first] - count[first] + _PAIRS_AT_ONCE, side="right"))
        last = max(last, first + 1)
        here = count[first:last]
        a = np.repeat(some[first:last], here)  # (pairs,) detection
        nth = np.arange(len(a)) - np.repeat(np.cumsum(here) - here, here)
        b = order[np.repeat(begin[first:last], here) + nth]  # (pairs,) labelled box
        iou = _coco_iou(found.boxes[a].astype(np.float64), truth.boxes[b], truth.crowd[b])
        near = np.flatnonzero(iou >= floor)
        yield a[near], b[near], iou[near]
        first = last


def _coco_iou(found: NDArray[np.float64], truth: NDArray[np.float64], crowd: Bools) -> NDArray[np.float64]:
    shared = geometry.intersections(found, truth)
    mine = geometry.areas(found)
    union = np.where(crowd, mine, mine + geometry.areas(truth) - shared)
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
