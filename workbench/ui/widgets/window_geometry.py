"""Restores a window's last place and size, and the sizes that the user gave its panes."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QSplitter, QWidget

from workbench.ui import preferences

_FRAME = 40
_STILL = 300  # ms after a pane was last moved


def restore(
    window: QWidget, key: str, size: tuple[int, int], smallest: tuple[int, int], *, free: int = 64
) -> None:  # fmt: skip
    """As `save` stored it; otherwise `size`, or what leaves `free` of the screen. Pixels, width and height.

    The desktop's window frame is unknown before the window is shown: leave room for it.
    """
    room = QGuiApplication.primaryScreen().availableSize()
    window.setMinimumSize(*smallest)
    window.resize(min(size[0], room.width() - free), min(size[1], room.height() - max(free, _FRAME)))
    kept = preferences.geometry(key)
    if not kept.isEmpty():
        window.restoreGeometry(kept)


def save(window: QWidget, key: str) -> None:
    preferences.put(key, window.saveGeometry())


def remember_panes(split: QSplitter, key: str) -> None:
    """Keep pane sizes set by the user for the next start, but not those set by a layout or a button."""
    kept = preferences.geometry(key)
    if not kept.isEmpty():
        split.restoreState(kept)
    moved = QTimer(split, singleShot=True, interval=_STILL)
    moved.timeout.connect(lambda: preferences.put(key, split.saveState()))
    split.splitterMoved.connect(lambda *_: moved.start())  # without the position as start()'s time
