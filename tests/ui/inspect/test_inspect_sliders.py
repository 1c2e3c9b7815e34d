"""Every slider of the Inspect page: what follows at once, what is matched how often, and the operating point."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QPushButton, QSlider, QSpinBox, QToolButton
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import (  # noqa: F401 (fixtures)
    FakeEvaluator,
    choose,
    drawn,
    evaluate_fixture,
    make_run,
    numbers,
    page_fixture,
    press,
    run_evaluation,
    session_fixture,
    slide,
    text,
)
from workbench.core import edits
from workbench.core.evaluation.sliders import Sliders
from workbench.core.project import Image, Label
from workbench.inference.evaluating import operating_point
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.ui.inspect.images_table import BOXES, FRAMED, ImagesTable
from workbench.ui.inspect.labels_table import LEAST, LabelsTable
from workbench.ui.inspect.page import InspectPage
from workbench.ui.session import Session

TWO_LABELS = (
    ([(10, 10, 30, 30), (40, 40, 60, 60)], [0.9, 0.6], [0, 1]),
    ([(10, 10, 30, 30)], [0.3], [0]),
)


def labels(page: InspectPage) -> LabelsTable:
    table = page.findChild(LabelsTable, "inspect-labels")
    assert isinstance(table, LabelsTable)
    return table


def own(page: InspectPage) -> list[str]:
    model = labels(page).labels
    return [model.index(row, LEAST).data() for row in range(model.rowCount())]


def edit_own(qtbot: QtBot, page: InspectPage, row: int, keys: str) -> None:
    """Type into the cell, as a person does."""
    table = labels(page)
    index = table.labels.index(row, LEAST)
    table.setCurrentIndex(index)
    table.edit(index)
    box = table.findChild(QDoubleSpinBox, "inspect-own")
    assert isinstance(box, QDoubleSpinBox)
    box.selectAll()
    qtbot.keyClicks(box, keys)
    qtbot.keyClick(box, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: table.findChild(QDoubleSpinBox, "inspect-own") is None)


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each matching was of."""
    counted: list[int] = []
    real = Sliders.matching_at

    def moved(self: Sliders, *args: Any, **more: Any) -> Any:
        counted.append(self.truth.image_count)
        return real(self, *args, **more)

    monkeypatch.setattr(Sliders, "matching_at", moved)
    return counted


def test_a_move_of_the_confidence_matches_nothing_and_never_looks(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator, moves: list[int]
) -> None:
    run_evaluation(qtbot, page, session)
    moves.clear()
    for value in range(20, 90):
        slide(page, "confidence", value)
    edit_own(qtbot, page, 0, "0.35")
    assert own(page) == ["0.35"]
    assert moves == []
    assert len(evaluate.requests) == 1


@pytest.mark.parametrize("name", ["inspect-confidence", "inspect-iou"])
def test_a_number_is_typed_as_anywhere_and_followed_digit_by_digit(
    qtbot: QtBot, page: InspectPage, session: Session, name: str
) -> None:
    run_evaluation(qtbot, page, session)
    spin, slider = page.findChild(QDoubleSpinBox, f"{name}-spin"), page.findChild(QSlider, f"{name}-slider")
    for typed, value in (("0.47", 47), ("0.31", 31), (".5", 50), ("0.08", 8), ("0.9", 90)):
        spin.setFocus()
        spin.selectAll()
        for key in typed:
            QTest.keyClicks(spin, key)
            QTest.qWait(20)  # as a person does: what follows from each digit comes between
        assert (round(spin.value(), 2), slider.value()) == (value / 100, value), typed
        assert spin.text() == typed
    QTest.keyClick(spin, Qt.Key.Key_Return)
    assert spin.text() == "0.90"
    slider.setValue(33)
    assert spin.text() == "0.33"


def test_a_move_of_the_nms_matches_the_split_once(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator, moves: list[int]
) -> None:
    run_evaluation(qtbot, page, session)
    moves.clear()
    slide(page, "iou", 95)
    qtbot.waitUntil(lambda: text(page, "inspect-kept") != "counting …")
    assert sorted(moves) == [1, 2]  # the image in sight alone, at once, and both
    assert len(evaluate.requests) == 1


