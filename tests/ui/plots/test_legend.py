"""A plot's legend keeps out of the curves' way, and its names hide and show them."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from tests.ui.plots.plot_driver import GRID, shown
from workbench.ui.plots.legend import BOTTOM_LEFT, BOTTOM_RIGHT, CLOSE_ROW, ROW, TOP_RIGHT
from workbench.ui.plots.plot import Plot


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


def test_in_a_low_plot_the_legend_is_broad_where_that_covers_less(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("step", "loss term"))
    plot.resize(700, 200)
    for name, height in {"box": 50, "objectness": 120, "label": 45, "sum": 220}.items():
        plot.curve(name, GRID, height * (0.6 + 0.4 * np.exp(-GRID)))
    qtbot.waitUntil(lambda: plot.getPlotItem().legend.width() > 150)
    legend, box = plot.getPlotItem().legend, plot.getPlotItem().vb
    below = legend.pos().y() + legend.height()
    right = box.mapToView(QPointF(legend.pos().x(), below))
    assert 220 * (0.6 + 0.4 * np.exp(-right.x())) < right.y(), "no curve is behind it"
    plot.resize(700, 600)
    plot.place_legend()
    assert legend.width() < plot.width() / 2


# --- the legend's names ---


def click_name(plot: Plot, number: int) -> None:
    """A click on the words of a legend's line."""
    label = plot.getPlotItem().legend.items[number][1]
    at = plot.mapFromScene(label.mapToScene(label.boundingRect().center()))
    QTest.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=at)


def visible(plot: Plot) -> dict[str, bool]:
    items = plot.getPlotItem().listDataItems()
    return {item.opts["name"]: item.isVisible() for item in items if isinstance(item, pg.PlotDataItem)}


@pytest.mark.qt_log_ignore("not accepted by receiving widget", extend=True)  # pyqtgraph takes it and says no
def test_a_click_on_a_name_hides_its_curve_which_stays_hidden_when_drawn_anew(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("step", "loss"))
    for name in ("box", "label"):
        plot.curve(name, GRID, GRID, raw=GRID)
    qtbot.waitUntil(lambda: plot.getPlotItem().legend.width() > 0)
    click_name(plot, 0)
    assert visible(plot) == {"box": False, "label": True}
    faint = [item for item in plot.getPlotItem().items if isinstance(item, pg.PlotCurveItem)]
    assert [item.isVisible() for item in faint] == [False, True]
    plot.forget()
    for name in ("label", "box"):
        plot.curve(name, GRID, GRID)
    assert visible(plot) == {"label": True, "box": False}
    qtbot.wait(400)  # a second click soon after the first is a double click
    click_name(plot, 1)
    assert visible(plot) == {"label": True, "box": True}


def test_the_menu_hides_and_shows_curves_for_those_without_a_mouse(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("step", "loss"))
    plot.curve("box & label", GRID, GRID)
    menu = next(action.menu() for action in plot.actions() if action.text() == "Curves")
    menu.aboutToShow.emit()
    assert [(action.text(), action.isChecked()) for action in menu.actions()] == [("box && label", True)]
    menu.actions()[0].trigger()  # which also tells the menu
    assert visible(plot) == {"box & label": False}


def test_names_are_words_and_long_ones_are_cut_in_the_middle(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("epoch", "AP"))
    plot.curve("<b>cat", GRID, GRID)
    plot.curve("a label with a name that nobody reads to its end", GRID, GRID)
    labels = [label for _, label in plot.getPlotItem().legend.items]
    assert labels[0].item.toPlainText() == "<b>cat"
    assert labels[1].item.toPlainText() == "a label wit…to its end"
    assert "nobody reads" in labels[1].toolTip()


def test_a_legend_of_many_names_is_no_higher_than_its_plot(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("epoch", "AP"))
    plot.resize(400, 180)
    for number in range(10):
        plot.curve(f"label {number}", GRID, GRID + number)
    plot.place_legend()
    legend, box = plot.getPlotItem().legend, plot.getPlotItem().vb
    assert legend.height() <= box.height()
    assert legend.width() <= box.width()


def test_in_a_plot_that_is_too_small_for_it_a_legend_is_written_small_then_left_out(qtbot: QtBot) -> None:
    plot = shown(qtbot, Plot("step", "loss"))
    for name in ("box", "objectness", "label", "sum"):
        plot.curve(name, GRID, GRID)
    legend, box = plot.getPlotItem().legend, plot.getPlotItem().vb
    seen = []
    for size in ((400, 300), (220, 150), (130, 90), (400, 300)):
        plot.resize(*size)
        QTest.qWait(20)
        plot.place_legend()
        seen.append((legend.isVisible(), legend.items[0][0].height()))
        assert not legend.isVisible() or (legend.width() <= box.width() and legend.height() <= box.height())
    assert seen[0] == seen[3] == (True, ROW)
    assert seen[1] == (True, CLOSE_ROW)
    assert not seen[2][0]
