"""What an empty page shows: a sentence on what is missing, and a button for that step."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QAbstractItemView, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.ui import theme


class EmptyState(QWidget):
    """Icon, sentence and, if `word` is given, one button that calls `step`."""

    def __init__(self, icon: str, sentence: str, word: str = "", step: Callable[[], object] | None = None) -> None:
        super().__init__()
        self.setObjectName("empty")
        layout = QVBoxLayout(self)
        layout.setSpacing(theme.GRID * 2)
        layout.addStretch(2)
        self._icon_name = icon
        self._icon = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self._text = QLabel(sentence, alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self._text.setObjectName("empty-text")
        self._text.setProperty("role", "muted")
        layout.addWidget(self._icon)
        layout.addWidget(self._text)
        if word and step is not None:
            button = QPushButton(word)
            button.setProperty("role", "primary")
            button.setObjectName("empty-step")
            button.clicked.connect(lambda: step())
            layout.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)
        theme.theme().changed.connect(self._draw_icon)
        self._draw_icon()

    def say(self, sentence: str) -> None:
        self._text.setText(sentence)

    def _draw_icon(self) -> None:
        self._icon.setPixmap(theme.icon(self._icon_name).pixmap(48, 48))


def paint_hint(view: QAbstractItemView, words: str) -> None:
    """Write into an empty list or table what it will contain; for its paintEvent."""
    painter = QPainter(view.viewport())
    painter.setPen(theme.colour("muted"))
    room = QRectF(view.viewport().rect()).adjusted(8, 8, -8, -8)
    painter.drawText(room, int(Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap), words)
    painter.end()
