"""Buttons with a name, text, tooltip and icon; and the primary one of a window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QMessageBox, QPushButton, QToolButton

from workbench.ui import theme


def push_button(name: str, word: str, help: str = "", icon: str = "") -> QPushButton:
    """`icon` is a name of ui/icons.py."""
    made = QPushButton(word)
    made.setObjectName(name)
    made.setToolTip(help)
    if icon:
        theme.set_icon(made, icon)
    return made


def make_primary(button: QPushButton) -> None:
    """Make it the primary one, in blue; Ctrl+Return presses it from any field of its window."""
    button.setProperty("role", "primary")
    for key in ("Ctrl+Return", "Ctrl+Enter"):  # not the button's own shortcut, which is lost when its text changes
        QShortcut(QKeySequence(key), button, button.click)


def dialog_buttons(
    window: QDialog, blue: QPushButton, *others: QPushButton, words: QLabel | None = None
) -> QHBoxLayout:
    """A window's last line: others or text on the left; Close, which Esc presses too, and the primary on the right.

    Return presses none of them: in a field it belongs to the field.
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


def show_whole_words(question: QMessageBox) -> None:
    """Make no button of `question`, which has all of them, narrower than its words; call it before each is shown.

    The style sheet's least width for a dialog's buttons would else be all that Qt keeps for them. And Qt would have
    macOS show it, which on its versions 26 and 27 takes no clicks, or ends the program (qbittorrent/qBittorrent#24937).
    """
    question.setOption(QMessageBox.Option.DontUseNativeDialog)
    for button in question.buttons():
        button.ensurePolished()
        button.setMinimumWidth(button.sizeHint().width())


def icon_button(name: str, icon: str, help: str) -> QToolButton:
    """A flat button with only an icon; `help` is its tooltip and accessible name."""
    made = QToolButton()
    made.setObjectName(name)
    made.setAccessibleName(help)
    made.setToolTip(help)
    made.setAutoRaise(True)
    theme.set_icon(made, icon)
    return made


def word_button(name: str, word: str, icon: str) -> QToolButton:
    """An icon with a word beside it."""
    made = QToolButton()
    made.setObjectName(name)
    made.setText(word)
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    theme.set_icon(made, icon)
    return made
