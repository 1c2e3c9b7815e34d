"""The state behind the Inspect page's numbers, curves and tables: candidates, their matching, and the confidences.

C = labels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation.average_precision import average_precision
from workbench.core.evaluation.confidence import Tally, tally
from workbench.core.evaluation.greedy_matching import MatchedPairs, Rows
from workbench.core.evaluation.matching import Matching
from workbench.core.nms import TITLES
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.ui.inspect.evaluation_job import EvaluationResult, Nms

Doubles = NDArray[np.float64]
OVERLAP = 0.5  # IoU with a labelled box of its label from which a detection is right


@dataclass(frozen=True, slots=True, eq=False)
class InspectState:
    """`matching` is of the whole split with the NMS in `nms`. Hashed by identity, as it is a request to threads."""

    evaluation: EvaluationResult
    nms: Nms
    matching: Matching
    confidence: float  # for labels without one of their own
    own: Doubles  # (C,) NaN: none

    @property
    def confidences(self) -> Doubles:
        """(C,) the confidence of each label."""
        return np.where(np.isnan(self.own), self.confidence, self.own)

    @property
    def tally(self) -> Tally:
        """Per label."""
        return tally(self.matching, self.confidences)

    @property
    def outcome_rows(self) -> tuple[Rows, Rows, Rows]:
        """Rows of `matching.found` that are right and that are wrong, and rows of `matching.truth` that are missed."""
        taken, ignored = self.matching.level(self.matching.at(OVERLAP))
        labels = self.matching.found.labels
        known = (labels >= 0) & (labels < self.matching.truth.label_count)
        here = self.matching.above(self.confidences) & known & ~ignored
        right = np.flatnonzero(here & (taken >= 0))
        missed = self.matching.counted.copy()
        missed[taken[right]] = False
        return right, np.flatnonzero(here & (taken < 0)), np.flatnonzero(missed)

    def with_own(self, label: int, confidence: float) -> InspectState:
        """NaN removes it."""
        own = self.own.copy()
        own[label] = confidence
        return replace(self, own=own)

    @property
    def rule(self) -> str:
        """The settings behind every number, in words."""
        own = int((~np.isnan(self.own)).sum())
        image = "image, and per tile" if self.evaluation.tiles else "image"
        others = f", its own for {own:,} label{'' if own == 1 else 's'}" if own else ""
        return (
            f"Confidence from {self.confidence:.2f}{others}; right at an overlap of at least {OVERLAP};"
            f" NMS {TITLES[self.nms.kind]} at {self.nms.iou:.2f}, at most {self.nms.limit:,} per {image}"
        )

    def above_confidences(self) -> Matching:
        """The matching without the detections below the confidences: it is a prefix of this one."""
        matching = self.matching
        above = matching.above(self.confidences)
        use = above[matching.links.detection]
        links = MatchedPairs(matching.links.detection[use], matching.links.box[use], matching.links.levels[use])
        present = above if matching.present is None else above & matching.present
        return Matching(
            matching.truth, matching.found, matching.thresholds, links, matching.counted, matching.outside, present
        )


def initial_state(evaluation: EvaluationResult) -> InspectState:
    """The page's initial state: the operating point that was kept, else the highest F1."""
    _, confidence, own = point_settings(evaluation, evaluation.point)
    return InspectState(evaluation, evaluation.nms, evaluation.matching, confidence, own)


def point_settings(evaluation: EvaluationResult, point: OperatingPoint | None) -> tuple[Nms, float, Doubles]:
    """NMS, confidence and the labels' (C,): from the kept point, else the published NMS and the highest F1."""
    rules = evaluation.rules
    if point is None:
        return Nms(rules.iou, rules.kind, rules.limit), evaluation.confidence, np.full(len(evaluation.names), np.nan)
    kept = dict(point.own)
    own = np.array([kept.get(name, np.nan) for name in evaluation.names], np.float64)
    nms = Nms(point.iou, point.kind, point.limit).at(point.confidences(evaluation.names))
    return nms, point.confidence, own


def rematch(request: tuple[EvaluationResult, Nms]) -> Matching:
    """The split matched with another NMS, with what the window will need precomputed: for a thread."""
    evaluation, nms = request
    matching = nms.of(evaluation.sliders)
    average_precision(matching)
    tally(matching, 0.0)
    return matching
