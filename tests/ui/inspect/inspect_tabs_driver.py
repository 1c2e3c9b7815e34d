"""The tabs of the Inspect page as a person uses them, with two labels and a detection of each kind."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QTableView, QTableWidget, QTabWidget
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import FakeEvaluator, rows, run_evaluation, slide
from workbench.core import edits
from workbench.core.project import Label
from workbench.ui.inspect.charts import CHARTS, ChartDrawing
from workbench.ui.inspect.curves import CurvesTab
from workbench.ui.inspect.page import InspectPage
from workbench.ui.inspect.picture import InspectPicture
from workbench.ui.session import Session

# a: its cell is found, and a nucleus where nothing is. b: its cell is taken for a nucleus
DETECTIONS = (
    ([(10, 10, 30, 30), (40, 40, 60, 60)], [0.9, 0.6], [0, 1]),
    ([(10, 10, 30, 30)], [0.75], [1]),
)


@pytest.fixture
def evaluated_page(qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator) -> InspectPage:
    """The Inspect page after an evaluation with two labels."""
    session.do(edits.AddLabels((Label(0, "nucleus"),)))
    evaluate.seen = DETECTIONS
    run_evaluation(qtbot, page, session)
    slide(page, "confidence", 50)
    return page


def tab(page: InspectPage, title: str) -> QTabWidget:
    tabs = page.findChild(QTabWidget, "inspect-tabs")
    assert isinstance(tabs, QTabWidget)
    names = [tabs.tabText(place) for place in range(tabs.count())]
    tabs.setCurrentIndex(names.index(title))
    return tabs


def cells(page: InspectPage) -> list[list[str]]:
    table = page.findChild(QTableView, "inspect-confusion")
    assert isinstance(table, QTableView)
    model = table.model()
    return [
        [model.index(row, column).data() for column in range(model.columnCount())] for row in range(model.rowCount())
    ]


def mistakes(page: InspectPage) -> dict[str, tuple[str, str]]:
    table = page.findChild(QTableWidget, "inspect-mistakes")
    assert isinstance(table, QTableWidget)
    texts = [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount())]
    return {name: (cost, count) for name, cost, _, count in texts}


def click(qtbot: QtBot, table: QTableView | None, row: int, column: int) -> None:
    assert table is not None
    place = table.visualRect(table.model().index(row, column)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def listed(page: InspectPage) -> list[str]:
    return [row[0] for row in rows(page)]


def marked(page: InspectPage) -> list[list[float]]:
    picture = page.findChild(InspectPicture, "inspect-picture")
    assert isinstance(picture, InspectPicture)
    return np.asarray(picture.marked).tolist()


def drawing(qtbot: QtBot, page: InspectPage, chart: str, label: int = 0) -> ChartDrawing:
    """Choose a chart and wait until it is drawn."""
    tab(page, "Curves")
    curves = page.findChild(CurvesTab)
    assert isinstance(curves, CurvesTab)
    before = curves.drawing
    place = [one.name for one in CHARTS].index(chart)
    combos = [page.findChild(QComboBox, name) for name in ("inspect-chart", "inspect-chart-label")]
    combos[1].setCurrentIndex(label)
    combos[0].setCurrentIndex(place)
    qtbot.waitUntil(lambda: curves.drawn == (place, label - 1) and curves.drawing is not before)
    assert curves.drawing is not None
    return curves.drawing
