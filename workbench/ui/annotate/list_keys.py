"""The canvas's keys that also work after a click on a list or slider of the page; text fields keep theirs."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QAbstractSlider, QApplication


def trigger_action(event: QKeyEvent, actions: Sequence[QAction]) -> bool:
    """Trigger the action with this key, which a list or slider has passed on; returns whether there was one."""
    pressed = QKeySequence(event.keyCombination())
    action = next((one for one in actions if pressed in one.shortcuts()), None)
    if action is None or not isinstance(QApplication.focusWidget(), QAbstractItemView | QAbstractSlider):
        return False
    action.trigger()
    return True
