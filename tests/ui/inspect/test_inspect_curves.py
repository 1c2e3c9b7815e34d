"""The curves of the Inspect page: every chart, the points that open images, and the best confidence."""

from __future__ import annotations

import itertools

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import evaluate_fixture, page_fixture, press, session_fixture
from tests.ui.inspect.inspect_tabs_driver import drawing, evaluated_page, listed, tab
from tests.ui.inspect.test_inspect_sliders import own
from tests.ui.plots.test_legend_above import is_above
from workbench.core import edits
from workbench.core.project import Box
from workbench.ui.inspect.charts import CHARTS
from workbench.ui.inspect.curves import CurvesTab
from workbench.ui.inspect.page import InspectPage

__all__ = ["evaluate_fixture", "evaluated_page", "page_fixture", "session_fixture"]  # fixtures


def test_every_chart_has_curves_whose_points_open_what_is_behind(qtbot: QtBot, evaluated_page: InspectPage) -> None:
    for chart, label in itertools.product((chart.name for chart in CHARTS), (0, 1)):
        result = drawing(qtbot, evaluated_page, chart, label)
        assert result.lines
        assert any(line.opens for line in result.lines)
        assert "Click a point" in result.words
        for line in result.lines:
            for point in range(len(line.x)) if line.opens is not None else ():
                chosen = line.opens(point)
                assert set(chosen.unique_images) <= {0, 1}
                assert chosen.words


def test_the_curve_of_a_label_has_its_colour(qtbot: QtBot, evaluated_page: InspectPage) -> None:
    assert evaluated_page.session.document is not None
    own = evaluated_page.session.document.labels()[0]
    assert drawing(qtbot, evaluated_page, "precision").lines[0].colour == "text"  # of all labels
    line = drawing(qtbot, evaluated_page, "precision", 1).lines[0]
    assert (line.name, line.colour) == (own.name, own.colour)


def test_the_line_of_several_labels_is_said_to_be_their_mean_and_the_dot_not(
    qtbot: QtBot, evaluated_page: InspectPage
) -> None:
    assert "mean" not in drawing(qtbot, evaluated_page, "precision").words  # of one label
    document = evaluated_page.session.document
    assert document is not None
    nucleus = Box(0, document.images()[1].id, document.labels()[1].id, (40, 40, 60, 60))
    evaluated_page.session.do(edits.AddBoxes((nucleus,)))
    words = evaluated_page.findChild(QLabel, "inspect-chart-words")
    assert isinstance(words, QLabel)
    qtbot.waitUntil(lambda: "is their mean" in words.text())


def test_the_legend_covers_neither_a_curve_nor_the_dot(qtbot: QtBot, evaluated_page: InspectPage) -> None:
    """Among the curves of many labels no place is free for it."""
    curves = evaluated_page.findChild(CurvesTab)
    assert isinstance(curves, CurvesTab)
    for chart in CHARTS:
        drawing(qtbot, evaluated_page, chart.name)
        qtbot.waitUntil(lambda: is_above(curves.plot))


def test_a_click_on_a_point_opens_its_images(qtbot: QtBot, evaluated_page: InspectPage) -> None:
    """The boxes that are not found at an overlap of 0.5: b's."""
    result = drawing(qtbot, evaluated_page, "overlaps")
    assert result.lines[0].y.tolist() == pytest.approx([51 / 101] * 10)
    curves = evaluated_page.findChild(CurvesTab)
    assert isinstance(curves, CurvesTab)
    place = curves.plot.getPlotItem().vb.mapViewToScene(QPointF(0.5, 51 / 101))
    curves.open_at(place + QPointF(0, 100))  # far from all points
    assert len(listed(evaluated_page)) == 2
    qtbot.mouseClick(curves.plot.viewport(), Qt.MouseButton.LeftButton, pos=curves.plot.mapFromScene(place))
    qtbot.waitUntil(lambda: listed(evaluated_page) == ["b.png"])
    curves.plot.show_curve("AP", False)
    press(qtbot, evaluated_page, "inspect-all-again")
    curves.open_at(place)
    assert len(listed(evaluated_page)) == 2


def test_the_best_confidence_is_marked_and_used(qtbot: QtBot, evaluated_page: InspectPage) -> None:
    """F1 of all is highest where only the right one is left: from 0.76 to 0.89, as 0.9 is a little less in 32 bits."""
    result = drawing(qtbot, evaluated_page, "confidence")
    assert result.best == pytest.approx(0.82)
    assert "0.667, at 0.82" in result.words
    press(qtbot, evaluated_page, "inspect-use")
    tab(evaluated_page, "Numbers")
    assert evaluated_page.findChild(QPushButton, "inspect-open-wrong").text() == "0 false alarms"
    assert own(evaluated_page) == ["as global", "as global"]


def test_the_best_confidence_of_a_label_becomes_its_own(qtbot: QtBot, evaluated_page: InspectPage) -> None:
    assert drawing(qtbot, evaluated_page, "confidence", 1).best == pytest.approx(0.45)
    press(qtbot, evaluated_page, "inspect-use")
    tab(evaluated_page, "Numbers")
    assert own(evaluated_page) == ["0.45", "as global"]


def test_what_a_curve_says_of_scores_is_what_scores_are(qtbot: QtBot, evaluated_page: InspectPage) -> None:
    line = drawing(qtbot, evaluated_page, "calibration").lines[1]
    assert line.x.tolist() == pytest.approx([0.6, 0.75, 0.9])
    assert line.y.tolist() == [0, 0, 1]
