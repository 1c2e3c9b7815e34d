"""Finds labels that are probably wrong: where a confident detector disagrees, the surest first.

Four disagreements are looked for, each with a doubt from 0 to 1:

- *missing*: a confident detection where there is no box. Doubt: its score, minus the share covered by another box.
- *spurious*: a box that no detection covers, even at a low score.
- both are reduced if they are frequent for the label, because each then means less: either the labels generally leave
  out such objects, or the detector does. If a share u is affected: e / (e + u), with e = LACKING or USUAL. (LACKING was
  chosen on blood cells, a fourth of which have no box: they would fill the list before any wrong or shifted box.)
- *label*: a box confidently detected as another label. Doubt: that score, times one minus the score of its own label.
- *place*: a box whose detection is displaced. Doubt: its score, times how far the overlap is below the usual one.

A detector trained on the labels in question agrees with most of their errors: better use one trained without them, or
an early checkpoint. (Compare ObjectLab: Tkachenko et al. 2023, arXiv 2309.00832, on the same three kinds.)

M = labelled boxes, K = detections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation import evaluation_data
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.greedy_matching import Bools, Rows

Reason = Literal["missing", "spurious", "label", "place"]
REASONS: tuple[Reason, ...] = get_args(Reason)
Doubles = NDArray[np.float64]
TOUCH = 0.1  # IoU from which a detection may mean a box: TIDE's t_b
SAME = 0.5  # IoU from which it does mean it
SUPPORT = 0.3  # IoU from which a detection, even with a low score, says that something is there
CLOSE = 0.75  # IoU that detections usually reach; those below are displaced
FAINT = 0.1  # score below which a detection supports no box
USUAL = 0.02  # share of wrong labels in a set made by people
LACKING = 0.3  # share of sure detections without a box at which each of them counts half
SURE = 0.3  # lowest score of a detection that is held against a label


@dataclass(frozen=True, slots=True, eq=False)
class LabelErrors:
    """What to review, the most likely error first. Rows of GroundTruth and DetectionSet, -1 for none."""

    reasons: Rows  # (n,) index into REASONS
    doubts: Doubles  # (n,) 0 to 1, descending
    images: Rows  # (n,)
    boxes: Rows  # (n,)
    detections: Rows  # (n,)

    def __len__(self) -> int:
        return len(self.doubts)


def find_label_errors(truth: GroundTruth, found: DetectionSet, present: Bools | None = None) -> LabelErrors:
    """Every disagreement between boxes that count and detections after NMS; each box and each detection once.

    `present` (K,): those of `found` that NMS kept, as by Sliders.kept(); without it, `found` must be after NMS. Keep
    low scores in: they support boxes.
    """
    rows = np.arange(len(found)) if present is None else np.flatnonzero(present)
    boxes = np.flatnonzero(~truth.ignore)
    near = evaluation_data.pairs_across(truth, found, boxes, rows, TOUCH)
    parts = [
        _missing(truth, found, rows, near),
        _spurious(truth, found, boxes, near),
        _other_label(truth, found, near),
        _place(truth, found, near),
    ]
    reasons = np.repeat(np.arange(len(parts)), [len(doubts) for doubts, _, _ in parts])
    doubts, box, detection = (np.concatenate(column) for column in zip(*parts, strict=True))
    use = np.flatnonzero(doubts > 0)
    order = use[np.argsort(-doubts[use], kind="stable")]
    order = order[_first_of(box[order]) & _first_of(detection[order])]
    box, detection = box[order], detection[order]
    image = np.where(box >= 0, np.append(truth.images, 0)[box], np.append(found.images, 0)[detection])
    return LabelErrors(reasons[order], doubts[order], image, box, detection)


_Part = tuple[Doubles, Rows, Rows]


def _missing(truth: GroundTruth, found: DetectionSet, rows: Rows, near: evaluation_data.OverlapPairs) -> _Part:
    covered = np.zeros(len(found))
    np.maximum.at(covered, near.detection, near.iou)
    hidden = _inside_ignored(truth, found, rows)
    confident = found.scores[rows] >= SURE
    sure = rows[confident & (covered[rows] < SAME) & ~hidden]
    # one that touches a box of its label (IoU of at least TOUCH) is a matter of place
    own = np.zeros(len(found), bool)
    own[near.detection[found.labels[near.detection] == truth.labels[near.truth]]] = True
    sure = sure[~own[sure]]
    share = _shares(found.labels[sure], found.labels[rows[confident]])
    doubts = found.scores[sure] * (1 - covered[sure]) * LACKING / (LACKING + share[found.labels[sure]])
    return doubts, np.full(len(sure), -1), sure


def _shares(some: Rows, of: Rows) -> Doubles:
    """By label, which share of the labels `of` is also in `some`, a part of them."""
    length = int(of.max(initial=-1)) + 1
    return np.asarray(np.bincount(some, minlength=length) / np.maximum(np.bincount(of, minlength=length), 1))


def _inside_ignored(truth: GroundTruth, found: DetectionSet, rows: Rows) -> Bools:
    """(len(rows),) which detections lie on a crowd region or another ignored box."""
    ignored = np.flatnonzero(truth.ignore)
    hidden = np.zeros(len(found), bool)
    hidden[evaluation_data.pairs_across(truth, found, ignored, rows, SUPPORT).detection] = True
    return hidden[rows]


def _spurious(truth: GroundTruth, found: DetectionSet, boxes: Rows, near: evaluation_data.OverlapPairs) -> _Part:
    support = np.zeros(len(truth.labels))
    close = near.iou >= SUPPORT
    np.maximum.at(support, near.truth[close], found.scores[near.detection[close]])
    bare = np.bincount(truth.labels[boxes], weights=support[boxes] < FAINT, minlength=truth.label_count)
    share = bare / np.maximum(np.bincount(truth.labels[boxes], minlength=truth.label_count), 1)  # (C,)
    doubts = USUAL / (USUAL + share[truth.labels[boxes]]) * np.maximum(1 - support[boxes] / FAINT, 0)
    return doubts * (share[truth.labels[boxes]] < 1), boxes, np.full(len(boxes), -1)


def _other_label(truth: GroundTruth, found: DetectionSet, near: evaluation_data.OverlapPairs) -> _Part:
    """For each box, the surest detection of another label on it."""
    same = found.labels[near.detection] == truth.labels[near.truth]
    on = near.iou >= SAME
    own = np.zeros(len(truth.labels))
    np.maximum.at(own, near.truth[on & same], found.scores[near.detection[on & same]])
    # a detection of another label may mean another box, with that label, at the same place
    explained = np.zeros(len(found), bool)
    explained[near.detection[on & same]] = True
    use = np.flatnonzero(on & ~same & (found.scores[near.detection] >= SURE) & ~explained[near.detection])
    box, detection = near.truth[use], near.detection[use]
    return found.scores[detection] * (1 - own[box]), box, detection


def _place(truth: GroundTruth, found: DetectionSet, near: evaluation_data.OverlapPairs) -> _Part:
    """For each box, the detection of its label that overlaps it most, if that is displaced and means no other box."""
    same = np.flatnonzero(found.labels[near.detection] == truth.labels[near.truth])
    box, detection, iou = near.truth[same], near.detection[same], near.iou[same]
    best, most = np.zeros(len(truth.labels)), np.zeros(len(found))
    sure = found.scores[detection] >= SURE
    np.maximum.at(best, box[sure], iou[sure])
    np.maximum.at(most, detection, iou)
    use = sure & (iou == best[box]) & (iou == most[detection]) & (iou < CLOSE)
    off = (CLOSE - iou[use]) / (CLOSE - TOUCH)
    return found.scores[detection[use]] * off, box[use], detection[use]


def _first_of(rows: Rows) -> Bools:
    """True where a row occurs for the first time; -1 always."""
    first = np.zeros(len(rows), bool)
    first[np.unique(rows, return_index=True)[1]] = True
    return np.asarray(first | (rows < 0))
