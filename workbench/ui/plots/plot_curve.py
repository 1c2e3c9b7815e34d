"""One named curve of a plot: its numbers, those before smoothing, and how both are drawn."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt

from workbench.ui import theme
from workbench.ui.plots.curve_points import Floats

WIDTH = 2.0  # px of a line
CROWDED = 1.0  # px of one that oscillates at every pixel: Qt strokes wide lines ten times as slowly
FAINT = 80  # of 255: opacity of the curve before smoothing
_NONE = np.zeros(0)


class PlotCurve:
    """`item` is in the plot's legend; `under`, the faint one, is not, and is made when needed."""

    def __init__(self, colour: int | str, style: Qt.PenStyle) -> None:
        self.colour, self.style = colour, style
        self.item = pg.PlotDataItem(symbolPen=None, symbolSize=6)
        self.under: pg.PlotCurveItem | None = None
        self.x, self.y = _NONE, _NONE
        self.raw: Floats | None = None
        self.points = self.crowded = False

    def take(self, x: Floats, y: Floats, raw: Floats | None, points: bool) -> None:
        """Set new numbers; `raw`: those before smoothing to `y`."""
        self.x, self.y, self.raw, self.points = x, y, raw, points

    @property
    def numbers(self) -> Floats:
        """The numbers as measured."""
        return self.y if self.raw is None else self.raw

    @property
    def least(self) -> float:
        """The smallest number above 0; infinity if there is none."""
        return float(np.min(self.numbers, where=self.numbers > 0, initial=math.inf))

    @property
    def below(self) -> int:
        """How many numbers are 0 or less, without a logarithm."""
        return int(np.count_nonzero(self.numbers <= 0))

    @property
    def shown(self) -> bool:
        return bool(self.item.isVisible())

    def show(self, on: bool) -> None:
        self.item.setVisible(on)
        if self.under is not None:
            self.under.setVisible(on)

    def restyle(self) -> None:
        """Use the theme's colours."""
        self.item.setPen(self._pen())
        self.item.setSymbolBrush(self.ink)
        if self.under is not None:
            self.under.setPen(self._faint())

    def draw(self, x: Floats, y: Floats, crowded: bool) -> None:
        """Draw these points of it. `crowded`: they oscillate at every pixel."""
        alone = self.points or len(self.x) == 1  # a curve of one point would be invisible
        if crowded != self.crowded:
            self.crowded = crowded
            self.item.setPen(self._pen())
        self.item.setSymbol("o" if alone else None)
        if alone:
            self.item.setSymbolBrush(self.ink)
        self.item.setData(x, y)

    def draw_under(self, plot: pg.PlotWidget, x: Floats, y: Floats) -> None:
        """Draw these points faintly behind it."""
        if self.under is None:
            self.under = pg.PlotCurveItem(pen=self._faint(), connect="finite")
            self.under.setZValue(-1)
            self.under.setVisible(self.shown)
            plot.addItem(self.under)
        self.under.setData(x, y)

    def forget_under(self, plot: pg.PlotWidget) -> None:
        if self.under is not None:
            plot.removeItem(self.under)
            self.under = None

    def _pen(self) -> object:
        width = CROWDED if self.crowded else WIDTH * theme.device_pixel_ratio()
        return pg.mkPen(self.ink, width=width, style=self.style)

    def _faint(self) -> object:
        ink = pg.mkColor(self.ink)
        ink.setAlpha(FAINT)
        return pg.mkPen(ink, width=1)

    @property
    def ink(self) -> str:
        """Its colour in the current theme."""
        if isinstance(self.colour, int):
            return theme.series_colour(self.colour)
        return str(getattr(theme.colours(), self.colour, self.colour))
