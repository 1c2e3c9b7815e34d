"""The confusion matrix: coloured by share, with background; if there are many labels, with a list of pairs above it.

A click on a cell or a row of the list opens its images.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, Qt, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QTableView, QVBoxLayout

from workbench.core import formatting
from workbench.core.evaluation.confusion import Confusion, confusion
from workbench.ui import theme
from workbench.ui.inspect.box_selection import BoxSelection
from workbench.ui.inspect.confused_labels import ConfusedLabelsTable
from workbench.ui.inspect.state import InspectState
from workbench.ui.inspect.table_tab import TableTab
from workbench.ui.widgets.tables import NOWHERE, NUMBER, Index

NOTHING, MISSED, BOXES, DETECTIONS = "no box", "missed", "boxes", "detections"
STRONGEST = 0.7  # opacity of the accent in a cell that holds its whole row
WIDEST = 110  # px, the row labels
NARROWEST, BROADEST = 36, 72  # px, a cell; the name above it
ROLES = frozenset(
    (
        Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.TextAlignmentRole, Qt.ItemDataRole.ToolTipRole,
        Qt.ItemDataRole.BackgroundRole, Qt.ItemDataRole.ForegroundRole, Qt.ItemDataRole.AccessibleTextRole,
    )
)  # fmt: skip


class ConfusionModel(QAbstractTableModel):
    """Rows: labels of boxes, then "no box", then sums. Columns: labels detected, then "missed", then sums."""

    def __init__(self) -> None:
        super().__init__()
        self._names: tuple[str, ...] = ()
        self._take(np.zeros((1, 1), np.int64))

    def show_table(self, names: tuple[str, ...], table: np.ndarray) -> None:
        """table (C + 1, C + 1), as core.evaluation.confusion returns it."""
        if names == self._names and names:
            self._take(table)
            last = self.index(self.rowCount() - 1, self.columnCount() - 1)
            self.dataChanged.emit(self.index(0, 0), last)
            return
        self.beginResetModel()
        self._names = names
        self._take(table)
        self.endResetModel()

    def _take(self, table: np.ndarray) -> None:
        self._table = table
        self._across, self._down = table.sum(axis=1), table.sum(axis=0)

    def largest(self) -> list[int]:
        """The largest number of each column."""
        return [*self._down.tolist(), int(self._across.max())] if self._names else []

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() or not self._names else len(self._names) + 2

    def columnCount(self, parent: Index = NOWHERE) -> int:
        return self.rowCount(parent)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        across = orientation == Qt.Orientation.Horizontal
        title = (*self._names, MISSED if across else NOTHING, BOXES if across else DETECTIONS)[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"detected as {title}" if across and section < len(self._names) else title
        return None

    def count(self, row: int, column: int) -> int | None:
        """The number in a cell or sum; None for cells that can't occur."""
        last = len(self._names)
        if (row > last and column >= last) or row == column == last:
            return None
        if row > last:
            return int(self._down[column])
        if column > last:
            return int(self._across[row])
        return int(self._table[row, column])

    def share(self, row: int, column: int) -> float:
        """The cell's share of its row, 0 to 1; 0 for sums."""
        total = self._across[row] if row < len(self._table) and column < len(self._table) else 0
        return float(self._table[row, column] / total) if total else 0.0

    def data(self, index: Index, role: int = 0) -> Any:
        if role not in ROLES:
            return None
        row, column = index.row(), index.column()
        count = self.count(row, column)
        if role == Qt.ItemDataRole.DisplayRole:
            return "" if count is None else f"{count:,}"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return NUMBER
        if role == Qt.ItemDataRole.ToolTipRole and count is not None:
            return self._tooltip(row, column, count)
        if role == Qt.ItemDataRole.BackgroundRole and self.share(row, column):
            return self.ground(row, column)
        if role == Qt.ItemDataRole.ForegroundRole:
            last = len(self._names)
            if row > last or column > last:
                return theme.colour("muted")
            return QColor(_text_on(self.ground(row, column).name())) if self.share(row, column) else None
        if role == Qt.ItemDataRole.AccessibleTextRole and count is not None:
            return self._tooltip(row, column, count)
        return None

    def ground(self, row: int, column: int) -> QColor:
        """The cell's colour: the accent for right ones, and for mistakes the colours used everywhere else."""
        last = len(self._names)
        kind = "accent" if row == column else "miss" if column == last else "false_alarm"
        ink, paper = theme.colour(kind), theme.colour("surface")
        part = STRONGEST * round(self.share(row, column), 2)  # so that there are few different colours
        sides = ((ink.redF(), paper.redF()), (ink.greenF(), paper.greenF()), (ink.blueF(), paper.blueF()))
        return QColor.fromRgbF(*(a * part + b * (1 - part) for a, b in sides))

    def _tooltip(self, row: int, column: int, count: int) -> str:
        last = len(self._names)
        if row > last:
            return f"{formatting.count(count, 'detection')} of {self._names[column]}"
        if column > last:
            where = " where nothing is labelled" if row == last else f" of {self._names[row]}"
            return f"{formatting.count(count, 'detection' if row == last else 'box')}{where}"
        share = f"{formatting.percent(self.share(row, column), 0)} of its row"
        if row == last:
            return f"{formatting.count(count, 'time')} {self._names[column]} where nothing is labelled, {share}"
        became = "missed" if column == last else f"detected as {self._names[column]}"
        return f"{count:,} {self._names[row]} {became}, {share}"


