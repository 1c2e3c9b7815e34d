"""Axes that are painted quickly show what pyqtgraph's own show, under the curves; and a plot is painted once."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from workbench.ui import theme
from workbench.ui.plots.integer_axis import IntegerAxis
from workbench.ui.plots.plot import Plot
from workbench.ui.plots.quick_axis import QuickAxis


def pixels(plot: Plot) -> np.ndarray:
    """(h, w, 3)."""
    image = plot.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 4].reshape(image.height(), image.width(), 4)[..., 2::-1].astype(int)


def shown(qtbot: QtBot, curves: int = 1) -> Plot:
    plot = Plot("step", "loss", legend=False)
    qtbot.addWidget(plot)
    plot.resize(500, 320)
    for number in range(curves):
        plot.curve(f"curve {number}", np.arange(50), np.sin(np.arange(50) / 5) + 2 * number)
    plot.settle()
    plot.show()
    QApplication.processEvents()
    return plot


@pytest.mark.parametrize("dark", [False, True])
def test_the_axes_look_like_those_of_pyqtgraph(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, dark: bool) -> None:
    theme.apply("dark" if dark else "light")
    try:
        ours = pixels(shown(qtbot))
        monkeypatch.setattr(QuickAxis, "paint", pg.AxisItem.paint)
        theirs = pixels(shown(qtbot))
    finally:
        theme.apply("light")
    ground = theirs[200, 250]
    written = np.abs(theirs - ground).max(axis=2) > 40  # words, the axes themselves, the curve
    assert 500 < written.sum() < 20_000
    apart = np.abs(ours - theirs).max(axis=2)
    assert (apart > 40).sum() < 0.3 * written.sum(), "where a line between two pixels goes may differ"
    outside = np.ones(written.shape, bool)
    outside[:280, 45:] = False
    assert (apart[outside] > 40).sum() < 40, "the words are where they were"
    assert (np.abs(ours - ground).max(axis=2)[100:260, 60:480] > 3).sum() > 500, "there is a grid"


def test_the_grid_lies_under_the_curves(qtbot: QtBot) -> None:
    plot = Plot("x", "y", legend=False)
    qtbot.addWidget(plot)
    plot.resize(400, 300)
    plot.curve("flat", [0.0, 10.0], [1.0, 1.0], "#ff0000")
    plot.settle()
    plot.show()
    red = pixels(plot)
    lines = (np.abs(red - np.array([255, 0, 0])).max(axis=2) < 60).sum(axis=1)
    assert lines.max() > 300, "without a gap at each line of the grid"


def test_a_change_is_painted_once(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    plot = shown(qtbot, curves=3)
    painted: list[str] = []
    paint = QuickAxis.paint

    def counted(self: QuickAxis, *given: object) -> None:
        painted.append(self.orientation)
        paint(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(QuickAxis, "paint", counted)
    for turn in range(6):
        if turn == 1:  # the first is wider than what was there
            painted.clear()
        for number in range(3):
            plot.curve(f"curve {number}", np.arange(60 + turn), np.linspace(0, 10 + turn, 60 + turn) + number)
        plot.settle()
        for _ in range(3):
            QApplication.processEvents()
    assert sorted(painted) == ["bottom"] * 5 + ["left"] * 5


def test_axes_follow_the_theme(qtbot: QtBot) -> None:
    theme.apply("light")
    plot = shown(qtbot)
    light = pixels(plot)
    theme.apply("dark")
    try:
        dark = pixels(plot)
    finally:
        theme.apply("light")
    assert dark.mean() < 80 < 200 < light.mean()
    assert np.array_equal(pixels(plot), light)


def test_a_level_curve_is_shown_around_its_value(qtbot: QtBot) -> None:
    plot = shown(qtbot, curves=0)
    plot.curve("rate", np.arange(5), np.full(5, 0.001))
    plot.settle()
    low, high = plot.getPlotItem().vb.viewRange()[1]
    assert (low, high) == pytest.approx((0.0005, 0.0015))
    plot.curve("rate", np.arange(6), [0.001] * 5 + [0.002])
    plot.settle()
    low, high = plot.getPlotItem().vb.viewRange()[1]
    assert 0.0008 < low < 0.001 < 0.002 < high < 0.0022


def test_a_whole_axis_names_no_halves(qtbot: QtBot) -> None:
    assert isinstance(Plot("x", "y", integer_x=True).getPlotItem().getAxis("bottom"), IntegerAxis)
    assert isinstance(Plot("x", "y").getPlotItem().getAxis("bottom"), QuickAxis)
