"""The images that the files and the project speak of otherwise: who changed what, and what becomes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from workbench.exchange import ChangedSide
from workbench.ui import theme
from workbench.ui.data.importing.findings import KINDS, OUTCOMES, Differences
from workbench.ui.widgets.popups import Combo
from workbench.ui.widgets.sort_header import SortHeader
from workbench.ui.widgets.tables import align_heads, style_table

_COLUMNS = ("Image", "Changed", "In the file", "What becomes of it")
_WORDS = {
    ChangedSide.FILE: "in the file",
    ChangedSide.HERE: "here",
    ChangedSide.BOTH: "on both sides",
    ChangedSide.UNKNOWN: "never imported",
}
_HELP = {
    ChangedSide.FILE: "The file was changed since both were the same; here nobody has changed anything.",
    ChangedSide.HERE: "It was changed here since both were the same; the file is as it was.",
    ChangedSide.BOTH: "It was changed here and in the file since both were the same.",
    ChangedSide.UNKNOWN: "It was labelled here without this file, so nobody knows which is newer.",
}
_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class DifferencesModel(QAbstractTableModel):
    """Rows are differences in a chosen order, of one kind or of all; `order[row]` is the difference's index."""

    def __init__(self) -> None:
        super().__init__()
        self._all: Differences | None = None
        self.order = np.zeros(0, np.int64)
        self._kind: ChangedSide | None = None
        self._sorted = (0, Qt.SortOrder.AscendingOrder)

    def set_differences(self, differences: Differences | None) -> None:
        self._all = differences
        self._renew()

    def set_kind(self, kind: ChangedSide | None) -> None:
        """Show only these; None: all."""
        self._kind = kind
        self._renew()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sorted = (column, order)
        self._renew()

    def _renew(self) -> None:
        self.beginResetModel()
        self.order = np.zeros(0, np.int64)
        if self._all is not None:
            column, order = self._sorted
            ranks = self._all.ranks[:, column]
            sign = 1 if order == Qt.SortOrder.AscendingOrder else -1
            self.order = np.lexsort((self._all.ranks[:, 0], sign * ranks))
            if self._kind is not None:
                self.order = self.order[self._all.kinds[self.order] == KINDS.index(self._kind)]
        self.endResetModel()

    def image_row(self, row: int) -> int:
        """The row of the plan's images that a row of the table speaks of."""
        assert self._all is not None
        return int(self._all.rows[self.order[row]])

    # --- Qt ---

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.order)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section]
        return None

    def data(self, index: _Index, role: int = 0) -> Any:
        if self._all is None or role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        place = int(self.order[index.row()])
        one = self._all.items[place]
        if role == Qt.ItemDataRole.ToolTipRole:
            return (one.image.path, _HELP[one.changed], one.words, "")[index.column()]
        outcome = OUTCOMES[self._all.outcomes[place]]
        return (one.image.name, _WORDS[one.changed], one.words.removeprefix("the file has "), outcome)[index.column()]


class DifferencesTable(QWidget):
    """`image_chosen(row of plan.compared)` when a person goes to another line."""

    image_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.model = DifferencesModel()
        self._filter = Combo()
        self._filter.setObjectName("import-differences-filter")
        self._filter.setAccessibleName("Which differences are listed")
        self._filter.activated.connect(self._filtered)
        self.table = QTableView()
        self.table.setObjectName("import-differences-list")
        self.table.setAccessibleName("Images that differ")
        self.table.setProperty("role", "flat")
        self.table.setModel(self.model)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        head = SortHeader(self.table)
        style_table(self.table)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        align_heads(head)
        self.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.table.setSortingEnabled(True)
        self.table.selectionModel().currentRowChanged.connect(self._moved)
        words = QLabel("A line shows its image below.")
        words.setProperty("role", "muted")
        row = QHBoxLayout()
        row.addWidget(self._filter)
        row.addWidget(words, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.GRID // 2, 0, 0)
        layout.setSpacing(theme.GRID // 2)
        layout.addLayout(row)
        layout.addWidget(self.table, 1)

    def show_differences(self, differences: Differences) -> None:
        chosen = self._filter.currentData()
        self._filter.clear()
        self._filter.addItem(f"All ({len(differences.items):,})", None)
        counts = np.bincount(differences.kinds, minlength=len(KINDS))
        for kind, count in zip(KINDS, counts.tolist(), strict=True):
            if count:
                self._filter.addItem(f"{_WORDS[kind].capitalize()} ({count:,})", kind)
        self._filter.setCurrentIndex(max(0, self._filter.findData(chosen)))
        self.model.set_differences(differences)
        self.model.set_kind(self._filter.currentData())

    @Slot()
    def _filtered(self) -> None:
        self.model.set_kind(self._filter.currentData())

    @Slot(QModelIndex, QModelIndex)
    def _moved(self, current: QModelIndex, _before: QModelIndex) -> None:
        if current.isValid():
            self.image_chosen.emit(self.model.image_row(current.row()))
