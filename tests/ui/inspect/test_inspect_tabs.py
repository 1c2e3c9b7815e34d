"""The tabs of the Inspect page: kinds of mistakes, numbers, the images that each of them opens, and tabs that come."""

from __future__ import annotations

from functools import partial

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QTableView, QTableWidget, QTabWidget
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import (
    FakeEvaluator,
    Seen,
    evaluate_fixture,
    make_run,
    page_fixture,
    press,
    rows,
    run_evaluation,
    session_fixture,
    slide,
    text,
)
from tests.ui.inspect.inspect_tabs_driver import cells, click, drawing, evaluated_page, listed, marked, mistakes, tab
from workbench.core import edits
from workbench.ui import theme
from workbench.ui.inspect.labels_table import AP, BOXES, LABEL, PRECISION, RECALL, LabelsTable
from workbench.ui.inspect.numbers import NumbersTab
from workbench.ui.inspect.page import InspectPage
from workbench.ui.inspect.results_pane import ResultsPane
from workbench.ui.inspect.review.gallery import ReviewGallery
from workbench.ui.inspect.state import InspectState
from workbench.ui.inspect.tab import InspectTab
from workbench.ui.session import Session
from workbench.ui.style_sheet import style_sheet

__all__ = ["evaluate_fixture", "evaluated_page", "page_fixture", "session_fixture"]  # fixtures

NOTHING: tuple[Seen, ...] = (([], [], []), ([], [], []))


def test_a_command_of_the_review_brings_its_tab_to_the_front_and_decides_nothing(
    qtbot: QtBot, evaluated_page: InspectPage, session: Session
) -> None:
    tabs = tab(evaluated_page, "Review")
    review = evaluated_page.findChild(ReviewGallery)
    assert isinstance(review, ReviewGallery)
    qtbot.waitUntil(lambda: review.current is not None)
    tab(evaluated_page, "Numbers")
    before = session.undo_title
    action = review.view.findChild(QAction, "action-review-keep")
    assert isinstance(action, QAction)
    action.trigger()
    assert tabs.tabText(tabs.currentIndex()) == "Review"
    assert session.undo_title == before


def test_a_click_on_review_gives_its_keys_to_the_tiles(
    qtbot: QtBot, evaluated_page: InspectPage, session: Session
) -> None:
    tabs, review = evaluated_page.findChild(QTabWidget, "inspect-tabs"), evaluated_page.findChild(ReviewGallery)
    assert tabs is not None
    assert review is not None
    heads = tabs.tabBar()
    place = next(heads.tabRect(index).center() for index in range(tabs.count()) if tabs.tabText(index) == "Review")
    evaluated_page.findChild(QTableView, "inspect-images").setFocus()
    qtbot.mouseClick(heads, Qt.MouseButton.LeftButton, pos=place)
    assert review.view.hasFocus()
    qtbot.waitUntil(lambda: review.current is not None)
    item, before = review.current, session.document.undo_title
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_T)
    assert session.document.undo_title != before
    assert review.current != item
    evaluated_page.findChild(QTableView, "inspect-images").setFocus()
    evaluated_page.take_keyboard()  # as coming back from another page does
    assert review.view.hasFocus()


def test_tab_comes_to_the_choices_of_review_before_its_tiles(qtbot: QtBot, evaluated_page: InspectPage) -> None:
    tab(evaluated_page, "Review")
    heads = evaluated_page.findChild(QTabWidget, "inspect-tabs").tabBar()
    heads.setFocus()
    qtbot.keyClick(heads, Qt.Key.Key_Tab)
    assert QApplication.focusWidget().objectName() == "review-kind"


# --- kinds of mistakes ---


def test_mistakes_are_counted_and_open_their_images(qtbot: QtBot, evaluated_page: InspectPage) -> None:
    tab(evaluated_page, "Errors")
    qtbot.waitUntil(lambda: mistakes(evaluated_page)["classification"][1] == "1")
    counts = {name: count for name, (_, count) in mistakes(evaluated_page).items()}
    assert counts == {
        "classification": "1", "localisation": "0", "both": "0", "duplicate": "0", "background": "1", "missed": "0",
    }  # fmt: skip
    # the one label with boxes has AP50 51/101; with the nucleus called a cell all is found
    assert mistakes(evaluated_page)["classification"][0] == f"{50 / 101:.3f}"
    assert "AP50 is 0.505" in text(evaluated_page, "inspect-mistakes-words")
    table = evaluated_page.findChild(QTableWidget, "inspect-mistakes")
    click(qtbot, table, 0, 0)
    assert listed(evaluated_page) == ["b.png"]
    click(qtbot, table, 4, 2)
    assert listed(evaluated_page) == ["a.png"]
    assert marked(evaluated_page) == [[40, 40, 60, 60]]
    slide(evaluated_page, "confidence", 65)
    qtbot.waitUntil(lambda: mistakes(evaluated_page)["background"][1] == "0")


