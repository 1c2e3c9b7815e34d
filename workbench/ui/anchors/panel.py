"""The right side of the Anchors page: how good the anchors are, and what they mean, in tabs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QPushButton, QTabWidget, QVBoxLayout, QWidget

from workbench.anchors import Pool, Step
from workbench.core.project import AnchorSet
from workbench.errors import WorkbenchError
from workbench.ui import preferences, theme
from workbench.ui.anchors.details import Details, Need, Wish, details, detectors, need_of
from workbench.ui.anchors.result import AnchorsTable, Numbers
from workbench.ui.anchors.sets import Entry, SetsTable
from workbench.ui.anchors.tables import LabelsView, ScalesView
from workbench.ui.anchors.work import Boxes
from workbench.ui.background import Background
from workbench.ui.session import Session
from workbench.ui.widgets.elided import Elided

_SCALES, _LABELS = 2, 3
_USUAL = "yolov3"


class Panel(QWidget):
    """What it is told to show; and what a person asks for, as signals."""

    typed = Signal(int, float, float)
    set_chosen = Signal(object)
    kept = Signal(str)
    dropped = Signal(str)
    use_asked = Signal()
    published_asked = Signal()
    box_asked = Signal(int)
    details_asked = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._background: Background | None = None
        self._wish: Wish | None = None
        self._boxes: Boxes | None = None
        self._each = 1
        self._needs: dict[str, Need] = {}
        self._asked_detectors = False
        self.numbers = Numbers()
        self.table, self.sets, self.scales, self.labels = AnchorsTable(), SetsTable(), ScalesView(), LabelsView()
        self.tabs = QTabWidget()
        self.tabs.setObjectName("anchors-tabs")
        for widget, title in (
            (self.table, "Anchors"), (self.sets, "Sets"), (self.scales, "Scales"), (self.labels, "Labels"),
        ):  # fmt: skip
            self.tabs.addTab(widget, title)
        self.use = QPushButton("Use these anchors")
        self.use.setObjectName("anchors-use")
        self.use.setProperty("role", "primary")
        self.use.setToolTip("Trainings of this project will use these. Can be undone.")
        self.in_use = Elided()
        self.in_use.setObjectName("anchors-in-use")
        self.published = QPushButton("Use the published ones again")
        self.published.setObjectName("anchors-published")
        self.published.setToolTip("Trainings will use the anchors that come with the detector. Can be undone.")
        self._connect()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID)
        column.addWidget(self.numbers)
        column.addWidget(self.tabs, 1)
        for line in (self.use, self.in_use, self.published):
            column.addWidget(line)

    def _connect(self) -> None:
        self.table.typed.connect(self.typed)
        self.sets.chosen.connect(self.set_chosen)
        self.sets.kept.connect(self.kept)
        self.sets.dropped.connect(self.dropped)
        self.scales.detector_chosen.connect(self._detector_chosen)
        self.labels.worst_asked.connect(self.box_asked)
        self.tabs.currentChanged.connect(self._tab_changed)
        self.use.clicked.connect(self.use_asked)
        self.published.clicked.connect(self.published_asked)

    # --- what is shown ---

    def show_step(self, step: Step | None, px: int, each: int) -> None:
        self.use.setEnabled(step is not None)
        self.numbers.show_step(step, px)
        self.table.show_step(step, each)

    def show_sets(self, entries: Sequence[Entry], pool: Pool | None, shown: AnchorSet | None) -> None:
        self.sets.show_sets(entries, pool, shown)

    def show_used(self, used: AnchorSet | None) -> None:
        self.published.setVisible(used is not None)
        if used is None:
            self.in_use.setText("In use: those published with the detector.")
            self.in_use.setToolTip("")
            return
        self.in_use.setText(f"In use: {len(used.sizes)} for {used.input_px} px, mean IoU {100 * used.mean_iou:.1f} %.")
        self.in_use.setToolTip(f"{used.source}\n" + ", ".join(f"{w:g}×{h:g}" for w, h in used.sizes))

    def show_details(self, boxes: Boxes, centres: NDArray[np.float64], px: int, each: int) -> None:
        """For the tabs that are open; they are worked out in a thread."""
        self._boxes, self._each = boxes, each
        if self.tabs.currentIndex() not in (_SCALES, _LABELS):
            return
        need = self._needs.get(str(self.scales.detector.currentData()))
        self._wish = Wish(boxes, centres, need, px)
        if self.tabs.currentIndex() == _SCALES and not self._asked_detectors:
            self._asked_detectors = True
            self.scales.words.setText("Looking at the detectors …")
            self._ask(["detectors"])
        else:
            self._ask([self._wish])

    def _ask(self, wishes: list[object]) -> None:
        if self._background is None:
            self._background = Background("Anchors in detail", _work, self)
            self._background.done.connect(self._done)
        self._background.ask(wishes)  # type: ignore[arg-type]

    @Slot(object, object)
    def _done(self, wish: object, result: object) -> None:
        if isinstance(result, WorkbenchError):
            self.scales.show_details(None)
            self.scales.words.setText(result.sentence)
        elif wish == "detectors":
            assert isinstance(result, tuple)
            self.scales.offer(result, str(preferences.get("anchors/detector", _USUAL)))
            self._detector_chosen(str(self.scales.detector.currentData()))
        elif isinstance(result, Need):
            self._needs[result.name] = result
            self.details_asked.emit()
        elif wish is self._wish and isinstance(result, Details) and self._boxes is not None:
            self.scales.show_details(result)
            self.labels.show_details(result, self._boxes.names, self._each)

    @Slot(str)
    def _detector_chosen(self, name: str) -> None:
        preferences.put("anchors/detector", name)
        if name in self._needs:
            self.details_asked.emit()
        else:
            self._ask([f"need {name}"])

    @Slot(int)
    def _tab_changed(self, index: int) -> None:
        if index in (_SCALES, _LABELS):
            self.details_asked.emit()

    def close_down(self) -> None:
        """Wait for what is being worked out."""
        if self._background is not None:
            self._background.close()
            self._background.deleteLater()
            self._background = None
        self._wish = self._boxes = None


def _work(wish: object) -> object:
    """In the background's thread; torch is loaded here, when detectors are first asked for."""
    if wish == "detectors":
        return detectors()
    if isinstance(wish, str):
        return need_of(wish.removeprefix("need "))
    assert isinstance(wish, Wish)
    return details(wish)
