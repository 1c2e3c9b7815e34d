"""What the Compare tab computes in threads: both runs matched at their settings, box by box, and the intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from workbench.core import bootstrap
from workbench.core.bootstrap import Difference
from workbench.core.matching import Matching
from workbench.core.sliders import Sliders
from workbench.core.two_runs import ALARMS, MEASURES, NONE, OVERLAP, Alarm, Fate, Measure, Seen, TwoRuns, compare
from workbench.inference import pairing
from workbench.inference.operating_point import OperatingPoint
from workbench.inference.pairing import Pair
from workbench.ui.counted import Counted
from workbench.ui.inspect.chosen import Chosen
from workbench.ui.inspect.shown import Shown, own_point
from workbench.ui.inspect.work import Found, Nms

Rows = NDArray[np.int64]
T = TypeVar("T")
Numbers = tuple[NDArray[np.float64], float]  # (C,) of the labels, and of all
KEPT = 4  # cached matchings: of both runs, before and after a switch
BY_SUMS = ("f1", "precision", "recall")  # measures whose intervals are available at once


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """`own`: each run at the operating point kept with it, or else its best; otherwise both at the sliders' values.

    `point`: the one now kept with the page's run. `turned`: the page's run is the newer one.
    """

    state: Shown  # of the page's run
    second: Found
    names: tuple[str, str]  # of the page's run and of the other
    own: bool
    point: OperatingPoint | None = None
    turned: bool = False

    def in_time(self, page: T, other: T) -> tuple[T, T]:
        """The older run's value, then the newer's: changes are reported forward in time."""
        return (other, page) if self.turned else (page, other)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """`first` is the older run, `second` the newer, whichever of them is the page's."""

    wanted: Wanted
    pair: Pair
    first: Shown  # with the settings of the comparison
    second: Shown
    runs: TwoRuns
    numbers: dict[Measure, tuple[Numbers, Numbers]]
    tallies: dict[str, Difference]

    @property
    def names(self) -> tuple[str, str]:
        """Of the older and of the newer run."""
        return self.wanted.in_time(*self.wanted.names)

    def row_of(self, image: int) -> int:
        """The index of the page's image among those compared, -1 if it is not among them."""
        row = int(np.searchsorted(self.pair.places, image))
        return row if row < len(self.pair.places) and self.pair.places[row] == image else -1

    def behind(self, kind: Fate | Alarm, label: int = -1) -> Chosen:
        """The boxes or false alarms of this kind, of one label or (-1) of all."""
        return self._chosen(_words(kind, kind in ALARMS, self._named(label)), *self._rows(kind, label))

    def changed(self, label: int = -1) -> Chosen:
        """Everything that changed."""
        parts = [self._rows(kind, label) for kind in ("fixed", "regressed", "gone", "new")]
        boxes, alarms = np.concatenate([one[0] for one in parts]), np.concatenate([one[1] for one in parts])
        return self._chosen(f"found otherwise, {self._named(label)}", boxes, alarms)

    def _named(self, label: int) -> str:
        return "all labels" if label < 0 else self.wanted.state.found.names[label]

    def _rows(self, kind: Fate | Alarm, label: int) -> tuple[Rows, Rows]:
        """Rows of boxes, and (n, 2) of false alarms."""
        if kind not in ALARMS:
            boxes = self.runs.boxes_of(cast(Fate, kind))
            labels = self.first.matching.truth.labels[boxes]
            return boxes[(labels == label) | (label < 0)], np.zeros((0, 2), np.int64)
        alarms = self.runs.alarms_of(kind)
        founds = self.first.matching.found, self.second.matching.found
        column = 1 if kind == "new" else 0
        labels = founds[column].labels[alarms[:, column]]
        return np.zeros(0, np.int64), alarms[(labels == label) | (label < 0)]

    def _chosen(self, words: str, boxes: Rows, alarms: Rows) -> Chosen:
        """Of a false alarm in both runs the first's box: the second's overlaps it."""
        mine = alarms[alarms[:, 0] != NONE, 0]
        theirs = alarms[alarms[:, 0] == NONE, 1]
        truth, one, other = self.first.matching.truth, self.first.matching.found, self.second.matching.found
        images = np.concatenate([truth.images[boxes], one.images[mine], other.images[theirs]])
        places = np.concatenate([truth.boxes[boxes], one.boxes[mine], other.boxes[theirs]])
        order = np.argsort(images, kind="stable")
        return Chosen(words, self.pair.places[images[order]], places[order].astype(np.float64))


def _words(kind: str, is_alarm: bool, whose: str) -> str:
    return f"false alarms {'that are ' if kind == 'new' else ''}{kind}, {whose}" if is_alarm else f"{kind}, {whose}"


class Comparer:
    """Answers a Wanted; caches its last matchings. For one thread at a time.

    WorkbenchError if the two evaluations have nothing in common.
    """

    def __init__(self) -> None:
        self._pair: tuple[Found, Found, Pair] | None = None
        self._matched: list[tuple[Sliders, Nms, Matching]] = []

    def __call__(self, wanted: Wanted) -> Compared:
        state, found, second = wanted.state, wanted.state.found, wanted.second
        pair = self._paired(wanted)
        as_slid = state.nms, state.confidence, state.own
        one, other = (
            (own_point(found, wanted.point), own_point(second, second.point)) if wanted.own else (as_slid, as_slid)
        )
        whole = pair.first is found.sliders and one[0] == state.nms
        mine = Shown(found, one[0], state.matching if whole else self._matching(pair.first, one[0]), *one[1:])
        a, b = wanted.in_time(mine, Shown(second, other[0], self._matching(pair.second, other[0]), *other[1:]))
        runs = compare(Seen(a.matching, a.wanted), Seen(b.matching, b.wanted), pair.use)
        numbers: dict[Measure, tuple[Numbers, Numbers]] = {
            measure: (runs.first.numbers(measure, pair.use), runs.second.numbers(measure, pair.use))
            for measure in MEASURES
        }
        return Compared(wanted, pair, a, b, runs, numbers, runs.tally_differences())

    def _paired(self, wanted: Wanted) -> Pair:
        found, second = wanted.state.found, wanted.second
        if self._pair is None or self._pair[0] is not found or self._pair[1] is not second:
            self._matched.clear()
            self._pair = found, second, pairing.pair(found, second, wanted.names)
        return self._pair[2]

    def _matching(self, sliders: Sliders, nms: Nms) -> Matching:
        """The same object for the same request: what is computed from it is cached in it."""
        for of, known, matching in self._matched:
            if of is sliders and known == nms:
                return matching
        made = nms.of(sliders)
        self._matched = [*self._matched[-KEPT + 1 :], (sliders, nms, made)]
        return made


def intervals(compared: Compared, measure: Measure) -> Iterator[Counted | Difference]:
    """Yields the progress now and then, and finally the difference of "ap50" or "ap". For a job."""
    runs = compared.runs
    levels = [OVERLAP] if measure == "ap50" else runs.first.matching.thresholds.tolist()
    for event in bootstrap.ap_differences(runs.first.matching, runs.second.matching, levels, use=runs.use):
        whole = bootstrap.DRAWS
        yield event if isinstance(event, Difference) else Counted(round(event * whole), whole, "resamples")
