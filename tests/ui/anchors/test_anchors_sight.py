"""What the Anchors page's plots show of anchors out of sight, of lines' names, of other sets, and in little room."""

from __future__ import annotations

import gc
import math
import weakref

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from pytestqt.qtbot import QtBot

from tests.ui.anchors.test_anchor_editor import mouse
from workbench.anchors import rate_anchors
from workbench.ui.anchors.cloud import make_cloud
from workbench.ui.anchors.edge_arrows import APART, EDGE, arrow_tooltip, spread
from workbench.ui.anchors.fit_curves import CURVES, SHOWN, FitCurves
from workbench.ui.anchors.fitting_label import FittingLabel
from workbench.ui.anchors.plot_bar import NARROW, PlotBar
from workbench.ui.anchors.sizes_plot import CURRENT, SizesPlot

BOXES = np.array([(10.0, 12.0), (40.0, 30.0), (100.0, 100.0), (60.0, 90.0)])
ANCHORS = np.array([(20.0, 20.0), (373.0, 326.0), (90.0, 300.0)])


@pytest.fixture
def plot(qtbot: QtBot) -> SizesPlot:
    """Boxes up to 100 px, all in sight, and three anchors of which only the first is."""
    made = SizesPlot()
    qtbot.addWidget(made)
    made.resize(500, 400)
    made.show()
    made.set_cloud(make_cloud(BOXES, {}, False), {}, {})
    made._area.setRange(QRectF(0, 0, 110, 110), padding=0)
    made.set_centres(ANCHORS)
    return made


# --- the image that is shown elsewhere ---


def test_boxes_of_the_current_image_have_rings_and_the_key_says_so(plot: SizesPlot) -> None:
    plot.ring(BOXES[1:3])
    assert plot._rings.getData()[0].tolist() == [40, 100]
    assert CURRENT in plot._key.text()
    plot.set_cloud(make_cloud(BOXES, {}, True), {}, {})
    assert np.allclose(np.transpose(plot._rings.getData()), np.log10(BOXES[1:3])), "with logarithmic axes, too"
    plot.show_nothing()
    assert not len(plot._rings.getData()[0])
    assert CURRENT not in plot._key.text()


# --- arrows ---


def test_each_place_is_the_nearest_at_the_edge() -> None:
    size = np.array([200.0, 100.0])
    goals = np.array([(300.0, 40.0), (-5.0, 60.0), (80.0, -1000.0), (90.0, 101.0), (900.0, 900.0)])
    assert spread(goals, size) == [(190, 40), (10, 60), (80, 10), (90, 90), (190, 90)]


def test_arrows_to_one_corner_lie_beside_each_other_and_the_farthest_keeps_it() -> None:
    size = np.array([200.0, 100.0])
    places = spread(np.array([(210.0, -10.0)] * 3 + [(400.0, -400.0)]), size)
    assert places[3] == (190.0, 10.0)
    apart = [math.dist(one, other) for n, one in enumerate(places) for other in places[:n]]
    assert min(apart) >= APART - 1e-6
    assert all(x in (EDGE, 190) or y in (EDGE, 90) for x, y in places), "on the edge all the same"


def test_anchors_out_of_sight_have_arrows_that_point_to_them(plot: SizesPlot) -> None:
    counted: list[int] = []
    plot.outside_counted.connect(counted.append)
    arrows = plot._arrows
    assert arrows.numbers() == [1, 2]
    assert arrows._arrows[2].rotation() == pytest.approx(-90), "straight up"
    assert -90 < arrows._arrows[1].rotation() < 0, "up and to the right"
    assert arrows._arrows[1].toolTip() == arrow_tooltip(1, 373, 326)
    assert arrow_tooltip(1, 373, 326).startswith("Anchor 2: 373 × 326 px, outside the view.")
    plot._area.setRange(QRectF(0, 0, 400, 400), padding=0)
    assert (arrows.numbers(), counted[-1]) == ([], 0)
    plot._area.setRange(QRectF(30, 30, 100, 100), padding=0)
    assert (arrows.numbers(), counted[-1]) == ([0, 1, 2], 3)
    plot.fit()
    assert arrows.numbers() == []
    plot.set_centres(ANCHORS[:1] * 100)
    assert arrows.numbers() == [0]
    plot.show_nothing()
    assert arrows.numbers() == []


