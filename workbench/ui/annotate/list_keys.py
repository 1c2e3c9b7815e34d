"""Keys of the picture that mean the same after a click into a list of the page; in a field they are the field's."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QApplication


def triggered(event: QKeyEvent, actions: Sequence[QAction]) -> bool:
    """Whether the key, which a list has left to its page, is that of one of these; then it was done."""
    pressed = QKeySequence(event.keyCombination())
    action = next((one for one in actions if pressed in one.shortcuts()), None)
    if action is None or not isinstance(QApplication.focusWidget(), QAbstractItemView):
        return False
    action.trigger()
    return True
