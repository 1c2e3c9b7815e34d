"""The tab bar at the right of the Inspect page: all tabs stay visible and no word is cut, however narrow it is."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QStyle, QStyleOptionTab, QStylePainter, QTabBar

from workbench.ui import theme

BESIDE = 12  # px beside a tab's text, left and right together: half of Fusion's
LEAST = 32  # px of a tab that has an icon in place of its text
ICON = 18  # px


class TabBar(QTabBar):
    """If there is no room for all texts, only the current tab has its own; the others have icons, and tooltips.

    A tab's data is the name of its icon.

    `clicked` after a click has brought a tab to the front, so that what it shows can take the keyboard.
    """

    clicked = Signal()

    def __init__(self) -> None:
        super().__init__(documentMode=True)
        self.setElideMode(Qt.TextElideMode.ElideNone)

    def tabSizeHint(self, index: int) -> QSize:
        wide = self.fontMetrics().horizontalAdvance(self.tabText(index)) + BESIDE
        return QSize(wide, super().tabSizeHint(index).height())

    def minimumTabSizeHint(self, index: int) -> QSize:
        hint = self.tabSizeHint(index)
        return hint if index == self.currentIndex() else QSize(LEAST, hint.height())

    def shows_text(self, index: int) -> bool:
        """Whether the tab has its text, not an icon in its place."""
        needed = sum(self.tabSizeHint(each).width() for each in range(self.count()))
        return index == self.currentIndex() or needed <= self.width()

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
        painter.setPen(theme.colour("text"))
        if self.shows_text(index):
            painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), self.tabText(index))
        else:
            icon = theme.icon(str(self.tabData(index)))
            icon.paint(painter, area.adjusted(0, (area.height() - ICON) // 2, 0, -((area.height() - ICON) // 2)))
        if self.hasFocus() and index == self.currentIndex():
            painter.setPen(theme.colour("accent"))
            painter.drawRect(area.adjusted(4, 4, -5, -5))
