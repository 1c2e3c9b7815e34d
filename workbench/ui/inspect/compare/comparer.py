"""What the Compare tab computes in threads: both runs matched at their settings, box by box, and the intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation import bootstrap
from workbench.core.evaluation.bootstrap import MetricDifference
from workbench.core.evaluation.matching import Matching
from workbench.core.evaluation.run_comparison import (
    FALSE_ALARM_KINDS,
    MEASURES,
    NONE,
    OVERLAP,
    BoxOutcome,
    FalseAlarmKind,
    Measure,
    RunComparison,
    RunDetections,
    compare,
)
from workbench.core.evaluation.sliders import Sliders
from workbench.inference.evaluating import pairing
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.evaluating.pairing import Pair
from workbench.ui.inspect.box_selection import BoxSelection
from workbench.ui.inspect.evaluation_job import EvaluationResult, Nms
from workbench.ui.inspect.state import InspectState, point_settings
from workbench.ui.job_progress import JobProgress

Rows = NDArray[np.int64]
T = TypeVar("T")
Numbers = tuple[NDArray[np.float64], float]  # (C,) of the labels, and of all
KEPT = 4  # cached matchings: of both runs, before and after a switch
BY_SUMS = ("f1", "precision", "recall")  # measures whose intervals are available at once


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonRequest:
    """`own`: each run at the operating point kept with it, or else its best; otherwise both at the sliders' values.

    `point`: the one now kept with the page's run. `page_is_newer`: the page's run is the newer one.
    """

    state: InspectState  # of the page's run
    second: EvaluationResult
    names: tuple[str, str]  # of the page's run and of the other
    own: bool
    point: OperatingPoint | None = None
    page_is_newer: bool = False

    def oldest_first(self, page: T, other: T) -> tuple[T, T]:
        """The older run's value, then the newer's: changes are reported forward in time."""
        return (other, page) if self.page_is_newer else (page, other)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """`first` is the older run, `second` the newer, whichever of them is the page's."""

    request: ComparisonRequest
    pair: Pair
    first: InspectState  # with the settings of the comparison
    second: InspectState
    runs: RunComparison
    numbers: dict[Measure, tuple[Numbers, Numbers]]
    tallies: dict[str, MetricDifference]

    @property
    def names(self) -> tuple[str, str]:
        """Of the older and of the newer run."""
        return self.request.oldest_first(*self.request.names)

    def row_of(self, image: int) -> int:
        """The index of the page's image among those compared, -1 if it is not among them."""
        row = int(np.searchsorted(self.pair.first_rows, image))
        return row if row < len(self.pair.first_rows) and self.pair.first_rows[row] == image else -1

    def selection_of(self, kind: BoxOutcome | FalseAlarmKind, label: int = -1) -> BoxSelection:
        """The boxes or false alarms of this kind, of one label or (-1) of all."""
        return self._selection(_words(kind, kind in FALSE_ALARM_KINDS, self._named(label)), *self._rows(kind, label))

    def changed(self, label: int = -1) -> BoxSelection:
        """Everything that changed."""
        parts = [self._rows(kind, label) for kind in ("fixed", "regressed", "gone", "new")]
        boxes, alarms = np.concatenate([one[0] for one in parts]), np.concatenate([one[1] for one in parts])
        return self._selection(f"found differently, {self._named(label)}", boxes, alarms)

    def _named(self, label: int) -> str:
        return "all labels" if label < 0 else self.request.state.evaluation.names[label]

    def _rows(self, kind: BoxOutcome | FalseAlarmKind, label: int) -> tuple[Rows, Rows]:
        """Rows of boxes, and (n, 2) of false alarms."""
        if kind not in FALSE_ALARM_KINDS:
            boxes = self.runs.boxes_of(cast(BoxOutcome, kind))
            labels = self.first.matching.truth.labels[boxes]
            return boxes[(labels == label) | (label < 0)], np.zeros((0, 2), np.int64)
        alarms = self.runs.alarms_of(kind)
        founds = self.first.matching.found, self.second.matching.found
        column = 1 if kind == "new" else 0
        labels = founds[column].labels[alarms[:, column]]
        return np.zeros(0, np.int64), alarms[(labels == label) | (label < 0)]

    def _selection(self, words: str, boxes: Rows, alarms: Rows) -> BoxSelection:
        """Of a false alarm in both runs the first's box: the second's overlaps it."""
        mine = alarms[alarms[:, 0] != NONE, 0]
        theirs = alarms[alarms[:, 0] == NONE, 1]
        truth, one, other = self.first.matching.truth, self.first.matching.found, self.second.matching.found
        images = np.concatenate([truth.images[boxes], one.images[mine], other.images[theirs]])
        places = np.concatenate([truth.boxes[boxes], one.boxes[mine], other.boxes[theirs]])
        order = np.argsort(images, kind="stable")
        return BoxSelection(words, self.pair.first_rows[images[order]], places[order].astype(np.float64))


