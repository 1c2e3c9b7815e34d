"""The points in the plot of box sizes."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

SIZE = 5  # px, a point's size
ROUND = 4_000  # from this many points on they are square, which paints four times as fast

Colours = NDArray[np.uint8]


class Points(pg.GraphicsObject):  # type: ignore[misc]
    """Up to some ten thousand points in groups of one colour each; every group is painted as one polygon."""

    def __init__(self) -> None:
        super().__init__()
        self._groups: list[tuple[QColor, NDArray[np.float64], NDArray[np.float64]]] = []
        self._cap = Qt.PenCapStyle.RoundCap
        self._area = QRectF()

    def set_points(self, places: NDArray[np.float64], colours: Colours) -> None:
        self.prepareGeometryChange()
        self._groups = []
        if len(places):
            low, high = places.min(axis=0), places.max(axis=0)
            self._area = QRectF(low[0], low[1], max(high[0] - low[0], 1e-9), max(high[1] - low[1], 1e-9))
            codes = colours.astype(np.int64) @ (65_536, 256, 1)
            for code in np.unique(codes).tolist():
                made = QColor(code >> 16, code >> 8 & 255, code & 255, 150)
                x, y = places[codes == code].T
                self._groups.append((made, np.ascontiguousarray(x), np.ascontiguousarray(y)))
        self._cap = Qt.PenCapStyle.RoundCap if len(places) < ROUND else Qt.PenCapStyle.SquareCap
        self.update()

    def boundingRect(self) -> QRectF:
        return self._area

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        """In pixels: Qt strokes a point as a line 1/63 unit long, which is many pixels when units are large."""
        to_px = painter.worldTransform()
        painter.save()
        painter.setWorldTransform(QTransform())
        for colour, x, y in self._groups:
            pen = QPen(colour, SIZE)
            pen.setCapStyle(self._cap)
            painter.setPen(pen)
            across, down = to_px.m11() * x + to_px.dx(), to_px.m22() * y + to_px.dy()
            painter.drawPointsNp(across, down)  # type: ignore[arg-type]  # it takes arrays
        painter.restore()
