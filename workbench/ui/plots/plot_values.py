"""The values of a plot's curves: at the pointer, in a tooltip that follows it; the last ones, for screen readers."""

from __future__ import annotations

import html
from collections.abc import Mapping

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QObject, QPointF, QRect, Slot
from PySide6.QtWidgets import QToolTip

from workbench.core.formatting import named
from workbench.ui.plots.plot_curve import PlotCurve

MOST = 12  # curves listed; the others are only counted
NEAR = 0.02  # of the axis: curves without a point this close to the others' are left out


class PlotValues(QObject):
    """Reads `curves`, which its plot fills; `axes` are the names of x and y. `rises`: x rises in every curve."""

    def __init__(
        self, plot: pg.PlotWidget, curves: Mapping[str, PlotCurve], axes: tuple[str, str], *, rises: bool
    ) -> None:
        super().__init__(plot)
        self._curves, self.axes, self._rises = curves, axes, rises
        self.are_told = False  # the tooltip shows them
        plot.scene().sigMouseMoved.connect(self._moved)

    @Slot(object)
    def _moved(self, place: QPointF) -> None:
        """The pointer's place in the scene. The plot isn't stored: objects that refer to each other are freed late."""
        plot = self.parent()
        assert isinstance(plot, pg.PlotWidget)
        vb = plot.getPlotItem().vb
        field = vb.sceneBoundingRect()
        low, high = vb.viewRange()[0]
        words = ""
        if field.contains(place):
            x = float(vb.mapSceneToView(place).x())
            words = values_text(self._curves, self.axes, x, (high - low) * NEAR, rises=self._rises)
        self.are_told = bool(words)
        if words:
            at = plot.viewport().mapToGlobal(plot.mapFromScene(place))
            QToolTip.showText(at, words, plot.viewport(), QRect(plot.mapFromScene(field).boundingRect()))
        else:
            QToolTip.hideText()


def values_text(
    curves: Mapping[str, PlotCurve], axes: tuple[str, str], x: float, near: float, *, rises: bool = False
) -> str:  # fmt: skip
    """Each shown curve's value at the point nearest to `x`, as rich text; "" if there are no points."""
    next_to = {
        name: _next_rising(curve.x, x) if rises else int(np.nanargmin(np.abs(curve.x - x)))
        for name, curve in curves.items()
        if curve.shown and len(curve.x) and (rises or not np.isnan(curve.x).all())
    }
    if not next_to:
        return ""
    at = min((float(curves[name].x[place]) for name, place in next_to.items()), key=lambda one: abs(one - x))
    unit = " %" if axes[1].endswith("%") or axes[1].endswith("(%)") else ""
    lines = [
        f'<span style="color:{curves[name].ink}">■</span> {html.escape(name)} &nbsp;<b>{_number(value)}{unit}</b>'
        for name, place in next_to.items()
        if abs(curves[name].x[place] - at) <= near and not np.isnan(value := float(curves[name].numbers[place]))
    ]
    if not lines:
        return ""
    more = [f"and {len(lines) - MOST:,} more"] if len(lines) > MOST else []
    return "<br>".join([f"{html.escape(axes[0])} {_number(at)}", *lines[:MOST], *more])


def last_values(curves: Mapping[str, PlotCurve], x: str) -> str:
    """Each shown curve's last known value, at which `x`: "mean IoU 89.7, recall 99.2; last step 11"; "" without any."""
    known = {name: np.flatnonzero(np.isfinite(one.x) & np.isfinite(one.numbers)) for name, one in curves.items()}
    ends = {name: int(places[-1]) for name, places in known.items() if curves[name].shown and len(places)}
    if not ends:
        return ""
    values = [f"{name} {_number(float(curves[name].numbers[place]))}" for name, place in ends.items()]
    end = max(float(curves[name].x[place]) for name, place in ends.items())
    return f"{named(values, MOST)}; last {x} {_number(end)}"


def _next_rising(values: np.ndarray, x: float) -> int:
    """The nearest for rising values, without looking at each of a million."""
    after = min(int(np.searchsorted(values, x)), len(values) - 1)
    return after - (after > 0 and x - values[after - 1] <= values[after] - x)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e12 else f"{value:.4g}"
