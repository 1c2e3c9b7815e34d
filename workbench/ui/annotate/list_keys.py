"""Keys of the picture that mean the same after a click on a list or slider of the page; in a field they are its own."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QAbstractSlider, QApplication


def triggered(event: QKeyEvent, actions: Sequence[QAction]) -> bool:
    """Whether the key, which a list or slider has left to its page, is that of one of these; then it was done."""
    pressed = QKeySequence(event.keyCombination())
    action = next((one for one in actions if pressed in one.shortcuts()), None)
    if action is None or not isinstance(QApplication.focusWidget(), QAbstractItemView | QAbstractSlider):
        return False
    action.trigger()
    return True
