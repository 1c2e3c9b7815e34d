"""Two runs side by side, as a tab of the Inspect page: what the newer does better and worse, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedLayout, QVBoxLayout, QWidget

from workbench.core import nms
from workbench.core.evaluation.run_comparison import BOX_OUTCOMES, FALSE_ALARM_KINDS, Measure
from workbench.core.formatting import count, named
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.training.records.runs import RunInfo
from workbench.ui import theme
from workbench.ui.inspect.compare.change_buttons import ChangeButtons
from workbench.ui.inspect.compare.comparer import Comparer, Comparison, ComparisonRequest
from workbench.ui.inspect.compare.intervals import Intervals
from workbench.ui.inspect.compare.second_run import SecondRun
from workbench.ui.inspect.compare.table import FIXED, REGRESSED, DifferencesTable, rows_of
from workbench.ui.inspect.evaluation_job import EvaluationRequest, EvaluationResult, Evaluator
from workbench.ui.inspect.state import OVERLAP, InspectState
from workbench.ui.inspect.tab import InspectTab
from workbench.ui.session import Session
from workbench.ui.widgets.elided import ElidedCombo
from workbench.ui.widgets.empty_state import EmptyState

TITLES: dict[Measure, str] = {"ap50": "AP50", "ap": "AP", "f1": "F1", "precision": "Precision", "recall": "Recall"}
SAME, OWN = "sliders, for both", "each its own point"
_SAME, _OWN = range(2)
_NAMED = 3  # labels with a confidence of their own, named in a line
MEASURE_HELP = "The number whose change is shown. AP counts all detections, at any confidence."
OWN_HELP = "Each run at the operating point kept with it, else at its highest F1 and with its published NMS."


class CompareTab(InspectTab):
    """The page calls `list_runs` and `begin`. `pair_changed` when `visible_comparison` changes, for the picture."""

    pair_changed = Signal()
    icon = "mdi6.compare-horizontal"

    def __init__(self, session: Session, evaluate: Evaluator) -> None:
        super().__init__("Comparing two runs", self._work_out)
        self._comparison: Comparison | None = None
        self._comparer = Comparer()
        self._first: EvaluationRequest | None = None
        self._point: OperatingPoint | None = None  # kept with the page's run now
        # second evaluation, its name, own, point, page_is_newer: for the thread
        self._inputs: tuple[EvaluationResult | None, str, bool, OperatingPoint | None, bool] = (
            None,
            "",
            False,
            None,
            False,
        )
        self._intervals = Intervals(session, self)
        self.second = SecondRun(session, evaluate)
        self._build()
        self.second.changed.connect(self._ask)
        self.second.message.connect(self._say)
        self._own.currentIndexChanged.connect(self._ask)
        self._measure.currentIndexChanged.connect(self._show_table)
        self._intervals.changed.connect(self._show_table)
        self._changes.kind_chosen.connect(self._open_kind)
        self.table.clicked.connect(self._open_cell)
        self.table.activated.connect(self._open_cell)
        self._empty.page_requested.connect(session.page_requested)
        self.clear()

    def _build(self) -> None:
        self._empty = EmptyState("inspect-compare-empty", self.icon)
        self._full = QWidget()
        self._own = ElidedCombo(
            "inspect-compare-settings", "Settings", "The confidences and NMS at which both runs are compared.", 6
        )
        for words, help in ((SAME, "Confidences and NMS as above, for both runs."), (OWN, OWN_HELP)):
            self._own.addItem(words)
            self._own.setItemData(self._own.count() - 1, help, Qt.ItemDataRole.ToolTipRole)
        self._own.setCurrentIndex(_OWN)  # at the newer run's best confidence an older one may find nothing at all
        self._measure = ElidedCombo("inspect-compare-measure", "Number", MEASURE_HELP, 6)
        for measure, title in TITLES.items():
            self._measure.addItem(title, measure)
        self._status, self._words = _small("inspect-compare-status"), _small("inspect-compare-words")
        self._changes = ChangeButtons()
        self.table = DifferencesTable()
        choices = QHBoxLayout()
        choices.setSpacing(theme.GRID)
        choices.addWidget(self._own, 3)
        choices.addWidget(self._measure, 2)
        column = QVBoxLayout(self._full)
        column.setContentsMargins(0, theme.GRID, 0, 0)
        column.setSpacing(theme.GRID)
        column.addWidget(self.second)
        column.addWidget(self._status)
        column.addWidget(self._changes)
        column.addLayout(choices)
        column.addWidget(self.table, 1)
        column.addWidget(self._words)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._full)

    # --- what the page says ---

    def list_runs(self, runs: Sequence[RunInfo]) -> None:
        self.second.list_runs(runs)
        self._show_stack()

    def begin(self, request: EvaluationRequest | None, point: OperatingPoint | None = None) -> None:
        """What the page's run was evaluated on, and the point kept with it; None: nothing."""
        self._first, self._point = request, point
        self.second.begin(request)
        self._show_stack()
        if self.isVisible():
            self.second.choose_only()

    def keep(self, point: OperatingPoint | None) -> None:
        """This point is now kept with the page's run; None: none is."""
        self._point = point
        self._ask()

    @property
    def visible_comparison(self) -> Comparison | None:
        """The comparison being viewed, None if there is none."""
        return self._comparison if self.isVisible() else None

    def clear(self) -> None:
        self._intervals.forget()
        self._show(None)
        self._show_stack()

    def _show_stack(self) -> None:
        if self.state is None:
            self._empty.say("Look first", "Let the run above look at the images, then choose another one here.")
        elif not self.second.count:
            self._empty.say(
                "One run only", "Train another one, and this tab shows what the newer finds better and worse.",
                "Train a detector", "train",
            )  # fmt: skip
        full = self.state is not None and self.second.count > 0
        self._stack.setCurrentWidget(self._full if full else self._empty)

    @Slot(str)
    def _say(self, words: str) -> None:
        self._status.setText(words)
        self._status.setVisible(bool(words))

    # --- working it out ---

    @Slot()
    def _ask(self) -> None:
        """Another second run, or other settings."""
        own = self._own.currentIndex() == _OWN
        self._inputs = self.second.evaluation, self.second.name, own, self._point, self._page_is_newer()
        if self.second.evaluation is None:
            self._show(None)
        elif self.isVisible():
            self.renew()
        else:
            self.set_state(self.state)

    def set_state(self, state: InspectState | None) -> None:
        before = self.state
        super().set_state(state)
        self._show_stack()
        if before is not None and state is not None and self.isVisible() and _are_sliders_moved(before, state):
            self._own.setCurrentIndex(_SAME)  # else they would move nothing here

    def _work_out(self, state: InspectState) -> Comparison | None:
        """Runs in the thread."""
        second, name, own, point, page_is_newer = self._inputs
        if second is None:
            return None
        first = self._first.run_folder.name if self._first is not None else "the run above"
        return self._comparer(ComparisonRequest(state, second, (first, name), own, point, page_is_newer))

    def draw(self, state: InspectState, result: object) -> None:
        assert result is None or isinstance(result, Comparison)
        stale = result is not None and result.request.second is not self.second.evaluation
        self._show(None if stale else result)

    def fail(self, sentence: str) -> None:
        self._show(None)
        self._say(sentence)

    def _show(self, comparison: Comparison | None) -> None:
        self._comparison = comparison
        if comparison is None:
            self._changes.show_runs(None)
        else:
            self._changes.show_runs(comparison.runs, comparison.names)
        if comparison is not None:
            remark, name = comparison.request.second.remark, comparison.request.names[1]
            about = (f"{name}: {remark}",) if remark else ()
            self._say(" ".join((*comparison.pair.notes, *self._other_data(), *about)))
        self._show_table()
        self.pair_changed.emit()

    def _other_data(self) -> tuple[str, ...]:
        """A sentence if the runs were trained on different data: then more than the networks is compared."""
        one, other = self._info(), self.second.run
        if one is None or other is None or not one.digest or not other.digest or one.digest == other.digest:
            return ()
        return ("They were trained on different data.",)

    def _page_is_newer(self) -> bool:
        """Whether the page's run is the newer one; within one run, the best weights are older than the last."""
        mine, other = self._info(), self.second.run
        if mine is None or other is None or self._first is None:
            return False
        if mine.folder == other.folder:
            return self._first.checkpoint == mine.last
        return mine.order > other.order

    def _info(self) -> RunInfo | None:
        return self.second.info(self._first.run_folder) if self._first is not None else None

    # --- the table ---

    @property
    def _number(self) -> Measure:
        measure: Measure = self._measure.currentData()
        return measure

    @Slot()
    def _show_table(self) -> None:
        comparison = self._comparison
        if comparison is None:
            self._intervals.stop()
            self.table.differences.show_rows(())
            self._words.setText("")
            return
        known = self._intervals.of(comparison, self._number)
        self.table.differences.show_rows(rows_of(comparison, self._number, known))
        at_all = "AP counts all detections, at any confidence. " if self._number in ("ap", "ap50") else ""
        self._words.setText(f"{self._intervals.words} {at_all}{_rules(comparison)}")

    # --- what is opened ---

    @Slot(str)
    def _open_kind(self, kind: str) -> None:
        if self._comparison is not None and (kind in BOX_OUTCOMES or kind in FALSE_ALARM_KINDS):
            self.opened.emit(self._comparison.selection_of(kind))  # type: ignore[arg-type]

    @Slot(QModelIndex)
    def _open_cell(self, index: QModelIndex) -> None:
        if self._comparison is None:
            return
        row = self.table.differences.rows[index.row()]
        if index.column() in (FIXED, REGRESSED):
            self.opened.emit(
                self._comparison.selection_of("fixed" if index.column() == FIXED else "regressed", row.label)
            )
        else:
            self.opened.emit(self._comparison.changed(row.label))

    # --- coming and going ---

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self.second.choose_only()
        self.pair_changed.emit()

    def hideEvent(self, event: QHideEvent) -> None:
        self.pair_changed.emit()

    def close_down(self) -> None:
        self._intervals.stop()
        self.second.close_down()
        super().close_down()