class ConfusionTab(TableTab):
    icon = "mdi6.grid"

    def __init__(self) -> None:
        table = QTableView()
        super().__init__("Confusion matrix", _work, "confusion", table)
        self.table = table
        self._result: Confusion | None = None
        self._confused = ConfusedLabelsTable()
        self._confused.cell_chosen.connect(self._open_pair)
        column = self.layout()
        assert isinstance(column, QVBoxLayout)
        column.insertWidget(0, self._confused, 1)
        self.model = ConfusionModel()
        self.table.setModel(self.model)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setWordWrap(False)
        self.table.setCornerButtonEnabled(False)
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.verticalHeader().setMaximumWidth(WIDEST)
        self.table.verticalHeader().setHighlightSections(False)
        self.table.horizontalHeader().setMinimumSectionSize(NARROWEST)
        self.table.horizontalHeader().setDefaultSectionSize(NARROWEST)
        for head in (self.table.horizontalHeader(), self.table.verticalHeader()):
            head.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
            head.setTextElideMode(Qt.TextElideMode.ElideMiddle)

    def clear(self) -> None:
        super().clear()
        self._result = None
        self.model.show_table((), np.zeros((1, 1), np.int64))
        self._confused.show_table((), np.zeros((1, 1), np.int64))

    def draw(self, state: InspectState, result: object) -> None:
        assert isinstance(result, Confusion)
        self._result, self.drawn = result, state
        self.model.show_table(state.evaluation.names, result.table)
        self._confused.show_table(state.evaluation.names, result.table)
        self.words.setText(
            "Rows: labels of boxes; columns: labels detected; colour: share of the row. What is not on the diagonal "
            f"is paired regardless of its label. {state.rule}."
        )
        self._fit()

    def _fit(self) -> None:
        """Columns as wide as their largest number, a sum, and as their name up to BROADEST; they never get narrower."""
        head, numbers = self.table.horizontalHeader(), self.table.fontMetrics()
        for column, largest in enumerate(self.model.largest()):
            name = str(self.model.headerData(column, Qt.Orientation.Horizontal))
            wide = min(head.fontMetrics().horizontalAdvance(name), BROADEST)
            wide = max(wide, numbers.horizontalAdvance(f"{largest:,}")) + 10
            if wide > head.sectionSize(column):  # else they would jump while a slider moves
                head.resizeSection(column, wide)

    @Slot(int, int)
    def _open_pair(self, row: int, column: int) -> None:
        if self.drawn is not None:
            self.open_cell(self.drawn, row, column)

    def open_cell(self, state: InspectState, row: int, column: int) -> None:
        if self._result is None:
            return
        last, cells = len(state.evaluation.names), self._result.cells
        here = np.ones(len(cells), bool)
        for axis, place in ((0, row), (1, column)):
            if place <= last:
                here &= cells[:, axis] == place
        if self.model.count(row, column):
            about = str(self.model.index(row, column).data(Qt.ItemDataRole.ToolTipRole))
            rows = np.flatnonzero(here)
            boxes, detections = self._result.boxes[rows], self._result.detections[rows]
            self.opened.emit(BoxSelection.of(about, state.matching, detections, boxes))


@lru_cache(maxsize=1024)
def _text_on(ground: str) -> str:
    return theme.text_on(ground)


def _work(state: InspectState) -> Confusion:
    return confusion(state.matching, state.confidences)
