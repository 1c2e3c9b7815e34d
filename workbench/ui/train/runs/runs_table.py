"""The table of runs: sorted by any column, multiple selection with Ctrl and Shift, names and notes edited in place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from workbench.core.files import natural_key
from workbench.core.formatting import count, share
from workbench.training.records import runs
from workbench.training.records.runs import RunInfo
from workbench.training.settings import FEW_JUDGES
from workbench.ui.train.runs.evaluation_size import chance_note, newest_or_best
from workbench.ui.train.titles import detector_title
from workbench.ui.widgets.empty_state import paint_hint
from workbench.ui.widgets.sort_header import SortHeader
from workbench.ui.widgets.tables import deferred_column_sizing, make_copyable, style_table

COLUMNS = ("Run", "Detector", "State", "Epochs", "AP50", "AP", "Data", "Started", "Note")
NAME, DETECTOR, STATE, EPOCHS, AP50, AP, DATA, STARTED, NOTE = range(len(COLUMNS))
OF_BEST = (
    "Of the run's best weights, which Inspect and Export use."
    f" With fewer than {FEW_JUDGES} images to judge by, it is largely chance, so the newest weights count as the best."
)
STARTING = "starting"  # the state of a run that is resumed here, until it has begun
EMPTY = "No run yet. Choose a recipe at the left and start a training: its run is listed here."
TYPING = 360  # px, the editor of a note
LEAST_NOTE = 120  # px, the minimum width of its column
LEAST_NAME = 160  # px of a cut name, if the other columns then all stay visible
MOST_NAME = 0.4  # of the table's width if they do not, so that at least the AP50 stays visible
LEAST_ROWS = 3  # visible in the smallest window
_NUMBERS = (EPOCHS, AP50, AP)
_RUN, _KEY = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
_Index = QModelIndex | QPersistentModelIndex
_BREAK = " ↵ "  # how a line break is shown and typed in a note


class RunsTable(QTableWidget):
    """`renamed(RunInfo, str)` and `noted(RunInfo, str)` after editing; it does not show the new text by itself.

    `may_type` is asked before each editing, and says why if not.
    """

    renamed = Signal(object, str)
    noted = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self._runs: dict[str, RunInfo] = {}
        self._data_digest = ""
        self._waiting: Sequence[RunInfo] | None = None  # arrived while somebody was editing
        self.may_type: Callable[[], bool] = lambda: True
        self._is_known = False
        self._beginning = ""
        self.setObjectName("train-runs")
        self.setAccessibleName("Runs")
        SortHeader(self)
        for column, title in enumerate(COLUMNS):
            head = QTableWidgetItem(title)
            head.setTextAlignment(_side(column))
            head.setToolTip(OF_BEST if column in (AP50, AP) else "")
            self.setHorizontalHeaderItem(column, head)
        make_copyable(self)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        header = style_table(self)
        self.setMinimumHeight((1 + LEAST_ROWS) * self.verticalHeader().defaultSectionSize() + 2 * self.frameWidth())
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        for wide in (NAME, NOTE):
            header.setSectionResizeMode(wide, QHeaderView.ResizeMode.Fixed)  # by _share_room
        header.sectionResized.connect(self._share_room)
        header.setSortIndicator(STARTED, Qt.SortOrder.DescendingOrder)
        self.setColumnHidden(NOTE, True)
        self.setItemDelegateForColumn(NOTE, _WideEditor(self))
        self.itemChanged.connect(self._typed)
        self.cellDoubleClicked.connect(self._double_clicked)

    # --- what it shows ---

    def set_known(self, known: bool) -> None:
        """Whether the project's runs have been read; only then does an empty table mean that there are none."""
        self._is_known = known
        self.viewport().update()

    def set_beginning(self, name: str) -> None:
        """A training of this name begins: its run is listed, or listed as running, once it has begun; "": none."""
        before, self._beginning = self._beginning, name
        for one in (before, name):
            self._renew(one, STATE)
        self.viewport().update()

    def set_runs(self, found: Sequence[RunInfo], select: Sequence[str] = ()) -> None:
        """Show these runs; the selection is kept, or is those called `select` if there is none. Emits no signals."""
        if self.is_editing:
            self._waiting = found
            return
        there, scrolled_to = {run.name for run in found}, self.verticalScrollBar().value()
        kept = [run.name for run in self.chosen if run.name in there]
        chosen = kept or [name for name in select if name in there]
        current = self._cell_at(self.currentRow(), NAME).data(_RUN) if self.currentRow() >= 0 else ""
        self._runs = {run.name: run for run in found}
        if self._beginning in self._runs and self._runs[self._beginning].is_running:
            self._beginning = ""
        self.blockSignals(True)
        self.setSortingEnabled(False)
        self.setRowCount(len(found))
        with deferred_column_sizing(self):
            for row, run in enumerate(found):
                for column in range(len(COLUMNS)):
                    self.setItem(row, column, self._cell(run, column))
        self.setSortingEnabled(True)
        self.setColumnHidden(NOTE, not any(run.note for run in found))
        self._choose(chosen, current)
        self.blockSignals(False)
        if kept:  # during a training they are listed every few seconds, and somebody may be reading further down
            self.verticalScrollBar().setValue(scrolled_to)
        policy = Qt.ScrollBarPolicy
        self.setHorizontalScrollBarPolicy(policy.ScrollBarAsNeeded if found else policy.ScrollBarAlwaysOff)
        self._share_room()
        self.viewport().update()

    def show_epoch(self, name: str, epoch: int) -> None:
        """A run that is being trained has come to this epoch: it is listed again only when it saves or is evaluated."""
        run = self._runs.get(name)
        if run is not None and epoch > run.epoch and not self.is_editing:
            self._runs[name] = replace(run, epoch=epoch)
            self._renew(name, EPOCHS)

    def _renew(self, name: str, column: int) -> None:
        if name in self._runs and not self.is_editing:  # else all are renewed at its end
            self.blockSignals(True)
            self.setItem(self._row_of(name), column, self._cell(self._runs[name], column))
            self.blockSignals(False)

    @Slot()
    def _share_room(self, column: int = -1) -> None:
        """Names get what the other columns leave; if that is less than LEAST_NAME, up to MOST_NAME of the table."""
        if column in (NAME, NOTE):
            return
        header, room = self.horizontalHeader(), self.viewport().width()
        left = room - sum(header.sectionSize(one) for one in range(len(COLUMNS)) if one not in (NAME, NOTE))
        longest = max(self.sizeHintForColumn(NAME), header.sectionSizeHint(NAME))
        for_note = 0 if self.isColumnHidden(NOTE) else LEAST_NOTE
        rest = left - for_note
        most = rest if rest >= LEAST_NAME else int(MOST_NAME * room)
        name = max(min(longest, most), 0 if for_note else left)
        header.resizeSection(NAME, name)
        if for_note:
            header.resizeSection(NOTE, max(left - name, for_note))

    def set_data_digest(self, digest: str) -> None:
        """The digest of the project's data now, "" while unknown."""
        if digest != self._data_digest:
            self._data_digest = digest
            self.blockSignals(True)
            for row in range(self.rowCount()):
                self._cell_at(row, DATA).setToolTip(self._about_data(self._run_in(row)))
            self.blockSignals(False)

    def _cell(self, run: RunInfo, column: int) -> QTableWidgetItem:
        if column == STATE and run.name == self._beginning and not run.is_running:
            run = replace(run, state=STARTING)
        cell = _Cell(_text(run, column))
        cell.setData(_KEY, _key(run, column))
        cell.setData(_RUN, run.name)
        cell.setToolTip(self._about_data(run) if column == DATA else _about(run, column))
        cell.setTextAlignment(_side(column))
        return cell

    def _about_data(self, run: RunInfo) -> str:
        if not run.images:
            return "Weights that were imported: what they learnt from is not known."
        words = f"{count(run.images, 'image')} to learn from, {run.validation_images:,} to validate on."
        if not run.digest:
            return words
        words += f"\nFingerprint of the project's data then: {run.digest[:16]}"
        if not self._data_digest:
            return words
        same = "It is the same today." if run.digest == self._data_digest else "It has changed since."
        return f"{words}\n{same}"

    # --- what is chosen ---

    @property
    def chosen(self) -> tuple[RunInfo, ...]:
        """In row order."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return tuple(self._run_in(row) for row in rows)

    def _cell_at(self, row: int, column: int) -> QTableWidgetItem:
        item = self.item(row, column)
        assert item is not None
        return item

    def _run_in(self, row: int) -> RunInfo:
        return self._runs[self._cell_at(row, NAME).data(_RUN)]

    def _row_of(self, name: str) -> int:
        return next((row for row in range(self.rowCount()) if self._cell_at(row, NAME).data(_RUN) == name), -1)

    def _choose(self, names: Sequence[str], current: str = "") -> None:
        """Select these; the keyboard continues from the run called `current` if it is one of them."""
        model, flag, wanted = self.selectionModel(), QItemSelectionModel.SelectionFlag, set(names)
        rows = {name: row for row in range(self.rowCount()) if (name := self._run_in(row).name) in wanted}
        selection = QItemSelection()  # as a whole: one by one, each looks through those before
        for row in rows.values():
            selection.select(self.model().index(row, NAME), self.model().index(row, NAME))
        model.select(selection, flag.ClearAndSelect | flag.Rows)
        if rows:
            row = rows[current] if current in rows else min(rows.values())
            model.setCurrentIndex(self.model().index(row, NAME), flag.NoUpdate)

    # --- typing in place ---

    @property
    def is_editing(self) -> bool:
        return self.state() == QAbstractItemView.State.EditingState

    def type_in(self, run: RunInfo, column: int) -> None:
        """Let a person edit the name or the note of a run; what is being typed in another cell is taken first."""
        if not self.may_type():
            return
        self.setFocus()  # that ends the typing, and the rows are made anew
        row = self._row_of(run.name)
        if row < 0:
            return
        self.setColumnHidden(NOTE, column != NOTE and self.isColumnHidden(NOTE))
        self._share_room()
        item = self._cell_at(row, column)
        self.setCurrentItem(item)
        self.editItem(item)

    @Slot(QTableWidgetItem)
    def _typed(self, item: QTableWidgetItem) -> None:
        run = self._runs[item.data(_RUN)]
        if item.column() == NAME:
            self.renamed.emit(run, item.text())
        elif item.column() == NOTE:
            self.noted.emit(run, item.text().replace(_BREAK, "\n"))

    @Slot(int, int)
    def _double_clicked(self, row: int, column: int) -> None:
        if column == NOTE:
            self.type_in(self._run_in(row), NOTE)

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:
        on = (QAbstractItemDelegate.EndEditHint.EditNextItem, QAbstractItemDelegate.EndEditHint.EditPreviousItem)
        # Tab ends the editing as Enter does: Qt would open the editor of the next cell, or of another run's name
        super().closeEditor(editor, QAbstractItemDelegate.EndEditHint.NoHint if hint in on else hint)
        found, self._waiting = self._waiting, None
        self.set_runs(tuple(self._runs.values()) if found is None else found)

    # --- Qt ---

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_room()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.rowCount():
            hint = f"{self._beginning} is listed here when it has begun." if self._beginning else EMPTY
            paint_hint(self, hint if self._is_known else "Reading the runs …")


class _WideEditor(QStyledItemDelegate):
    """The editor of a note is wider than its column."""

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: _Index) -> None:
        super().updateEditorGeometry(editor, option, index)
        area = editor.geometry()
        editor.setGeometry(area.adjusted(min(0, area.width() - TYPING), 0, 0, 0))


class _Cell(QTableWidgetItem):
    def __lt__(self, other: QTableWidgetItem) -> bool:
        return bool(self.data(_KEY) < other.data(_KEY))


def _side(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column in _NUMBERS else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _text(run: RunInfo, column: int) -> str:
    if column == AP50:
        return newest_or_best(run.best_ap50, run.validation_images)
    if column == AP:
        return share(run.best_ap)
    imported = run.state == "finished" and not run.epochs
    images = run.images + run.validation_images
    return {
        NAME: run.name,
        DETECTOR: detector_title(run.detector),
        STATE: run.state,
        EPOCHS: "imported" if imported else f"{run.epoch:,} / {run.epochs:,}",
        DATA: f"{count(images, 'image')} ({run.digest[:4]})" if run.digest else f"{images:,}" if images else "–",
        STARTED: runs.format_time(run.started),
        NOTE: run.note.replace("\n", _BREAK),
    }[column]


def _key(run: RunInfo, column: int) -> str | float:
    """A column's sort key; unknown values come before all others."""
    values = {EPOCHS: float(run.epoch), AP50: run.best_ap50, AP: run.best_ap, STARTED: run.started}
    if column not in values:
        return natural_key(_text(run, column))
    return -1.0 if math.isnan(values[column]) else values[column]


def _about(run: RunInfo, column: int) -> str:
    name = run.name if column == NAME else ""  # it may be elided
    by = chance_note(run.validation_images) if column in (AP50, AP) and not math.isnan(run.best_ap50) else ""
    return "\n".join(part for part in (name, by, run.note, run.sentence, str(run.folder)) if part)
