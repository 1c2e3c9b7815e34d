"""The trainings that wait for their turn: a table in their order, and buttons to move, edit and remove them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench import settings
from workbench.core.document import Document
from workbench.errors import WorkbenchError
from workbench.training.records.queue_file import QueuedTraining
from workbench.training.records.runs import weights_name
from workbench.training.records.training_queue import TrainingQueue
from workbench.training.settings import TrainingSettings
from workbench.ui import theme
from workbench.ui.actions import make_action, tell_key
from workbench.ui.held_keys import HeldKeys
from workbench.ui.train.form.training_data import length_now, lengthened
from workbench.ui.train.titles import detector_title
from workbench.ui.widgets.buttons import push_button
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.tables import align_heads, make_copyable, style_table

COLUMNS = ("Turn", "Run", "State", "Detector", "Recipe", "Starts from", "Epochs")
TURN, NAME, STATE, DETECTOR, RECIPE, START, EPOCHS = range(len(COLUMNS))
REFUSED, GOES_ON = "could not begin", "its last checkpoint"
LONG = (NAME, START)  # which share what the other columns leave
NOTE = "Each learns from the project as it is when its turn comes."
RESUMED = "It goes on with the data and settings that it began with."
SHARED = "All folds learn from the same data: the project as it is when the first of them begins."
_KEY = Qt.ItemDataRole.UserRole


class QueueList(QWidget):
    """`edit_requested(int)`, `remove_requested(int)`, `move_requested(int, int)` with the key of a training; the last
    by how many places.
    """

    edit_requested = Signal(int)
    remove_requested = Signal(int)
    move_requested = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._waiting: tuple[QueuedTraining, ...] = ()
        self._current: int | None = None
        self._document: Document | None = None
        self.table = _Table()
        self._note = ElidedLabel(NOTE)
        self._note.setObjectName("train-queue-note")
        self._note.setProperty("role", "muted")
        self._foot = QHBoxLayout()
        self._foot.setSpacing(theme.GRID)
        self._foot.addWidget(self._note, 1)
        self._earlier = self._command("queue-earlier", "Earlier", lambda key: self.move_requested.emit(key, -1))
        self._later = self._command("queue-later", "Later", lambda key: self.move_requested.emit(key, 1))
        self._edit = self._command("queue-edit", "Edit", self.edit_requested.emit)
        once = HeldKeys(self).once
        self._remove = self._command(
            "queue-remove", "Remove", lambda key: once(partial(self.remove_requested.emit, key))()
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.GRID, 0, 0)
        column.addWidget(self.table, 1)
        column.addLayout(self._foot)
        self.table.itemSelectionChanged.connect(self._enable)
        self.show_queue(None, None)

    def show_queue(self, queue: TrainingQueue | None, document: Document | None) -> None:
        """Show what waits; the selected one stays selected, or the one that is now in its place."""
        self._document = document
        self._waiting = queue.waiting if queue is not None and document is not None else ()
        self._current = queue.current if queue is not None else None
        if document is None:
            self.table.setRowCount(0)
        else:
            self.table.fill(self._waiting, self._current, document)
        self._enable()

    @property
    def selected(self) -> int | None:
        """The key of the selected training."""
        return self.table.selected

    @Slot()
    def _enable(self) -> None:
        rows, key = self.table.rowCount(), self.selected
        free = key is not None and key != self._current
        row = self.table.currentRow()
        refused = [one for one in self._waiting if one.problem]
        chosen = next((one for one in self._waiting if one.key == key), None)
        odd = chosen if chosen in refused else next(iter(refused), None)
        told = ""
        if odd is not None and self._document is not None:
            told = f"{odd.called(self._document.runs_folder)}: {odd.problem}"
        resumes = chosen is not None and chosen.resumes
        shares_data = chosen is not None and chosen.shares_data
        self._note.setText(told or (RESUMED if resumes else SHARED if shares_data else NOTE))
        self._earlier.setEnabled(free and row > 0)
        self._later.setEnabled(free and row < rows - 1)
        self._edit.setEnabled(free and not resumes)  # its settings stay as they are
        self._remove.setEnabled(free)

    def _command(self, command: str, word: str, ask: Callable[[int], object]) -> QAction:
        """A button and a key that `ask` for the selected training, while the action is enabled."""

        def act() -> None:
            if self.selected is not None:
                ask(self.selected)

        def enable(on: bool) -> None:
            if not on and button.hasFocus():
                self.table.setFocus()  # else Qt moves it to the next button, which the next Space would press
            button.setEnabled(on)

        action, button = make_action(self, command, act), push_button(f"train-{command}", word)
        button.clicked.connect(action.trigger)
        action.enabledChanged.connect(enable)
        tell_key(button, command)
        self._foot.addWidget(button)
        return action


class _Table(QTableWidget):
    """One row for each."""

    def __init__(self) -> None:
        super().__init__(0, len(COLUMNS))
        self.setObjectName("train-queue")
        self.setAccessibleName("Queue of trainings")
        self.setHorizontalHeaderLabels(COLUMNS)
        style_table(self)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        make_copyable(self)
        align_heads(self.horizontalHeader(), (TURN, EPOCHS))
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        for column in LONG:
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)

    @property
    def selected(self) -> int | None:
        rows = self.selectionModel().selectedRows()
        return rows[0].data(_KEY) if rows else None

    def fill(self, waiting: Sequence[QueuedTraining], current: int | None, document: Document) -> None:
        key, row = self.selected, self.currentRow()
        self.blockSignals(True)
        self.setRowCount(len(waiting))
        asked = [_settings(one) for one in waiting]
        lengths = {one: length_now(document, one) for one in set(asked) if one is not None}
        turn = 0
        for place, (one, training) in enumerate(zip(waiting, asked, strict=True)):
            turn += not one.problem
            epochs = _epochs(training, lengths[training]) if training is not None else ("–", "")
            for column, (text, tip) in enumerate((*_cells(one, turn, one.key == current, document), epochs)):
                cell = QTableWidgetItem(text)
                cell.setData(_KEY, one.key)
                cell.setToolTip(tip or text)  # the cell may be elided
                if column in (TURN, EPOCHS):
                    cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(place, column, cell)
        keys = [one.key for one in waiting]
        if waiting and row >= 0:
            self.selectRow(keys.index(key) if key in keys else min(row, len(keys) - 1))
        self.blockSignals(False)
        self.viewport().update()


def _cells(one: QueuedTraining, turn: int, begins: bool, document: Document) -> tuple[tuple[str, str], ...]:
    """The texts of a row but for the epochs, each with its tooltip ("": the same). `turn`: of those that can begin."""
    called, start = one.called(document.runs_folder), one.start_file(document.runs_folder)
    state = REFUSED if one.problem else "being started" if begins else "next" if turn == 1 else "waiting"
    weights = GOES_ON if one.resumes else weights_name(start) if start is not None else "fresh weights"
    return (
        ("–" if one.problem else str(turn), ""),
        (called, "" if one.name else "Its name will be the detector's with a number."),
        (state, one.problem),
        (detector_title(one.detector), ""),
        (str(one.recipe.get("title", "")), ""),
        (weights, "" if start is None else str(start)),
    )


def _epochs(training: TrainingSettings, now: TrainingSettings) -> tuple[str, str]:
    """Of the project's images of now; of a run that goes on, its own."""
    few = f"With so few images {lengthened(now)}, instead of {training.epochs:,} in {training.batch}"
    return f"{now.epochs:,}", few if now != training else ""


def _settings(one: QueuedTraining) -> TrainingSettings | None:
    """None if they are of another version."""
    try:
        return settings.with_values(TrainingSettings(), one.recipe.get("training", {}))
    except (WorkbenchError, AttributeError):
        return None
