"""Uniform tables: models whose columns have a title and a tooltip, aligned heads, rows of one line, Ctrl+C."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()
AT_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
NUMBER = int(AT_RIGHT)  # what a model returns for it
WORDS = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


class TableModel(QAbstractTableModel):
    """Subclasses set `titles` and `helps`, one of each per column, and the columns of `numbers`."""

    titles: ClassVar[tuple[str, ...]]
    helps: ClassVar[tuple[str, ...]]
    numbers: ClassVar[frozenset[int]]

    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.titles)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.titles[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return self.helps[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return NUMBER if section in self.numbers else WORDS
        return None


def style_table(table: QTableView) -> QHeaderView:
    """Rows of one line (24 px, more for a large font), selected as a whole; returns the header, to be sized.

    Arrow keys move inside, Tab leaves the table: Qt's default traps users without a mouse.
    """
    table.setTabKeyNavigation(False)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    table.setWordWrap(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(max(24, table.fontMetrics().height() + 4))
    head = table.horizontalHeader()
    head.setMinimumSectionSize(24)
    head.setHighlightSections(False)
    return head


def align_heads(header: QHeaderView, numbers: Iterable[int] = ()) -> None:
    """Heads begin where the words below them do; those of the columns `numbers` end where these do."""
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    for column in numbers:
        header.model().setHeaderData(column, Qt.Orientation.Horizontal, NUMBER, Qt.ItemDataRole.TextAlignmentRole)


@contextlib.contextmanager
def deferred_column_sizing(table: QTableView) -> Iterator[None]:
    """Columns that fit their contents are sized once, at the end: otherwise they measure all rows after each cell.

    With 300 labels the window froze for six seconds.
    """
    head, mode = table.horizontalHeader(), QHeaderView.ResizeMode
    fitting = [column for column in range(head.count()) if head.sectionResizeMode(column) == mode.ResizeToContents]
    for column in fitting:
        head.setSectionResizeMode(column, mode.Interactive)
    try:
        yield
    finally:
        for column in fitting:
            head.setSectionResizeMode(column, mode.ResizeToContents)


def make_copyable(table: QTableView) -> None:
    """Ctrl+C copies the whole table, for a spreadsheet; so does its context menu, unless it already has one."""
    copy = QAction("Copy the table", table)
    copy.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
    copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
    copy.triggered.connect(lambda: QGuiApplication.clipboard().setText(table_as_text(table)))
    table.addAction(copy)
    if table.contextMenuPolicy() == Qt.ContextMenuPolicy.DefaultContextMenu:
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)


def table_as_text(table: QTableView) -> str:
    """Header and rows as shown, cells separated by tabs; columns without text, such as bars, are left out."""
    model, beside = table.model(), table.verticalHeader()
    down, across = Qt.Orientation.Vertical, Qt.Orientation.Horizontal
    columns = [
        column
        for place in range(model.columnCount())
        if not table.isColumnHidden(column := table.horizontalHeader().logicalIndex(place))
        and any(model.index(row, column).data() for row in range(model.rowCount()))
    ]
    lines = [[model.headerData(column, across) for column in columns]]
    lines += [[model.index(row, column).data() for column in columns] for row in range(model.rowCount())]
    if not beside.isHidden():
        heads = [model.headerData(row, down) for row in range(model.rowCount())]
        lines = [[head, *line] for head, line in zip(["", *heads], lines, strict=True)]
    return "\n".join("\t".join(" ".join(str(cell or "").split()) for cell in line) for line in lines) + "\n"
