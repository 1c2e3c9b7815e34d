"""The sliders of the Inspect page for a whole split at once: confidence, NMS overlap and kind, most per image.

Everything a move may need is computed once: which steps of the overlap slider each candidate survives (nms_table),
which labelled boxes it could take, and the order of scores within each label. A move of the NMS slider then reads one
bit per candidate and lets those that stay choose their boxes; a move of the confidence only cuts lists short. No move
runs the network. The results equal those of core.metrics for each image's `Candidates.detections`.

Soft NMS can't be tabulated: it changes scores, and thus all orders. A move of its slider takes seconds for a million
candidates and belongs in a job.

When labelled boxes change, what is known about the candidates stays valid, and so do the overlaps in all other images
(`with_truth`): a fiftieth of rebuilding.

K = candidates of all images, T = IoU thresholds, C = labels, I = images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import nms
from workbench.core.evaluation import greedy_matching, nms_table
from workbench.core.evaluation.evaluation_data import (
    DetectionArrays,
    DetectionSet,
    GroundTruth,
    OverlapPairs,
    pairs,
    ranks,
)
from workbench.core.evaluation.greedy_matching import Bools, Rows
from workbench.core.evaluation.matching import ANY_AREA, Matching, match, ranked_pairs
from workbench.core.evaluation.nms_table import NmsTable
from workbench.core.metrics import AREAS, THRESHOLDS, Evaluation, evaluation_of
from workbench.core.nms import NmsKind, Overlaps

EVERYTHING = 2**31  # detections of an image and label: NMS comes before the cut


@dataclass(frozen=True, slots=True, eq=False)
class Sliders:
    """The candidates of a split, ready for the sliders. Build with `of`, then `prepare` each kind of NMS in a job."""

    truth: GroundTruth
    found: DetectionSet  # every candidate; `source` is its row in its image's candidates
    first: Rows  # (I + 1,) where each image's candidates begin
    views: Rows  # (I,) of each image that were looked at, see Candidates
    _near: OverlapPairs
    _tables: dict[NmsKind, NmsTable] = field(default_factory=dict, repr=False)
    _pairs: list[Overlaps] = field(default_factory=list, repr=False)  # of soft NMS
    _choices: dict[tuple[float, float], greedy_matching.RankedPairs] = field(
        default_factory=dict, init=False, repr=False
    )

    @staticmethod
    def of(truth: GroundTruth, candidates: Sequence[DetectionArrays]) -> Sliders:
        """`candidates`, one entry per image of `truth`, each by descending score."""
        if len(candidates) != truth.image_count:
            raise ValueError(f"{truth.image_count} images but candidates of {len(candidates)}")
        found = DetectionSet.of(candidates, most=EVERYTHING)
        found.by_label(truth.label_count)
        first = np.concatenate([[0], np.cumsum([len(one.scores) for one in candidates])]).astype(np.int64)
        views = np.array([getattr(one, "views", 1) for one in candidates], np.int64)
        return Sliders(truth, found, first, views, pairs(truth, found, float(THRESHOLDS[0])))

    def with_truth(self, truth: GroundTruth) -> Sliders:
        """The same as `of` with this truth and the same candidates; only images whose boxes differ are compared again.

        ValueError if it has other images or labels. Both objects share what either of them prepares.
        """
        if (truth.image_count, truth.label_count) != (self.truth.image_count, self.truth.label_count):
            raise ValueError("other images or labels: build new sliders")
        return Sliders(truth, self.found, self.first, self.views, self._near_of(truth), self._tables, self._pairs)

    def _near_of(self, truth: GroundTruth) -> OverlapPairs:
        """The pairs of `truth`: those of unchanged images, moved to their new rows, and new ones."""
        other, begins = _differing(self.truth, truth)
        stay = np.flatnonzero(~other[self.found.images[self._near.detection]])
        detection, box = self._near.detection[stay], self._near.truth[stay]
        box = box + (begins[1] - begins[0])[self.truth.images[box]]
        boxes, rows = np.flatnonzero(other[truth.images]), np.flatnonzero(other[self.found.images])
        fresh = pairs(truth.take(boxes), self.found.take(rows), float(THRESHOLDS[0]))
        detections = np.concatenate([detection, rows[fresh.detection]])
        order = np.argsort(detections, kind="stable")  # an image's are all old or all new
        return OverlapPairs(
            detections[order],
            np.concatenate([box, boxes[fresh.truth]])[order],
            np.concatenate([self._near.iou[stay], fresh.iou])[order],
        )

    def prepare(self, kind: NmsKind = "per label") -> None:
        """Compute once which candidate survives which step: the costly part, some 2 s for 1,500,000 candidates."""
        if kind == "soft":
            if not self._pairs:
                self._pairs.append(self._overlaps("soft", nms_table.FLOOR))
        elif kind not in self._tables:
            self._tables[kind] = self._table(kind)

    def _table(self, kind: NmsKind) -> NmsTable:
        found = self.found
        boxes = np.asarray(found.boxes, np.float32)
        if kind != "across labels":
            return nms_table.of_groups(boxes, self._runs(), kind)
        by_score = self._by_score()
        table = nms_table.of_groups(boxes[by_score], found.images[by_score], kind)
        removed = np.empty_like(table.removed)
        removed[:, by_score] = table.removed
        return NmsTable(removed, table.floor)

    def _runs(self) -> Rows:
        """(K,) a number for each image and label, ascending."""
        return np.asarray(np.cumsum(self.found.rank == 0), np.int64)

    def _by_score(self) -> Rows:
        """(K,) rows of `found` by image and descending score."""
        rows = np.empty(len(self.found), np.int64)
        rows[self.first[self.found.images] + self.found.source] = np.arange(len(self.found))
        return rows

    def kept(self, iou: float, kind: NmsKind = "per label", limit: int = 300, least: Sequence[float] = ()) -> Bools:
        """(K,) the candidates kept by NMS at `iou`, at most the `limit` highest of each view of an image.

        `iou` from 0.05 to 1; hundredths are looked up in the table, others walk the pairs, which is slower.
        ValueError for "soft", which removes nothing. `least` (C,), if given: the confidences of the labels. NMS is then
        done as if candidates below them were absent, which makes a difference only across labels.
        """
        if kind == "soft":
            raise ValueError("soft NMS removes nothing; it lowers scores")
        self.prepare(kind)
        table = self._tables[kind]
        kept = self._limited(table.kept(iou) if table.knows(iou) else self._walked(iou, kind), limit)
        if kind != "across labels" or len(set(least)) < 2:
            return kept
        enough = self._enough(least)
        rows = np.flatnonzero(enough)
        order = rows[np.lexsort((self.found.source[rows], self.found.images[rows]))]
        boxes = np.asarray(self.found.boxes, np.float32)[order]
        pairs = nms.overlaps(boxes, self.found.images[order], "per label", floor=iou)
        stay = np.zeros(len(kept), bool)
        stay[order] = nms.greedy_nms(pairs, len(order), iou)
        return np.where(enough, self._limited(stay, limit), kept)

    def _enough(self, least: Sequence[float]) -> Bools:
        """(K,) whose score reaches its label's confidence; never for unknown labels."""
        labels = self.found.labels
        known = (labels >= 0) & (labels < len(least))
        return np.asarray(known & (self.found.scores >= np.asarray(least, np.float64)[np.where(known, labels, 0)]))

    def _limited(self, kept: Bools, limit: int) -> Bools:
        """At most the `limit` highest of each view of an image; modifies `kept`."""
        most = self.views * limit  # (I,)
        if (np.diff(self.first) <= most).all():
            return kept
        many = np.flatnonzero(self._per_image(kept) > most)
        if len(many):
            by_score = self._by_score()
            for image in many.tolist():
                rows = by_score[self.first[image] : self.first[image + 1]]
                kept[rows[np.flatnonzero(kept[rows])[most[image] :]]] = False
        return kept

    def _per_image(self, kept: Bools) -> Rows:
        running = np.concatenate([[0], np.cumsum(kept, dtype=np.int32)])
        return np.asarray(np.diff(running[self.first]), np.int64)

    def _walked(self, iou: float, kind: NmsKind) -> Bools:
        if kind != "across labels":
            return nms.greedy_nms(self._overlaps(kind, min(iou, nms_table.FLOOR)), len(self.found), iou)
        by_score = self._by_score()
        boxes, images = np.asarray(self.found.boxes, np.float32)[by_score], self.found.images[by_score]
        kept = np.empty(len(by_score), bool)
        pairs = nms.overlaps(boxes, images, "per label", floor=min(iou, nms_table.FLOOR))
        kept[by_score] = nms.greedy_nms(pairs, len(by_score), iou)
        return kept

    def _overlaps(self, kind: NmsKind, floor: float) -> Overlaps:
        return nms.overlaps(np.asarray(self.found.boxes, np.float32), self._runs(), kind, floor)

    def _softened(self, iou: float, limit: int) -> DetectionSet:
        """The candidates with their scores after soft NMS at `iou`, in their new order."""
        self.prepare("soft")
        pairs = self._pairs[0] if iou >= nms_table.FLOOR else self._overlaps("soft", iou)
        old, scores = self.found, nms.soft_nms(pairs, self.found.scores, iou).astype(np.float64)
        rows = np.lexsort((old.source, -scores, old.images))
        rows = rows[ranks(old.images[rows]) < (self.views * limit)[old.images[rows]]]
        rows = rows[np.lexsort((old.labels[rows], old.images[rows]))]  # stable: scores descend within a label
        rank = ranks(old.images[rows], old.labels[rows])
        return replace(old.take(rows), scores=scores[rows], rank=rank)

    def matching_at(
        self, iou: float, kind: NmsKind = "per label", limit: int = 300, area: tuple[float, float] = ANY_AREA,
        least: Sequence[float] = (),
    ) -> Matching:  # fmt: skip
        """The matching at COCO's ten thresholds with NMS at `iou`, for average_precision() and the rest.

        `least`: see kept().
        """
        return self._matchings(iou, kind, limit, {"it": area}, least)["it"]

    def evaluation(
        self, names: tuple[str, ...], iou: float, kind: NmsKind = "per label", limit: int = 300
    ) -> Evaluation:
        """All numbers of core.metrics. The matching's detection rows within an image are rows of its candidates."""
        return evaluation_of(names, self._matchings(iou, kind, limit, AREAS))

    def _matchings(
        self,
        iou: float,
        kind: NmsKind,
        limit: int,
        areas: Mapping[str, tuple[float, float]],
        least: Sequence[float] = (),
    ) -> dict[str, Matching]:
        if kind == "soft":
            found = self._softened(iou, limit)
            near = pairs(self.truth, found, float(THRESHOLDS[0]))
            return {name: match(self.truth, found, THRESHOLDS.tolist(), area, near) for name, area in areas.items()}
        present = self.kept(iou, kind, limit, least)
        return {name: self._matched(present, area) for name, area in areas.items()}

    def _matched(self, present: Bools, area: tuple[float, float]) -> Matching:
        counted, outside = self.truth.inside(area), self.found.outside(area)
        if area not in self._choices:
            self._choices[area] = ranked_pairs(self.truth, self.found, THRESHOLDS.tolist(), counted, self._near)
        links = greedy_matching.match_greedily(self._choices[area], present)
        return Matching(self.truth, self.found, THRESHOLDS, links, counted, outside, present)


def _differing(old: GroundTruth, new: GroundTruth) -> tuple[Bools, tuple[Rows, Rows]]:
    """(I,) images whose boxes (or their order) differ; and, for both, (I,) where each image's boxes begin."""
    images = np.arange(old.image_count)
    begins = np.searchsorted(old.images, images), np.searchsorted(new.images, images)
    other = np.bincount(old.images, minlength=len(images)) != np.bincount(new.images, minlength=len(images))
    a, b = np.flatnonzero(~other[old.images]), np.flatnonzero(~other[new.images])  # equal counts: compare row by row
    columns: list[tuple[NDArray[Any], ...]] = [
        (one.boxes, one.labels, one.crowd, one.ignore, one.areas) for one in (old, new)
    ]
    apart = np.zeros(len(a), bool)
    for mine, theirs in zip(*columns, strict=True):
        unlike = mine[a] != theirs[b]
        apart |= unlike.any(axis=1) if unlike.ndim == 2 else unlike
    other[old.images[a[apart]]] = True
    return other, begins
