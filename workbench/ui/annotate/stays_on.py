"""A switch whose key turns it on and never off: who presses W to draw draws, whether or not he was drawing."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QAction


class StaysOn(QObject):
    """For QActions; their buttons and menus switch both ways."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        return event.type() == QEvent.Type.Shortcut and isinstance(watched, QAction) and watched.isChecked()
