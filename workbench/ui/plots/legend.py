"""A plot's legend: above the curves or where it covers least; a click on a name hides or shows its curve."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter

from workbench.ui import theme

Floats = NDArray[np.float64]
Place = tuple[float, float]
"""Shares of the plot's width and height: (0, 0) is the upper left corner, (1, 1) the lower right one."""

TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT = (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)
PLACES: tuple[Place, ...] = (
    TOP_RIGHT, BOTTOM_RIGHT, TOP_LEFT, BOTTOM_LEFT,
    *((x, y) for y in (0.25, 0.75, 0.5) for x in (1.0, 0.0, 0.5)), (0.5, 0.0), (0.5, 1.0),
)  # fmt: skip
EDGE = 8  # px from the legend to the plot's sides
SAMPLES = 400  # points checked per curve: about one per pixel of a small plot
MUCH = 0.02  # share of the samples: for less the legend stays, so that it doesn't jump while curves grow


LONGEST = 24  # letters of a name; longer ones are elided in the middle, the tooltip has all of it
HIDDEN = 110  # of 255: opacity of a hidden curve's name
COLUMNS = 3  # at most
WIDEST = 0.75  # share of the plot's width that several columns may take if one would do
ABOVE = 0.3  # share of the height that the legend above the curves may take
MANY = 5  # names above which they are packed closely
ROW, CLOSE_ROW, MARGIN = 20, 15, 4  # px: a line, a packed line, and around a name, as in pyqtgraph
AROUND = 9  # px around the names, as in Qt's style
HELP = "Click to hide or show"


class Sample(pg.graphicsItems.LegendItem.ItemSample):  # type: ignore[misc]
    """A piece of the curve; for a hidden one a pale ring, as pyqtgraph's dark eye is invisible on a dark theme."""

    def paint(self, painter: QPainter, *args: object) -> None:
        painter.translate(0, (self.height() - ROW) / 2)
        if self.item.isVisible():
            super().paint(painter, *args)
            return
        painter.setPen(pg.mkPen(theme.colour("muted", HIDDEN), width=1))
        painter.drawEllipse(QRectF(6, 6, 8, 8))


