"""A plot's legend that goes where it covers least of the curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF

Floats = NDArray[np.float64]
Place = tuple[float, float]
"""Shares of the plot's width and height: (0, 0) is the upper left corner, (1, 1) the lower right one."""

TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT = (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)
PLACES: tuple[Place, ...] = (
    TOP_RIGHT, BOTTOM_RIGHT, TOP_LEFT, BOTTOM_LEFT,
    *((x, y) for y in (0.25, 0.75, 0.5) for x in (1.0, 0.0, 0.5)), (0.5, 0.0), (0.5, 1.0),
)  # fmt: skip
EDGE = 8  # px between the legend and the plot's sides
SAMPLES = 400  # points of a curve that are looked at: about one per pixel of a small plot
MUCH = 0.02  # share of the samples: for less the legend does not move, so that it does not jump while curves grow


class Legend(pg.LegendItem):  # type: ignore[misc]
    """`avoid` moves it, unless a person has dragged it somewhere."""

    def __init__(self, preferred: Place) -> None:
        super().__init__(offset=None)
        self._places = (preferred, *(place for place in PLACES if place != preferred))
        self.place = preferred
        self.was_moved = False

    def setParentItem(self, parent: object) -> None:
        super().setParentItem(parent)
        self._go(self.place)

    def autoAnchor(self, pos: object, relative: bool = True) -> None:
        """What pyqtgraph calls when a person drags it."""
        self.was_moved = True
        super().autoAnchor(pos, relative)

    def avoid(self, inks: Sequence[Floats]) -> None:
        """Go where the fewest of these points, each (n, 2) in px of the plot, are; stay if that is hardly better."""
        if self.was_moved or not inks:
            return
        ink = np.concatenate(inks)
        covered = {place: self._covered(place, ink) for place in self._places}
        best = min(self._places, key=covered.__getitem__)
        if covered[self.place] - covered[best] > MUCH * len(ink):
            self._go(best)

    def _covered(self, place: Place, ink: Floats) -> int:
        area = self._area(place)
        inside = (ink >= (area.left(), area.top())) & (ink <= (area.right(), area.bottom()))
        return int(inside.all(axis=1).sum())

    def _area(self, place: Place) -> QRectF:
        """Where it would be, in px of the plot."""
        plot, own = self.parentItem().rect(), self.rect()
        left = EDGE + place[0] * (plot.width() - own.width() - 2 * EDGE)
        top = EDGE + place[1] * (plot.height() - own.height() - 2 * EDGE)
        return QRectF(left, top, own.width(), own.height())

    def _go(self, place: Place) -> None:
        self.place = place
        offset = tuple(EDGE * (1 - 2 * share) for share in place)
        self.anchor(itemPos=place, parentPos=place, offset=offset)


def inked(x: Floats, y: Floats, seen: Sequence[Sequence[float]], area: QRectF) -> Floats:
    """Points (n, 2) along a curve, in px of a plot that shows the ranges `seen` of x and of y in `area`."""
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    if not len(x):
        return np.zeros((0, 2))
    at = np.linspace(0, len(x) - 1, SAMPLES)
    rows = np.arange(len(x))
    (left, right), (low, high) = seen
    across = (np.interp(at, rows, x) - left) / max(right - left, 1e-12) * area.width()
    down = (high - np.interp(at, rows, y)) / max(high - low, 1e-12) * area.height()
    return np.stack([across, down], axis=1)
