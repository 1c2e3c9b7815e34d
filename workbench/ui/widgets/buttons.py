"""Buttons with a name, a word, a sentence about them and a glyph; and the blue one of a window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QPushButton, QToolButton

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
