"""Buttons with a name, a word, a sentence about them and a glyph; and the blue one of a window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QToolButton

from workbench.ui import theme


def push_button(name: str, word: str, help: str = "", icon: str = "") -> QPushButton:
    """`icon` is a name of ui/icons.py."""
    made = QPushButton(word)
    made.setObjectName(name)
    made.setToolTip(help)
    if icon:
        theme.set_icon(made, icon)
    return made


def primary(button: QPushButton) -> None:
    """The blue one of its window, which Ctrl+Return presses from any of the window's fields."""
    button.setProperty("role", "primary")
    for key in ("Ctrl+Return", "Ctrl+Enter"):  # not the button's own shortcut, which goes with each change of its text
        QShortcut(QKeySequence(key), button, button.click)


def foot(window: QDialog, blue: QPushButton, *others: QPushButton, words: QLabel | None = None) -> QHBoxLayout:
    """The last line of a window: others or words at the left; Close, which Esc does too, and the blue one at the right.

    None of them is pressed by Return, which in a field is the field's.
    """
    close = push_button(f"{window.objectName().removesuffix('-window')}-close", "Close")
    close.clicked.connect(window.close)
    row = QHBoxLayout()
    row.setSpacing(theme.GRID)
    for other in others:
        row.addWidget(other)
    if words is not None:
        row.addWidget(words, 1)
    else:
        row.addStretch(1)
    row.addWidget(close)
    row.addWidget(blue)
    for button in (*others, close, blue):
        button.setAutoDefault(False)
    return row


def icon_button(name: str, icon: str, help: str) -> QToolButton:
    """A flat one with a glyph alone; `help` is also what is read aloud."""
    made = QToolButton()
    made.setObjectName(name)
    made.setAccessibleName(help)
    made.setToolTip(help)
    made.setAutoRaise(True)
    theme.set_icon(made, icon)
    return made


def word_button(name: str, word: str, icon: str) -> QToolButton:
    """A glyph and a word beside it."""
    made = QToolButton()
    made.setObjectName(name)
    made.setText(word)
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    theme.set_icon(made, icon)
    return made
