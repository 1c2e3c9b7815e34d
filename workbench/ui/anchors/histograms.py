"""The histograms beside the plot of box sizes."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsPathItem, QWidget

from workbench.ui import theme
from workbench.ui.anchors.cloud import Cloud
from workbench.ui.plots.plot import Plot

BAR_ROOM = 48  # px


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
