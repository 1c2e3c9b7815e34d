"""Arranges a few pictures in a grid, with as many rows as make them largest."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QRect, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from workbench.ui.train.live.picture import LivePicture

GAP = 4  # px


class PictureGrid(QWidget):
    """`pictures` are those in use; they are created when first needed and kept. `opened(image)` as theirs."""

    opened = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._made: list[LivePicture] = []
        self._count = 0
        self._shape = 4 / 3  # width / height of the pictures
        self.setMinimumHeight(64)

    @property
    def pictures(self) -> Sequence[LivePicture]:
        return self._made[: self._count]

    def set_count(self, count: int) -> None:
        """Show this many pictures."""
        while len(self._made) < count:
            picture = LivePicture(len(self._made), self)
            picture.opened.connect(self.opened)
            self._made.append(picture)
        self._count = count
        for number, picture in enumerate(self._made):
            picture.setVisible(number < count)
        self._place()

    def set_shape(self, shape: float) -> None:
        """The width / height of most of the pictures."""
        if shape != self._shape:
            self._shape = shape
            self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._place()

    def _place(self) -> None:
        if not self._count:
            return
        columns = best_columns(self._count, self.width(), self.height(), self._shape)
        rows = math.ceil(self._count / columns)
        for number, picture in enumerate(self.pictures):
            row, column = divmod(number, columns)
            left, right = (at * (self.width() + GAP) // columns for at in (column, column + 1))
            top, bottom = (at * (self.height() + GAP) // rows for at in (row, row + 1))
            picture.setGeometry(QRect(left, top, right - left - GAP, bottom - top - GAP))


def best_columns(count: int, width: int, height: int, shape: float) -> int:
    """The number of columns for which `count` pictures of this shape (width / height) are largest."""

    def picture_height(columns: int) -> float:
        return min(width / columns / shape, height / math.ceil(count / columns))

    return max(range(1, count + 1), key=picture_height)
