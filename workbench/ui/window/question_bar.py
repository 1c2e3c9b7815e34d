"""A line above all pages that says what was found and asks what is to be done: a sign, words, and buttons."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from workbench.ui import theme
from workbench.ui.widgets.buttons import push_button
from workbench.ui.widgets.elided import ElidedLabel


class QuestionBar(QFrame):
    """Hidden until its owner shows it. Its parts are called `name`-words and so on; `ink`: a colour of the theme."""

    def __init__(self, name: str, icon: str, ink: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setProperty("role", "card")
        sign = QLabel()
        theme.set_pixmap(sign, icon, 20, ink)
        self._words = ElidedLabel()
        self._words.setObjectName(f"{name}-words")
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.GRID, theme.GRID // 2, theme.GRID, theme.GRID // 2)
        row.setSpacing(theme.GRID)
        row.addWidget(sign)
        row.addWidget(self._words, 1)
        self._row = row
        self.hide()

    def add_button(self, name: str, word: str, help: str, pressed: Callable[[], object]) -> QPushButton:
        """At the right of those that are there."""
        button = push_button(f"{self.objectName()}-{name}", word, help)
        button.clicked.connect(pressed)
        self._row.addWidget(button)
        return button

    def say(self, words: str, more: str) -> None:
        """`more`: the tooltip."""
        self._words.setText(words)
        self._words.setToolTip(more)
