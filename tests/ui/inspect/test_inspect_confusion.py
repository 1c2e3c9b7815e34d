"""The confusion on the Inspect page: its counts, their colours, and the images that a cell opens."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton, QTableView
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import (
    FakeEvaluator,
    evaluate_fixture,
    page_fixture,
    press,
    run_evaluation,
    session_fixture,
    slide,
    text,
)
from tests.ui.inspect.inspect_tabs_driver import DETECTIONS, cells, click, evaluated_page, listed, marked, tab
from workbench.core import edits
from workbench.core.project import Label
from workbench.ui import theme
from workbench.ui.inspect import confusion
from workbench.ui.inspect.confused_labels import ConfusedLabelsModel
from workbench.ui.inspect.page import InspectPage
from workbench.ui.inspect.state import InspectState
from workbench.ui.session import Session

__all__ = ["evaluate_fixture", "evaluated_page", "page_fixture", "session_fixture"]  # fixtures


def test_the_matrix_adds_up_to_the_counts_shown(qtbot: QtBot, evaluated_page: InspectPage) -> None:
    tab(evaluated_page, "Confusion")
    qtbot.waitUntil(lambda: bool(cells(evaluated_page)))
    assert cells(evaluated_page) == [
        ["1", "1", "0", "2"],  # cell: found, taken for a nucleus, missed; boxes
        ["0", "0", "0", "0"],
        ["0", "1", "", "1"],  # no box
        ["1", "2", "", ""],  # detections
    ]
    counts = [
        evaluated_page.findChild(QPushButton, f"inspect-open-{name}").text() for name in ("right", "wrong", "missed")
    ]
    assert counts == ["1 right", "2 false alarms", "1 missed"]  # the nucleus on a cell is one of each
    words = text(evaluated_page, "inspect-confusion-words")
    assert "Confidence from 0.50; right at an overlap of at least 0.5; NMS per label at 0.60, at most 300" in words


def test_cells_and_sums_say_what_they_count(qapp: QApplication) -> None:
    model = confusion.ConfusionModel()
    model.show_table(("cell", "nucleus"), np.array([[998, 1, 1], [0, 0, 0], [1, 2, 0]]))
    told = [str(model.index(row, column).data(Qt.ItemDataRole.ToolTipRole)) for row, column in
            ((0, 0), (0, 1), (2, 0), (2, 3), (1, 3), (3, 1))]  # fmt: skip
    assert told == [
        "998 cell detected as cell, 99 % of its row", "1 cell detected as nucleus, 1 % of its row",
        "1 time cell where nothing is labelled, 33 % of its row", "3 detections where nothing is labelled",
        "0 boxes of nucleus", "3 detections of nucleus",
    ]  # fmt: skip


def test_a_cell_opens_its_images_with_its_boxes_marked_and_all_come_again(
    qtbot: QtBot, evaluated_page: InspectPage, session: Session
) -> None:
    tab(evaluated_page, "Confusion")
    table = evaluated_page.findChild(QTableView, "inspect-confusion")
    qtbot.waitUntil(lambda: bool(cells(evaluated_page)))
    click(qtbot, table, 0, 1)
    assert listed(evaluated_page) == ["b.png"]
    assert session.image is not None
    assert session.image.name == "b.png"
    assert marked(evaluated_page) == [[10, 10, 30, 30], [10, 10, 30, 30]]  # the detection and the box
    assert text(evaluated_page, "inspect-note") == "1 image: 1 cell detected as nucleus, 50 % of its row"
    slide(evaluated_page, "confidence", 80)  # what was opened stays, whatever the sliders do
    assert listed(evaluated_page) == ["b.png"]
    press(qtbot, evaluated_page, "inspect-all-again")
    assert sorted(listed(evaluated_page)) == ["a.png", "b.png"]
    assert marked(evaluated_page) == []
    click(qtbot, table, 1, 0)  # an empty cell opens nothing
    assert len(listed(evaluated_page)) == 2


def test_sums_and_background_open_their_images_too(qtbot: QtBot, evaluated_page: InspectPage, session: Session) -> None:
    tab(evaluated_page, "Confusion")
    qtbot.waitUntil(lambda: bool(cells(evaluated_page)))
    table = evaluated_page.findChild(QTableView, "inspect-confusion")
    both = {"a.png", "b.png"}
    for row, column, names in ((0, 3, both), (3, 0, {"a.png"}), (2, 1, {"a.png"}), (3, 1, both)):
        click(qtbot, table, row, column)
        assert set(listed(evaluated_page)) == names
    assert session.document is not None
    first, second = (image.id for image in session.document.images())
    session.select_image(first)
    assert marked(evaluated_page) == [[40, 40, 60, 60]]  # of each image its own
    session.select_image(second)
    assert marked(evaluated_page) == [[10, 10, 30, 30], [10, 10, 30, 30]]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_counts_can_be_read_on_every_share_of_colour(qapp: QApplication, mode: str) -> None:
    theme.apply(mode)
    model = confusion.ConfusionModel()
    for part in range(1, 101):
        model.show_table(("cell",), np.array([[part, 100 - part], [part, 0]]))
        for row, column in ((0, 0), (0, 1), (1, 0)):
            index = model.index(row, column)
            ground = index.data(Qt.ItemDataRole.BackgroundRole)
            if model.share(row, column):
                ink = index.data(Qt.ItemDataRole.ForegroundRole)
                assert theme.contrast(ink.name(), ground.name()) >= 4.5


def test_a_tab_out_of_sight_works_nothing_out(
    qtbot: QtBot, evaluated_page: InspectPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    table = evaluated_page.findChild(confusion.ConfusionTab)
    assert isinstance(table, confusion.ConfusionTab)
    background = table._background
    assert background is not None
    real = background._work

    def work(state: InspectState) -> object:
        asked.append(state.confidence)
        return real(state)

    monkeypatch.setattr(background, "_work", work)
    for value in (55, 60, 65):
        slide(evaluated_page, "confidence", value)
    assert asked == []
    tab(evaluated_page, "Confusion")
    qtbot.waitUntil(lambda: bool(cells(evaluated_page)))
    assert asked == [0.65]


def test_of_many_labels_those_taken_for_others_are_listed_the_most_frequent_first(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    session.do(edits.AddLabels((Label(0, "nucleus"), *(Label(0, f"part {n}") for n in range(10)))))
    evaluate.seen = DETECTIONS
    run_evaluation(qtbot, page, session)
    slide(page, "confidence", 50)
    tab(page, "Confusion")
    listed_pairs = page.findChild(QTableView, "inspect-taken-for")
    qtbot.waitUntil(listed_pairs.isVisible)
    model = listed_pairs.model()
    assert [[model.index(row, column).data() for column in range(4)] for row in range(model.rowCount())] == [
        ["cell", "nucleus", "1", "50 %"]
    ]
    click(qtbot, listed_pairs, 0, 0)
    assert listed(page) == ["b.png"]
    assert text(page, "inspect-note") == "1 image: 1 cell detected as nucleus, 50 % of its row"


def test_of_few_labels_the_matrix_says_all(qtbot: QtBot, evaluated_page: InspectPage) -> None:
    tab(evaluated_page, "Confusion")
    qtbot.waitUntil(lambda: bool(cells(evaluated_page)))
    assert not evaluated_page.findChild(QTableView, "inspect-taken-for").isVisible()


def test_pairs_of_labels_are_listed_by_how_often_and_neither_what_is_right_nor_missed() -> None:
    names = ("a", "b", "c")
    model = ConfusedLabelsModel()
    model.show_table(names, np.array([[9, 2, 0, 9], [5, 9, 2, 9], [0, 0, 9, 9], [9, 9, 9, 0]]))
    assert [model.cell(row) for row in range(model.rowCount())] == [(1, 0), (0, 1), (1, 2)]
    assert model.index(0, 3).data() == "20 %"
    model.show_table((), np.zeros((1, 1), np.int64))
    assert model.rowCount() == 0