def _words(kind: str, is_alarm: bool, whose: str) -> str:
    return f"false alarms {'that are ' if kind == 'new' else ''}{kind}, {whose}" if is_alarm else f"{kind}, {whose}"


class Comparer:
    """Answers a ComparisonRequest; caches its last matchings. For one thread at a time.

    WorkbenchError if the two evaluations have nothing in common.
    """

    def __init__(self) -> None:
        self._pair: tuple[EvaluationResult, EvaluationResult, Pair] | None = None
        self._matched: list[tuple[Sliders, Nms, Matching]] = []

    def __call__(self, request: ComparisonRequest) -> Comparison:
        state, evaluation, second = request.state, request.state.evaluation, request.second
        pair = self._paired(request)
        as_slid = state.nms, state.confidence, state.own
        one, other = (
            (point_settings(evaluation, request.point), point_settings(second, second.point))
            if request.own
            else (as_slid, as_slid)
        )
        whole = pair.first is evaluation.sliders and one[0] == state.nms
        mine = InspectState(
            evaluation, one[0], state.matching if whole else self._matching(pair.first, one[0]), *one[1:]
        )
        a, b = request.oldest_first(
            mine, InspectState(second, other[0], self._matching(pair.second, other[0]), *other[1:])
        )
        runs = compare(RunDetections(a.matching, a.confidences), RunDetections(b.matching, b.confidences), pair.use)
        numbers: dict[Measure, tuple[Numbers, Numbers]] = {
            measure: (runs.first.numbers(measure, pair.use), runs.second.numbers(measure, pair.use))
            for measure in MEASURES
        }
        return Comparison(request, pair, a, b, runs, numbers, runs.tally_differences())

    def _paired(self, request: ComparisonRequest) -> Pair:
        evaluation, second = request.state.evaluation, request.second
        if self._pair is None or self._pair[0] is not evaluation or self._pair[1] is not second:
            self._matched.clear()
            self._pair = evaluation, second, pairing.pair(evaluation, second, request.names)
        return self._pair[2]

    def _matching(self, sliders: Sliders, nms: Nms) -> Matching:
        """The same object for the same request: what is computed from it is cached in it."""
        for of, known, matching in self._matched:
            if of is sliders and known == nms:
                return matching
        made = nms.of(sliders)
        self._matched = [*self._matched[-KEPT + 1 :], (sliders, nms, made)]
        return made


def intervals(comparison: Comparison, measure: Measure) -> Iterator[JobProgress | MetricDifference]:
    """Yields the progress now and then, and finally the difference of "ap50" or "ap". For a job."""
    runs = comparison.runs
    levels = [OVERLAP] if measure == "ap50" else runs.first.matching.thresholds.tolist()
    for event in bootstrap.ap_differences(runs.first.matching, runs.second.matching, levels, use=runs.use):
        whole = bootstrap.DRAWS
        yield event if isinstance(event, MetricDifference) else JobProgress(round(event * whole), whole, "resamples")