# --- numbers ---


def test_a_label_s_precision_opens_its_false_alarms_and_its_recall_what_it_misses(
    qtbot: QtBot, evaluated_page: InspectPage
) -> None:
    table = evaluated_page.findChild(LabelsTable, "inspect-labels")
    click(qtbot, table, 0, RECALL)
    assert (listed(evaluated_page), text(evaluated_page, "inspect-note")) == (["b.png"], "1 image: missed, cell")
    press(qtbot, evaluated_page, "inspect-open-right")
    assert (listed(evaluated_page), marked(evaluated_page)) == (["a.png"], [[10, 10, 30, 30]])
    click(qtbot, table, 1, PRECISION)
    assert set(listed(evaluated_page)) == {"a.png", "b.png"}
    click(qtbot, table, 0, PRECISION)  # no false alarm is called a cell
    assert listed(evaluated_page) == []
    press(qtbot, evaluated_page, "inspect-all-again")
    press(qtbot, evaluated_page, "inspect-open-wrong")
    assert set(listed(evaluated_page)) == {"a.png", "b.png"}


def test_the_labels_are_sorted_by_a_head_and_a_click_means_the_label_that_stands_there(
    qtbot: QtBot, evaluated_page: InspectPage
) -> None:
    table = evaluated_page.findChild(LabelsTable, "inspect-labels")

    def names() -> list[str]:
        return [table.labels.index(row, LABEL).data() for row in range(table.labels.rowCount())]

    assert names() == ["cell", "nucleus"]
    table.sortByColumn(LABEL, Qt.SortOrder.DescendingOrder)
    assert names() == ["nucleus", "cell"]
    click(qtbot, table, 1, RECALL)
    assert text(evaluated_page, "inspect-note") == "1 image: missed, cell"
    table.sortByColumn(BOXES, Qt.SortOrder.DescendingOrder)  # the nucleus has none
    assert names() == ["cell", "nucleus"]
    assert [table.labels.index(row, BOXES).data() for row in range(2)] == ["2", "0"]
    table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert names() == ["cell", "nucleus"]


def test_a_narrow_table_of_labels_leaves_room_for_their_names_and_says_the_rest_in_the_tooltip(
    qtbot: QtBot, evaluated_page: InspectPage
) -> None:
    table = evaluated_page.findChild(LabelsTable, "inspect-labels")
    assert "2 labelled boxes: 1 found, 1 missed; 0 false alarms; AP 0." in table.labels.index(0, LABEL).data(
        Qt.ItemDataRole.ToolTipRole
    )
    for width, hidden in ((250, (True, True)), (320, (False, True)), (400, (False, False))):
        table.setFixedWidth(width)
        qtbot.waitUntil(partial(lambda now: (table.isColumnHidden(AP), table.isColumnHidden(BOXES)) == now, hidden))
        assert table.columnWidth(LABEL) >= table.fontMetrics().horizontalAdvance("nucleus") or width == 250


@pytest.mark.parametrize("width", [254, 280, 400])
def test_no_count_is_cut_in_a_narrow_pane(qtbot: QtBot, width: int) -> None:
    tab = NumbersTab()
    tab.setStyleSheet(style_sheet(theme.colours()))
    qtbot.addWidget(tab)
    tab.show()
    tab.resize(width, 400)
    buttons = tab.findChildren(QPushButton)
    qtbot.waitUntil(lambda: all(button.width() >= button.sizeHint().width() for button in buttons))
    assert tab.width() == width
    assert [" ".join(button.text().split()) for button in buttons] == ["– right", "– false alarms", "– missed"]


# --- nothing to show ---


