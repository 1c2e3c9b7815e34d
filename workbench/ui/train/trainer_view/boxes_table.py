"""The boxes of an assignment in a table: what is trained on each, level by level, or in red why nothing is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QColor, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from workbench.ui import theme
from workbench.ui.icons import swatch
from workbench.ui.train.trainer_view.colours import colour_of
from workbench.ui.train.trainer_view.requests import AssignmentResult
from workbench.ui.widgets.tables import align_heads

COLUMNS = ("Box", "Size (px)", "Learnt by")
_ROW = Qt.ItemDataRole.UserRole
_SWATCH = 12
_SIZE = 76  # minimum px for "0.3 × 10.4"
_FINE = 10.0
"""Pixels below which a side is shown to a tenth."""


class ElidedDelegate(QStyledItemDelegate):
    """Elides long text instead of wrapping it as the table does: for names, not reasons."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        option.features &= ~QStyleOptionViewItem.ViewItemFeature.WrapText  # type: ignore[attr-defined]


class BoxesTable(QTableWidget):
    """Boxes that nothing is trained on come first, ignored ones last. `box_chosen(row of boxes)`, -1: none."""

    box_chosen = Signal(int)

    def __init__(self, name: str, accessible: str, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.setObjectName(name)
        self.setAccessibleName(accessible)
        self.setProperty("role", "flat")
        self.setHorizontalHeaderLabels(list(COLUMNS))
        align_heads(self.horizontalHeader(), (1,))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.horizontalHeaderItem(2)
        assert header is not None
        header.setToolTip("How many learn the box, and in the grid of which level; the levels are listed below")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setStyleSheet("QTableWidget::item { padding: 3px 4px; }")
        self.setItemDelegateForColumn(0, ElidedDelegate(self))
        self.setItemDelegateForColumn(1, ElidedDelegate(self))
        self.setMinimumSize(160, 60)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.horizontalHeader().setStretchLastSection(True)
        self.itemSelectionChanged.connect(self._selected)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_width()

    def _share_width(self) -> None:
        """Sizes are shown in full; the last column gets the rest."""
        self.setColumnWidth(0, max(68, min(140, self.viewport().width() // 3)))
        self.setColumnWidth(1, max(_SIZE, self.sizeHintForColumn(1)))

    def show_assignment(self, assignment: AssignmentResult, colour_indices: tuple[int, ...]) -> None:
        """`colour_indices` as from colours.colour_indices."""
        self.blockSignals(True)
        self.clearSelection()
        order = sorted(range(len(assignment.boxes)), key=lambda box: _place(assignment, box))
        dropped = sorted(assignment.dropped, key=lambda one: not one.red)
        self.setRowCount(len(order) + len(dropped))
        for row, box in enumerate(order):
            x0, y0, x1, y1 = assignment.boxes[box].tolist()
            name = self._put(row, 0, assignment.labels[box], box)
            name.setIcon(swatch(colour_of(assignment, colour_indices, box), _SWATCH))
            self._put(row, 1, size(x1 - x0, y1 - y0), box, right=True)
            if assignment.reasons[box]:
                self._put(row, 2, assignment.reasons[box], box).setForeground(_ink(not assignment.ignore[box]))
            else:
                self._put_learnt(row, assignment, box)
        for row, one in enumerate(dropped, start=len(order)):
            x0, y0, x1, y1 = one.xyxy
            self._put(row, 0, one.label, -1)
            self._put(row, 1, size(x1 - x0, y1 - y0), -1, right=True)
            self._put(row, 2, one.reason, -1).setForeground(_ink(one.red))
        self._share_width()
        self.blockSignals(False)

    def _put_learnt(self, row: int, assignment: AssignmentResult, box: int) -> None:
        """How many priors, and in which level's cells."""
        counts = zip(assignment.positives_per_level(box), assignment.grids, strict=True)
        words = ", ".join(f"{count:,} in {rows} × {columns}" for count, (rows, columns) in counts if count)
        others = assignment.boxes_sharing(box)
        item = self._put(row, 2, f"{words}, shared" if others else words, box)
        if others:
            item.setToolTip(_shared(assignment, others))

    def _put(self, row: int, column: int, text: str, box: int, *, right: bool = False) -> QTableWidgetItem:
        item = QTableWidgetItem(text)
        item.setData(_ROW, box)
        item.setToolTip(text)
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
        self.setItem(row, column, item)
        return item

    def choose(self, box: int) -> None:
        """Select the box's row without a signal."""
        self.blockSignals(True)
        self.clearSelection()
        for row in range(self.rowCount()):
            item = self.item(row, 0)
            if box >= 0 and item is not None and item.data(_ROW) == box:
                self.selectRow(row)
                self.scrollToItem(item)
        self.blockSignals(False)
        self.viewport().update()

    @Slot()
    def _selected(self) -> None:
        items = self.selectedItems()
        self.box_chosen.emit(items[0].data(_ROW) if items else -1)


def _place(assignment: AssignmentResult, box: int) -> tuple[bool, bool, int, int]:
    """A sort key in the order of the project's boxes, as training shuffles them differently for each image."""
    return bool(assignment.ignore[box]), not assignment.reasons[box], int(assignment.ids[box]), box


def _ink(red: bool) -> QColor:
    return QColor(theme.colours().error if red else theme.colours().muted)


def size(width: float, height: float) -> str:
    """In pixels of the input; small ones to a tenth."""
    return " × ".join(f"{side:.1f}" if min(width, height) < _FINE else f"{side:.0f}" for side in (width, height))


def _shared(assignment: AssignmentResult, others: Sequence[int]) -> str:
    named = ", ".join(
        f"{assignment.labels[k]} {size(*(assignment.boxes[k, 2:] - assignment.boxes[k, :2]).tolist())}"
        for k in others[:5]
    )
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return f"Shares its {assignment.kind} with {named}{more}"
