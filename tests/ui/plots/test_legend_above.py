"""A plot's legend above the curves: where a line or a few have room for it, as in small plots no place is free."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF
from PySide6.QtGui import QPaintEvent, QRegion
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from workbench.ui.plots.plot import Plot


@pytest.fixture
def plot(qtbot: QtBot) -> Plot:
    made = Plot("step", "loss term", above=True)
    qtbot.addWidget(made)
    made.resize(400, 200)
    made.show()
    for name in ("box", "label", "sum"):
        made.curve(name, range(9), range(9))
    return made


def is_above(plot: Plot) -> bool:
    item = plot.getPlotItem()
    return bool(
        item.legend.isVisible() and item.legend.sceneBoundingRect().bottom() <= item.vb.sceneBoundingRect().top()
    )


def test_it_lies_above_and_goes_where_the_curves_would_have_little_room(qtbot: QtBot, plot: Plot) -> None:
    qtbot.waitUntil(lambda: is_above(plot))
    plot.resize(400, 90)
    qtbot.waitUntil(lambda: not plot.getPlotItem().legend.isVisible())
    plot.resize(400, 200)
    qtbot.waitUntil(lambda: is_above(plot))


def test_many_names_take_several_lines_and_no_more_than_there_is_room(qtbot: QtBot, plot: Plot) -> None:
    for number in range(7):
        plot.curve(f"label {number}", range(9), range(9))
    qtbot.waitUntil(lambda: is_above(plot) and plot.getPlotItem().legend.rowCount > 1)
    plot.resize(190, 200)  # where they would take most of the height
    qtbot.waitUntil(lambda: plot.getPlotItem().legend.parentItem() is plot.getPlotItem().vb)


def test_where_a_person_has_moved_it_it_stays(qtbot: QtBot, plot: Plot) -> None:
    qtbot.waitUntil(lambda: is_above(plot))
    legend = plot.getPlotItem().legend
    legend.autoAnchor(QPointF(60, 60))
    there = legend.pos()
    plot.place_legend()
    assert legend.pos() == there


def test_a_note_lies_beside_it_and_covers_no_curve(qtbot: QtBot, plot: Plot) -> None:
    """That AP is judged by few images lay on AP50, which is near the top when all goes well."""
    plot.note("judged by 2 images only")
    note = plot.findChild(QLabel, "plot-note")
    assert isinstance(note, QLabel)

    def field() -> QRectF:
        return plot.getPlotItem().vb.sceneBoundingRect()

    qtbot.waitUntil(lambda: is_above(plot) and note.isVisible() and note.geometry().bottom() <= field().top())
    assert note.geometry().top() >= 0
    assert note.geometry().right() < plot.getPlotItem().legend.sceneBoundingRect().left()
    plot.note("judged by 2 images only, and many words more, which find no room there")
    qtbot.waitUntil(lambda: note.geometry().top() >= field().top())
    plot.note("judged by 2 images only")
    plot.resize(400, 90)
    qtbot.waitUntil(lambda: not is_above(plot) and note.geometry().top() >= field().top())


class Paints(QObject):
    """Of each paint of a plot: where its curves begin, in px from above, and whether all of it is painted."""

    def __init__(self, plot: Plot) -> None:
        super().__init__(plot)
        self.plot, self.seen = plot, list[tuple[float, bool]]()
        plot.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            whole = QRegion(self.plot.viewport().rect()).subtracted(event.region()).isEmpty()
            self.seen.append((self.plot.getPlotItem().vb.sceneBoundingRect().top(), whole))
        return False


def test_the_plot_is_painted_anew_when_its_curves_give_it_a_line(qtbot: QtBot, plot: Plot) -> None:
    """Pieces of curves stayed in that line."""
    plot.resize(400, 90)
    qtbot.waitUntil(lambda: not plot.getPlotItem().legend.isVisible())
    plot.resize(400, 200)
    low = plot.getPlotItem().vb.sceneBoundingRect().top()
    paints = Paints(plot)
    qtbot.waitUntil(lambda: (low, True) in paints.seen and is_above(plot))
    top = plot.getPlotItem().vb.sceneBoundingRect().top()
    qtbot.waitUntil(lambda: (top, True) in paints.seen)