def test_with_logarithmic_axes_too(plot: SizesPlot) -> None:
    plot.set_cloud(make_cloud(BOXES, {}, True), {}, {})
    assert plot._arrows.numbers() == [], "all is shown anew"
    plot._area.setRange(QRectF(1, 1, 1.1, 1.1), padding=0)  # 10 to 126 px
    assert plot._arrows.numbers() == [1, 2]


def test_a_click_on_an_arrow_is_one_on_its_anchor(plot: SizesPlot, qtbot: QtBot) -> None:
    asked: list[int] = []
    plot.anchor_clicked.connect(asked.append)
    with qtbot.waitExposed(plot):
        pass
    at = plot.mapFromScene(plot._arrows.place_of(2))
    mouse(plot.viewport(), QEvent.Type.MouseMove, at, Qt.MouseButton.NoButton)
    mouse(plot.viewport(), QEvent.Type.MouseButtonPress, at, Qt.MouseButton.LeftButton)
    mouse(plot.viewport(), QEvent.Type.MouseButtonRelease, at, Qt.MouseButton.NoButton)
    assert asked == [2]
    assert plot._arrows.at(plot._arrows.place_of(1) + QPointF(30, 30)) is None


def test_a_plot_goes_at_once(qtbot: QtBot) -> None:
    """What goes late goes in any thread, and Qt's parts may only go in the window's."""
    made = SizesPlot()
    made.set_cloud(make_cloud(BOXES, {}, False), {}, {})
    made.set_centres(ANCHORS)
    known = weakref.ref(made)
    gc.disable()
    try:
        del made
        assert known() is None
    finally:
        gc.enable()


# --- dragging ---


def test_a_handle_that_is_dropped_beyond_the_input_stands_at_its_anchor(plot: SizesPlot) -> None:
    plot.set_limit(416)
    plot.set_centres(ANCHORS)

    def follow(number: int, width: float, height: float) -> None:
        plot.set_centres(np.where(np.arange(3)[:, None] == number, (width, height), plot._centres))

    plot.dragged.connect(follow)
    handle = plot._handles[0]
    handle.moving = True  # as while the mouse holds it
    handle.setPos(900, 50)
    handle.moving = False
    handle.sigPositionChangeFinished.emit(handle)
    assert plot._centres[0].tolist() == [416, 50]
    assert handle.pos().toTuple() == (416, 50)


# --- names of lines ---


@pytest.mark.parametrize("area", [(0, 0, 110, 110), (0, 0, 1000, 900), (20, 20, 40, 30), (0, 0, 30, 400)])
def test_names_of_lines_stand_in_sight_and_apart(plot: SizesPlot, area: tuple[float, ...]) -> None:
    plot._area.setRange(QRectF(*area), padding=0)
    plot.grab()  # which puts them there
    names = plot._lines.names()
    field = plot._area.sceneBoundingRect().adjusted(-6, -6, 6, 6)
    assert names
    for number, (name, spot) in enumerate(names):
        assert field.contains(spot), name
        assert not [other for other, taken in names[:number] if taken.intersects(spot)], name


def test_names_of_lines_make_room_for_the_key_and_come_back(plot: SizesPlot) -> None:
    plot._area.setRange(QRectF(0, 0, 100, 100), padding=0)
    plot.grab()
    before = plot._lines.names()
    plot.ring(np.array([[10.0, 10.0]]))
    plot._key.show_colours([("a name of twenty-two ..", "#000000")] * 4)
    plot.grab()
    key = QRectF(plot._key.geometry())
    assert [name for name, spot in before if spot.intersects(key)], "there is something to make room"
    assert not [name for name, spot in plot._lines.names() if spot.intersects(key)]
    plot.ring(np.zeros((0, 2)))
    plot._key.show_colours([])
    plot.grab()
    assert plot._lines.names() == before


