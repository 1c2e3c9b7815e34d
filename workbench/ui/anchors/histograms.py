"""The histograms beside the plot of box sizes, and the points in the plot."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QTransform
from PySide6.QtWidgets import QGraphicsPathItem, QStyleOptionGraphicsItem, QWidget

from workbench.ui import theme
from workbench.ui.anchors.cloud import Cloud
from workbench.ui.widgets.plot import Plot

BAR_ROOM = 48  # px
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


class Histogram(pg.PlotWidget):  # type: ignore[misc]
    """The histogram along one axis of the plot, whose range it follows: 0 above the plot, 1 to its right."""

    def __init__(self, of: Plot, axis: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axis = axis
        self._path = QGraphicsPathItem()
        self.getPlotItem().vb.addItem(self._path, ignoreBounds=True)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        (self.setXLink if axis == 0 else self.setYLink)(of)
        (self.setFixedHeight if axis == 0 else self.setFixedWidth)(BAR_ROOM)
        if axis == 0:  # leaves the width of the plot's left axis, so that bars line up with their boxes
            self.getPlotItem().getAxis("left").setStyle(showValues=False, tickLength=0)
            of.getPlotItem().getAxis("left").geometryChanged.connect(lambda: self._align(of))
        self.setAccessibleName("Boxes by width" if axis == 0 else "Boxes by height")
        theme.theme().changed.connect(self.restyle)
        self.restyle()

    def _align(self, of: Plot) -> None:
        self.getPlotItem().getAxis("left").setWidth(of.getPlotItem().getAxis("left").width())

    @Slot()
    def restyle(self) -> None:
        theme.style_plot(self)
        self.getPlotItem().showGrid(False, False)
        self.getPlotItem().hideAxis("bottom")
        if self._axis:
            self.getPlotItem().hideAxis("left")
        else:
            self.getPlotItem().getAxis("left").setPen(None)
        ink = theme.colour("muted")
        ink.setAlpha(140)
        self._path.setBrush(ink)
        self._path.setPen(QPen(Qt.PenStyle.NoPen))

    def show_cloud(self, cloud: Cloud | None) -> None:
        if cloud is None:
            self._path.setPath(QPainterPath())
            return
        edges, counts = cloud.edges[self._axis], cloud.bars[self._axis]
        along, up = np.repeat(edges, 2), np.concatenate([[0.0], np.repeat(counts, 2), [0.0]])
        x, y = (along, up) if self._axis == 0 else (up, along)
        self._path.setPath(pg.arrayToQPath(x, y))
        most = max(float(counts.max(initial=0)), 1.0)
        (self.setYRange if self._axis == 0 else self.setXRange)(0, most, padding=0)
