"""The plot of box sizes: a point for each box, coloured by the anchor that serves it, and the anchors as crosses."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from workbench import anchors
from workbench.core.project import LABEL_COLOURS
from workbench.ui import theme
from workbench.ui.widgets.plot import Plot

MOST_POINTS = 4_000  # more would paint slower than ten times a second and show no more


def cluster_colour(number: int) -> QColor:
    return QColor(LABEL_COLOURS[number % len(LABEL_COLOURS)])


class SizesPlot(Plot):
    """Points are `sizes` in network pixels; `clicked(index)` is the row in them of the point that was clicked."""

    clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("width (px of the network input)", "height (px)", parent, legend=False)
        self._log = False
        self._sizes = np.zeros((0, 2))
        self._rows = np.zeros(0, np.int64)  # those that are drawn
        self._centres: NDArray[np.float64] = np.zeros((0, 2))
        self._heaps: list[pg.ScatterPlotItem] = []
        self._crosses = pg.ScatterPlotItem(size=17, symbol="+", pxMode=True)
        self._crosses.setZValue(10)
        self.addItem(self._crosses)

    def set_sizes(self, sizes: NDArray[np.float64]) -> None:
        """Show these sizes (n, 2); of very many, a random part."""
        self._sizes = sizes
        rows = np.arange(len(sizes))
        if len(rows) > MOST_POINTS:
            rows = np.sort(np.random.default_rng(0).choice(rows, MOST_POINTS, replace=False))
        self._rows = rows
        self.set_centres(np.zeros((0, 2)))
        self.getPlotItem().enableAutoRange()

    def set_centres(self, centres: NDArray[np.float64]) -> None:
        """Show these anchors (k, 2) and colour each point by its best."""
        self._centres = centres
        self._draw()

    def set_log(self, on: bool) -> None:
        """Logarithmic axes: equal factors look equally far."""
        self._log = on
        for side in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(side)
            axis.setLogMode(on, on)
            axis.logTickStrings = _plain_numbers
        self._draw()
        self.getPlotItem().enableAutoRange()

    @Slot()
    def restyle(self) -> None:
        super().restyle()
        if hasattr(self, "_crosses"):
            self._draw()

    def _draw(self) -> None:
        shown = self._sizes[self._rows]
        nearest = anchors.assign(shown, self._centres) if len(self._centres) else np.zeros(len(shown), np.int64)
        heaps = max(len(self._centres), 1)
        while len(self._heaps) < heaps:
            self._heaps.append(self._new_heap())
        for number, heap in enumerate(self._heaps):
            mine = nearest == number
            brush = cluster_colour(number) if len(self._centres) else theme.colour("muted")
            brush.setAlpha(150)
            x, y = self._placed(shown[mine]).T
            heap.setData(x, y, brush=brush, data=self._rows[mine])
        x, y = self._placed(self._centres).T
        self._crosses.setData(x, y, pen=pg.mkPen(theme.colours().text, width=3))

    def _new_heap(self) -> pg.ScatterPlotItem:
        heap = pg.ScatterPlotItem(size=6, pen=None, pxMode=True)
        heap.sigClicked.connect(self._clicked)
        self.addItem(heap)
        return heap

    def _placed(self, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.log10(sizes) if self._log else sizes).reshape(-1, 2)

    def _clicked(self, _heap: object, points: object, _event: object) -> None:
        for point in np.atleast_1d(np.asarray(points, object))[:1]:
            self.clicked.emit(int(point.data()))


def _plain_numbers(values: Iterable[float], _scale: float, _spacing: float) -> list[str]:
    """Ticks of a logarithmic axis as 20 and 100, not as 2·10¹ and 10²."""
    return [f"{10**value:.4g}" for value in values]


class ToScale(QWidget):
    """The anchors as rectangles round one centre, in the network's square."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._centres: NDArray[np.float64] = np.zeros((0, 2))
        self._px = 416
        self.setToolTip("The anchors to scale in the network's square input.")

    def sizeHint(self) -> QSize:
        return QSize(120, 120)

    def minimumSizeHint(self) -> QSize:
        return QSize(96, 96)

    def show_anchors(self, centres: NDArray[np.float64], px: int) -> None:
        self._centres, self._px = centres, px
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = min(self.width(), self.height()) - 2.0
        middle = QPointF(self.width() / 2, self.height() / 2)
        painter.setPen(QPen(theme.colour("border"), 1))
        painter.setBrush(theme.colour("surface"))
        painter.drawRect(QRectF(middle.x() - side / 2, middle.y() - side / 2, side, side))
        painter.setBrush(QColor(0, 0, 0, 0))
        for number, (width, height) in enumerate(self._centres * side / self._px):
            painter.setPen(QPen(cluster_colour(number), 2))
            painter.drawRect(QRectF(middle.x() - width / 2, middle.y() - height / 2, width, height))
        painter.end()