# --- curves ---


def steps() -> list[object]:
    return [rate_anchors(BOXES, np.array([(n, n)])) for n in (20.0, 40.0, 60.0)]


def test_that_another_set_is_shown_is_said_and_marked_in_the_curve(qtbot: QtBot) -> None:
    curves = FitCurves()
    qtbot.addWidget(curves)
    curves.resize(1800, 400)
    curves.show()
    curves.begin(3)
    curves.show_steps(steps())  # type: ignore[arg-type]
    assert curves.title.text() == "The fit, step by step"
    curves.show_other("YOLOv3", 0.412)
    assert curves.title.text() == "The fit, step by step, not what is shown. Dashed: mean IoU of YOLOv3, 41.2 %"
    x, y = curves.steps.data(SHOWN)
    assert (x.tolist(), y.tolist()) == ([0, 2], pytest.approx([41.2, 41.2])), "as long as the curves"
    view = curves.steps.getPlotItem().vb
    qtbot.waitUntil(lambda: view.viewRange()[1][0] < 41.2 < 45 < view.viewRange()[1][1])
    curves.begin_stage(2)
    assert "refined from 2 on" in curves.title.text()
    curves.show_other("", 0.9)
    assert SHOWN not in curves.steps.names()
    assert curves.title.text() == "The fit, step by step, refined from 2 on"
    curves.show_other("edited", 0.5)
    curves.begin(3)
    assert (curves.title.text(), curves.steps.names()) == ("The fit, step by step", ())


@pytest.mark.parametrize("size", [(830, 300), (830, 160), (520, 220)])
def test_names_stand_above_the_curves_and_not_on_them(qtbot: QtBot, size: tuple[int, int]) -> None:
    curves = FitCurves()
    qtbot.addWidget(curves)
    curves.resize(*size)
    curves.show()
    for name in CURVES:
        curves.steps.curve(name, range(3), range(3))
    item = curves.steps.getPlotItem()
    qtbot.waitUntil(
        lambda: (
            item.legend.sceneBoundingRect().bottom() <= item.vb.sceneBoundingRect().top()
            and item.legend.isVisible()
            and item.legend.sceneBoundingRect().left() >= 0
        )
    )


# --- sentences ---


def test_the_longest_sentence_with_room_is_said(qtbot: QtBot) -> None:
    line = FittingLabel()
    qtbot.addWidget(line)
    line.say("26 boxes of 2 images. Click one.", "26 boxes.", "26")
    for width, said in ((400, "26 boxes of 2 images. Click one."), (90, "26 boxes."), (1, "26")):
        line.resize(width, 20)
        line.show()
        assert line.text() == said
        assert line.toolTip() == ("" if width == 400 else "26 boxes of 2 images. Click one.")


def test_in_a_narrow_page_buttons_are_short_so_that_there_is_room_to_say_how_many_boxes(qtbot: QtBot) -> None:
    bar = PlotBar()
    qtbot.addWidget(bar)
    bar.tell("2,805 boxes of 205 images. Click one to see it on its image.", "2,805 boxes of 205 images.")
    bar.resize(1000, 30)
    bar.show()
    assert bar.about.text().endswith("Click one to see it on its image.")
    bar.resize(NARROW - 100, 30)
    assert (bar.choose.text(), bar.log.text()) == ("Region", "Log")
    assert bar.about.text() == "2,805 boxes of 205 images."
    bar.show_region("3 boxes.")
    assert bar.about.text() == "3 boxes."
    bar.show_region("")
    assert bar.about.text() == "2,805 boxes of 205 images."