def test_without_labelled_boxes_every_tab_says_so(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    assert session.document is not None
    images = session.document.images()
    session.do(edits.RemoveBoxes(tuple(box.id for image in images for box in session.document.boxes(image.id))))
    looked_anyway(qtbot, page, session)
    for chart in ("precision", "confidence", "overlaps", "sizes"):
        assert drawing(qtbot, page, chart).words == "There are no labelled boxes to compare with."
    tab(page, "Errors")
    qtbot.waitUntil(lambda: "no labelled boxes" in text(page, "inspect-mistakes-words"))
    tab(page, "Confusion")
    qtbot.waitUntil(lambda: bool(cells(page)))
    assert text(page, "inspect-ap") == "–"


def test_without_detections_nothing_is_found_right(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    evaluate.seen = NOTHING
    looked_anyway(qtbot, page, session)
    assert "Nothing of all labels is found right." in drawing(qtbot, page, "confidence").words
    assert "scores at least" in drawing(qtbot, page, "calibration").words
    tab(page, "Errors")
    qtbot.waitUntil(lambda: mistakes(page)["missed"][1] == "2")


def test_a_split_without_misses_has_none_to_open(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    evaluate.seen = (([(10, 10, 30, 30)], [0.9], [0]),) * 2
    run_evaluation(qtbot, page, session)
    for name, words in (("right", "2 right"), ("wrong", "0 false alarms"), ("missed", "0 missed")):
        button = page.findChild(QPushButton, f"inspect-open-{name}")
        assert isinstance(button, QPushButton)
        assert (button.text(), button.isEnabled()) == (words, name == "right")


def looked_anyway(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    """Look, where AP50 may stay a dash."""
    make_run(session)
    page.shown()
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: len(rows(page)) == 2 and not session.jobs)


# --- a place for more ---


def test_a_tab_that_is_added_is_given_what_is_found_and_opens_images(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    class More(InspectTab):
        def __init__(self) -> None:
            super().__init__("More")
            self.drawn: list[float] = []
            self.label = QLabel("nothing yet", self)

        def draw(self, state: InspectState, result: object) -> None:
            self.drawn.append(state.confidence)

        def clear(self) -> None:
            self.drawn.clear()

    more = More()
    page.findChild(ResultsPane).add_tab(more, "More")
    run_evaluation(qtbot, page, session)
    assert more.drawn == []  # out of sight
    tab(page, "More")
    assert more.drawn == [0.5]
    slide(page, "confidence", 60)
    assert more.drawn == [0.5, 0.6]


# --- what the review is at ---


def test_the_picture_frames_what_is_reviewed_while_that_tab_is_in_sight(
    qtbot: QtBot, evaluated_page: InspectPage, session: Session
) -> None:
    press(qtbot, evaluated_page, "inspect-open-right")  # lists a
    tab(evaluated_page, "Review")
    review = evaluated_page.findChild(ReviewGallery)
    assert isinstance(review, ReviewGallery)
    qtbot.waitUntil(lambda: review.queue.rowCount() == 2)
    for row in range(2):
        review.view.setCurrentIndex(review.queue.index(row))
        item = review.current
        assert item is not None
        session.select_image(item.image)
        boxes = [item.xyxy, item.prediction.xyxy if item.prediction else None]
        assert marked(evaluated_page) == [list(box) for box in boxes if box]
        others = [image.id for image in evaluated_page._evaluation.truth.images if image.id != item.image]
        session.select_image(others[0])
        assert marked(evaluated_page) == []
    assert listed(evaluated_page) == ["a.png"]
    tab(evaluated_page, "Numbers")
    a = next(image.id for image in evaluated_page._evaluation.truth.images if image.path == "a.png")
    session.select_image(a)
    assert marked(evaluated_page) == [[10, 10, 30, 30]]  # what the list is opened for


def test_narrow_sides_cut_the_words_of_the_tabs_and_hide_none(qtbot: QtBot, evaluated_page: InspectPage) -> None:
    bar = evaluated_page.findChild(QTabWidget, "inspect-tabs").tabBar()
    for width in (480, 270):
        bar.resize(width, bar.height())
        evaluated_page.findChild(QTabWidget, "inspect-tabs").resize(width, 400)
        rects = [bar.tabRect(place) for place in range(bar.count())]
        assert len(rects) == 6
        assert rects[0].left() >= 0
        qtbot.waitUntil(partial(lambda wide: bar.tabRect(5).right() <= wide, width))
        assert all(rect.width() >= 30 for rect in rects)


def test_who_compares_with_no_run_is_not_given_the_only_other_one_again(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    """It was chosen at each look at the tab."""
    for started, name in enumerate(("first", "second"), start=1):
        (make_run(session, name, started) / "last.safetensors").unlink()
    page.shown()
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: len(rows(page)) == 2 and not session.jobs)
    tab(page, "Compare")
    combo = page.findChild(QComboBox, "inspect-compare-run")
    assert isinstance(combo, QComboBox)

    def look_again() -> str:
        tab(page, "Numbers")
        tab(page, "Compare")
        return combo.currentText()

    assert combo.currentText() == "first"
    for row, name in ((0, "choose a run …"), (1, "first")):
        combo.setCurrentIndex(row)
        combo.activated.emit(row)
        assert look_again() == name
    combo.setCurrentIndex(0)  # not by hand
    assert look_again() == "first"
