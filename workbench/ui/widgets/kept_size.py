"""A window that opens again where and as large as it was closed, and panes that keep the sizes that they were given."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QSplitter, QWidget

from workbench.ui import preferences

_FRAME = 40
_STILL = 300  # ms after a pane was moved last


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


def keep_panes(split: QSplitter, key: str) -> None:
    """Sizes that a person gives the panes are theirs at the next start, too; those of a layout or a button are not."""
    kept = preferences.geometry(key)
    if not kept.isEmpty():
        split.restoreState(kept)
    moved = QTimer(split, singleShot=True, interval=_STILL)
    moved.timeout.connect(lambda: preferences.put(key, split.saveState()))
    split.splitterMoved.connect(lambda *_: moved.start())  # not with the place as its time
