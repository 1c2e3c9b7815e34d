"""Shows an image's loss as a strip, longer and redder the more images have a lower loss; and its legend."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from workbench.ui import theme

STRIP = 5
"""Height of a strip in pixels."""
_STOPS = ("#3f7fbf", "#d9b036", "#d6301f")
"""Lowest, middle, highest: distinguishable for people who don't see red or green, on light and dark backgrounds."""


def _mixed(share: float) -> QColor:
    at = share * (len(_STOPS) - 1)
    low = min(int(at), len(_STOPS) - 2)
    a, b, part = QColor(_STOPS[low]), QColor(_STOPS[low + 1]), at - low
    pairs = ((a.red(), b.red()), (a.green(), b.green()), (a.blue(), b.blue()))
    return QColor(*(round(x + (y - x) * part) for x, y in pairs))


_COLOURS = tuple(_mixed((percent / 100) ** 2) for percent in range(101))  # squared, so that the highest stand out


def colour(share: float) -> QColor:
    """The colour for an image whose loss is higher than that of this share of the others, 0 to 1."""
    return _COLOURS[min(max(int(100 * share), 0), 100)]


def paint_strip(painter: QPainter, room: QRectF, share: float) -> None:
    """Fill this share of `room` from the left; nothing for NaN."""
    if math.isnan(share):
        return
    painter.fillRect(room, theme.colour("border"))
    painter.fillRect(QRectF(room.x(), room.y(), max(room.width() * share, 2), room.height()), colour(share))


class LossScale(QWidget):
    """The legend: "low", the colours, "high"."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("loss-scale")
        self.setAccessibleName("Colours of the strips: blue is a low loss, red a high one")
        self.setToolTip(
            "The strip below an image: the longer and redder, the more images have a lower loss.\n"
            "A high loss: hard to learn, or labelled wrongly."
        )
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        words = self.fontMetrics().horizontalAdvance("low") + self.fontMetrics().horizontalAdvance("high")
        return QSize(words + len(_COLOURS) + 2 * theme.GRID, 16)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(theme.colour("muted"))
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRectF(self.rect()), middle | int(Qt.AlignmentFlag.AlignLeft), "low")
        painter.drawText(QRectF(self.rect()), middle | int(Qt.AlignmentFlag.AlignRight), "high")
        left = self.fontMetrics().horizontalAdvance("low") + theme.GRID
        top = (self.height() - STRIP) / 2
        for number, ink in enumerate(_COLOURS):
            painter.fillRect(QRectF(left + number, top, 1, STRIP), ink)
        painter.end()
