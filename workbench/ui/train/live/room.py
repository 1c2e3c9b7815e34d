"""Gives a tab below the curves most of the room while it is in front, and takes it back for the others."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QSplitter, QTabWidget, QWidget

SHARE = 0.68
"""Of the height: the curves above keep a line of plots."""


class Room(QObject):
    """What a person sets the splitter to is kept, for `large` and for the other tabs apart."""

    def __init__(self, split: QSplitter, tabs: QTabWidget, large: QWidget) -> None:
        super().__init__(tabs)
        self._split, self._tabs, self._large = split, tabs, large
        self._kept: dict[bool, list[int]] = {}
        self._is_large = tabs.currentWidget() is large
        tabs.currentChanged.connect(self._changed)

    @Slot(int)
    def _changed(self, _tab: int) -> None:
        now = self._tabs.currentWidget() is self._large
        if now == self._is_large:
            return
        sizes = self._split.sizes()
        self._kept[self._is_large] = sizes
        self._is_large = now
        lower = round(sum(sizes) * SHARE)
        self._split.setSizes(self._kept.get(now, [sum(sizes) - lower, lower]))
