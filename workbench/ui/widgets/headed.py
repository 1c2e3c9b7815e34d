"""Tables that look alike: models whose columns have a title and a sentence about them, and rows of one line."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()
AT_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
NUMBER = int(AT_RIGHT)  # as a model answers for it


class HeadedModel(QAbstractTableModel):
    """Subclasses give `titles` and `helps`, one of each per column."""

    titles: ClassVar[tuple[str, ...]]
    helps: ClassVar[tuple[str, ...]]

    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.titles)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.titles[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return self.helps[section]
        return None


def in_rows(table: QTableView) -> QHeaderView:
    """One line of 24 px for each row, chosen as a whole; the head, whose columns are still to be sized."""
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    table.setWordWrap(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(24)
    head = table.horizontalHeader()
    head.setMinimumSectionSize(24)
    head.setHighlightSections(False)
    return head
