"""Which detection is which labelled box: the pairing behind every score, as COCO defines it.

Within one image and label, detections choose in order of their scores; each takes the free box that it overlaps most.
Boxes that don't count (crowd regions; by choice difficult ones; boxes outside an area range) are taken only when
nothing that counts is left, and whoever takes one is *ignored*: neither right nor wrong. A crowd region can be taken
many times, and its overlap is measured against the detection alone.

A detection's choice depends on higher-scored ones only. So what the matching says about the detections above a
confidence is its beginning, and moving the confidence matches nothing anew.

M = labelled boxes, K = detections, P = pairs of both that overlap enough, T = IoU thresholds, C = labels, I = images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.core.project import Snapshot

Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]
Difficult = Literal["count", "ignore"]
ANY_AREA = (0.0, 1e10)  # COCO's "all"
_PAIRS_AT_ONCE = 2_000_000  # bounds the working memory to about 200 MB


class Boxes(Protocol):
    """One image's detections: core.detections.Detections, Candidates, or anything with these arrays."""

    @property
    def boxes(self) -> NDArray[Any]: ...  # (n, 4) xyxy pixels of the upright original
    @property
    def scores(self) -> NDArray[Any]: ...  # (n,)
    @property
    def labels(self) -> NDArray[Any]: ...  # (n,) indices of labels


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The labelled boxes of a set of images, flat. `ignore`d boxes count for nobody; crowd regions never count."""

    boxes: NDArray[np.float64]  # (M, 4)
    labels: Rows  # (M,)
    images: Rows  # (M,) ascending
    crowd: Bools  # (M,)
    ignore: Bools  # (M,) of them crowd
    areas: NDArray[np.float64]  # (M,) square pixels, for the area ranges
    image_count: int
    label_count: int

    @staticmethod
    def of(snapshot: Snapshot, difficult: Difficult = "count") -> Truth:
        """The boxes of `snapshot`; difficult ones count like others (COCO) or for nobody (PASCAL VOC)."""
        crowd = np.asarray(snapshot.crowd, bool)
        ignore = crowd | snapshot.difficult if difficult == "ignore" else crowd
        images = np.repeat(np.arange(len(snapshot)), np.diff(snapshot.offsets))
        boxes = np.asarray(snapshot.boxes, np.float64).reshape(-1, 4)
        areas = np.asarray(geometry.areas(boxes), np.float64)
        return Truth(boxes, snapshot.label_index, images, crowd, ignore, areas, len(snapshot), len(snapshot.labels))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The detections of a set of images, flat: by image, label and descending score; `rank` counts within these."""

    boxes: NDArray[np.float64]  # (K, 4)
    scores: NDArray[np.float64]  # (K,)
    labels: Rows  # (K,)
    images: Rows  # (K,)
    rank: Rows  # (K,) 0 for the highest of its image and label
    source: Rows  # (K,) row in its image's arrays

    @staticmethod
    def of(detections: Sequence[Boxes], most: int = 100) -> Found:
        """The `most` highest detections of each image and label; ties in the order given."""
        counts = np.array([len(image.scores) for image in detections], np.int64)
        images = np.repeat(np.arange(len(detections)), counts)
        source = np.arange(len(images)) - np.repeat(np.cumsum(counts) - counts, counts)
        boxes = _joined([np.reshape(image.boxes, (-1, 4)) for image in detections], np.zeros((0, 4)))
        scores = _joined([image.scores for image in detections], np.zeros(0))
        labels = _joined([image.labels for image in detections], np.zeros(0)).astype(np.int64)
        order = np.lexsort((-scores, labels, images))  # stable: ties keep their order
        rank = _ranks(images[order], labels[order])
        order, rank = order[rank < most], rank[rank < most]
        return Found(boxes[order], scores[order], labels[order], images[order], rank, source[order])

    def __len__(self) -> int:
        return len(self.scores)


def _joined(parts: list[NDArray[Any]], empty: NDArray[Any]) -> NDArray[np.float64]:
    return np.concatenate([empty, *parts]).astype(np.float64)


def _ranks(*keys: Rows) -> Rows:
    """(K,) position of each row within its run of equal keys."""
    count = len(keys[0])
    if not count:
        return np.zeros(0, np.int64)
    fresh = np.concatenate([[True], np.logical_or.reduce([key[1:] != key[:-1] for key in keys])])
    starts = np.flatnonzero(fresh)
    return np.arange(count) - np.repeat(starts, np.diff(np.append(starts, count)))


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Detections and labelled boxes of the same image and label that overlap by at least the lowest threshold."""

    detection: Rows  # (P,) ascending
    truth: Rows  # (P,)
    iou: NDArray[np.float64]  # (P,)


def pairs(truth: Truth, found: Found, floor: float) -> Pairs:
    """All pairs with an IoU of at least `floor`; for crowd regions, the shared part of the detection's own area."""
    group = truth.images * truth.label_count + truth.labels
    order = np.argsort(group, kind="stable")
    mine = found.images * truth.label_count + found.labels
    begin = np.searchsorted(group[order], mine)
    count = np.searchsorted(group[order], mine, side="right") - begin
    count[(found.labels < 0) | (found.labels >= truth.label_count)] = 0
    parts = list(_overlapping(truth, found, order, begin, count, floor))
    return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _overlapping(
    truth: Truth, found: Found, order: Rows, begin: Rows, count: Rows, floor: float
) -> Iterator[tuple[Rows, Rows, NDArray[np.float64]]]:
    yield np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    ends = np.cumsum(count)
    first = 0
    while first < len(found):
        last = int(np.searchsorted(ends, ends[first] - count[first] + _PAIRS_AT_ONCE, side="right"))
        last = max(last, first + 1)
        some = count[first:last]
        a = np.repeat(np.arange(first, last), some)  # (pairs,) detection
        nth = np.arange(len(a)) - np.repeat(np.cumsum(some) - some, some)
        b = order[np.repeat(begin[first:last], some) + nth]  # (pairs,) labelled box
        iou = _coco_iou(found.boxes[a], truth.boxes[b], truth.crowd[b])
        near = iou >= floor
        yield a[near], b[near], iou[near]
        first = last


