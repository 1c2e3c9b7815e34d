"""The boxes of a look in a table: what learns each, level by level, or in red why nothing does."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QColor, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from workbench.ui import theme
from workbench.ui.train.seen.picture import swatch_colour
from workbench.ui.train.seen.work import Look

COLUMNS = ("box", "size", "learnt by, per level")
_ROW = Qt.ItemDataRole.UserRole
_SWATCH = 12


class BoxesTable(QTableWidget):
    """Boxes that nothing learns come first, ignored ones last. `box_chosen(row of the look's boxes)`, -1 for none."""

    box_chosen = Signal(int)

    def __init__(self, name: str, accessible: str, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.setObjectName(name)
        self.setAccessibleName(accessible)
        self.setProperty("role", "flat")
        self.setHorizontalHeaderLabels(list(COLUMNS))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setStyleSheet("QTableWidget::item { padding: 3px 4px; }")
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.horizontalHeader().setStretchLastSection(True)
        self.setColumnWidth(0, 96)
        self.setColumnWidth(1, 80)
        self.itemSelectionChanged.connect(self._selected)

    def show_look(self, look: Look) -> None:
        self.blockSignals(True)
        self.clearSelection()
        order = sorted(range(len(look.boxes)), key=lambda box: (bool(look.ignore[box]), not look.reasons[box], box))
        self.setRowCount(len(order) + len(look.gone))
        for row, box in enumerate(order):
            x0, y0, x1, y1 = look.boxes[box].tolist()
            name = self._put(row, 0, look.labels[box], box)
            swatch = QPixmap(_SWATCH, _SWATCH)
            swatch.fill(swatch_colour(look, box))
            name.setIcon(swatch)
            self._put(row, 1, f"{x1 - x0:.0f} × {y1 - y0:.0f}", box, right=True)
            counts = " · ".join(map(str, look.learnt_by(box)))
            last = self._put(row, 2, look.reasons[box] or counts, box)
            if look.reasons[box]:
                last.setForeground(QColor(theme.colours().muted if look.ignore[box] else theme.colours().error))
        for row, (label, (x0, y0, x1, y1), reason) in enumerate(look.gone, start=len(order)):
            self._put(row, 0, label, -1)
            self._put(row, 1, f"{x1 - x0:.0f} × {y1 - y0:.0f}", -1, right=True)
            self._put(row, 2, f"not in the picture: {reason}", -1).setForeground(QColor(theme.colours().muted))
        self.blockSignals(False)

    def _put(self, row: int, column: int, text: str, box: int, *, right: bool = False) -> QTableWidgetItem:
        item = QTableWidgetItem(text)
        item.setData(_ROW, box)
        item.setToolTip(text)
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
        self.setItem(row, column, item)
        return item

    def choose(self, box: int) -> None:
        """Select the box's row without telling."""
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
