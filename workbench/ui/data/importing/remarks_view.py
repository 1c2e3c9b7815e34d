"""A list of remarks: each kind with its number, opened to see which files; rows are selected and copied as text."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Slot
from PySide6.QtGui import QGuiApplication, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from workbench.ui import theme
from workbench.ui.data.importing import remark_groups
from workbench.ui.data.importing.remark_groups import RemarkGroup

_COLUMNS = ("What", "Where", "How many")
_WHERE, _COUNT = 1, 2
_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_ALIGN = Qt.ItemDataRole.TextAlignmentRole
_LINES = 4
"""Lines of text that a row has at most; its tooltip has all."""


class RemarksModel(QAbstractItemModel):
    """Groups, and below each its remarks where there are several. The internal id is the group's row + 1, 0 for it."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: tuple[RemarkGroup, ...] = ()

    def set_groups(self, groups: tuple[RemarkGroup, ...]) -> None:
        self.beginResetModel()
        self.groups = groups
        self.endResetModel()

    def index(self, row: int, column: int, parent: _Index = _NOWHERE) -> QModelIndex:
        if not self.hasIndex(row, column, parent):  # type: ignore[arg-type]
            return QModelIndex()
        return self.createIndex(row, column, parent.row() + 1 if parent.isValid() else 0)

    def parent(self, index: _Index = _NOWHERE) -> Any:
        if not index.isValid() or not index.internalId():
            return QModelIndex()
        return self.createIndex(int(index.internalId()) - 1, 0, 0)

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        if not parent.isValid():
            return len(self.groups)
        if parent.internalId() or parent.column():
            return 0
        several = self.groups[parent.row()].remarks
        return len(several) if len(several) > 1 else 0

    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        return len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section]
        if role == _ALIGN and section == _COUNT:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter) if role == _ALIGN else None

    def data(self, index: _Index, role: int = 0) -> Any:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self._text(index)
        if role == _ALIGN:
            side = Qt.AlignmentFlag.AlignRight if index.column() == _COUNT else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignTop)
        return None

    def _text(self, index: _Index) -> str:
        group = self.groups[int(index.internalId()) - 1 if index.internalId() else index.row()]
        if index.internalId():
            remark = group.remarks[index.row()]
            return (remark.sentence, remark_groups.location(remark), "")[index.column()]
        where = remark_groups.location(group.remarks[0]) if len(group.remarks) == 1 and group.count == 1 else ""
        return (group.heading, where, f"{group.count:,}" if group.count > 1 else "")[index.column()]

    def line(self, index: QModelIndex) -> str:
        """A row as a line of text."""
        texts = [self._text(index.siblingAtColumn(column)) for column in (_WHERE, 0)]
        return ": ".join(text for text in texts if text)


class _Wrapping(QStyledItemDelegate):
    """Sentences are wrapped to their column, so that they are read without a tooltip."""

    def __init__(self, tree: QTreeView) -> None:
        super().__init__(tree)
        self._tree = tree

    def initStyleOption(self, option: QStyleOptionViewItem, index: _Index) -> None:
        super().initStyleOption(option, index)
        if index.column() == 0:
            option.features |= QStyleOptionViewItem.ViewItemFeature.WrapText  # type: ignore[attr-defined]
        else:
            option.textElideMode = Qt.TextElideMode.ElideMiddle  # type: ignore[attr-defined]

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        metrics = self._tree.fontMetrics()
        height = metrics.height()
        if index.column() == 0:
            width = self._tree.columnWidth(0) - self._tree.indentation() * (2 if index.internalId() else 1) - 8
            room = QRect(0, 0, max(width, 40), 100_000)
            wrapped = metrics.boundingRect(room, int(Qt.TextFlag.TextWordWrap), str(index.data()))
            height = min(wrapped.height(), _LINES * metrics.lineSpacing())
        return QSize(40, height + theme.GRID)


class RemarksView(QWidget):
    """The list with its buttons. `name` begins the object names of its parts."""

    def __init__(self, name: str, accessible: str, *, opened: bool = False) -> None:
        """`opened`: with all files in sight."""
        super().__init__()
        self._opened = opened
        self._all: tuple[RemarkGroup, ...] = ()
        self.model = RemarksModel()
        self.tree = QTreeView()
        self.tree.setObjectName(f"{name}-list")
        self.tree.setAccessibleName(accessible)
        self.tree.setProperty("role", "flat")
        self.tree.setModel(self.model)
        self.tree.setItemDelegate(_Wrapping(self.tree))
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.tree.setIndentation(2 * theme.GRID)
        head = self.tree.header()
        head.setStretchLastSection(False)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        head.sectionResized.connect(self._resized)
        copy = QShortcut(QKeySequence.StandardKey.Copy, self.tree, context=Qt.ShortcutContext.WidgetShortcut)
        copy.activated.connect(self.copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tree)

    def show_groups(self, groups: tuple[RemarkGroup, ...]) -> None:
        self._all = groups
        self.model.set_groups(remark_groups.listed_groups(groups))
        self.tree.setColumnHidden(_COUNT, all(group.count == 1 for group in groups))
        if self._opened:
            self.tree.expandAll()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._divide()

    def _divide(self) -> None:
        """The sentences get what the places and numbers leave, three fifths at least."""
        metrics = self.tree.fontMetrics()
        number = metrics.horizontalAdvance("How many") + 2 * theme.GRID
        where = min(metrics.averageCharWidth() * 36, round(0.4 * (self.width() - number)))
        self.tree.setColumnWidth(_WHERE, max(where, 40))
        self.tree.setColumnWidth(_COUNT, number)

    @Slot(int, int, int)
    def _resized(self, column: int, _before: int, _after: int) -> None:
        if column == 0:
            self.tree.scheduleDelayedItemsLayout()

    @Slot()
    def copy(self) -> None:
        """The selected rows as text."""
        rows = self.tree.selectionModel().selectedRows()
        rows.sort(key=lambda index: (index.parent().row() if index.parent().isValid() else index.row(), index.row()))
        if rows:
            QGuiApplication.clipboard().setText("\n".join(self.model.line(index) for index in rows))

    @Slot()
    def copy_all(self) -> None:
        QGuiApplication.clipboard().setText(remark_groups.clipboard_text(self._all))
