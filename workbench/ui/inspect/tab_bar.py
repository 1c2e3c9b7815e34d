"""The tab bar at the right of the Inspect page: all tabs stay visible, however narrow that side is."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QStyle, QStyleOptionTab, QStylePainter, QTabBar

from workbench.ui import theme

BESIDE = 12  # px beside a tab's text, left and right together: half of Fusion's
LEAST = 32  # px of a tab whose text is elided


class TabBar(QTabBar):
    """If there is no room for all texts, they are elided (the tooltip has them) before any tab is hidden.

    `clicked` after a click has brought a tab to the front, so that what it shows can take the keyboard.
    """

    clicked = Signal()

    def __init__(self) -> None:
        super().__init__(documentMode=True)
        self.setElideMode(Qt.TextElideMode.ElideRight)

    def tabSizeHint(self, index: int) -> QSize:
        wide = self.fontMetrics().horizontalAdvance(self.tabText(index)) + BESIDE
        return QSize(wide, super().tabSizeHint(index).height())

    def minimumTabSizeHint(self, index: int) -> QSize:
        return QSize(LEAST, super().tabSizeHint(index).height())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if event.button() == Qt.MouseButton.LeftButton and self.tabAt(event.position().toPoint()) >= 0:
            self.clicked.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Like Fusion's, but the text may use the space of its padding."""
        painter = QStylePainter(self)
        painter.setPen(theme.colour("border"))
        painter.drawLine(QLineF(0, self.height() - 0.5, self.width(), self.height() - 0.5))
        others = [index for index in range(self.count()) if index != self.currentIndex()]
        for index in (*others, self.currentIndex()):  # it overlaps its neighbours
            if index >= 0:
                self._paint_tab(painter, index)

    def _paint_tab(self, painter: QStylePainter, index: int) -> None:
        option = QStyleOptionTab()
        self.initStyleOption(option, index)
        painter.drawControl(QStyle.ControlElement.CE_TabBarTabShape, option)
        area = self.tabRect(index)
        words = self.fontMetrics().elidedText(self.tabText(index), self.elideMode(), area.width() - 4)
        painter.setPen(theme.colour("text"))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), words)
        if self.hasFocus() and index == self.currentIndex():
            painter.setPen(theme.colour("accent"))
            painter.drawRect(area.adjusted(4, 4, -5, -5))
