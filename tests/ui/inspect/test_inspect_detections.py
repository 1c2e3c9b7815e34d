"""The detections on the Inspect page, made by hand: numbers, sliders, NMS, the list and the picture's boxes."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QTableView
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import (
    FakeEvaluator,
    choose,
    drawn,
    evaluate_fixture,
    numbers,
    page_fixture,
    rows,
    run_evaluation,
    session_fixture,
    slide,
    text,
)
from workbench.core import edits
from workbench.core.project import Split
from workbench.ui.inspect.page import InspectPage
from workbench.ui.session import Session

__all__ = ["evaluate_fixture", "page_fixture", "session_fixture"]  # fixtures


def test_what_was_found_is_counted_at_the_best_confidence(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    run_evaluation(qtbot, page, session)
    # at 0.5: one of two boxes found, nothing wrong: precision 1 at 51 of 101 recalls. At any confidence one false alarm
    # (0.4) lies between the two right ones: AP50 = mean of 1 (51 points) and 2/3 (50 points)
    assert numbers(page) == (f"{51 / 101:.3f}", "1.000", "0.500", "0.667")
    assert text(page, "inspect-ap-all").endswith(f"AP50 {(51 + 50 * 2 / 3) / 101:.3f}")


def test_the_list_has_the_misses_first(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    run_evaluation(qtbot, page, session)
    assert rows(page) == [("b.png", "1", "1", "0"), ("a.png", "1", "0", "0")]


def test_the_confidence_slider_acts_at_once_and_never_looks_again(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    run_evaluation(qtbot, page, session)
    slide(page, "confidence", 20)
    assert numbers(page)[1:] == ("0.667", "1.000", "0.800")
    qtbot.waitUntil(lambda: sorted(rows(page)) == [("a.png", "1", "0", "1"), ("b.png", "1", "0", "0")])
    spin = page.findChild(QDoubleSpinBox, "inspect-confidence-spin")
    assert isinstance(spin, QDoubleSpinBox)
    assert spin.value() == pytest.approx(0.20)
    assert len(evaluate.requests) == 1


def test_the_nms_slider_lets_overlapping_detections_through(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    run_evaluation(qtbot, page, session)
    slide(page, "iou", 95)
    qtbot.waitUntil(lambda: numbers(page)[1] == "0.500")  # the twin at 0.6 is wrong
    assert len(evaluate.requests) == 1


def test_another_nms_acts_at_once_on_the_same_candidates(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    """The twin at 0.6, which hard NMS removes, stays with soft NMS at a score too low for 0.5 and high enough for 0."""
    run_evaluation(qtbot, page, session)
    slide(page, "confidence", 0)
    before = numbers(page)[1]
    kind = page.findChild(QComboBox, "inspect-kind")
    assert isinstance(kind, QComboBox)
    choose(kind, "soft")
    qtbot.waitUntil(lambda: float(numbers(page)[1]) < float(before))
    choose(kind, "per label")
    qtbot.waitUntil(lambda: numbers(page)[1] == before)
    assert len(evaluate.requests) == 1


def test_nms_is_as_published_until_another_is_chosen(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    evaluate.published = "across labels"
    run_evaluation(qtbot, page, session)
    kind = page.findChild(QComboBox, "inspect-kind")
    assert isinstance(kind, QComboBox)
    assert kind.currentText() == "published: across labels"
    slide(page, "confidence", 0)
    hard = numbers(page)[1]
    choose(kind, "soft")
    qtbot.waitUntil(lambda: numbers(page)[1] != hard)
    soft = numbers(page)[1]
    evaluate.published = "per label"
    page.evaluate()
    qtbot.waitUntil(lambda: kind.itemText(0) == "published: per label")
    qtbot.waitUntil(lambda: not session.jobs)
    slide(page, "confidence", 0)
    assert kind.currentData() == "soft"  # what a person chose stays, for any run
    qtbot.waitUntil(lambda: numbers(page)[1] == soft)
    choose(kind, None)
    qtbot.waitUntil(lambda: numbers(page)[1] == hard)


def test_the_picture_shows_hits_false_alarms_and_misses(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    run_evaluation(qtbot, page, session)
    assert session.document is not None
    first, second = (image.id for image in session.document.images())
    session.select_image(second)
    assert drawn(page) == {"label": [], "hit": [], "false_alarm": [], "miss": [[10, 10, 30, 30]]}
    session.select_image(first)
    slide(page, "confidence", 30)
    assert drawn(page) == {
        "label": [[10, 10, 30, 30]], "hit": [[10, 10, 30, 30]], "false_alarm": [[40, 40, 60, 60]], "miss": [],
    }  # fmt: skip
    assert text(page, "inspect-caption") == "a.png: 1 right, 1 false alarm, 0 missed"


def test_a_click_in_the_list_selects_the_image_everywhere(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    run_evaluation(qtbot, page, session)
    table = page.findChild(QTableView, "inspect-images")
    assert isinstance(table, QTableView)
    assert session.document is not None
    for row, (name, *_) in enumerate(rows(page)):
        table.selectRow(row)
        assert session.image is not None
        assert session.image.name == name


def test_a_double_click_and_enter_open_the_image_on_the_label_page(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    run_evaluation(qtbot, page, session)
    asked: list[str] = []
    session.page_requested.connect(asked.append)
    table = page.findChild(QTableView, "inspect-images")
    assert isinstance(table, QTableView)
    name = table.model().index(1, 0).data()
    at = table.visualRect(table.model().index(1, 0)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert session.image is not None
    assert (asked, session.image.name) == (["label"], name)
    qtbot.keyClick(table, Qt.Key.Key_Return)
    assert asked == ["label"] * 2


def test_what_is_shown_is_the_image_chosen_everywhere_or_it_is_said(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    assert session.document is not None
    a, b = (image.id for image in session.document.images())
    session.do(edits.SetSplit((a,), Split.TRAIN))
    session.select_image(a)
    run_evaluation(qtbot, page, session)
    assert session.image_id == a, "nothing is chosen but by a person"
    assert text(page, "inspect-words") == "1 image, 1 labelled box. a.png (train, done) is not among them."
    session.select_image(b)
    assert text(page, "inspect-words") == "1 image, 1 labelled box."
    session.select_image(a)
    assert text(page, "inspect-words") == "1 image, 1 labelled box. a.png (train, done) is not among them."


def test_the_list_can_be_sorted_by_name(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    run_evaluation(qtbot, page, session)
    table = page.findChild(QTableView, "inspect-images")
    assert isinstance(table, QTableView)
    table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert [row[0] for row in rows(page)] == ["a.png", "b.png"]
    table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert [row[0] for row in rows(page)] == ["b.png", "a.png"]