class Legend(pg.LegendItem):  # type: ignore[misc]
    """`avoid` moves it, unless the user has dragged it."""

    def __init__(self, preferred: Place) -> None:
        super().__init__(offset=None, sampleType=Sample)
        self._places = (preferred, *(place for place in PLACES if place != preferred))
        self.place = preferred
        self.was_moved = False
        self._columns = self._least = 1

    def addItem(self, item: object, name: str) -> None:
        super().addItem(item, html.escape(cut(name)))
        for part in self.items[-1]:
            part.setToolTip(f"{html.escape(name)}<br>{HELP}")
            part.setCursor(Qt.CursorShape.PointingHandCursor)
        self._ink(*self.items[-1])

    def restyle(self) -> None:
        """Use the theme's colours; names of hidden curves are pale."""
        self.setBrush(theme.colour("plot", 200))  # names stay readable over a curve
        for sample, label in self.items:
            self._ink(sample, label)
        self.update()

    def _ink(self, sample: Sample, label: pg.LabelItem) -> None:
        ink = theme.colour("text") if sample.item.isVisible() else theme.colour("muted", HIDDEN)
        label.setText(label.text, color=ink)
        sample.update()

    def fit(self, width: float, height: float) -> None:
        """Use enough columns to be no higher than `height`, in px; hide if there is no room."""
        if self.items:
            self._pack(len(self.items) > MANY or height < (ROW + MARGIN) * len(self.items) + 2 * EDGE)
            row = max(part.height() for part in self.items[0])
            fitting = max(int((height - 2 * EDGE) // row), 1)
            self._least = min(math.ceil(len(self.items) / fitting), COLUMNS)
            self._shape(min(max(self._least, self._columns), len(self.items)))
            if self.rect().width() > width - 2 * EDGE:
                self._shape(self._least)
            self.setVisible(self.rect().width() <= width - 2 * EDGE and height > 0)

    def lie_above(self, width: float, height: float) -> int:
        """Take the fewest lines of small names that are no wider than `width`, in px; `height` includes the curves.

        Returns the height of the lines, or 0 if they would take too much of it.
        """
        if not self.items or self.was_moved:
            return 0
        self._pack(True)
        for lines in range(1, int(ABOVE * height / CLOSE_ROW) + 1):
            columns = math.ceil(len(self.items) / lines)
            if self._breadth(columns) <= width:
                self._shape(columns, theme.GRID, 0)
                self.resize(0, 0)  # to the minimum: pyqtgraph adds up the names' current sizes
                self.show()
                return lines * CLOSE_ROW
        return 0

    def _breadth(self, columns: int) -> float:
        """Width in px with this many columns above the curves."""
        spacing = self.layout.horizontalSpacing()
        names = [label.itemRect().width() for _, label in self.items]
        wide = [max(names[column::columns]) + self.items[0][0].width() + 2 * spacing for column in range(columns)]
        return float(sum(wide) + theme.GRID * (columns - 1) + 2 * AROUND)

    def _shape(self, columns: int, gap: int = 0, edge: int = AROUND) -> None:
        """Use this many columns, `gap` px further apart, with `edge` px above and below."""
        self._columns = columns
        self.setColumnCount(columns)
        for column in range(1, 2 * columns, 2):
            self.layout.setColumnSpacing(column, self.layout.horizontalSpacing() + gap)
        self.layout.setContentsMargins(AROUND, edge, AROUND, edge)
        self.updateSize()

    def _pack(self, close: bool) -> None:
        """With many names, write them smaller and closer."""
        size = theme.font(theme.SMALL if close else theme.BODY).pointSizeF()
        row = CLOSE_ROW if close else ROW
        for sample, label in self.items:
            if sample.height() != row:
                sample.setFixedHeight(row)
                label.item.document().setDocumentMargin(0 if close else MARGIN)
                label.setText(label.text, size=f"{size:g}pt")

    def mouseClickEvent(self, event: object) -> None:
        """A click on a name counts as one on its sample."""
        at = event.pos()  # type: ignore[attr-defined]
        for sample, label in self.items:
            if label.geometry().contains(at):
                sample.mouseClickEvent(event)
                return

    def setParentItem(self, parent: object) -> None:
        super().setParentItem(parent)
        self._go(self.place)

    def autoAnchor(self, pos: object, relative: bool = True) -> None:
        """Pyqtgraph calls this when the user drags it."""
        self.was_moved = True
        super().autoAnchor(pos, relative)

    def avoid(self, inks: Sequence[Floats], taken: QRectF | None = None) -> None:
        """Move to the place with the fewest of these points, each (n, 2) in px of the plot; stay if that gains little.

        Use more columns if it then covers less: in a low plot, a high legend covers curves everywhere.
        `taken`: an area with other text, which counts as much as all curves.
        """
        if self.was_moved or not inks:
            return
        ink = np.concatenate([*inks, _filled(taken, sum(map(len, inks)))])
        here = self._covered(self.place, self._columns, ink)
        for columns in self._possible():
            covered = {place: self._covered(place, columns, ink) for place in self._places}
            best = min(self._places, key=covered.__getitem__)
            if here - covered[best] > MUCH * len(ink):
                here = covered[best]
                self._shape(columns)
                self._go(best)

    def _possible(self) -> list[int]:
        """Possible numbers of columns, the current one first: those that leave room beside them."""
        each = self.rect().width() / self._columns
        fitting = int(WIDEST * self.parentItem().rect().width() // max(each, 1.0))
        most = min(COLUMNS, fitting, len(self.items))
        others = (columns for columns in range(self._least, most + 1) if columns != self._columns)
        return [self._columns, *others]

    def _covered(self, place: Place, columns: int, ink: Floats) -> int:
        area = self._area(place, columns)
        inside = (ink >= (area.left(), area.top())) & (ink <= (area.right(), area.bottom()))
        return int(inside.all(axis=1).sum())

    def _area(self, place: Place, columns: int) -> QRectF:
        """Its area with this many columns, in px of the plot."""
        plot, own = self.parentItem().rect(), self.rect()
        rows, now = (math.ceil(len(self.items) / number) for number in (columns, self._columns))
        width, height = own.width() * columns / self._columns, own.height() * rows / max(now, 1)
        left = EDGE + place[0] * (plot.width() - width - 2 * EDGE)
        top = EDGE + place[1] * (plot.height() - height - 2 * EDGE)
        return QRectF(left, top, width, height)

    def _go(self, place: Place) -> None:
        self.place = place
        offset = tuple(EDGE * (1 - 2 * share) for share in place)
        self.anchor(itemPos=place, parentPos=place, offset=offset)


def cut(name: str) -> str:
    """The name, shortened to at most LONGEST letters."""
    half = (LONGEST - 1) // 2
    return name if len(name) <= LONGEST else f"{name[:half].rstrip()}…{name[-half:].lstrip()}"


def _filled(area: QRectF | None, count: int) -> Floats:
    """`count` points (n, 2) in the middle of an area, so that covering it covers them; none if it is empty."""
    if area is None or area.isEmpty():
        return np.zeros((0, 2))
    corners = [(area.left(), area.top()), (area.right(), area.top()), (area.center().x(), area.center().y())]
    return np.tile(np.array(corners), (max(count // len(corners), 1), 1))


def inked(x: Floats, y: Floats, ranges: Sequence[Sequence[float]], area: QRectF) -> Floats:
    """Points (n, 2) along a curve, in px of a plot that shows the `ranges` of x and of y in `area`."""
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    if not len(x):
        return np.zeros((0, 2))
    at = np.linspace(0, len(x) - 1, SAMPLES)
    rows = np.arange(len(x))
    (left, right), (low, high) = ranges
    across = (np.interp(at, rows, x) - left) / max(right - left, 1e-12) * area.width()
    down = (high - np.interp(at, rows, y)) / max(high - low, 1e-12) * area.height()
    return np.stack([across, down], axis=1)