def _are_sliders_moved(before: InspectState, now: InspectState) -> bool:
    if before.evaluation is not now.evaluation:
        return False
    same = (before.nms, before.confidence) == (now.nms, now.confidence)
    return not (same and np.array_equal(before.own, now.own, equal_nan=True))


def _rules(comparison: Comparison) -> str:
    """The settings behind the numbers."""
    both = comparison.first, comparison.second
    if both[0].rule == both[1].rule:
        return f"Both: {both[0].rule}."
    each = (
        f"{name}: confidence from {_confidences(state)}, NMS {nms.TITLES[state.nms.kind]} at {state.nms.iou:.2f}"
        f"{_tiles(state)}."
        for name, state in zip(comparison.names, both, strict=True)
    )
    return f"Right at an overlap of at least {OVERLAP}. {' '.join(each)}"


def _tiles(state: InspectState) -> str:
    tiles = state.evaluation.tiles
    return f", seen in {count(tiles, 'tile')}, too" if tiles else ""


def _confidences(state: InspectState) -> str:
    each = zip(state.evaluation.names, state.own.tolist(), strict=True)
    own = [f"{name} {value:.2f}" for name, value in each if not math.isnan(value)]
    return f"{state.confidence:.2f} ({named(own, _NAMED)})" if own else f"{state.confidence:.2f}"


def _small(name: str) -> QLabel:
    label = QLabel(wordWrap=True)
    label.setObjectName(name)
    label.setProperty("role", "muted")
    label.setFont(theme.font(theme.SMALL))
    return label
