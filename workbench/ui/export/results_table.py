"""What an export wrote: a row for each file, with how well it agrees with this program, or why there is none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from workbench.core.formatting import size
from workbench.inference.events import Exported, NotExported
from workbench.ui import theme
from workbench.ui.widgets.empty_state import paint_hint
from workbench.ui.widgets.tables import align_heads, style_table

COLUMNS = ("Format", "File", "Size", "Verified")
BUSY = "Each file is listed here when it is verified."
EMPTY = f"{BUSY} Tick formats at the left and press Export."
ROLE = Qt.ItemDataRole.UserRole  # the name of a cell's colour, which differs between themes


class ResultsTable(QTableWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.hint = EMPTY  # shown if there are no rows
        self.setObjectName("export-results")
        self.setAccessibleName("Files that were written")
        self.setHorizontalHeaderLabels(list(COLUMNS))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        head = style_table(self)
        align_heads(head, (2,))
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        theme.theme().changed.connect(self._recolour)

    @Slot()
    def _recolour(self) -> None:
        for row in range(self.rowCount()):
            for column in range(self.columnCount()):
                cell = self.item(row, column)
                if cell is not None and cell.data(ROLE):
                    cell.setForeground(theme.colour(cell.data(ROLE)))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.rowCount():
            paint_hint(self, self.hint)

    def show_busy(self, on: bool) -> None:
        """Whether files are being written, so that none needs to be asked for."""
        self.hint = BUSY if on else EMPTY
        self.viewport().update()

    def show_earlier(self, files: Iterable[tuple[str, Path]]) -> bool:
        """Of these (format, file), list those that exist from before this window was opened; True if there are any."""
        self.setRowCount(0)
        for format, file in files:
            with contextlib.suppress(OSError):
                about = file.stat()
                when = f"written before, on {datetime.fromtimestamp(about.st_mtime):%Y-%m-%d %H:%M}"
                self._add((format, str(file), size(about.st_size), when), "muted", "")
        return self.rowCount() > 0

    def add(self, title: str, result: Exported) -> None:
        row = (title, str(result.file), size(result.bytes), verdict(result))
        self._add(row, "ok" if result.agreement else "warning", result.remark or _apart(result))

    def add_failure(self, title: str, failure: NotExported) -> None:
        """The sentence takes the file's place, across all columns that have no content."""
        self._add((title, failure.sentence, "", ""), "error", "", whole=True)

    def _add(self, texts: tuple[str, ...], role: str, more: str, whole: bool = False) -> None:
        row = self.rowCount()
        self.insertRow(row)
        for column, text in enumerate(texts):
            cell = QTableWidgetItem(text)
            cell.setToolTip("\n".join(part for part in (text, more) if part))
            if column == 2:
                cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if whole or column == 3:
                cell.setData(ROLE, role)
                cell.setForeground(theme.colour(role))
            self.setItem(row, column, cell)
        if whole:
            self.setSpan(row, 1, 1, len(COLUMNS) - 1)


def verdict(result: Exported) -> str:
    """How well the file agrees, in words."""
    found = result.agreement
    if found is None:
        return "not verified: can't be read back"
    count = result.checked_images
    images = f"{count:,} image{'' if count == 1 else 's'}" if count else "noise"
    return f"{found.matched:,} of {found.compared:,} detections agree on {images}"


def _apart(result: Exported) -> str:
    found = result.agreement
    if found is None:
        return ""
    return f"Scores differ by {found.largest_score_gap:.1g} at most, boxes by {found.largest_box_gap:.1g} px."
