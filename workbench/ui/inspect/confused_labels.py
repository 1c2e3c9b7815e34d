"""Pairs of labels that are confused, the most frequent first: with many labels the matrix is mostly zeros."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from workbench.core import formatting
from workbench.ui.widgets.tables import NOWHERE, NUMBER, Index, TableModel, make_copyable, style_table

MANY = 12
"""Number of labels from which the list is shown: the pane has room for 8 columns of the matrix, a wide one for 20."""
LONGEST = 1000
BOX, DETECTED, COUNT, SHARE = range(4)


class ConfusedLabelsModel(TableModel):
    """A row for each pair of labels, one of which was detected in place of the other."""

    titles = ("Box", "Detected as", "Times", "Share")
    numbers = frozenset((COUNT, SHARE))
    helps = (
        "The label of the boxes",
        "The label that was detected in its place",
        "Boxes with which this happened. Click for the images.",
        "Of all boxes with this label",
    )

    def __init__(self) -> None:
        super().__init__()
        self._names: tuple[str, ...] = ()
        self._table = np.zeros((1, 1), np.int64)
        self._cells = np.zeros((0, 2), np.int64)  # (n, 2) the matrix cell of each row

    def show_table(self, names: tuple[str, ...], table: np.ndarray) -> None:
        """table (C + 1, C + 1) of core.evaluation.confusion; equally frequent pairs stay in the matrix's order."""
        labels = table[: len(names), : len(names)]
        found = np.argwhere((labels > 0) & ~np.eye(len(labels), dtype=bool))
        order = np.argsort(-labels[found[:, 0], found[:, 1]], kind="stable")[:LONGEST]
        self.beginResetModel()
        self._names, self._table, self._cells = names, table, found[order]
        self.endResetModel()

    def cell(self, row: int) -> tuple[int, int]:
        """Its row and column in the matrix."""
        box, detected = self._cells[row].tolist()
        return box, detected

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._cells)

    def data(self, index: Index, role: int = 0) -> Any:
        column = index.column()
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return NUMBER if column in (COUNT, SHARE) else None
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        box, detected = self.cell(index.row())
        count = int(self._table[box, detected])
        share = formatting.percent(count / int(self._table[box].sum()), 0)
        texts = (self._names[box], self._names[detected], f"{count:,}", share)
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{count:,} {texts[BOX]} detected as {texts[DETECTED]}, {share} of its boxes. Click for the images."
        return texts[column]


class ConfusedLabelsTable(QTableView):
    """Shown if there are many labels. `cell_chosen(row, column)` of the matrix on a click or Enter."""

    cell_chosen = Signal(int, int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("inspect-taken-for")
        self.setAccessibleName("Labels taken for others, the most frequent first")
        self._model = ConfusedLabelsModel()
        self.setModel(self._model)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        head = style_table(self)
        for column, width in ((COUNT, 56), (SHARE, 56)):
            head.resizeSection(column, width)
        for column in (BOX, DETECTED):
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        self.clicked.connect(self._clicked)
        self.activated.connect(self._clicked)
        make_copyable(self)
        self.hide()

    def show_table(self, names: tuple[str, ...], table: np.ndarray) -> None:
        """As the model's; a table without names clears it."""
        kept = self.currentIndex()
        self._model.show_table(names, table)
        self.setVisible(len(names) >= MANY and self._model.rowCount() > 0)
        self.setCurrentIndex(self._model.index(kept.row(), kept.column()) if kept.isValid() else kept)

    @Slot(QModelIndex)
    def _clicked(self, index: QModelIndex) -> None:
        self.cell_chosen.emit(*self._model.cell(index.row()))
