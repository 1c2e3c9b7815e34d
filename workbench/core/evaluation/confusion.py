"""The confusion matrix (which label is taken for which), consistent with precision and recall at the same settings.

The diagonal is what the matching counts as right. Only the remaining wrong detections and missed boxes are then
paired regardless of labels; those pairs are confusions, and the rest are false alarms and misses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation.evaluation_data import Confidence, DetectionSet, GroundTruth
from workbench.core.evaluation.matching import Matching, match


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """table[t, d] boxes of label t detected as label d. Row C: false alarms, found where nothing is. Column C: misses.

    `boxes` and `detections` are the rows of GroundTruth and DetectionSet behind a cell (-1 for none), to open it.
    """

    table: NDArray[np.int64]  # (C + 1, C + 1)
    boxes: NDArray[np.int64]  # (n,)
    detections: NDArray[np.int64]  # (n,)
    cells: NDArray[np.int64]  # (n, 2) the cell of each


def confusion(matching: Matching, confidence: Confidence, iou: float = 0.5) -> Confusion:
    """The matrix at a confidence (inclusive). Its diagonal, rows and columns add up to Matching.counts()."""
    truth, found = matching.truth, matching.found
    taken, ignored = matching.level(matching.at(iou))
    known = (found.labels >= 0) & (found.labels < truth.label_count)
    judged = matching.above(confidence) & ~ignored & known
    right = np.flatnonzero(judged & (taken >= 0))
    wrong = np.flatnonzero(judged & (taken < 0))
    missed = np.flatnonzero(matching.counted & ~np.isin(np.arange(len(truth.labels)), taken[right]))
    partner = _across_labels(truth, found, missed, wrong, iou)
    alone = missed[~np.isin(missed, partner)]
    boxes = np.concatenate([taken[right], partner, alone])
    detections = np.concatenate([right, wrong, np.full(len(alone), -1)])
    rows = np.where(boxes >= 0, np.append(truth.labels, 0)[boxes], truth.label_count)
    columns = np.where(detections >= 0, np.append(found.labels, 0)[detections], truth.label_count)
    table = np.zeros((truth.label_count + 1, truth.label_count + 1), np.int64)
    np.add.at(table, (rows, columns), 1)
    return Confusion(table, boxes, detections, np.stack([rows, columns], axis=1))


def _across_labels(
    truth: GroundTruth, found: DetectionSet, missed: NDArray[np.int64], wrong: NDArray[np.int64], iou: float
) -> NDArray[np.int64]:
    """For each of `wrong` the one of `missed` that it covers, regardless of labels, or -1."""
    none, alike = np.zeros(len(missed), bool), np.zeros(len(missed), np.int64)
    boxes = replace(truth.take(missed), labels=alike, crowd=none, ignore=none, label_count=1)
    order = wrong[np.lexsort((-found.scores[wrong], found.images[wrong]))]
    alike = np.zeros(len(order), np.int64)
    left = replace(found.take(order), labels=alike, rank=alike)
    taken = match(boxes, left, [iou]).level(0)[0]
    partner = np.full(len(found), -1, np.int64)
    partner[order] = np.append(missed, -1)[taken]
    return partner[wrong]
