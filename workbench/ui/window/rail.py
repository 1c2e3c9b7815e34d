"""The rail on the left: one button with icon and word for each page."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QFrame, QVBoxLayout, QWidget

from workbench.ui import theme
from workbench.ui.actions import tell_key

WIDTH, HEIGHT, ICON = 72, 64, 24


class Rail(QFrame):
    """Emits `chosen(page name)`. `show_page` marks a page without emitting."""

    chosen = Signal(str)

    def __init__(self, pages: Sequence[tuple[str, str, str]], parent: QWidget | None = None) -> None:
        """`pages`: name, title and icon of each."""
        super().__init__(parent)
        self.setObjectName("rail")
        self.setProperty("role", "bar")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.GRID, 0, theme.GRID)
        layout.setSpacing(0)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, RailButton] = {}
        for name, title, icon in pages:
            button = RailButton(title, icon)
            button.setObjectName(f"rail-{name}")
            button.setAccessibleName(title)
            tell_key(button, f"page-{name}")
            button.clicked.connect(lambda _=False, name=name: self.chosen.emit(name))
            self._group.addButton(button)
            self._buttons[name] = button
            layout.addWidget(button)
        layout.addStretch(1)
        self.setFixedWidth(layout.sizeHint().width())

    def show_page(self, name: str) -> None:
        """Mark the page's button; "" marks none (the start page). Tab then stops at the marked one.

        In an exclusive group Tab stops at one button, which for Qt is the first until another had the focus.
        """
        self._group.setExclusive(False)
        for other, button in self._buttons.items():
            button.setChecked(other == name)
            if name:
                button.setFocusPolicy(Qt.FocusPolicy.TabFocus if other == name else Qt.FocusPolicy.NoFocus)
        self._group.setExclusive(bool(name))

    def set_pages_enabled(self, enabled: bool) -> None:
        for button in self._buttons.values():
            button.setEnabled(enabled)


class RailButton(QAbstractButton):
    """Icon above a word; the shown page's button has the accent on its left edge."""

    def __init__(self, title: str, icon: str) -> None:
        super().__init__()
        self.setText(title)
        self.setCheckable(True)
        self.setAutoExclusive(True)  # for screen readers, as Qt else tells them of a check box
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFont(theme.font(theme.SMALL))
        theme.set_icon(self, icon)

    def sizeHint(self) -> QSize:
        words = self.fontMetrics().boundingRect(self.text()).size()  # larger than usual with a large font
        return QSize(max(WIDTH, words.width() + theme.GRID), max(HEIGHT, 10 + ICON + 2 + words.height() + 10))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self.isChecked() or self.underMouse():
            painter.fillRect(QRectF(self.rect()), theme.colour("surface" if self.isChecked() else "hover"))
        if self.isChecked():
            painter.fillRect(QRectF(0, 0, 3, self.height()), theme.colour("accent"))
        if self.hasFocus():
            painter.setPen(theme.colour("accent"))
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        mode = QIcon.Mode.Normal if self.isEnabled() else QIcon.Mode.Disabled
        place = QRect((self.width() - ICON) // 2, 10, ICON, ICON)
        self.icon().paint(painter, place, Qt.AlignmentFlag.AlignCenter, mode)
        painter.setOpacity(1.0 if self.isEnabled() else 0.5)
        painter.setPen(theme.colour("text" if self.isChecked() else "muted"))
        painter.setFont(self.font())
        words = QRectF(0, 10 + ICON + 2, self.width(), self.height() - ICON - 14)
        painter.drawText(words, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, self.text())
        painter.end()