def _coco_iou(found: NDArray[np.float64], truth: NDArray[np.float64], crowd: Bools) -> NDArray[np.float64]:
    shared = geometry.intersections(found, truth)
    mine = geometry.areas(found)
    union = np.where(crowd, mine, mine + geometry.areas(truth) - shared)
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Who took whom, at each IoU threshold, for the labelled boxes of one area range."""

    truth: Truth
    found: Found
    thresholds: NDArray[np.float64]  # (T,)
    taken: NDArray[np.int64]  # (T, K) row of the labelled box, -1 for none
    ignored: Bools  # (T, K) detections that are neither right nor wrong
    counted: Bools  # (M,) labelled boxes that count here

    def at(self, iou: float) -> int:
        """The index of threshold `iou`; ValueError if it was not matched at."""
        near = np.flatnonzero(np.isclose(self.thresholds, iou, rtol=0, atol=1e-9))
        if not len(near):
            raise ValueError(f"matched at {self.thresholds.tolist()}, not at {iou}")
        return int(near[0])

    def counts(self, confidence: float, iou: float = 0.5) -> Counts:
        """Right, wrong and missed at a confidence (inclusive): a count of the matching's beginning, no new matching."""
        t, cells = self.at(iou), (self.truth.image_count, self.truth.label_count)
        above = (self.found.scores >= confidence) & ~self.ignored[t]
        right = above & (self.taken[t] >= 0)
        tp = _table(self.found.images[right], self.found.labels[right], cells)
        wrong = above & ~right
        fp = _table(self.found.images[wrong], self.found.labels[wrong], cells)
        boxes = _table(self.truth.images[self.counted], self.truth.labels[self.counted], cells)
        return Counts(tp, fp, boxes - tp)

    def of_image(self, image: int, confidence: float, iou: float = 0.5) -> ImageMatch:
        """The same for the boxes of one image, by row, for drawing."""
        t = self.at(iou)
        span = slice(*np.searchsorted(self.found.images, [image, image + 1]))
        shown = self.found.scores[span] >= confidence
        source, taken = self.found.source[span][shown], self.taken[t, span][shown]
        ignored = self.ignored[t, span][shown]
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
    truth: Truth,
    found: Found,
    thresholds: Sequence[float] = (0.5,),
    area: tuple[float, float] = ANY_AREA,
    overlapping: Pairs | None = None,
) -> Matching:
    """Match at each of `thresholds`. Boxes outside `area` (square pixels, inclusive) don't count.

    `overlapping`, from pairs() with a floor at or below the lowest threshold, may be shared between areas.
    """
    levels = np.minimum(np.asarray(thresholds, np.float64), 1 - 1e-10)  # pycocotools' guard for a threshold of 1
    if overlapping is None:
        overlapping = pairs(truth, found, float(levels.min()))
    counted = ~truth.ignore & (truth.areas >= area[0]) & (truth.areas <= area[1])
    taken = _taken(truth, overlapping, len(found), levels, counted)
    sizes = geometry.areas(found.boxes)
    outside = (sizes < area[0]) | (sizes > area[1])
    ignored = np.where(taken >= 0, ~counted[taken] if len(counted) else False, outside)
    return Matching(truth, found, np.asarray(thresholds, np.float64), taken, ignored, counted)


def _taken(truth: Truth, near: Pairs, count: int, levels: NDArray[np.float64], counted: Bools) -> Rows:
    """(T, K) the labelled box that each detection takes, -1 for none.

    Each detection's boxes are put in order of preference (what counts first, then IoU, ties to the later box), so a
    choice is "the first free one above the threshold". Groups of detections that share no box don't
    influence each other: step s handles the s-th pair of every group at once.
    """
    taken = np.full((count, len(levels)), -1, np.int64)
    busy = np.zeros((len(truth.labels), len(levels)), bool)
    order = np.lexsort((-near.truth, -near.iou, ~counted[near.truth], near.detection))
    detection, box, iou = near.detection[order], near.truth[order], near.iou[order]
    group = _groups(detection, box, count, len(truth.labels))
    by_group = np.argsort(group, kind="stable")
    step = _ranks(group[by_group])
    by_step = by_group[np.argsort(step, kind="stable")]
    ends = np.cumsum(np.bincount(step)) if len(step) else np.zeros(0, np.int64)
    for first, last in zip(np.concatenate([[0], ends[:-1]]).tolist(), ends.tolist(), strict=True) if len(ends) else ():
        now = by_step[first:last]
        d, b = detection[now], box[now]
        free = (iou[now, None] >= levels) & (taken[d] < 0) & ~(busy[b] & ~truth.crowd[b, None])
        taken[d] = np.where(free, b[:, None], taken[d])
        busy[b] |= free
    return np.ascontiguousarray(taken.T)


def _groups(detection: Rows, box: Rows, detections: int, boxes: int) -> Rows:
    """(P,) a number shared by pairs that hang together through common detections or boxes."""
    group = np.arange(len(detection))
    while True:
        lowest = np.full(detections, len(group))
        np.minimum.at(lowest, detection, group)
        via_box = np.full(boxes, len(group))
        np.minimum.at(via_box, box, lowest[detection])
        joined = via_box[box]
        if np.array_equal(joined, group):
            return group
        group = joined
