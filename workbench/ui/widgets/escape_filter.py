"""Esc in a field returns the focus; it does not reach the page, where it would end drawing or clear the selection."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit


class EscapeFilter(QObject):
    """For one field, which owns it: emits `pressed` at each Esc; the receiver decides about the text."""

    pressed = Signal()

    def __init__(self, field: QLineEdit) -> None:
        super().__init__(field)
        field.installEventFilter(self)

    def eventFilter(self, _field: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent) or event.key() != Qt.Key.Key_Escape:
            return False
        event.accept()  # otherwise Qt looks for the page's shortcut
        if event.type() == QEvent.Type.KeyPress:
            self.pressed.emit()
        return True
