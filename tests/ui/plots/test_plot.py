"""Plots: their words follow the theme, whole and logarithmic axes, many points, and the values under the pointer."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QColor, QHelpEvent, QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QToolTip
from pytestqt.qtbot import QtBot

from tests.ui.plots.plot_driver import GRID, shown
from workbench.ui import theme
from workbench.ui.plots.integer_axis import IntegerAxis
from workbench.ui.plots.log_axis import LogAxis
from workbench.ui.plots.plot import Plot
from workbench.ui.plots.plot_curve import PlotCurve
from workbench.ui.plots.plot_values import values_text
from workbench.ui.train.plots.curves import Curves


def text_colours(html: str) -> set[str]:
    """The colours that a text's HTML names, as #rrggbb."""
    return {QColor(part.split(";")[0].split("'")[0].strip()).name() for part in html.split("color:")[1:]}


def words(plot: Plot) -> list[str]:
    """The HTML of the legend's words and of the axes' names, as they are drawn."""
    item = plot.getPlotItem()
    names = [label.item.toHtml() for _, label in item.legend.items]
    return names + [item.getAxis(side).label.toHtml() for side in ("left", "bottom")]


def test_curves_are_as_wide_on_a_fine_screen(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    """A curve of 2 px was a hairline on a screen of two dots a pixel."""
    for ratio in (1.0, 2.0):
        monkeypatch.setattr(theme, "device_pixel_ratio", lambda ratio=ratio: ratio)
        curve = PlotCurve(0, Qt.PenStyle.SolidLine)
        curve.restyle()
        assert curve.item.opts["pen"].widthF() == 2 * ratio


def test_the_words_of_a_plot_follow_the_theme_while_it_is_shown(qtbot: QtBot) -> None:
    theme.apply("light")
    plot = shown(qtbot, Plot("step", "loss term"))
    plot.curve("box", GRID, GRID)
    plot.curve("label", GRID, 10 - GRID)
    for mode in ("light", "dark", "light"):
        theme.apply(mode)
        c, inks = theme.colours(), [text_colours(html) for html in words(plot)]
        assert inks == [{c.text}, {c.text}, {c.muted}, {c.muted}], mode


@pytest.mark.parametrize(("low", "high"), [(0.9, 3.1), (1.5, 2.5), (0.0, 1.0), (0, 7), (0, 12_345)])
def test_steps_and_epochs_have_whole_ticks(qtbot: QtBot, low: float, high: float) -> None:
    plot = shown(qtbot, Plot("step", "loss", integer_x=True))
    axis = plot.getPlotItem().getAxis("bottom")
    assert isinstance(axis, IntegerAxis)
    ticks = [value for _, values in axis.tickValues(low, high, 300) for value in values]
    assert ticks
    assert all(float(value).is_integer() for value in ticks)
    named = [
        text for spacing, values in axis.tickValues(low, high, 300) for text in axis.tickStrings(values, 1, spacing)
    ]
    assert len(named) == len(set(named))
    assert not any("." in text for text in named)


def test_the_axes_of_a_training_are_whole(qtbot: QtBot) -> None:
    curves = Curves()
    qtbot.addWidget(curves)
    for plot in (curves.loss, curves.ap, curves.rate, curves.speed):
        assert isinstance(plot.getPlotItem().getAxis("bottom"), IntegerAxis)


def test_the_names_of_axes_fit_the_smallest_plots(qtbot: QtBot) -> None:
    """On a page of 800 x 500 the curves have 500 x 270 px: axes' names are cut where they are longer than the axis."""
    curves = Curves()
    qtbot.addWidget(curves)
    curves.resize(500, 270)
    curves.show()
    qtbot.waitExposed(curves)
    for plot in (curves.loss, curves.ap, curves.rate, curves.speed):
        axis = plot.getPlotItem().getAxis("left")
        assert axis.label.boundingRect().width() <= plot.height(), plot.objectName()


def test_the_axis_of_things_that_are_counted_begins_at_nothing(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("epoch", "AP", integer_x=True))
    plot.curve("AP", [1.0], [0.5])
    qtbot.wait(50)
    low, high = plot.getPlotItem().vb.viewRange()[0]
    assert 0 <= low < 1 < high


# --- the logarithmic axis ---


def drawn(plot: Plot, name: str) -> list[float]:
    """The y of a curve's points in the plot's own places."""
    items = [item for item in plot.getPlotItem().listDataItems() if item.opts.get("name") == name]
    return list(items[0].getData()[1])


def note(plot: Plot) -> str:
    found = plot.findChild(QLabel, "plot-note")
    assert isinstance(found, QLabel)
    return found.text() if found.isVisible() else ""


def test_a_logarithmic_axis_draws_powers_of_ten_evenly(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("step", "loss"))
    plot.curve("box", [1, 2, 3], [100.0, 1.0, 0.01])
    plot.set_log(True)
    assert drawn(plot, "box") == [2.0, 0.0, -2.0]
    assert plot.data("box")[1].tolist() == [100.0, 1.0, 0.01]
    assert note(plot) == ""
    plot.set_log(False)
    assert drawn(plot, "box") == [100.0, 1.0, 0.01]


def test_what_has_no_logarithm_lies_on_the_lowest_line_and_is_counted(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("step", "loss"))
    plot.set_log(True)
    plot.curve("box", [1, 2, 3, 4], [1.0, 0.0, -5.0, math.nan])
    assert drawn(plot, "box")[:3] == pytest.approx([0.0, math.log10(0.5), math.log10(0.5)])
    plot.curve("label", [1, 2], [0.2, 0.1])  # the lowest line goes below it, for the curve before too
    assert drawn(plot, "box")[1] == pytest.approx(math.log10(0.05))
    assert note(plot) == "2 values of 0 or less: on the lowest line"
    plot.set_log(False)
    assert note(plot) == ""
    assert drawn(plot, "box")[:3] == [1.0, 0.0, -5.0]


def test_nothing_but_zeros_can_be_drawn_on_a_logarithmic_axis(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("step", "loss"))
    plot.curve("box", [1, 2], [0.0, 0.0])
    plot.set_log(True)
    plot.grab()
    assert np.isfinite(drawn(plot, "box")).all()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.0, 1.9, {"1.2", "1.8"}),  # within a power of ten, where pyqtgraph names nothing
        (0.0009, 1.1, {"0.001", "0.01", "0.1", "1"}),
        (1e-9, 1e9, {"1e-6", "1", "1e6"}),
    ],
)
def test_a_logarithmic_axis_names_plain_numbers_at_every_range(low: float, high: float, expected: set[str]) -> None:
    axis = LogAxis("left")
    axis.setLogMode(y=True)
    found = [
        text
        for spacing, values in axis.tickValues(math.log10(low), math.log10(high), 200)
        for text in axis.tickStrings(values, 1, spacing)
        if text
    ]
    assert expected <= set(found)
    assert len(found) == len(set(found)) <= 12


