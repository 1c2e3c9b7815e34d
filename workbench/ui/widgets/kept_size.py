"""A window that opens again where and as large as it was closed."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from workbench.ui import preferences

_LEFT_FREE = 64  # px of the screen, where the window was never sized by a person


def restore(window: QWidget, key: str, size: tuple[int, int], smallest: tuple[int, int]) -> None:
    """As `keep` left it; else of `size`, or what the screen has room for. Pixels, width and height."""
    room = QGuiApplication.primaryScreen().availableSize()
    window.setMinimumSize(*smallest)
    window.resize(min(size[0], room.width() - _LEFT_FREE), min(size[1], room.height() - _LEFT_FREE))
    kept = preferences.geometry(key)
    if not kept.isEmpty():
        window.restoreGeometry(kept)


def keep(window: QWidget, key: str) -> None:
    preferences.put(key, window.saveGeometry())
