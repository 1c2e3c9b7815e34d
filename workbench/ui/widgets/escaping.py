"""Esc in a field gives the keyboard back; it does not reach the page, where it would end drawing or select nothing."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit


class Escaping(QObject):
    """Of one field, which owns it: `pressed` at each Esc there; what becomes of the text is the receiver's."""

    pressed = Signal()

    def __init__(self, field: QLineEdit) -> None:
        super().__init__(field)
        field.installEventFilter(self)

    def eventFilter(self, _field: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent) or event.key() != Qt.Key.Key_Escape:
            return False
        event.accept()  # else the shortcut of the page is looked for
        if event.type() == QEvent.Type.KeyPress:
            self.pressed.emit()
        return True
