"""A window that opens again where and as large as it was closed."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from workbench.ui import preferences

_FRAME = 40


def restore(
    window: QWidget, key: str, size: tuple[int, int], smallest: tuple[int, int], *, free: int = 64
) -> None:  # fmt: skip
    """As `keep` left it; else of `size`, or as large as leaves `free` of the screen. Pixels, width and height.

    The frame that the desktop draws round it is not known before it is shown: it has room, too.
    """
    room = QGuiApplication.primaryScreen().availableSize()
    window.setMinimumSize(*smallest)
    window.resize(min(size[0], room.width() - free), min(size[1], room.height() - max(free, _FRAME)))
    kept = preferences.geometry(key)
    if not kept.isEmpty():
        window.restoreGeometry(kept)


def keep(window: QWidget, key: str) -> None:
    preferences.put(key, window.saveGeometry())
