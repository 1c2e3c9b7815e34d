"""A plot in the window's colours: named axes, a legend beside the curves, values at the pointer, copying."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt, QTimer, Slot
from PySide6.QtGui import QAction, QFocusEvent, QGuiApplication
from PySide6.QtWidgets import QWidget

from workbench.core.formatting import count
from workbench.ui import theme
from workbench.ui.plots import curve_points
from workbench.ui.plots.curve_points import Floats
from workbench.ui.plots.integer_axis import IntegerAxis
from workbench.ui.plots.legend import BOTTOM_LEFT, BOTTOM_RIGHT, EDGE, TOP_RIGHT, Legend, Place, inked
from workbench.ui.plots.log_axis import LogAxis
from workbench.ui.plots.plot_curve import PlotCurve
from workbench.ui.plots.plot_note import PlotNote
from workbench.ui.plots.plot_values import PlotValues, last_values
from workbench.ui.plots.quick_axis import QuickAxis
from workbench.ui.widgets.popups import Menu

__all__ = ["BOTTOM_LEFT", "BOTTOM_RIGHT", "TOP_RIGHT", "Plot"]

SETTLED = 100  # ms after the last change until the legend is placed
AIR = 0.06  # of an empty plot's range, so that the number at its top is not cut off
LOWEST = 72  # px of curves with their legend; in a lower plot it is left out
LEAST_WIDTH = 200  # px assumed as its width before it is shown


class Plot(pg.PlotWidget):  # type: ignore[misc]
    """Curves and points by name. `curve` draws or redraws one; colours follow the theme.

    A click on a curve's name in the legend hides it; it stays hidden when it is redrawn, also after `forget`.
    """

    def __init__(
        self,
        x: str,
        y: str,
        parent: QWidget | None = None,
        *,
        legend: bool = True,
        corner: Place = TOP_RIGHT,
        above: bool = False,
        integer_x: bool = False,
        dense: bool = False,
        view_box: pg.ViewBox | None = None,
    ) -> None:
        """`x` and `y`: axis names with units, like "width (px)".

        `corner`: where curves rarely are; the legend goes there unless another place is freer. `above`: put it above
        the curves if it fits in one line, for small plots, where no place is free. `integer_x`: x counts
        things, such as steps: no ticks between whole numbers or below 0. `dense`: x rises
        and there may be thousands of points; only distinguishable ones are drawn. `view_box`: a replacement
        for pyqtgraph's own.
        """
        axes = {"left": LogAxis("left"), "bottom": (IntegerAxis if integer_x else QuickAxis)("bottom")}
        box = {} if view_box is None else {"viewBox": view_box}
        super().__init__(parent, axisItems=axes, enableMenu=False, **box)  # its menus take half of the making
        vb = self.getPlotItem().vb
        if integer_x:
            vb.setLimits(xMin=0)  # around a single point half of the axis would be negative
        self._axes = (x, y)
        self.setAccessibleName(f"Plot: {y} by {x}")
        self._curves: dict[str, PlotCurve] = {}
        self._hidden: set[str] = set()
        self._dense, self.is_log, self._floor = dense, False, math.inf
        self._words = ""
        self._above, self._line = above, 0  # px of the legend's line above the curves
        self._note = PlotNote(self)
        self._values = PlotValues(self, self._curves, (x, y), rises=dense)
        self._soon = QTimer(self, singleShot=True, interval=SETTLED)
        self._soon.timeout.connect(self.place_legend)
        if legend:
            self.getPlotItem().legend = Legend(corner)
            self.getPlotItem().legend.setParentItem(vb)
            self.getPlotItem().legend.sigSampleClicked.connect(self._toggled)
            vb.sigRangeChanged.connect(self._legend_later)
            vb.sigResized.connect(self._legend_later)
            vb.sigResized.connect(self._paint_anew)
        if dense:
            vb.sigXRangeChanged.connect(self._zoomed)
            vb.sigResized.connect(self.redraw)
        for side in ("bottom", "left"):
            axis = self.getPlotItem().getAxis(side)
            axis.enableAutoSIPrefix(False)  # no "(x0.001)" beside an axis
            axis.setZValue(-1)  # puts the grid under the curves; pyqtgraph has axes above them
        self.hideButtons()
        self._offer_copies()
        theme.theme().changed.connect(self.restyle)
        self.restyle()

    @Slot()
    def restyle(self) -> None:
        """Use the theme's colours."""
        theme.style_plot(self)
        if self.getPlotItem().legend is not None:
            self.getPlotItem().legend.restyle()
        self._name_axes()
        for curve in self._curves.values():
            curve.restyle()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.setAccessibleDescription(last_values(self._curves, self._axes[0]))
        super().focusInEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        """A resting pointer makes the scene ask for its tooltip, which would remove that of the values."""
        if event.type() == QEvent.Type.ToolTip and self._values.are_told:
            return True
        return bool(super().viewportEvent(event))

    def close(self) -> None:
        """Pyqtgraph closes the plot; after it nothing can be drawn."""
        self._soon.stop()
        theme.theme().changed.disconnect(self.restyle)
        super().close()

    def name_y(self, y: str) -> None:
        """Rename the left axis, with its unit."""
        if y != self._axes[1]:
            self._axes = self._values.axes = (self._axes[0], y)
            self._name_axes()

    def _name_axes(self) -> None:
        size = f"{theme.font(theme.SMALL).pointSizeF():g}pt"
        x, y = self._axes
        for side, name in (("bottom", x), ("left", f"{y}, log" if self.is_log else y)):
            self.getPlotItem().setLabel(side, name, **{"color": theme.colours().muted, "font-size": size})

    def curve(
        self,
        name: str,
        x: Sequence[float] | np.ndarray,
        y: Sequence[float] | np.ndarray,
        colour: int | str | None = None,
        *,
        style: Qt.PenStyle = Qt.PenStyle.SolidLine,
        points: bool = False,
        raw: np.ndarray | None = None,
    ) -> None:
        """Draw curve `name`, or give it new data. `colour`: index of theme.series_colour, a theme colour, or next.

        `raw`: the values before smoothing to `y`; drawn faintly behind, and returned by `data`.
        """
        curve = self._curves.get(name)
        if curve is None:
            curve = PlotCurve(len(self._curves) if colour is None else colour, style)
            curve.restyle()
            curve.show(name not in self._hidden)
            self._curves[name] = curve
            if self._dense:  # only what is visible is drawn, so pyqtgraph has nothing to limit
                curve.item.setDynamicRangeLimit(None)
            curve.item.opts["name"] = name  # read by the legend
            self.addItem(curve.item)
        curve.take(np.asarray(x, float), np.asarray(y, float), raw, points)
        if not self.is_log or not self._renew_floor():
            self._draw(curve)
        if self.is_log:
            self._show_note()
        self._legend_later()

    def forget(self, names: Iterable[str] | None = None) -> None:
        """Remove curves, all by default."""
        for name in tuple(self._curves if names is None else names):
            curve = self._curves.pop(name, None)
            if curve is not None:
                curve.forget_under(self)
                self.removeItem(curve.item)

    def start_over(self) -> None:
        """Remove all curves and any zoom: around a single point pyqtgraph would keep the last range."""
        self.forget()
        vb = self.getPlotItem().vb
        vb.setRange(xRange=(0, 1), yRange=(0, 1), padding=AIR, disableAutoRange=False)
        vb.enableAutoRange()

    def names(self) -> tuple[str, ...]:
        """The curves in the order in which they were added."""
        return tuple(self._curves)

    def data(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(n,) x and (n,) y of a curve, as measured."""
        return self._curves[name].x, self._curves[name].numbers

    def to_csv(self) -> str:
        """All curves as rows of curve, x, y as measured, and, if any are smoothed, y as smoothed."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        any_smooth = any(curve.raw is not None for curve in self._curves.values())
        writer.writerow(("curve", *self._axes, *(("smoothed",) if any_smooth else ())))
        for name, curve in self._curves.items():
            columns = [curve.x.tolist(), curve.numbers.tolist(), *([curve.y.tolist()] if any_smooth else [])]
            writer.writerows((name, *point) for point in zip(*columns, strict=True))
        return out.getvalue()

    def note(self, words: str) -> None:
        """Show a few words in the plot's corner; "" for none."""
        self._words = words
        self._show_note()

    # --- the logarithmic axis ---

    @Slot(bool)
    def set_log(self, on: bool) -> None:
        """Set whether y is logarithmic. Numbers without a logarithm are then at the bottom, and a note says so."""
        if on != self.is_log:
            self.is_log = on
            self.getPlotItem().getAxis("left").setLogMode(y=on)
            self.getPlotItem().vb.setLogMode("y", on)  # limits the view to representable numbers
            self._name_axes()
            self._renew_floor()
            self.getPlotItem().vb.enableAutoRange(y=True)
            self.redraw()

    def _renew_floor(self) -> bool:
        """Where 0 is drawn: below all positive values. True if that has changed and all was redrawn."""
        least = min((curve.least for curve in self._curves.values()), default=math.inf)
        floor = least / 2 if math.isfinite(least) else 1.0
        if floor == self._floor:
            return False
        self._floor = floor
        self.redraw()
        return True

    # --- drawing ---

    def settle(self) -> None:
        """Call after all curves have their data: does now what would otherwise cause a second repaint."""
        vb = self.getPlotItem().vb
        vb.prepareForPaint()
        level = self._level()
        if level and vb.autoRangeEnabled()[1] and not self.is_log:  # pyqtgraph would show 0.001 between -0.5 and 0.5
            vb.setRange(yRange=(0.5 * level, 1.5 * level), padding=0, disableAutoRange=False)

    def _level(self) -> float:
        """The value that all curves have everywhere; 0 if they differ."""
        values = [curve.y[np.isfinite(curve.y)] for curve in self._curves.values() if curve.shown]
        ends = [end for some in values if len(some) for end in (some.min(), some.max())]
        return float(ends[0]) if ends and min(ends) == max(ends) else 0.0

    @Slot()
    def redraw(self, *_: object) -> None:
        for curve in self._curves.values():
            self._draw(curve)
        self._show_note()

    @Slot()
    def _zoomed(self, *_: object) -> None:
        if not self.getPlotItem().vb.autoRangeEnabled()[0]:
            self.redraw()

    def _draw(self, curve: PlotCurve) -> None:
        smooth = curve.raw is not None
        x, y = self._visible(curve.x, curve.y, smooth)
        curve.draw(x, y, crowded=not smooth and len(x) < len(curve.x) and curve_points.is_busy(y))
        if curve.raw is None:
            curve.forget_under(self)
        else:
            curve.draw_under(self, *self._visible(curve.x, curve.raw, False))

    def _visible(self, x: Floats, y: Floats, smooth: bool) -> tuple[Floats, Floats]:
        """The points to draw, at the places where they are drawn."""
        vb = self.getPlotItem().vb
        if self._dense:
            if not vb.autoRangeEnabled()[0]:
                part = curve_points.visible_rows(x, *vb.viewRange()[0])
                x, y = x[part], y[part]
            x, y = curve_points.downsampled(x, y, max(int(vb.width()), LEAST_WIDTH), smooth)
        return x, curve_points.logarithms(y, self._floor) if self.is_log else y

    def _show_note(self) -> None:
        below = sum(curve.below for curve in self._curves.values() if curve.shown) if self.is_log else 0
        lowest = f"{count(below, 'value')} of 0 or less: on the lowest line" if below else ""
        self._note.say("\n".join(words for words in (self._words, lowest) if words))

    # --- the legend ---

    def show_curve(self, name: str, on: bool) -> None:
        """Show or hide a curve, as a click in the legend does."""
        (self._hidden.discard if on else self._hidden.add)(name)
        if name in self._curves:
            self._curves[name].show(on)
            self._show_note()
            self._legend_later()
            self.getPlotItem().legend.restyle()

    @Slot(object)
    def _toggled(self, item: object) -> None:
        for name, curve in self._curves.items():
            if curve.item is item:
                self.show_curve(name, curve.shown)

    @Slot()
    def _legend_later(self, *_: object) -> None:
        if self.getPlotItem().legend is not None and not self._soon.isActive():
            self._soon.start()

    @Slot(object)
    def _paint_anew(self, _: object) -> None:
        """Repaint all: when the legend takes a line, remains of the curves would stay in their old place."""
        self.viewport().update()

    @Slot()
    def place_legend(self) -> None:
        """Place the legend where it covers least; one that was moved by hand stays."""
        legend = self.getPlotItem().legend
        if legend is None:
            return
        vb = self.getPlotItem().vb
        room = vb.rect()
        high = room.height() + self._line
        is_low = self._above and high < LOWEST
        line = legend.lie_above(room.width(), high) if self._above and not is_low else 0
        if line:
            self._lift(legend, line + 2)
        elif not (self._line and legend.was_moved):
            self._lift(legend, 0)
            legend.fit(room.width(), 0 if is_low else room.height())
            inks = [inked(*self._placed(curve), vb.viewRange(), room) for curve in self._curves.values() if curve.shown]
            legend.avoid(inks, self._note.area())
        self._note.lie_above(self._line, room.width() - legend.width() if self._line else 0)

    def _lift(self, legend: Legend, line: int) -> None:
        """Reserve a line of this many px above the curves; 0 places the legend among them."""
        if line != self._line:
            self._line = line
            item = self.getPlotItem()
            item.layout.setRowFixedHeight(0, line)  # the row of pyqtgraph's title, which our plots don't use
            legend.setParentItem(item if line else item.vb)
        if line:
            legend.anchor(itemPos=TOP_RIGHT, parentPos=TOP_RIGHT, offset=(-EDGE, 1))

    def _placed(self, curve: PlotCurve) -> tuple[Floats, Floats]:
        return curve.x, curve_points.logarithms(curve.y, self._floor) if self.is_log else curve.y

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
        if self.getPlotItem().legend is not None:
            self._menu = Menu("Curves", self)
            self._menu.aboutToShow.connect(self._list_curves)
            self._menu.triggered.connect(self._curve_chosen)
            self.addAction(self._menu.menuAction())

    @Slot()
    def _list_curves(self) -> None:
        """Offer the legend's actions to users of the keyboard."""
        self._menu.clear()
        for name, curve in self._curves.items():
            action = self._menu.addAction(name.replace("&", "&&"))
            action.setData(name)
            action.setCheckable(True)
            action.setChecked(curve.shown)

    @Slot(QAction)
    def _curve_chosen(self, action: QAction) -> None:
        self.show_curve(action.data(), action.isChecked())

    @Slot()
    def _show_all(self) -> None:
        self.getPlotItem().enableAutoRange()
        self.redraw()  # with the points that were out of view

    @Slot()
    def _copy_picture(self) -> None:
        """Without the frame that tells where the keyboard is."""
        QGuiApplication.clipboard().setPixmap(self.grab(self.viewport().geometry()))

    @Slot()
    def _copy_csv(self) -> None:
        QGuiApplication.clipboard().setText(self.to_csv())
