"""A row of buttons with icon and word; where there is no room for all words, some of them are icons with a tooltip."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from workbench.ui import theme

_WITH_WORDS, _ICON = Qt.ToolButtonStyle.ToolButtonTextBesideIcon, Qt.ToolButtonStyle.ToolButtonIconOnly


class ToolRow(QFrame):
    """`add(button)` from left to right; no word is ever cut."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "bar")
        self._buttons: list[tuple[int, QToolButton]] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(theme.GRID, 4, theme.GRID, 0)
        self._row.setSpacing(theme.GRID // 2)
        self._row.addStretch(1)

    def add(self, button: QToolButton, gives_way: int = 0) -> None:
        """`gives_way`: the greater, the sooner it loses its word; 0: never."""
        button.setToolButtonStyle(_WITH_WORDS)
        self._buttons.append((gives_way, button))
        self._row.insertWidget(self._row.count() - 1, button)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """So that the words do not keep the window wide."""
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        margins = self._row.contentsMargins()
        room = self.width() - margins.left() - margins.right() - self._row.spacing() * len(self._buttons)
        for _, button in self._buttons:
            button.setToolButtonStyle(_WITH_WORDS)
        needed = sum(button.sizeHint().width() for _, button in self._buttons)
        for gives_way, button in sorted(self._buttons, key=lambda one: -one[0]):
            if needed <= room or not gives_way:
                return
            needed -= button.sizeHint().width()
            button.setToolButtonStyle(_ICON)
            needed += button.sizeHint().width()
