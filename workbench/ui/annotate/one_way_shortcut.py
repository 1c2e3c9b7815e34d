"""A switch whose key only turns it on: whoever presses W wants to draw, whether or not drawing was on."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QAction


class OneWayShortcut(QObject):
    """For QActions; their buttons and menus still switch both ways."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        return event.type() == QEvent.Type.Shortcut and isinstance(watched, QAction) and watched.isChecked()
