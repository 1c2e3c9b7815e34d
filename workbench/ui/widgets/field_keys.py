"""Keys that delete a word in a field, such as Ctrl+Del, do so: on a page they take images out of the project."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QWidget

_DELETING = (QKeySequence.StandardKey.DeleteEndOfWord, QKeySequence.StandardKey.DeleteStartOfWord)


class FieldKeys(QObject):
    """An event filter on a page with fields. Qt's own claim only letters, and keys that move or select."""

    def __init__(self, page: QWidget) -> None:
        super().__init__(page)
        page.installEventFilter(self)

    def eventFilter(self, _page: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.ShortcutOverride:
            return False
        in_field = isinstance(QApplication.focusWidget(), QLineEdit | QAbstractSpinBox)
        if not in_field or not any(event.matches(key) for key in _DELETING):
            return False
        event.accept()
        return True
