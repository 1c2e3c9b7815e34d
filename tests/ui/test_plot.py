"""Plots: their words follow the theme, whole axes have whole ticks, the legend keeps out of the curves' way."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from workbench.ui import theme
from workbench.ui.train.curves import Curves
from workbench.ui.widgets.legend import BOTTOM_LEFT, BOTTOM_RIGHT, TOP_RIGHT
from workbench.ui.widgets.plot import Plot
from workbench.ui.widgets.whole_axis import WholeAxis

GRID = np.linspace(0.0, 10.0, 50)


def shown(qtbot: QtBot, plot: Plot) -> Plot:
    qtbot.addWidget(plot)
    plot.resize(400, 300)
    plot.show()
    qtbot.waitExposed(plot)
    return plot


def text_colours(html: str) -> set[str]:
    """The colours that a text's HTML names, as #rrggbb."""
    return {QColor(part.split(";")[0].split("'")[0].strip()).name() for part in html.split("color:")[1:]}


def words(plot: Plot) -> list[str]:
    """The HTML of the legend's words and of the axes' names, as they are drawn."""
    item = plot.getPlotItem()
    names = [label.item.toHtml() for _, label in item.legend.items]
    return names + [item.getAxis(side).label.toHtml() for side in ("left", "bottom")]


def test_the_words_of_a_plot_follow_the_theme_while_it_is_shown(qtbot: QtBot) -> None:
    theme.apply("light")
    plot = shown(qtbot, Plot("step", "loss term"))
    plot.curve("box", GRID, GRID)
    plot.curve("label", GRID, 10 - GRID)
    for mode, expected in (("light", theme.LIGHT), ("dark", theme.DARK), ("light", theme.LIGHT)):
        theme.apply(mode)
        inks = [text_colours(html) for html in words(plot)]
        assert inks == [{expected.text}, {expected.text}, {expected.muted}, {expected.muted}], mode


@pytest.mark.parametrize(("low", "high"), [(0.9, 3.1), (1.5, 2.5), (0.0, 1.0), (0, 7), (0, 12_345)])
def test_steps_and_epochs_have_whole_ticks(qtbot: QtBot, low: float, high: float) -> None:
    plot = shown(qtbot, Plot("step", "loss", whole_x=True))
    axis = plot.getPlotItem().getAxis("bottom")
    assert isinstance(axis, WholeAxis)
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
        assert isinstance(plot.getPlotItem().getAxis("bottom"), WholeAxis)


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


def test_the_legend_goes_where_it_covers_least(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("recall", "precision", corner=BOTTOM_LEFT))
    plot.curve("all labels", GRID, GRID)  # through the lower left corner and the upper right one
    qtbot.waitUntil(lambda: plot.getPlotItem().legend.place not in (BOTTOM_LEFT, TOP_RIGHT))
    plot.forget()
    plot.curve("all labels", GRID, 10 - GRID)
    plot.curve("another", GRID, np.full(50, 0.0))  # now only the upper right is free
    qtbot.waitUntil(lambda: plot.getPlotItem().legend.place == TOP_RIGHT)


def test_the_legend_stays_while_its_place_is_free(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("epoch", "AP", corner=BOTTOM_RIGHT))
    plot.curve("AP", GRID, 10 * (1 - np.exp(-2 * GRID)))  # up soon, then along the top
    plot.place_legend()
    assert plot.getPlotItem().legend.place == BOTTOM_RIGHT


def test_a_legend_moved_by_hand_is_left_there(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("x", "y"))
    plot.curve("one", GRID, GRID)
    legend = plot.getPlotItem().legend
    legend.autoAnchor(QPointF(100, 100))  # as a drag does
    before = legend.pos()
    plot.place_legend()
    assert legend.pos() == before


def test_the_legend_finds_the_gap_between_level_curves(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("step", "loss term"))
    for number, level in enumerate((0.0, 4.0, 10.0)):
        plot.curve(f"term {number}", GRID, np.full(50, level))
    plot.place_legend()
    legend, box = plot.getPlotItem().legend, plot.getPlotItem().vb
    heights = [box.mapFromView(QPointF(5, level)).y() for level in (0.0, 4.0, 10.0)]
    assert not any(legend.pos().y() <= height <= legend.pos().y() + legend.height() for height in heights)


def test_the_axis_of_things_that_are_counted_begins_at_nothing(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("epoch", "AP", whole_x=True))
    plot.curve("AP", [1.0], [0.5])
    qtbot.wait(50)
    low, high = plot.getPlotItem().vb.viewRange()[0]
    assert 0 <= low < 1 < high
