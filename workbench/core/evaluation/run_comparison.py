"""Compares two runs on the same images, object by object: what the second finds that the first missed, and vice versa.

For a run, each labelled box is right, mislabelled or missed, by the matching and the pairing across labels used for
precision, recall and the confusion matrix (matching, confusion), so all of them agree. A false alarm of the
second run is one of the first, too, if they have the same label and overlap by half.

C = labels, M = labelled boxes, B = those that are compared, F = false alarms of either run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.core.boxes import areas
from workbench.core.evaluation import bootstrap, evaluation_data
from workbench.core.evaluation.average_precision import average_precision
from workbench.core.evaluation.confidence import tally
from workbench.core.evaluation.confusion import confusion
from workbench.core.evaluation.evaluation_data import Confidence, DetectionSet, GroundTruth
from workbench.core.evaluation.greedy_matching import Bools, Rows
from workbench.core.evaluation.matching import Matching, match
from workbench.core.evaluation.size_ranges import mean_of_known

Doubles = NDArray[np.float64]
BoxOutcome = Literal["fixed", "regressed", "wrong in both", "right in both"]
FalseAlarmKind = Literal["gone", "new", "in both"]
BOX_OUTCOMES: tuple[BoxOutcome, ...] = get_args(BoxOutcome)
FALSE_ALARM_KINDS: tuple[FalseAlarmKind, ...] = get_args(FalseAlarmKind)
RIGHT, MISLABELLED, MISSED = range(3)  # what a run makes of a labelled box
Measure = Literal["ap50", "ap", "f1", "precision", "recall"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
NONE = -1
OVERLAP = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class RunDetections:
    """What one run detects above a confidence (one, or (C,)). Its matching must include the threshold OVERLAP."""

    matching: Matching
    confidence: Confidence

    def numbers(self, measure: Measure, use: Bools) -> tuple[Doubles, float]:
        """(C,) the measure for each label, and overall for the labels in `use` (C,).

        Overall AP is the mean over labels; precision, recall and F1 are those of all counts together. AP is of all
        detections, whatever the confidence. NaN where a number does not exist.
        """
        if measure in ("ap", "ap50"):
            table = average_precision(self.matching)
            values = table.mean(axis=0) if measure == "ap" else table[self.matching.at(OVERLAP)]
            return values, float(mean_of_known(values[use]))
        counts = tally(self.matching, self.confidence, OVERLAP)
        right, wrong, missed = counts.right[use], counts.wrong[use], counts.missed[use]
        return getattr(counts, measure), float(getattr(type(counts)(right, wrong, missed).overall, measure))


@dataclass(frozen=True, slots=True, eq=False)
class RunComparison:
    """`boxes` are rows of GroundTruth; `alarms` are rows of each run's DetectionSet, NONE where that run
    has no such false alarm.
    """

    first: RunDetections
    second: RunDetections
    use: Bools  # (C,) labels that are compared
    boxes: Rows  # (B,) ascending
    before: Rows  # (B,) RIGHT, MISLABELLED or MISSED under the first run
    after: Rows  # (B,) under the second
    alarms: Rows  # (F, 2)

    def boxes_of(self, outcome: BoxOutcome) -> Rows:
        """Rows of GroundTruth: the boxes with this outcome."""
        return self.boxes[self._has(outcome)]

    def alarms_of(self, kind: FalseAlarmKind) -> Rows:
        """(n, 2) rows of both runs' DetectionSet: the false alarms of this kind."""
        there = self.alarms != NONE
        first, second = there.T
        chosen = {"gone": first & ~second, "new": second & ~first, "in both": first & second}[kind]
        return np.asarray(self.alarms[chosen])

    def boxes_per_label(self, outcome: BoxOutcome) -> Rows:
        """(C,) the number of boxes with this outcome."""
        return self._per_label(self.first.matching.truth.labels[self.boxes_of(outcome)])

    def alarms_per_label(self, kind: FalseAlarmKind) -> Rows:
        """(C,) the number of false alarms of this kind, by the label that they were detected as."""
        rows = self.alarms_of(kind)
        column = 1 if kind == "new" else 0
        found = (self.first, self.second)[column].matching.found
        return self._per_label(found.labels[rows[:, column]])

    def tally_differences(self, draws: int = bootstrap.DRAWS, seed: int = 0) -> dict[str, bootstrap.MetricDifference]:
        """Precision, recall and F1 of the second run minus the first's, with their intervals."""
        confidences = self.first.confidence, self.second.confidence
        return bootstrap.tally_differences(
            self.first.matching, self.second.matching, confidences, draws, seed, self.use
        )

    def _has(self, outcome: BoxOutcome) -> Bools:
        before, after = self.before == RIGHT, self.after == RIGHT
        cases: dict[BoxOutcome, Bools] = {
            "fixed": ~before & after, "regressed": before & ~after,
            "wrong in both": ~before & ~after, "right in both": before & after,
        }  # fmt: skip
        return cases[outcome]

    def _per_label(self, labels: Rows) -> Rows:
        return np.bincount(labels, minlength=len(self.use)).astype(np.int64)


def compare(first: RunDetections, second: RunDetections, use: Bools | None = None) -> RunComparison:
    """The comparison over the labels in `use` (C,), those that both runs know; None: all.

    ValueError unless both are of the same images, labels and boxes.
    """
    bootstrap.check_same(first.matching, second.matching)
    truth = first.matching.truth
    some = np.ones(truth.label_count, bool) if use is None else use
    boxes = np.flatnonzero(first.matching.counted & some[truth.labels])
    (before, false_before), (after, false_after) = _judged(first), _judged(second)
    alarms = _paired(first.matching.found, _with(first, false_before, some),
                     second.matching.found, _with(second, false_after, some), truth)  # fmt: skip
    return RunComparison(first, second, some, boxes, before[boxes], after[boxes], alarms)


def _judged(run: RunDetections) -> tuple[Rows, Rows]:
    """(M,) what becomes of each labelled box that counts, and the rows of the false alarms."""
    result = confusion(run.matching, run.confidence, OVERLAP)
    status = np.full(len(run.matching.truth.labels), MISSED)
    right = result.cells[:, 0] == result.cells[:, 1]
    named = (result.boxes >= 0) & (result.detections >= 0)
    status[result.boxes[named & right]] = RIGHT
    status[result.boxes[named & ~right]] = MISLABELLED
    return status, np.sort(result.detections[(result.detections >= 0) & ~right])


def _with(run: RunDetections, rows: Rows, use: Bools) -> Rows:
    return rows[use[run.matching.found.labels[rows]]]


def _paired(one: DetectionSet, mine: Rows, other: DetectionSet, theirs: Rows, truth: GroundTruth) -> Rows:
    """(F, 2) false alarms of both runs, side by side if at the same place: those gone, in both, and new."""
    none = np.zeros(len(mine), bool)
    boxes = one.boxes[mine].astype(np.float64)
    as_boxes = GroundTruth(
        boxes, one.labels[mine], one.images[mine], none, none, np.asarray(areas(boxes), np.float64),
        truth.image_count, truth.label_count,
    )  # fmt: skip
    some = other.take(theirs)
    some = replace(some, rank=evaluation_data.ranks(some.images, some.labels))
    taken = match(as_boxes, some, [OVERLAP]).level(0)[0]  # (theirs,) place in `mine`
    again = np.append(mine, NONE)[taken]
    gone = mine[~np.isin(np.arange(len(mine)), taken)]
    return np.concatenate([
        np.stack([gone, np.full(len(gone), NONE)], axis=1), np.stack([again, theirs], axis=1),
    ])  # fmt: skip
