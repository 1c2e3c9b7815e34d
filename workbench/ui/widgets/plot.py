"""A plot in the window's colours: named axes, faint grid, right-click to copy it as a picture or as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QWidget

from workbench.ui import theme

WIDTH = 2.0  # px of a curve
TOP_RIGHT, BOTTOM_RIGHT, BOTTOM_LEFT = (-8, 8), (-8, -8), (8, -8)  # px from the sides, negative from right or bottom


class Plot(pg.PlotWidget):  # type: ignore[misc]
    """Curves and points by name. `curve` draws or redraws one; colours follow the theme."""

    def __init__(
        self,
        x: str,
        y: str,
        parent: QWidget | None = None,
        *,
        legend: bool = True,
        corner: tuple[int, int] = TOP_RIGHT,
    ) -> None:
        """`x` and `y`: axis names with units, like "width (px)". `corner`: where curves rarely are, for the legend."""
        super().__init__(parent)
        self._axes = (x, y)
        self._curves: dict[str, pg.PlotDataItem] = {}
        self._styles: dict[str, tuple[int | str, Qt.PenStyle]] = {}
        if legend:
            self.addLegend(offset=corner)  # clicking a sample there hides its curve
        for side in ("bottom", "left"):
            self.getPlotItem().getAxis(side).enableAutoSIPrefix(False)  # no "(x0.001)" beside an axis
        self.setMenuEnabled(False)
        self.hideButtons()
        self._offer_copies()
        theme.theme().changed.connect(self.restyle)
        self.restyle()

    @Slot()
    def restyle(self) -> None:
        """Take the colours of the theme."""
        theme.style_plot(self)
        colour = theme.colours().muted
        if self.getPlotItem().legend is not None:
            self.getPlotItem().legend.setBrush(theme.colour("plot", 200))  # names stay readable over a curve
        for side, name in zip(("bottom", "left"), self._axes, strict=True):
            self.getPlotItem().setLabel(side, name, color=colour)
        for name, item in self._curves.items():
            item.setPen(self._pen(name))
            item.setSymbolBrush(self._colour(name))

    def curve(
        self,
        name: str,
        x: Sequence[float] | np.ndarray,
        y: Sequence[float] | np.ndarray,
        colour: int | str | None = None,
        *,
        style: Qt.PenStyle = Qt.PenStyle.SolidLine,
        points: bool = False,
    ) -> None:
        """Draw curve `name`, or give it new data. `colour`: number of theme.series, a theme colour's name, or next."""
        item = self._curves.get(name)
        if item is None:
            self._styles[name] = (len(self._curves) if colour is None else colour, style)
            item = self.plot(name=name, pen=self._pen(name), symbolPen=None, symbolSize=6)
            self._curves[name] = item
        alone = points or len(x) == 1  # a curve of one point would be nothing
        item.setSymbol("o" if alone else None)
        item.setSymbolBrush(self._colour(name))
        item.setData(np.asarray(x, float), np.asarray(y, float))

    def forget(self, names: Iterable[str] | None = None) -> None:
        """Take curves away, all by default."""
        for name in tuple(self._curves if names is None else names):
            item = self._curves.pop(name, None)
            if item is not None:
                del self._styles[name]
                self.removeItem(item)

    def names(self) -> tuple[str, ...]:
        """The curves there are, in the order in which they came."""
        return tuple(self._curves)

    def data(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(n,) x and (n,) y of a curve."""
        x, y = self._curves[name].getOriginalDataset()
        return (np.zeros(0), np.zeros(0)) if x is None else (x, y)

    def to_csv(self) -> str:
        """All curves as rows of curve, x, y."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("curve", *self._axes))
        for name in self._curves:
            writer.writerows((name, *point) for point in zip(*(part.tolist() for part in self.data(name)), strict=True))
        return out.getvalue()

    def _pen(self, name: str) -> object:
        return pg.mkPen(self._colour(name), width=WIDTH, style=self._styles[name][1])

    def _colour(self, name: str) -> str:
        colour = self._styles[name][0]
        if isinstance(colour, int):
            return theme.series(colour)
        return str(getattr(theme.colours(), colour, colour))

    # --- the menu ---

    def _offer_copies(self) -> None:
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        for text, slot in (
            ("Show all", self._show_all),
            ("Copy as picture", self._copy_picture),
            ("Copy as CSV", self._copy_csv),
        ):
            action = QAction(text, self)
            action.triggered.connect(slot)
            self.addAction(action)

    @Slot()
    def _show_all(self) -> None:
        self.getPlotItem().enableAutoRange()

    @Slot()
    def _copy_picture(self) -> None:
        QGuiApplication.clipboard().setPixmap(self.grab())

    @Slot()
    def _copy_csv(self) -> None:
        QGuiApplication.clipboard().setText(self.to_csv())
