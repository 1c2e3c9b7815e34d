"""The right side of the Anchors page: how good the anchors are, and what they mean, in tabs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QPushButton, QTabWidget, QVBoxLayout, QWidget

from workbench.anchors import Step
from workbench.core import formatting
from workbench.core.formatting import percent
from workbench.core.project import AnchorSet
from workbench.core.resize import base_mode
from workbench.errors import WorkbenchError
from workbench.ui import preferences, theme
from workbench.ui.actions import tell_key
from workbench.ui.anchors.computation import AnchorChoices, Boxes, ResizeRequest, read_resized
from workbench.ui.anchors.details import Details, DetailsRequest, compute_details
from workbench.ui.anchors.result import AnchorsTable, FitNumbers
from workbench.ui.anchors.rules import Need, OwnLevels, OwnLevelsRequest, detectors, need_of, own_levels
from workbench.ui.anchors.sets import SetsTable
from workbench.ui.anchors.tables import LabelsView, ScalesView
from workbench.ui.background import Background
from workbench.ui.widgets.elided import ElidedLabel

_ANCHORS, _SCALES, _LABELS = 0, 2, 3
_USUAL = "yolov4-tiny"  # as on Train
_LOW = 420  # px of window height below which stacked numbers would leave no room for tables


@dataclass(frozen=True, slots=True, eq=False)
class _Subject:
    """The subject of the tabs."""

    boxes: Boxes
    centres: NDArray[np.float64]
    choices: AnchorChoices
    folder: Path

    @property
    def px(self) -> int:
        return self.choices.px


class ResultPanel(QWidget):
    """Shows what it is given. `details_requested`: a tab that has none yet was opened."""

    details_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = Background("Anchors in detail", compute_details, self)
        self._rules = Background("What detectors want of anchors", _answer, self)  # apart: it loads torch, for seconds
        self._background.done.connect(self._done)
        self._rules.done.connect(self._done)
        self._request: DetailsRequest | None = None
        self._subject: _Subject | None = None
        self._offered = False
        self._needs: dict[str, Need] = {}
        self._own: tuple[OwnLevelsRequest, OwnLevels] | None = None
        self._resized: tuple[ResizeRequest, Boxes] | None = None  # the boxes with images resized in another way
        self._shows: tuple[str, int, int] | None = None  # detector, input side, anchors
        self.numbers = FitNumbers()
        self.table, self.sets, self.scales, self.labels = AnchorsTable(), SetsTable(), ScalesView(), LabelsView()
        self.tabs = QTabWidget()
        self.tabs.setObjectName("anchors-tabs")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID)
        column.addWidget(self.numbers)
        column.addWidget(self.tabs, 1)
        for widget, title in (
            (self.table, "Anchors"), (self.sets, "Sets"), (self.scales, "Scales"), (self.labels, "Labels"),
        ):  # fmt: skip
            self.tabs.addTab(widget, title)
        self.use = QPushButton("Use in training")
        self.use.setObjectName("anchors-use")
        self.use.setProperty("role", "primary")
        tell_key(self.use, "anchors-use", "{}. Can be undone.")
        self.in_use = ElidedLabel()
        self.in_use.setObjectName("anchors-in-use")
        self.published = QPushButton()
        self.published.setObjectName("anchors-published")
        self.published.setAccessibleName("Use the published anchors again")
        self.published.setToolTip("Trainings will use the anchors that come with the detector. Can be undone.")
        self.scales.detector_chosen.connect(self._detector_chosen)
        self.tabs.currentChanged.connect(self._tab_changed)
        self._foot = QGridLayout()
        self._foot.setSpacing(theme.GRID)
        column.addLayout(self._foot)
        self._is_low: bool | None = None
        self._set_low(False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._set_low(self.height() < _LOW)
        super().resizeEvent(event)

    def _set_low(self, on: bool) -> None:
        """In a low window numbers and buttons stand side by side, to leave rows for the tables."""
        if on == self._is_low:
            return
        self._is_low = on
        self.numbers.set_low(on)
        self.published.setText("Use published" if on else "Use the published ones again")
        self._foot.addWidget(self.use, 0, 0, 1, 1 if on else 2)
        self._foot.addWidget(self.published, *((0, 1) if on else (2, 0, 1, 2)))
        self._foot.addWidget(self.in_use, 1, 0, 1, 2)

    # --- what is shown ---

    def show_step(self, step: Step | None, px: int, boxes: int) -> None:
        """`boxes`: their number, each counted once."""
        self.use.setEnabled(step is not None)
        self.numbers.show_step(step, px)
        self.table.show_step(step, px, boxes)

    def begin(self, px: int) -> None:
        """Others are being computed: the tables are out of date."""
        self._request = self._subject = self._shows = None
        self.show_step(None, px, 0)
        if self._offered:
            self.scales.wait("Computing …")

    def select_anchor(self, number: int) -> None:
        """Select an anchor in the table."""
        self.tabs.setCurrentIndex(_ANCHORS)
        self.table.selectRow(number)

    def show_used(self, used: AnchorSet | None, anchorless: str = "") -> None:
        """The anchors used in training; `anchorless`: the detector to be trained, if it takes none."""
        self.published.setEnabled(used is not None)
        if anchorless:
            self.in_use.setText(f"{anchorless}, chosen on the Train page, has no anchors.")
            self.in_use.setToolTip("The anchors here are for detectors that have some, such as YOLOv4-tiny.")
            return
        if used is None:
            self.in_use.setText("In training: the published anchors of the detector.")
            self.in_use.setToolTip("")
            return
        number = formatting.count(len(used.sizes), "anchor")
        text = f"In training: {number}, {used.input_px:,} px, mean IoU was {percent(used.mean_iou)}"
        self.in_use.setText(text)
        sizes = ", ".join(f"{w:g}×{h:g}" for w, h in used.sizes)
        scaled = "A training with another input side scales them to it."
        self.in_use.setToolTip(f"{text}, of the boxes at the time they were made. {scaled}\n{used.source}\n{sizes}")

    def forget(self) -> None:
        """Show nothing: there are no boxes, or they can't be clustered."""
        self._request = self._subject = self._own = self._shows = self._resized = None
        self._background.ask([])
        if self._offered:  # else they are being loaded, which is for every project
            self._rules.ask([])
        self.show_step(None, 416, 0)
        self.sets.show_sets((), None, None)
        self.scales.show_details(None)
        self.labels.show_details(None, ())

    # --- scales and labels ---

    def show_details(self, boxes: Boxes, centres: NDArray[np.float64], choices: AnchorChoices, folder: Path) -> None:
        """For the open tab; computed in a thread."""
        self._subject = _Subject(boxes, centres, choices, folder)
        self._ask()

    def _ask(self) -> None:
        subject, need, own, resize = self._subject, None, None, ""
        if subject is None or self.tabs.currentIndex() not in (_SCALES, _LABELS):
            return
        if self.tabs.currentIndex() == _SCALES:
            need = self._need(subject)
            if need is None:
                return
            if not (need.published or need.problem):  # anchors for another way of resizing don't come into it
                resized = self._boxes_resized_for(need, subject)
                if resized is None:
                    return
                resize, subject = base_mode(need.resize), replace(subject, boxes=resized)
            if not (need.published or need.cells or need.problem):
                own = self._own_of(need, subject)
                if own is None:
                    return
        self._request = DetailsRequest(
            subject.boxes, subject.centres, need, subject.px, own, subject.choices.resize, resize
        )
        self._background.ask([self._request])

    def _need(self, subject: _Subject) -> Need | None:
        """The chosen detector's, for this number of anchors; None while it is being worked out."""
        if not self._offered:
            self.scales.wait("Loading the detectors, once: this takes some seconds …")
            self._rules.ask(["detectors"])
            return None
        name, count = str(self.scales.detector.currentData()), len(subject.centres)
        if self._shows != (name, subject.px, count):
            self._shows = (name, subject.px, count)
            self.scales.wait("Computing …")
        need = self._needs.get(name)
        if need is None or (need.published and need.count != count):
            self._rules.ask([(name, count)])
            return None
        return need

    def _own_of(self, need: Need, subject: _Subject) -> OwnLevels | None:
        """Where a detector without anchors learns these boxes; None while it is being worked out."""
        if self._own is not None:
            request, own = self._own
            if (request.name, request.px) == (need.name, subject.px) and request.boxes is subject.boxes:
                return own
        self._rules.ask([OwnLevelsRequest(subject.boxes, need.name, subject.px)])
        return None

    def _boxes_resized_for(self, need: Need, subject: _Subject) -> Boxes | None:
        """The boxes with images resized as for this detector; None while they are being read."""
        if base_mode(need.resize) == base_mode(subject.choices.resize):
            return subject.boxes
        if self._resized is not None:
            request, boxes = self._resized
            if request.boxes is subject.boxes and base_mode(request.resize) == base_mode(need.resize):
                return boxes
        self._rules.ask([ResizeRequest(subject.boxes, subject.folder, subject.choices, base_mode(need.resize))])
        return None

    @Slot(object, object)
    def _done(self, request: object, result: object) -> None:
        if isinstance(result, WorkbenchError):
            self.scales.wait(result.sentence)
        elif request == "detectors":
            assert isinstance(result, tuple)
            self._offered = True
            self.scales.offer(result, str(preferences.get("anchors/detector", _USUAL)))
            self._ask()
        elif isinstance(result, Need):
            self._needs[result.name] = result
            self._ask()
        elif isinstance(result, OwnLevels) and isinstance(request, OwnLevelsRequest):
            self._own = request, result
            self._ask()
        elif isinstance(result, Boxes) and isinstance(request, ResizeRequest):
            self._resized = request, result
            self._ask()
        elif request is self._request and isinstance(result, Details) and isinstance(request, DetailsRequest):
            if request.need is not None:
                self.scales.show_details(result)
            self.labels.show_details(result, request.boxes.names)

    @Slot(str)
    def _detector_chosen(self, name: str) -> None:
        preferences.put("anchors/detector", name)
        self._ask()

    @Slot(int)
    def _tab_changed(self, index: int) -> None:
        if index in (_SCALES, _LABELS):
            self.details_requested.emit()

    def close_down(self) -> None:
        """The window closes: wait for the threads."""
        self._background.close()
        self._rules.close()


def _answer(request: OwnLevelsRequest | ResizeRequest | tuple[str, int] | str) -> object:
    """Runs in a thread of its own: torch is loaded here, when detectors are first needed."""
    if isinstance(request, ResizeRequest):
        return read_resized(request)
    if isinstance(request, OwnLevelsRequest):
        return own_levels(request)
    return detectors() if isinstance(request, str) else need_of(*request)
