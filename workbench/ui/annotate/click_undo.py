"""Undo and Delete while a box is drawn by clicks: they take back the last click, not the edit before it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QKeyEvent, QKeySequence

from workbench.ui import keys
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.gestures import DrawGesture

_COMMANDS = ("undo", "delete-boxes")


class ClickUndo(QObject):
    """An event filter on the canvas: an earlier box would go unnoticed while one looks at the corner of the next."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        canvas.installEventFilter(self)

    def eventFilter(self, _canvas: QObject, event: QEvent) -> bool:
        gesture = self._canvas.gesture
        if not isinstance(event, QKeyEvent) or not isinstance(gesture, DrawGesture) or not gesture.by_clicks:
            return False
        pressed = QKeySequence(event.keyCombination())
        if not any(pressed == QKeySequence(key) for name in _COMMANDS for key in keys.of(name)):
            return False
        if event.type() == QEvent.Type.ShortcutOverride:  # announces the key before the command gets it
            event.accept()
        elif event.type() == QEvent.Type.KeyPress:
            if not gesture.take_back():
                self._canvas.gesture = None
            self._canvas.update()
        else:
            return False
        return True