def test_the_picture_follows_the_nms_before_the_split_does_and_the_newest_request_wins(
    qtbot: QtBot, page: InspectPage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_evaluation(qtbot, page, session)
    assert session.document is not None
    session.select_image(session.document.images()[0].id)
    real, gate, split = Sliders.matching_at, threading.Event(), []

    def slow(self: Sliders, *args: Any, **more: Any) -> Any:
        if self.truth.image_count > 1:
            split.append(args[0])
            assert gate.wait(10)
        return real(self, *args, **more)

    monkeypatch.setattr(Sliders, "matching_at", slow)
    before = numbers(page)
    slide(page, "iou", 94)
    assert len(drawn(page)["false_alarm"]) == 1  # the twin at 0.6
    qtbot.waitUntil(lambda: split == [0.94])
    for value in (93, 92, 91, 90, 70):
        slide(page, "iou", value)
    assert drawn(page)["false_alarm"] == []
    assert numbers(page) == before
    assert text(page, "inspect-kept") == "counting …"
    gate.set()
    qtbot.waitUntil(lambda: text(page, "inspect-kept") != "counting …")
    assert split == [0.94, 0.70]
    assert numbers(page) == before


def test_the_maximum_keeps_the_highest_of_each_image(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    run_evaluation(qtbot, page, session)
    slide(page, "confidence", 20)
    assert numbers(page)[1:3] == ("0.667", "1.000")
    limit = page.findChild(QSpinBox, "inspect-limit")
    assert isinstance(limit, QSpinBox)
    limit.setValue(1)
    qtbot.waitUntil(lambda: numbers(page)[1:3] == ("1.000", "1.000"))


def test_a_label_can_have_its_own_confidence_and_give_it_back(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    session.do(edits.AddLabels((Label(0, "nucleus"),)))
    evaluate.seen = TWO_LABELS
    run_evaluation(qtbot, page, session)
    assert session.document is not None
    session.select_image(session.document.images()[0].id)
    assert own(page) == ["as global", "as global"]
    assert len(drawn(page)["false_alarm"]) == 1  # the nucleus at 0.6
    edit_own(qtbot, page, 1, "0.7")
    assert own(page) == ["as global", "0.70"]
    assert drawn(page)["false_alarm"] == []
    assert numbers(page)[1] == "1.000"
    slide(page, "confidence", 20)  # which is that of the others only
    assert numbers(page)[1:3] == ("1.000", "1.000")
    table = labels(page)
    table.selectRow(1)
    back = next(action for action in table.actions() if action.text() == "As global")
    assert isinstance(back, QAction)
    back.trigger()
    assert own(page) == ["as global", "as global"]
    assert numbers(page)[1] == "0.667"
    edit_own(qtbot, page, 1, "0.7")
    edit_own(qtbot, page, 1, "-0.01")  # one step below 0
    assert own(page) == ["as global", "as global"]


def test_across_labels_one_that_is_below_its_own_confidence_removes_nothing(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    """A nucleus of 0.8 lies on the cell of 0.6, and goes by a confidence of its own."""
    session.do(edits.AddLabels((Label(0, "nucleus"),)))
    evaluate.published = "across labels"
    evaluate.seen = (([(10, 10, 30, 30), (10, 10, 30, 30)], [0.8, 0.6], [1, 0]), ([(10, 10, 30, 30)], [0.3], [0]))
    run_evaluation(qtbot, page, session)
    assert session.document is not None
    session.select_image(session.document.images()[0].id)
    assert (len(drawn(page)["miss"]), len(drawn(page)["false_alarm"])) == (1, 1)
    edit_own(qtbot, page, 1, "0.9")
    assert (drawn(page)["miss"], drawn(page)["false_alarm"]) == ([], [])  # of this image at once
    qtbot.waitUntil(lambda: numbers(page)[1] == "1.000")
    edit_own(qtbot, page, 1, "0.8")
    qtbot.waitUntil(lambda: numbers(page)[1] == "0.000")


def test_the_operating_point_is_kept_with_the_run_and_opened_with(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    run_evaluation(qtbot, page, session)
    assert text(page, "inspect-kept") == "at the highest F1, not kept"
    slide(page, "confidence", 34)
    assert text(page, "inspect-kept") == "no operating point kept yet"
    slide(page, "confidence", 35)
    slide(page, "iou", 45)
    kind = page.findChild(QComboBox, "inspect-kind")
    assert isinstance(kind, QComboBox)
    choose(kind, "diou")
    edit_own(qtbot, page, 0, "0.2")
    qtbot.waitUntil(lambda: text(page, "inspect-kept") != "counting …")
    press(qtbot, page, "inspect-keep")
    assert session.document is not None
    folder = session.document.runs_folder / "first"
    kept = json.loads((folder / "operating_point.json").read_text("utf-8"))
    assert kept == {
        "confidence": 0.35, "confidence_of_labels": {"cell": 0.2}, "nms_overlap": 0.45, "nms_kind": "diou",
        "limit": 300, "checkpoint": "best.safetensors", "label_ids": {"cell": session.document.labels()[0].id},
    }  # fmt: skip
    assert text(page, "inspect-kept") == "as kept"
    slide(page, "confidence", 80)
    assert text(page, "inspect-kept") == "differs from the point kept"
    choose(kind, "soft")
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: text(page, "inspect-kept") == "as kept")
    assert own(page) == ["0.20"]
    assert kind.currentData() == "diou"


def test_a_kept_overlap_that_removes_nothing_is_shown_as_it_is(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    """`workbench point --iou 1` keeps it: the page showed what another NMS leaves, and keeping that changed it."""
    assert session.document is not None
    operating_point.write(make_run(session), OperatingPoint(0.35, iou=1.0))
    page.shown()
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: text(page, "inspect-kept") == "as kept")
    assert page.findChild(QSlider, "inspect-iou-slider").value() == 100
    assert len(drawn(page)["hit"]) + len(drawn(page)["false_alarm"]) == 3, "of which two overlap by 0.8"


def test_keeping_an_operating_point_is_taken_back_before_an_edit_made_earlier(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    run_evaluation(qtbot, page, session)
    assert session.document is not None
    file, edit = session.document.runs_folder / "first" / "operating_point.json", session.document.undo_title
    press(qtbot, page, "inspect-keep")
    slide(page, "confidence", 80)
    press(qtbot, page, "inspect-keep")
    assert session.undo_title == "Keep as operating point"
    session.undo_last()
    assert json.loads(file.read_text("utf-8"))["confidence"] == 0.5
    assert text(page, "inspect-kept") == "differs from the point kept"
    session.undo_last()
    assert not file.exists()
    assert text(page, "inspect-kept") == "no operating point kept yet"
    assert session.undo_title == session.document.undo_title == edit
    session.redo_last()
    assert json.loads(file.read_text("utf-8"))["confidence"] == 0.5
    none = page.findChild(QToolButton, "inspect-forget")
    assert isinstance(none, QToolButton)
    qtbot.mouseClick(none, Qt.MouseButton.LeftButton)
    assert not file.exists()
    assert none.isHidden()
    session.undo_last()
    assert file.exists()
    assert none.isVisible()
    page.hide()
    assert session.undo_title == edit, "on another page Ctrl+Z is about what is seen there"


def test_a_window_that_may_only_read_keeps_no_operating_point(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    run_evaluation(qtbot, page, session)
    document, told = session.document, list[str]()
    assert document is not None
    document.store.read_only, document.store.why_read_only = True, "It is being edited elsewhere."
    session.message.connect(lambda _level, sentence: told.append(sentence))
    press(qtbot, page, "inspect-keep")
    assert told == ["It is being edited elsewhere."]
    assert not (document.runs_folder / "first" / "operating_point.json").exists()
    document.store.read_only = False


def test_nothing_below_moves_when_a_point_is_kept(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    run_evaluation(qtbot, page, session)
    keep = page.findChild(QPushButton, "inspect-keep")
    assert keep is not None
    height = keep.parentWidget().sizeHint().height()
    press(qtbot, page, "inspect-keep")
    qtbot.waitUntil(lambda: text(page, "inspect-kept") == "as kept")
    keep.parentWidget().layout().activate()
    assert keep.parentWidget().sizeHint().height() == height


@pytest.mark.parametrize("words", ["{", '{"confidence": 7}'])
def test_a_damaged_operating_point_is_told_of_and_does_not_stop_looking(
    qtbot: QtBot, page: InspectPage, session: Session, words: str
) -> None:
    folder: Path = make_run(session)
    (folder / "operating_point.json").write_text(words)
    page.shown()
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: "operating_point.json" in text(page, "inspect-words"))
    assert numbers(page)[1] == "1.000"
    assert text(page, "inspect-kept") == "at the highest F1, not kept"


def test_nothing_can_be_kept_before_something_is_found(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    make_run(session)
    page.shown()
    keep = page.findChild(QPushButton, "inspect-keep")
    assert isinstance(keep, QPushButton)
    assert not keep.isEnabled()


def test_a_list_that_was_opened_begins_with_the_image_that_has_most_of_it(qtbot: QtBot) -> None:
    table = ImagesTable()
    qtbot.addWidget(table)
    table.images.set_images(tuple(Image(id, f"{id}.png") for id in (1, 2, 3)))
    table.images.set_counts(np.array([[5, 2, 0], [5, 0, 1], [5, 1, 0]]))
    table.list_only(np.array([0, 1, 1, 1]))
    model = table.images
    assert [(model.index(row, 0).data(), model.index(row, FRAMED).data()) for row in range(model.rowCount())] == [
        ("2.png", "3"), ("1.png", "1"),
    ]  # fmt: skip
    assert (model.columnCount(), table.isColumnHidden(BOXES)) == (FRAMED + 1, True)
    table.list_only(None)  # by misses, as before
    assert [model.index(row, 0).data() for row in range(model.rowCount())] == ["1.png", "3.png", "2.png"]
    assert (model.columnCount(), table.isColumnHidden(BOXES)) == (FRAMED, False)


def test_rows_of_images_are_in_order_again_once_the_numbers_have_settled(qtbot: QtBot) -> None:
    table = ImagesTable()
    qtbot.addWidget(table)
    table._settled.setInterval(20)
    table.images.set_images(tuple(Image(id, f"{id}.png") for id in (1, 2, 3)))
    assert table.images.row_image.tolist() == [0, 1, 2]
    for missed in (1, 2, 5):  # as a slider moves
        table.images.set_counts(np.array([[1, 3, 0], [1, 2, 0], [1, missed, 0]]))
        assert table.images.row_image.tolist() == [0, 1, 2]
    qtbot.waitUntil(lambda: table.images.row_image.tolist() == [2, 0, 1])
    table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    table._settled.stop()
    table.images.set_counts(np.array([[1, 0, 0], [1, 2, 0], [1, 1, 0]]))
    assert not table._settled.isActive(), "names stay in order: to sort 100,000 takes half a second"