# --- many points, and smoothed ones ---


def test_of_many_points_those_are_drawn_that_can_be_told_apart_with_every_peak(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("step", "loss", dense=True))
    y = np.zeros(8_000)
    y[4_321], y[1_234] = 7.0, -3.0
    plot.curve("box", np.arange(8_000), y)
    points = drawn(plot, "box")
    assert len(points) < 1_000
    assert (max(points), min(points)) == (7.0, -3.0)
    assert len(plot.data("box")[0]) == 8_000


def test_zooming_in_shows_every_point_there_and_show_all_brings_the_others_back(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("step", "loss", dense=True))
    plot.curve("box", np.arange(8_000), np.arange(8_000))
    plot.getPlotItem().vb.setXRange(4_000, 4_050, padding=0)
    assert drawn(plot, "box") == list(range(3_999, 4_052))
    next(action for action in plot.actions() if action.text() == "Show all").trigger()
    plot.grab()
    low, high = plot.getPlotItem().vb.viewRange()[0]
    assert low <= 0
    assert high >= 7_999


def test_a_smoothed_curve_has_what_was_measured_behind_it_and_in_its_table(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("step", "loss term"))
    plot.curve("box", [1, 2], [4.0, 3.0], raw=np.array([4.0, 2.0]))
    assert drawn(plot, "box") == [4.0, 3.0]
    faint = [item for item in plot.getPlotItem().items if isinstance(item, pg.PlotCurveItem)]
    assert [list(item.getData()[1]) for item in faint] == [[4.0, 2.0]]
    assert plot.to_csv() == "curve,step,loss term,smoothed\nbox,1.0,4.0,4.0\nbox,2.0,2.0,3.0\n"
    plot.curve("box", [1, 2], [4.0, 2.0])
    assert not any(isinstance(item, pg.PlotCurveItem) for item in plot.getPlotItem().items)
    assert plot.to_csv() == "curve,step,loss term\nbox,1.0,4.0\nbox,2.0,2.0\n"


def plain(html: str) -> list[str]:
    """The lines of a rich text, without its marks."""
    document = QTextDocument()
    document.setHtml(html)
    return [" ".join(line.split()) for line in document.toPlainText().splitlines()]


