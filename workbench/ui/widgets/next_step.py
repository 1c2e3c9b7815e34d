"""What a page shows while it has nothing to show: a sentence that says what is needed first, and a button for it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.ui import theme


class NextStep(QWidget):
    """An empty state. `asked(page)` carries the name of the page that the button leads to."""

    asked = Signal(str)

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
        column = QVBoxLayout(self)
        column.setSpacing(2 * theme.GRID)
        column.addStretch(2)
        column.addWidget(self.title)
        column.addWidget(self.sentence)
        column.addWidget(self.button, alignment=Qt.AlignmentFlag.AlignCenter)
        column.addStretch(3)

    def say(self, title: str, sentence: str, button: str = "", page: str = "") -> None:
        """Show these words; without `button` there is no step to offer."""
        self._page = page
        self.title.setText(title)
        self.sentence.setText(sentence)
        self.button.setText(button)
        self.button.setVisible(bool(button))

    def _ask(self) -> None:
        self.asked.emit(self._page)
