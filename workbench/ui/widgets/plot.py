"""A plot in the window's colours: named axes, faint grid, a legend out of the curves' way, right-click to copy."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QWidget

from workbench.ui import theme
from workbench.ui.widgets.legend import BOTTOM_LEFT, BOTTOM_RIGHT, TOP_RIGHT, Legend, Place, inked
from workbench.ui.widgets.whole_axis import WholeAxis

__all__ = ["BOTTOM_LEFT", "BOTTOM_RIGHT", "TOP_RIGHT", "Plot"]

WIDTH = 2.0  # px of a curve
SETTLED = 100  # ms after the last change until the legend looks for its place


class Plot(pg.PlotWidget):  # type: ignore[misc]
    """Curves and points by name. `curve` draws or redraws one; colours follow the theme."""

    def __init__(
        self,
        x: str,
        y: str,
        parent: QWidget | None = None,
        *,
        legend: bool = True,
        corner: Place = TOP_RIGHT,
        whole_x: bool = False,
        view_box: pg.ViewBox | None = None,
    ) -> None:
        """`x` and `y`: axis names with units, like "width (px)".

        `corner`: where curves rarely are: the legend goes there unless another place is freer. `whole_x`: x counts
        things, such as steps, so that there is nothing to name between two, and nothing below 0. `view_box`: another
        than pyqtgraph's own.
        """
        axes = {"bottom": WholeAxis("bottom")} if whole_x else None
        super().__init__(parent, axisItems=axes, **({} if view_box is None else {"viewBox": view_box}))
        if whole_x:
            self.getPlotItem().vb.setLimits(xMin=0)  # around a single point half of the axis would be below nothing
        self._axes = (x, y)
        self._curves: dict[str, pg.PlotDataItem] = {}
        self._styles: dict[str, tuple[int | str, Qt.PenStyle]] = {}
        self._soon = QTimer(self, singleShot=True, interval=SETTLED)
        self._soon.timeout.connect(self.place_legend)
        if legend:
            self.getPlotItem().legend = Legend(corner)  # clicking a sample there hides its curve
            self.getPlotItem().legend.setParentItem(self.getPlotItem().vb)
            self.getPlotItem().vb.sigRangeChanged.connect(self._legend_later)
            self.getPlotItem().vb.sigResized.connect(self._legend_later)
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
            size = f"{theme.font(theme.SMALL).pointSizeF():g}pt"
            self.getPlotItem().setLabel(side, name, **{"color": colour, "font-size": size})
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
        self._legend_later()

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

    # --- the legend ---

    @Slot()
    def _legend_later(self, *_: object) -> None:
        if self.getPlotItem().legend is not None and not self._soon.isActive():
            self._soon.start()

    @Slot()
    def place_legend(self) -> None:
        """Put the legend where it covers least; one that was moved by hand stays."""
        legend = self.getPlotItem().legend
        if legend is not None:
            vb = self.getPlotItem().vb
            shown = [name for name, item in self._curves.items() if item.isVisible()]
            legend.avoid([inked(*self.data(name), vb.viewRange(), vb.rect()) for name in shown])

    # --- painting ---

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
