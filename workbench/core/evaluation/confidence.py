"""Precision, recall and F1 against confidence, and the confidence at which F1 is highest, per label and overall.

Cumulative counts down each label's scores are made once; every confidence is then a position in them.

C = labels, S = confidences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation.average_precision import boxes_per_label
from workbench.core.evaluation.evaluation_data import Confidence
from workbench.core.evaluation.greedy_matching import Rows
from workbench.core.evaluation.matching import Matching

Doubles = NDArray[np.float64]
STEPS: Doubles = np.arange(1, 100) / 100  # a slider's
USUAL = 0.25  # if nothing right is found, so that no better choice can be made


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Right detections, wrong ones and missed boxes, in arrays of one shape."""

    right: Rows
    wrong: Rows
    missed: Rows

    @property
    def precision(self) -> Doubles:
        """Precision; NaN without detections."""
        return _share(self.right, self.right + self.wrong)

    @property
    def recall(self) -> Doubles:
        """Recall; NaN without labelled boxes."""
        return _share(self.right, self.right + self.missed)

    @property
    def f1(self) -> Doubles:
        """F1; NaN if there are neither detections nor labelled boxes."""
        return _share(2 * self.right, 2 * self.right + self.wrong + self.missed)

    @property
    def overall(self) -> Tally:
        """The sums over labels, the last axis."""
        return Tally(self.right.sum(-1), self.wrong.sum(-1), self.missed.sum(-1))


@dataclass(frozen=True, slots=True, eq=False)
class ConfidenceCurves:
    """The tallies at some confidences, for drawing. `best` is USUAL for labels without a right detection."""

    confidences: Doubles  # (S,)
    labels: Tally  # (S, C)
    overall: Tally  # (S,)
    best: Doubles  # (C,) the confidence at which a label's F1 is highest, the middle one of several
    best_overall: float


def tally(matching: Matching, confidence: Confidence, iou: float = 0.5) -> Tally:
    """(..., C) counts by label at each confidence (inclusive): one for all, or (..., C) with labels as the last axis.

    The same numbers as Matching.counts().per_label in a hundredth of the time, not by image.
    """
    ranking = matching.found.by_label(matching.truth.label_count)
    right, judged = _running(matching, matching.at(iou))
    begin = ranking.ends[:-1]
    upto = begin + ranking.above(confidence)
    hits, seen = right[upto] - right[begin], judged[upto] - judged[begin]
    return Tally(hits, seen - hits, boxes_per_label(matching) - hits)


def _running(matching: Matching, t: int) -> tuple[Rows, Rows]:
    """(k + 1,) right detections, and all that count, before each position of the ranking."""
    known: tuple[Rows, Rows] | None = matching.remembered(("running", t))
    if known is not None:
        return known
    rows = matching.found.by_label(matching.truth.label_count).rows
    taken, ignored = matching.level(t)
    judged = ~ignored[rows]
    right = judged & (taken[rows] >= 0)
    running = tuple(np.concatenate([[0], np.cumsum(one, dtype=np.int64)]) for one in (right, judged))
    return matching.remember(("running", t), (running[0], running[1]))


def confidence_curves(matching: Matching) -> ConfidenceCurves:
    """The curves at IoU 0.5 over STEPS, and the best confidence of each label."""
    labels = tally(matching, STEPS[:, None])
    overall = labels.overall
    best = np.array([_best(labels.f1[:, label]) for label in range(labels.right.shape[1])])
    return ConfidenceCurves(STEPS, labels, overall, best, _best(overall.f1))


def _best(f1: Doubles) -> float:
    """In the middle of the confidences at which F1 is highest: at their ends the next image may be another matter."""
    known = np.nan_to_num(f1)
    top = known.max(initial=0)
    if top <= 0:
        return USUAL
    first = int(np.argmax(known))
    length = int(np.argmin(np.append(known[first:] == top, False)))  # of equal counts, so exactly equal
    return float(STEPS[first + (length - 1) // 2])


def _share(part: Rows, whole: Rows) -> Doubles:
    shares = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0)
    return np.asarray(shares)
