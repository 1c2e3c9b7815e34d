"""Plots of a project's boxes: how many per label and per image, their sizes and shapes."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QGridLayout, QWidget

from workbench.core.box_statistics import BoxStatistics, Histogram
from workbench.ui import theme
from workbench.ui.plots.plot import Plot

NAMED = 12
"""Most labels to be named below their bars; with more, numbers."""


class StatisticsView(QWidget):
    """Four plots of bars."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels = Plot("label", "boxes", legend=False, integer_x=True)
        self._images = Plot("boxes in an image", "images", legend=False, integer_x=True)
        self._images.getPlotItem().vb.setLimits(xMin=-0.5)  # where the bar of the images without a box begins
        self._sides = Plot("side (px, in an image of 416 px)", "boxes", legend=False)
        self._shapes = Plot("width : height", "boxes", legend=False)
        self._shapes.getPlotItem().getAxis("bottom").setTicks(
            [[(x, f"{2**x:g} : 1" if x > 0 else f"1 : {2**-x:g}") for x in range(-4, 5, 2)]]
        )
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(theme.GRID)
        for number, (name, plot) in enumerate(self._plots().items()):
            plot.setObjectName(f"statistics-{name}")
            plot.setMinimumSize(160, 120)
            grid.addWidget(plot, number // 2, number % 2)
        self._bars: dict[Plot, pg.BarGraphItem] = {}
        theme.theme().changed.connect(self._recolour)

    def _plots(self) -> dict[str, Plot]:
        return {"labels": self._labels, "images": self._images, "sides": self._sides, "shapes": self._shapes}

    def show_statistics(self, found: BoxStatistics) -> None:
        names = [name for name, _ in found.per_label]
        edges = np.asarray(np.arange(len(names) + 1) + 0.5, np.float64)
        self._draw(self._labels, Histogram(edges, np.array([n for _, n in found.per_label], np.int64)))
        ticks = [[(i, _short(name)) for i, name in enumerate(names, start=1)]] if len(names) <= NAMED else None
        self._labels.getPlotItem().getAxis("bottom").setTicks(ticks)
        for plot, histogram in (
            (self._images, found.per_image), (self._sides, found.sides), (self._shapes, found.shapes),
        ):  # fmt: skip
            self._draw(plot, histogram)

    def clear(self) -> None:
        """Another project is open: its boxes are not known yet."""
        for plot, bars in self._bars.items():
            plot.removeItem(bars)
            plot.start_over()
        self._bars.clear()
        self._labels.getPlotItem().getAxis("bottom").setTicks(None)

    def _draw(self, plot: Plot, histogram: Histogram) -> None:
        if plot in self._bars:
            plot.removeItem(self._bars.pop(plot))
        middle = (histogram.edges[:-1] + histogram.edges[1:]) / 2
        widths = np.diff(histogram.edges) * 0.9
        bars = pg.BarGraphItem(x=middle, height=histogram.counts, width=widths, pen=None, brush=theme.colour("accent"))
        self._bars[plot] = bars
        plot.addItem(bars)
        plot.curve("bars", middle, histogram.counts, style=Qt.PenStyle.NoPen)  # for the menu's copy as CSV
        plot.getPlotItem().enableAutoRange()

    @Slot()
    def _recolour(self) -> None:
        for bars in self._bars.values():
            bars.setOpts(brush=theme.colour("accent"))


def _short(name: str) -> str:
    return name if len(name) <= 10 else f"{name[:9]}…"
