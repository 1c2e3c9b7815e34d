"""What an export has written: a row for each file, with how well it agrees with this program."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from workbench.core.words import size
from workbench.inference.events import Exported
from workbench.ui import theme

COLUMNS = ("format", "file", "size", "checked")


class Results(QTableWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.setObjectName("export-results")
        self.setHorizontalHeaderLabels(list(COLUMNS))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        head = self.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)

    def add(self, result: Exported) -> None:
        row = self.rowCount()
        self.insertRow(row)
        texts = (result.format, str(result.file), size(result.bytes), verdict(result))
        for column, text in enumerate(texts):
            cell = QTableWidgetItem(text)
            cell.setToolTip("\n".join(part for part in (text, result.remark) if part))
            if column == 2:
                cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if column == 3:
                cell.setForeground(theme.colour("ok" if result.agreement else "muted"))
            self.setItem(row, column, cell)


def verdict(result: Exported) -> str:
    """How well the file agrees, in words."""
    found = result.agreement
    if found is None:
        return "weights alone: nothing to run"
    count = result.checked_images
    images = f"{count:,} image{'' if count == 1 else 's'}" if count else "noise"
    return f"{found.matched:,} of {found.compared:,} detections agree on {images}"
