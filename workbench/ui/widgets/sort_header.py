"""The head of a table that can be sorted: the arrow stands beside the words, on the side where there is room."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QPainter, QPolygonF
from PySide6.QtWidgets import QHeaderView, QStyleOptionHeader, QTableView, QTreeView

from workbench.ui import theme

BESIDE = 4  # px between the words and the arrow, and between the words and the column's edge
HALF, HIGH = 3.5, 4.0  # px, half the width of the arrow, and its height


class SortHeader(QHeaderView):
    """Under a style sheet, Qt paints the arrow at the right edge, over the words of a column aligned there."""

    def __init__(self, view: QTableView | QTreeView) -> None:
        super().__init__(Qt.Orientation.Horizontal, view)
        self.setSectionsClickable(True)
        if isinstance(view, QTableView):
            view.setHorizontalHeader(self)
        else:
            view.setHeader(self)

    def initStyleOptionForIndex(self, option: QStyleOptionHeader, section: int) -> None:
        super().initStyleOptionForIndex(option, section)
        option.sortIndicator = QStyleOptionHeader.SortIndicator.None_  # type: ignore[attr-defined]

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        painter.save()
        super().paintSection(painter, rect, section)
        painter.restore()
        if not self.isSortIndicatorShown() or section != self.sortIndicatorSection():
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("muted"))
        painter.drawPolygon(self.arrow(rect, section))
        painter.restore()

    def arrow(self, rect: QRect, section: int) -> QPolygonF:
        """Of a section in `rect`: it points down if the largest comes first."""
        across = Qt.Orientation.Horizontal
        side = self.model().headerData(section, across, Qt.ItemDataRole.TextAlignmentRole) or self.defaultAlignment()
        words = str(self.model().headerData(section, across) or "")
        room = 2 * BESIDE + self.fontMetrics().horizontalAdvance(words) + HALF
        at_right = bool(int(side) & int(Qt.AlignmentFlag.AlignRight))
        x = max(rect.right() - room, rect.left() + HALF) if at_right else min(rect.left() + room, rect.right() - HALF)
        y = rect.top() + rect.height() / 2
        tip = HIGH / 2 if self.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder else -HIGH / 2
        return QPolygonF([QPointF(x - HALF, y - tip), QPointF(x + HALF, y - tip), QPointF(x, y + tip)])
