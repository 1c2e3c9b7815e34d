"""One detector's side of the window: its name and weights, the picture, its boxes and levels, a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from workbench.core.formatting import count
from workbench.errors import WorkbenchError
from workbench.training.records.runs import RunInfo
from workbench.ui import theme
from workbench.ui.train.trainer_view.boxes_table import BoxesTable
from workbench.ui.train.trainer_view.level_switches import LevelSwitches
from workbench.ui.train.trainer_view.picture import AssignmentPicture
from workbench.ui.train.trainer_view.requests import (
    CERTAIN,
    FRESH,
    AssignmentRequest,
    AssignmentResult,
    StartWeights,
    Weights,
)
from workbench.ui.train.work import DetectorChoice
from workbench.ui.widgets.elided import ElidedCombo, ElidedLabel

_BESIDE = (276, 380)
"""Minimum and maximum width in pixels of the information beside the picture."""
_BELOW = 220
"""Its height in pixels below the picture: the same for all detectors, so that two are laid out alike."""


class DetectorPane(QWidget):
    """`changed` when another detector or other weights were chosen, `box_chosen(row)` when a box was, -1 for none.

    `name` is the prefix of its parts' names. Table and text are beside the picture or below it, whichever leaves it
    more room, until a person moves the border between them.
    """

    changed = Signal()
    box_chosen = Signal(int)

    def __init__(self, name: str, accessible: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: tuple[RunInfo, ...] = ()
        self._start_weights: StartWeights | None = None  # what the training starts from,
        self._start_detector = ""  # with this detector
        self._chosen: Weights | None = None  # None: as the training starts
        self.assignment: AssignmentResult | None = None
        self.shown: AssignmentRequest | None = None  # what is shown, or refused
        self.detector = ElidedCombo(f"{name}-detector", accessible, f"{accessible} whose assignment is shown", 8)
        self.weights = ElidedCombo(
            f"{name}-weights",
            f"Weights of the {accessible.lower()}",
            "The weights of the network. They matter where its predictions decide: hard negatives, what is ignored.",
            8,
        )
        self.picture = AssignmentPicture(f"{name}-picture")
        self.table = BoxesTable(f"{name}-boxes", f"Boxes, and what of the {accessible.lower()} learns them")
        self.levels = LevelSwitches(f"{name}-level")
        self.about = ElidedLabel()
        self.about.setObjectName(f"{name}-about")
        self.about.setProperty("role", "muted")
        self.words = QLabel(wordWrap=True)
        self.words.setObjectName(f"{name}-words")
        self.note = QLabel(wordWrap=True)
        self.note.setObjectName(f"{name}-note")
        self.note.setProperty("role", "muted")
        for label in (self.words, self.note):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self._lay_out()
        self.detector.activated.connect(self._detector_chosen)
        self.weights.activated.connect(self._weights_chosen)
        self.levels.changed.connect(self._levels_changed)
        self.picture.box_chosen.connect(self._picked)
        self.table.box_chosen.connect(self._listed)
        self._offer_weights()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(theme.GRID)
        head.addWidget(self.detector, 3)
        head.addWidget(self.weights, 2)
        self._information = QWidget()
        column = QVBoxLayout(self._information)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID // 2)
        column.addWidget(self.table, 1)
        for part in (self.levels, self.words, self.note):
            column.addWidget(part)
        self.split = QSplitter(childrenCollapsible=False)
        self.split.addWidget(self.picture)
        self.split.addWidget(self._information)
        self.split.setStretchFactor(0, 1)
        self._moved = False
        self.split.splitterMoved.connect(self._split_moved)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID // 2)
        column.addLayout(head)
        column.addWidget(self.about)
        column.addWidget(self.split, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share()

    def _share(self) -> None:
        """Choose the layout with the larger picture."""
        wide, high = self.split.width(), self.split.height()
        narrow = max(_BESIDE[0], min(_BESIDE[1], wide * 2 // 5))
        room = wide - narrow
        beside = room >= self.picture.minimumWidth() and min(room, high) >= min(wide, high - _BELOW)
        direction = Qt.Orientation.Horizontal if beside else Qt.Orientation.Vertical
        if direction != self.split.orientation() or not self._moved:
            self._moved = False
            self.split.setOrientation(direction)
            self._information.setContentsMargins(*((theme.GRID, 0, 0, 0) if beside else (0, theme.GRID, 0, 0)))
            low = max(_BELOW, self._needed(wide))
            self.split.setSizes([room, narrow] if beside else [high - low, low])

    def _needed(self, wide: int) -> int:
        """Height of the information, with a table of a row or two: narrower text is higher."""
        words = sum(label.heightForWidth(wide) for label in (self.words, self.note) if not label.isHidden())
        return self.table.minimumHeight() + self.levels.sizeHint().height() + words + 3 * theme.GRID

    @Slot()
    def _split_moved(self) -> None:
        self._moved = True

    # --- what can be chosen ---

    def fill(self, choices: Sequence[DetectorChoice], runs: Sequence[RunInfo], first: str) -> None:
        """`first`: the detector that is selected."""
        self._runs = tuple(runs)
        self.detector.clear()
        for choice in choices:
            self.detector.addItem(choice.title, choice.name)
            self.detector.setItemData(self.detector.count() - 1, choice.summary, Qt.ItemDataRole.ToolTipRole)
        self.choose(first)

    def offer_runs(self, runs: Sequence[RunInfo]) -> None:
        """Offer these runs. The chosen one stays chosen."""
        if isinstance(self._chosen, Path):
            self._chosen = _current_weights(self._chosen, self._runs, runs)
        self._runs = tuple(runs)
        self._offer_weights()

    def choose(self, detector: str) -> None:
        self.detector.setCurrentIndex(max(0, self.detector.findData(detector)))
        self._offer_weights()

    def offer_start(self, file: Path | None, detector: str) -> None:
        """The training of this detector starts with the weights in `file`."""
        start_weights = None if file is None else StartWeights(file)
        if (start_weights, detector) != (self._start_weights, self._start_detector):
            self._start_weights, self._start_detector = start_weights, detector
            self._offer_weights()

    @property
    def detector_name(self) -> str:
        """Empty while nothing can be chosen."""
        return self.detector.currentData() or ""

    @property
    def weights_wanted(self) -> Weights:
        data = self.weights.currentData()
        return data if isinstance(data, Path | StartWeights) else str(data)

    def _offer_weights(self) -> None:
        """An unchanged list is left alone: it may be open."""
        combo, wanted = self.weights, self._all_weights()
        if wanted != [(combo.itemText(row), combo.itemData(row)) for row in range(combo.count())]:
            combo.clear()
            for text, weights in wanted:
                combo.addItem(text, weights)
        rows = [row for row, (_, weights) in enumerate(wanted) if weights == self._chosen]
        combo.setCurrentIndex(rows[0] if rows else 0)

    def _all_weights(self) -> list[tuple[str, Weights]]:
        """The weights that the detector can use, with their names."""
        found: list[tuple[str, Weights]] = []
        if self._start_weights is not None and self._start_detector == self.detector_name:
            found.append((f"Start from {_name(self._start_weights.file, self._runs)}", self._start_weights))
        found += [("Fresh weights", FRESH), ("No weights: only what doesn't depend on them", CERTAIN)]
        for run in self._runs:
            file = run.checkpoint
            if run.detector == self.detector_name and file is not None:
                found.append((f"Run {run.name}", file))
        return found

    @Slot()
    def _detector_chosen(self) -> None:
        self._offer_weights()
        self.changed.emit()

    @Slot()
    def _weights_chosen(self) -> None:
        first = self.weights.currentIndex() == 0  # as the training starts, whatever that will be
        self._chosen = None if first else self.weights_wanted
        self.changed.emit()

    # --- what is shown ---

    def wait(self) -> None:
        """Something else was requested: what is shown is out of date."""
        self.picture.wait()
        for label in (self.about, self.words, self.note):
            label.setStyleSheet("color: transparent")  # it keeps its place, so that nothing jumps
        for part in (self.table, self.levels):
            part.setEnabled(False)

    def settle(self) -> None:
        """What is shown is what was requested."""
        self.picture.waits = False
        self.picture.update()
        for label in (self.about, self.words, self.note):
            label.setStyleSheet("")
        for part in (self.table, self.levels):
            part.setEnabled(True)

    def show_assignment(self, assignment: AssignmentResult, colours: tuple[int, ...] | None = None) -> None:
        """`colours` as from colours.colour_indices, if another pane sets them."""
        self.assignment = assignment
        self.levels.show_assignment(assignment)
        self.picture.hidden = self.levels.hidden
        self.picture.show_assignment(assignment, colours)
        self.table.show_assignment(assignment, self.picture.colour_indices)
        self.about.setText(assignment.about)
        self.about.setToolTip(assignment.about)
        self.words.setText(summary(assignment))
        self.note.setText(assignment.note)
        self.note.setVisible(bool(assignment.note))
        self.settle()
        self._share()

    def recolour(self, colours: tuple[int, ...]) -> None:
        """The same boxes in other colours, as from colours.colour_indices."""
        if self.assignment is not None and colours != self.picture.colour_indices:
            self.picture.colour_indices = colours
            self.picture.renew()
            self.table.show_assignment(self.assignment, colours)
            self.table.choose(self.picture.chosen)

    def refuse(self, sentence: str) -> None:
        """Show nothing, and say why."""
        self.assignment = None
        self.levels.clear()
        self.picture.refuse(sentence)
        self.table.setRowCount(0)
        for label in (self.about, self.words, self.note):
            label.setText("")
        self.note.hide()
        self.settle()

    def show_result(self, result: object) -> None:
        """Show an AssignmentResult, or the WorkbenchError in its place."""
        if isinstance(result, AssignmentResult):
            self.show_assignment(result)
        elif isinstance(result, WorkbenchError):
            self.refuse(result.sentence)

    def choose_box(self, box: int) -> None:
        """Show what is trained on this box, in picture and table; -1: everything. Emits no signal."""
        self.picture.choose(box)
        self.table.choose(box)

    @Slot(int)
    def _picked(self, box: int) -> None:
        """A box was clicked in the picture; the same one again deselects it."""
        self._listed(-1 if box == self.picture.chosen else box)
        self.table.choose(self.picture.chosen)

    @Slot(int)
    def _listed(self, box: int) -> None:
        self.picture.choose(box)
        self.box_chosen.emit(box)

    @Slot()
    def _levels_changed(self) -> None:
        self.picture.hidden = self.levels.hidden
        self.picture.renew()


def _current_weights(file: Path, before: Sequence[RunInfo], now: Sequence[RunInfo]) -> Path:
    """Weights of the same run, which may now have better ones, or another name. `file` itself if it is gone."""
    began = next((run.started for run in before if run.folder == file.parent), None)
    same = [run for run in now if run.folder == file.parent] or [run for run in now if run.started == began]
    return (same[0].checkpoint if same else None) or file


def _name(file: Path, runs: Sequence[RunInfo]) -> str:
    """For a run its own name; all runs' files have the same."""
    return next((f"run {run.name}" for run in runs if run.folder == file.parent), file.name)


def summary(assignment: AssignmentResult) -> str:
    """What becomes of boxes and priors, in a few sentences."""
    learnt, noun = len(set(assignment.box.tolist())), assignment.kind
    words = f"{learnt:,} of {_are(len(assignment.ignore), 'box')} learnt, by {count(assignment.positives, noun)}"
    shared = len(assignment.shared)
    words += f", {shared:,} of which {'learns' if shared == 1 else 'learn'} several. " if shared else ". "
    if assignment.ignore.any():
        passed = int(assignment.ignore.sum())
        words += f"{_are(passed, 'box')} ignored on purpose. "
    parts = []
    if assignment.ignored is not None:
        parts.append(f"{_are(int(assignment.ignored.sum()), noun)} ignored")
    if assignment.negative is not None:
        parts.append(f"{_are(int(assignment.negative.sum()))} learnt as background")
        parts += [f"{_are(assignment.unused_negatives)} not used"] if assignment.unused_negatives else []
    return words + (f"{', '.join(parts)}." if parts else "").strip()


def _are(number: int, noun: str = "") -> str:
    return f"{count(number, noun) if noun else f'{number:,}'} {'is' if number == 1 else 'are'}"
