"""What a page or list shows while it is empty: what is needed first, and for a page buttons that lead there."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal, Slot
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QAbstractItemView, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.ui import theme


class EmptyState(QWidget):
    """An icon, a title, a sentence and up to two buttons, as `say` and `offer_other` have it.

    `page_requested(page)` carries the name of the page that the first button leads to; `other_requested` comes after
    the second, for another way to the same goal.
    """

    page_requested = Signal(str)
    other_requested = Signal()

    def __init__(self, name: str, icon: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._page = ""
        sign = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        theme.set_pixmap(sign, icon, 48)
        self.title = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.title.setFont(theme.font(theme.TITLE))
        self.sentence = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.sentence.setObjectName(f"{name}-sentence")
        self.sentence.setWordWrap(True)
        self.sentence.setProperty("role", "muted")
        self.button = QPushButton()
        self.button.setObjectName(f"{name}-button")
        self.button.setProperty("role", "primary")
        self.button.clicked.connect(self._ask)
        self.other = QPushButton()
        self.other.setObjectName(f"{name}-other")
        self.other.clicked.connect(self.other_requested)
        column = QVBoxLayout(self)
        column.setSpacing(2 * theme.GRID)
        column.addStretch(2)
        for words in (sign, self.title, self.sentence):
            column.addWidget(words)
        for button in (self.button, self.other):
            column.addWidget(button, alignment=Qt.AlignmentFlag.AlignCenter)
            button.hide()
        column.addStretch(3)

    def say(self, title: str, sentence: str, button: str = "", page: str = "") -> None:
        """Show these words; without `button` there is no step to offer."""
        self._page = page
        self.title.setText(title)
        self.title.setVisible(bool(title))
        self.sentence.setText(sentence)
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self.other.hide()

    def offer_other(self, word: str) -> None:
        """Show the second button until the next `say`."""
        self.other.setText(word)
        self.other.show()

    @Slot()
    def _ask(self) -> None:
        self.page_requested.emit(self._page)


def paint_hint(view: QAbstractItemView, words: str) -> None:
    """Write into an empty list or table what it will contain; for its paintEvent."""
    painter = QPainter(view.viewport())
    painter.setPen(theme.colour("muted"))
    room = QRectF(view.viewport().rect()).adjusted(8, 8, -8, -8)
    painter.drawText(room, int(Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap), words)
    painter.end()