def test_the_values_of_the_shown_curves_are_told_where_the_pointer_is(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("step", "%", integer_x=True))
    plot.curve("mean <IoU>", [1000, 2000, 3000], [70.125, 76.5, 77.0])
    plot.curve("recall", [1000, 2000, 3000], [90, math.nan, 97.25])
    plot.curve("early", [1000], [5.0])
    plot.setXRange(0, 3000)
    plot.setYRange(0, 100)
    plot.activateWindow()
    qtbot.waitUntil(plot.isActiveWindow)
    QTest.qWait(50)  # an activation that comes late hides tooltips
    field = plot.getPlotItem().vb.sceneBoundingRect()

    def at(x: float) -> list[str]:
        plot.scene().sigMouseMoved.emit(plot.getPlotItem().vb.mapViewToScene(QPointF(x, 50)))
        return plain(QToolTip.text())

    assert at(2600) == ["step 3,000", "■ mean <IoU> 77 %", "■ recall 97.25 %"]
    assert at(1800) == ["step 2,000", "■ mean <IoU> 76.5 %"], "a curve that ended before has no value here"
    plot.show_curve("mean <IoU>", on=False)
    assert at(2600) == ["step 3,000", "■ recall 97.25 %"]
    place = plot.mapFromScene(plot.getPlotItem().vb.mapViewToScene(QPointF(2600, 50)))
    QApplication.sendEvent(plot.viewport(), QHelpEvent(QEvent.Type.ToolTip, place, plot.viewport().mapToGlobal(place)))
    QTest.qWait(400)  # longer than Qt takes to hide one
    assert QToolTip.isVisible(), "a pointer that rests takes nothing away"
    plot.scene().sigMouseMoved.emit(field.topLeft() - QPointF(5, 5))
    qtbot.waitUntil(lambda: not QToolTip.isVisible())


def test_many_curves_are_counted_and_none_are_nothing(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("epoch", "AP", integer_x=True))
    assert values_text(plot._curves, ("epoch", "AP"), 1.0, 0.1) == ""
    for number in range(15):
        plot.curve(f"label {number}", [1, 2], [0.125, 0.5])
    lines = plain(values_text(plot._curves, ("epoch", "AP"), 1.2, 0.1))
    assert lines[:2] == ["epoch 1", "■ label 0 0.125"]
    assert len(lines) == 14
    assert lines[-1] == "and 3 more"


@pytest.mark.parametrize("x", [-5.0, 0.0, 0.4, 0.5, 0.6, 3.2, 7.0, 99.0])
def test_in_rising_numbers_the_same_point_is_found(qtbot: QtBot, x: float) -> None:
    plot = shown(qtbot, Plot("step", "loss", integer_x=True, dense=True))
    plot.curve("a", [0, 1, 2, 6, 8], [10.0, 11, 12, 16, 18])
    assert values_text(plot._curves, ("step", "loss"), x, 1.0, rises=True) == values_text(
        plot._curves, ("step", "loss"), x, 1.0
    )


def test_a_plot_that_the_keyboard_comes_to_has_a_frame_and_tells_its_last_values(qtbot: QtBot) -> None:
    theme.apply("light")
    plot = shown(qtbot, Plot("epoch", "AP"))
    plot.curve("AP50", np.array([0.0, 5.0]), np.array([0.25, 0.5]))
    plot.curve("AP", np.array([0.0, 5.0]), np.array([0.125, 0.375]))
    plot.show_curve("AP", on=False)
    accent = theme.colour("accent").rgb()
    plot.clearFocus()
    assert plot.grab().toImage().pixel(0, 100) != accent
    plot.setFocus()
    qtbot.waitUntil(plot.hasFocus)
    assert plot.grab().toImage().pixel(0, 100) == accent
    assert plot.accessibleDescription() == "AP50 0.5; last epoch 5"


def test_values_that_are_not_known_are_not_told_as_the_last_ones(qtbot: QtBot) -> None:
    """A run whose last step told no gradient norm: a click on its plot was an error report."""
    plot = shown(qtbot, Plot("epoch", "AP"))
    plot.curve("AP50", [0, 5, 6], [0.25, 0.5, math.nan])
    plot.curve("AP", [0, 5], [math.nan, math.nan])
    plot.setFocus()
    qtbot.waitUntil(plot.hasFocus)
    assert plot.accessibleDescription() == "AP50 0.5; last epoch 5"


def test_a_copied_picture_has_no_frame_of_the_keyboard(qtbot: QtBot) -> None:
    theme.apply("light")
    plot = shown(qtbot, Plot("epoch", "AP"))
    plot.setFocus()
    qtbot.waitUntil(plot.hasFocus)
    next(action for action in plot.actions() if action.text() == "Copy as picture").trigger()
    copied = QApplication.clipboard().image()
    assert copied.width() > 390
    assert copied.pixelColor(0, 100) == theme.colour("plot")
