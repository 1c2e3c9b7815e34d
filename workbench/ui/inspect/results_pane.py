"""The right side of the Inspect page: the sliders, and tabs with the results for the split."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from workbench.core.evaluation.matching import Matching
from workbench.errors import WorkbenchError
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.ui import theme
from workbench.ui.background import Background
from workbench.ui.inspect.confusion import ConfusionTab
from workbench.ui.inspect.curves import CurvesTab
from workbench.ui.inspect.detection_controls import DetectionControls
from workbench.ui.inspect.error_costs import ErrorsTab
from workbench.ui.inspect.evaluation_job import EvaluationResult, Nms
from workbench.ui.inspect.numbers import NumbersTab
from workbench.ui.inspect.state import InspectState, initial_state, rematch
from workbench.ui.inspect.tab import InspectTab
from workbench.ui.inspect.tab_bar import TabBar


class ResultsPane(QWidget):
    """A confidence acts at once; a change of NMS a moment later, from a thread where the newest request wins.

    `changed(InspectState)` after either; `nms_previewed(Nms)` as soon as a person changes the NMS;
    `opened(BoxSelection)` and `marked(BoxSelection)` from tabs.
    """

    changed = Signal(object)
    nms_previewed = Signal(object)
    opened = Signal(object)
    marked = Signal(object)
    tab_changed = Signal()  # another tab is visible
    keep_requested = Signal(object)  # OperatingPoint, without its checkpoint; None: remove it

    def __init__(self) -> None:
        super().__init__()
        self.state: InspectState | None = None
        self._kept: OperatingPoint | None = None
        self._matcher = Background("Matching", rematch, self)
        self._matcher.done.connect(self._matched)
        self._controls = DetectionControls()
        self._numbers, self._curves = NumbersTab(), CurvesTab()
        self.tabs = QTabWidget(documentMode=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.GRID, 0, 0, 0)
        column.setSpacing(theme.GRID)
        column.addWidget(self._controls)
        column.addWidget(self.tabs, 1)
        heads = TabBar()
        heads.clicked.connect(self._give_keys)
        self.tabs.currentChanged.connect(self.tab_changed)
        self.tabs.setTabBar(heads)
        self.tabs.setObjectName("inspect-tabs")
        self._tabs: list[InspectTab] = []
        self.add_tab(self._numbers, "Numbers", "The numbers of the whole split at these sliders.")
        self.add_tab(self._curves, "Curves", "Precision, recall, F1, AP and calibration as curves.")
        self.add_tab(ConfusionTab(), "Confusion", "Which labels are taken for which others.")
        self.add_tab(ErrorsTab(), "Errors", "Kinds of mistakes and what they cost.")
        self._controls.confidence.changed.connect(self._confidence_moved)
        self._controls.nms_changed.connect(self._nms_moved)
        self._controls.keep_requested.connect(self._ask_to_keep)
        self._controls.forget_requested.connect(self._ask_to_forget)
        self._numbers.own_wanted.connect(self.set_own)
        self._curves.confidence_wanted.connect(self._use)

    def minimumSizeHint(self) -> QSize:
        """So that no tab's text keeps the pane wide."""
        return QSize(0, super().minimumSizeHint().height())

    def add_tab(self, tab: InspectTab, title: str, help: str = "") -> None:
        """Add a tab. It gets every state, None if there is none, and draws it while visible."""
        self._tabs.append(tab)
        place = self.tabs.addTab(tab, title)
        self.tabs.tabBar().setTabData(place, tab.icon)
        self.tabs.setTabToolTip(place, f"{title}\n{help}")
        tab.opened.connect(self.opened)
        tab.marked.connect(self.marked)
        tab.show_requested.connect(partial(self.tabs.setCurrentWidget, tab))
        tab.set_state(self.state)

    @property
    def main_widget(self) -> QWidget | None:
        """The widget with keys of its own in the visible tab."""
        tab = self.tabs.currentWidget()
        return tab.main_widget if isinstance(tab, InspectTab) else None

    @Slot()
    def _give_keys(self) -> None:
        if self.main_widget is not None:
            self.main_widget.setFocus(Qt.FocusReason.MouseFocusReason)

    # --- what there is to show ---

    def set_evaluation(self, evaluation: EvaluationResult) -> None:
        """Start with the operating point that was kept, else the highest F1; a kind of NMS that was chosen stays."""
        self._controls.show_published(evaluation.rules.kind)
        self._controls.show_nms(evaluation.nms, kind_too=evaluation.point is not None)
        self._controls.keep.setEnabled(True)
        self._kept = evaluation.point
        self._set(initial_state(evaluation))
        if self.nms != evaluation.nms:
            self._nms_moved()

    def update_labels(self, evaluation: EvaluationResult) -> None:
        """The labels have changed: `evaluation` is matched with them using the previous NMS. The sliders stay."""
        if self.state is not None:
            self._set(replace(self.state, evaluation=evaluation, nms=evaluation.nms, matching=evaluation.matching))
            if self.nms != evaluation.nms:
                self._nms_moved()

    def clear(self) -> None:
        self.state = self._kept = None
        self._controls.clear()
        self._tell()
        for tab in self._tabs:
            tab.set_state(None)

    def _set(self, state: InspectState) -> None:
        self.state = state
        if self._controls.confidence.value != round(state.confidence, 2):
            self._controls.confidence.set_value(state.confidence)
        for tab in self._tabs:
            tab.set_state(state)
        self._tell()
        self.changed.emit(state)

    def _tell(self) -> None:
        self._controls.offer_to_forget(self.state is not None and self._kept is not None)
        if self.state is None:
            return
        if self.state.nms != self.nms:
            self._controls.say("counting …")
        elif self._kept is None:
            at_best = self.state.confidence == self.state.evaluation.confidence
            whose = "validation's" if self.state.evaluation.by_validation else "the"
            self._controls.say(f"at {whose} highest F1, not kept" if at_best else "no operating point kept yet")
        else:
            self._controls.say("as kept" if _same(self._kept, self.point()) else "differs from the point kept")

    # --- moves ---

    @Slot()
    def _confidence_moved(self) -> None:
        if self.state is not None:
            self._count_from(replace(self.state, confidence=self._controls.confidence.value))

    @Slot(int, float)
    def set_own(self, label: int, confidence: float) -> None:
        """Give a label its own confidence, or remove it (NaN)."""
        if self.state is not None:
            self._count_from(self.state.with_own(label, confidence))

    @Slot(int, float)
    def _use(self, label: int, confidence: float) -> None:
        if self.state is None:
            return
        state = self.state
        self._count_from(replace(state, confidence=confidence) if label < 0 else state.with_own(label, confidence))

    def _count_from(self, state: InspectState) -> None:
        """Use the state's confidences; with these, NMS across labels may keep other detections."""
        self._set(state)
        if state.nms != self.nms:
            self._nms_moved()

    @Slot()
    def _nms_moved(self) -> None:
        if self.state is None:
            return
        self._matcher.ask([(self.state.evaluation, self.nms)])
        self._tell()
        self.nms_previewed.emit(self.nms)

    @Slot(object, object)
    def _matched(self, request: object, result: object) -> None:
        """While a person drags, a slightly old result is better than none."""
        assert isinstance(request, tuple)
        evaluation, nms = request
        if self.state is None or self.state.evaluation is not evaluation:
            return
        if isinstance(result, WorkbenchError):
            self._controls.say(result.sentence)
        elif isinstance(result, Matching):
            self._set(replace(self.state, nms=nms, matching=result))

    @property
    def nms(self) -> Nms:
        """The sliders' values; the state's may be slightly older."""
        return self._controls.nms if self.state is None else self._controls.nms.at(self.state.confidences)

    # --- the operating point ---

    def point(self) -> OperatingPoint:
        """The sliders' values."""
        assert self.state is not None
        nms, names = self._controls.nms, self.state.evaluation.names
        own = tuple(
            (name, round(value, 4))
            for name, value in zip(names, self.state.own.tolist(), strict=True)
            if not math.isnan(value)
        )
        kept = {name for name, _ in own}
        ids = tuple((label.name, label.id) for label in self.state.evaluation.truth.labels if label.name in kept)
        return OperatingPoint(round(self.state.confidence, 4), own, nms.iou, nms.kind, nms.limit, ids=ids)

    @Slot()
    def _ask_to_keep(self) -> None:
        if self.state is not None:
            self.keep_requested.emit(self.point())

    @Slot()
    def _ask_to_forget(self) -> None:
        self.keep_requested.emit(None)

    def kept(self, point: OperatingPoint | None) -> None:
        """This point is kept now; None: none is."""
        self._kept = point
        self._tell()

    def close_down(self) -> None:
        """Wait for all threads; the page is being closed."""
        for tab in self._tabs:
            tab.close_down()
        self._matcher.close()


def _same(one: OperatingPoint, other: OperatingPoint) -> bool:
    """Whether they keep the same detections."""
    return (one.confidence, sorted(one.own), one.iou, one.kind, one.limit) == (
        other.confidence, sorted(other.own), other.iou, other.kind, other.limit,
    )  # fmt: skip
