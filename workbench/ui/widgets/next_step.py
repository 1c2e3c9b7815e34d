"""What a page shows while it is empty: a sentence on what is needed first, and buttons for it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.ui import theme


class NextStep(QWidget):
    """An empty state. `page_requested(page)` carries the name of the page that the button leads to.

    `other_requested` after the second button, for another way to the same goal; `offer_other` shows it.
    """

    page_requested = Signal(str)
    other_requested = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._page = ""
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
        self.button.hide()
        self.other.hide()
        column = QVBoxLayout(self)
        column.setSpacing(2 * theme.GRID)
        column.addStretch(2)
        column.addWidget(self.title)
        column.addWidget(self.sentence)
        for button in (self.button, self.other):
            column.addWidget(button, alignment=Qt.AlignmentFlag.AlignCenter)
        column.addStretch(3)

    def say(self, title: str, sentence: str, button: str = "", page: str = "") -> None:
        """Show these words; without `button` there is no step to offer."""
        self._page = page
        self.title.setText(title)
        self.sentence.setText(sentence)
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self.other.hide()

    def offer_other(self, word: str) -> None:
        """Show the second button until the next `say`."""
        self.other.setText(word)
        self.other.show()

    def _ask(self) -> None:
        self.page_requested.emit(self._page)
