"""The runs of the project so far: choosing one shows its curves, and an interrupted one can be gone on with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.training import runs
from workbench.training.runs import RunInfo
from workbench.ui import theme

COLUMNS = ("run", "state", "epochs", "best AP50", "best AP", "started")


class RunList(QWidget):
    """`chosen(RunInfo)` for a click on a row, `resume_asked(RunInfo)` and `inspect_asked(RunInfo)` for the buttons."""

    chosen = Signal(object)
    resume_asked = Signal(object)
    inspect_asked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: tuple[RunInfo, ...] = ()
        self._may_resume = True
        self._preferred = ""
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setObjectName("train-runs")
        self.table.setAccessibleName("Runs")
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setWordWrap(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.resume = QPushButton("Resume")
        self.resume.setObjectName("train-resume")
        self.resume.setToolTip("Go on from the last checkpoint, with the data and the settings the run began with.")
        self.inspect = QPushButton("Inspect")
        self.inspect.setObjectName("train-inspect")
        self.inspect.setToolTip("See what this run finds in the images.")
        self.table.itemSelectionChanged.connect(self._selected)
        self.resume.clicked.connect(self._ask_resume)
        self.inspect.clicked.connect(self._ask_inspect)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.resume)
        buttons.addWidget(self.inspect)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.GRID, 0, 0)
        column.addWidget(self.table, 1)
        column.addLayout(buttons)
        self._enable()

    def set_runs(self, found: Sequence[RunInfo]) -> None:
        """Show these runs; the selection stays on the run of the same name. Does not emit `chosen`."""
        name = self.selected.name if self.selected else self._preferred
        self._runs = tuple(found)
        self.table.blockSignals(True)
        self.table.setRowCount(len(found))
        for row, run in enumerate(found):
            for column, text in enumerate(_texts(run)):
                cell = QTableWidgetItem(text)
                cell.setToolTip(run.sentence or str(run.folder))
                if 2 <= column <= 4:
                    cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(row, column, cell)
            if run.name == name:
                self.table.selectRow(row)
        if name not in {run.name for run in found}:
            self.table.clearSelection()
        self.table.blockSignals(False)
        self._enable()

    def prefer(self, name: str) -> None:
        """Select this run at the next listing if none is selected: Resume and Inspect are meant for it."""
        self._preferred = name

    def allow_resume(self, on: bool) -> None:
        """False while another training runs."""
        self._may_resume = on
        self._enable()

    def clear_selection(self) -> None:
        self._preferred = ""
        self.table.blockSignals(True)
        self.table.clearSelection()
        self.table.blockSignals(False)
        self._enable()

    @property
    def selected(self) -> RunInfo | None:
        rows = self.table.selectionModel().selectedRows()
        return self._runs[rows[0].row()] if rows and rows[0].row() < len(self._runs) else None

    def _enable(self) -> None:
        run = self.selected
        self.resume.setEnabled(self._may_resume and run is not None and run.resumable)
        self.inspect.setEnabled(run is not None and run.checkpoint is not None)

    @Slot()
    def _selected(self) -> None:
        self._enable()
        if self.selected is not None:
            self.chosen.emit(self.selected)

    @Slot()
    def _ask_resume(self) -> None:
        self.resume_asked.emit(self.selected)

    @Slot()
    def _ask_inspect(self) -> None:
        self.inspect_asked.emit(self.selected)


def _texts(run: RunInfo) -> tuple[str, ...]:
    numbers = ("–" if math.isnan(value) else f"{value:.3f}" for value in (run.best_ap50, run.best_ap))
    imported = run.state == "finished" and not run.epochs
    epochs = "imported" if imported else f"{run.epoch:,} / {run.epochs:,}"
    return (run.name, run.state, epochs, *numbers, runs.when(run.started))
