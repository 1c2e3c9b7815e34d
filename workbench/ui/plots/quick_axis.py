"""An axis painted directly, not from a recorded QPicture: playing one back looks up the font for each word.

Its lines are filled rectangles in the colour that blending would give: blending a vertical line takes
twenty times as long, and a plot's grid took 10 ms per frame.
"""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from workbench.ui import theme

_Line = tuple[QPen, QPointF, QPointF]
_Picture = tuple[list[tuple[QRectF, QColor]], list[tuple[QRectF, int, str]]]


class QuickAxis(pg.AxisItem):  # type: ignore[misc]
    """Like pyqtgraph's, for plots on the theme's background."""

    picture: _Picture | None

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.save()
        if self.style["tickFont"]:
            painter.setFont(self.style["tickFont"])
        if self.picture is None:  # pyqtgraph's sign that something has changed
            self.picture = self._drawn(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing, True)
        lines, texts = self.picture
        for rect, colour in lines:
            painter.fillRect(rect, colour)
        painter.setPen(self.textPen())
        painter.setClipRect(self.boundingRect().toAlignedRect())
        for rect, flags, text in texts:
            painter.drawText(rect, flags, text)
        painter.restore()

    def _drawn(self, painter: QPainter) -> _Picture:
        specs: tuple[_Line, list[_Line], list[tuple[QRectF, Any, str]]] | None = self.generateDrawSpecs(painter)
        if specs is None:
            return [], []
        axis, ticks, texts = specs
        ground = QColor(theme.colours().plot)
        lines = [(_thick(start, end), _blended(pen.color(), ground)) for pen, start, end in (axis, *ticks)]
        return lines, [(rect, int(flags), text) for rect, flags, text in texts]


def _blended(colour: QColor, ground: QColor) -> QColor:
    share = colour.alphaF()
    pairs = zip(colour.getRgb()[:3], ground.getRgb()[:3], strict=True)  # type: ignore[index]
    return QColor(*(round(share * over + (1 - share) * under) for over, under in pairs))


def _thick(start: QPointF, end: QPointF) -> QRectF:
    """A horizontal or vertical line, one pixel wide."""
    rect = QRectF(start, end).normalized()
    return rect.adjusted(0, 0, 1, 0) if rect.width() < rect.height() else rect.adjusted(0, 0, 0, 1)
