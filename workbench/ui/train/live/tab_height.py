"""Gives a tab below the curves most of the height while it is in front, and takes it back for the others."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QSplitter, QTabWidget, QWidget

SHARE = 0.68
"""Of the height: the curves above keep one row of plots."""


class TabHeight(QObject):
    """A person's splitter position is remembered, separately for `large` and for the other tabs."""

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
