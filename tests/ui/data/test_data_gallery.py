"""The gallery of the Data page by mouse and keys: filters, orders, states and splits, its menu, marked boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QCheckBox,
    QComboBox,
    QInputDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.data.data_page_driver import CTRL, NONE, click_row, labelled, listed, on_disk, press
from tests.ui.window_driver import Open, WindowDriver, find, write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Split, State
from workbench.ui.annotate.page import AnnotatePage
from workbench.ui.images.images_model import LISTED_IMAGE
from workbench.ui.widgets.tile_view import TileView

__all__ = ["labelled"]  # a fixture


def test_the_gallery_shows_every_image_with_its_thumbnail(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    assert listed(window) == ["a.png", "b.png", "c.png"]
    model = find(window, QAbstractItemView, "gallery").model()
    decoration = Qt.ItemDataRole.DecorationRole
    qtbot.waitUntil(lambda: all(model.index(row, 0).data(decoration) is not None for row in range(3)))
    assert (labelled / "cache" / "thumbnails.sqlite").is_file()


def test_an_image_stays_among_those_not_done_yet_until_it_is_done(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    with Document.open(labelled) as document:
        document.do(edits.SetState((document.images()[2].id,), State.VERIFIED))
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    state = find(window, QComboBox, "image-filter-state")
    state.setCurrentIndex(state.findText("Not done yet"))
    shown = find(window, QAbstractItemView, "image-list").model()
    assert shown.rowCount() == 2
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.draw((20, 20), (80, 60))
    assert shown.rowCount() == 2, "in work now"
    hand.key(Qt.Key.Key_N)
    assert shown.rowCount() == 1
    assert window.session.image is not None
    assert window.session.image.name == "a.png"
    window.session.undo()
    assert shown.rowCount() == 2


def test_filters_by_state_label_and_name(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    state = find(window, QComboBox, "filter-state")
    state.setCurrentIndex(state.findText("In work"))
    assert listed(window) == ["a.png"]
    state.setCurrentIndex(0)
    label = find(window, QComboBox, "filter-label")
    label.setCurrentIndex(label.findText("plate"))
    assert listed(window) == []
    label.setCurrentIndex(label.findText("Without boxes"))
    assert listed(window) == ["b.png", "c.png"]
    label.setCurrentIndex(0)
    QTest.keyClicks(find(window, QLineEdit, "filter-text"), "C.p")
    assert listed(window) == ["c.png"]
    assert find(window, QLabel, "gallery-count").text() == "1 of 3"


def test_filters_by_number_and_size_of_boxes_and_orders(open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        images, cell = document.images(), document.labels()[0].id
        document.draw(tuple(Box(0, images[2].id, cell, (x, 0, x + 8, 50)) for x in (0, 20)))
    window = open_window(labelled, "data")  # a.png has one box of 60 x 40, c.png two of 8 x 50

    def spin(name: str, value: int) -> None:
        find(window, QSpinBox, f"filter-{name}").setValue(value)

    spin("fewest", 1)
    assert listed(window) == ["a.png", "c.png"]
    spin("most", 1)
    assert listed(window) == ["a.png"]
    press(window, "filter-clear")
    assert listed(window) == ["a.png", "b.png", "c.png"]
    spin("side-to", 8)
    assert listed(window) == ["c.png"]
    spin("side-from", 9)
    assert listed(window) == []
    spin("side-to", -1)
    assert listed(window) == ["a.png"]
    press(window, "filter-clear")
    order = find(window, QComboBox, "filter-order")
    for word, wanted in (
        ("Most boxes first", ["c.png", "a.png", "b.png"]),
        ("Fewest boxes first", ["b.png", "a.png", "c.png"]),
        ("Last added first", ["c.png", "b.png", "a.png"]),
    ):
        order.setCurrentIndex(order.findText(word))
        assert listed(window) == wanted


def test_filters_by_marks_and_notes(open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        a, b, c = (image.id for image in document.images())
        cell = document.labels()[0].id
        document.draw((Box(0, b, cell, (0, 0, 50, 50), crowd=True), Box(0, c, cell, (0, 0, 50, 50), note="ask Anna")))
    window = open_window(labelled, "data")
    mark, noted = find(window, QComboBox, "filter-mark"), find(window, QCheckBox, "filter-noted")
    for word, wanted in (("Crowd", ["b.png"]), ("Occluded", []), ("Any mark", ["b.png"])):
        mark.setCurrentIndex(mark.findText(word))
        assert listed(window) == wanted
    document = window.session.document
    assert document is not None
    document.do(edits.ReplaceBoxes(tuple(replace(box, occluded=True) for box in document.boxes(a))))
    assert listed(window) == ["a.png", "b.png"]  # at once
    press(window, "filter-clear")
    noted.setChecked(True)
    assert listed(window) == ["c.png"]
    text = find(window, QLineEdit, "filter-text")
    for typed, wanted in (("anna", ["c.png"]), ("Bob", [])):
        text.setText(typed)
        assert listed(window) == wanted
    noted.setChecked(False)
    text.setText("anna")
    assert listed(window) == []


def test_selected_images_get_a_state_and_a_split_that_can_be_undone(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    click_row(gallery, 1)
    click_row(gallery, 2, modifier=CTRL)
    press(window, "set-state-done")
    press(window, "set-split-test")
    assert [i.state for i in on_disk(labelled)] == [State.IN_WORK, State.DONE, State.DONE]
    assert [i.split for i in on_disk(labelled)] == [Split.NONE, Split.TEST, Split.TEST]
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert [i.split for i in on_disk(labelled)] == [Split.NONE, Split.NONE, Split.NONE]


def test_the_bar_marks_what_all_selected_images_are(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    bar = find(window, QWidget, "selection-bar")

    def marked() -> list[str]:
        return [button.text() for button in bar.findChildren(QPushButton) if button.isChecked()]

    click_row(gallery, 0)
    qtbot.waitUntil(lambda: marked() == ["In work", "No split"])
    press(window, "set-state-in work")
    assert marked() == ["In work", "No split"], "a click on what it is already does not turn it off"
    press(window, "set-split-test")
    assert marked() == ["In work", "Test"]
    click_row(gallery, 1, modifier=CTRL)
    qtbot.waitUntil(lambda: marked() == [])  # they differ in both
    press(window, "set-state-done")
    assert marked() == ["Done"]
    window.session.undo_last()
    qtbot.waitUntil(lambda: marked() == [])


def test_an_image_that_no_longer_passes_the_filter_leaves_the_gallery(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    state = find(window, QComboBox, "filter-state")
    state.setCurrentIndex(state.findText("Unlabelled"))
    click_row(find(window, QAbstractItemView, "gallery"), 0)
    press(window, "set-state-verified")
    assert listed(window) == ["c.png"]


def test_a_double_click_opens_the_image_for_labelling(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    click_row(gallery, 2)
    QTest.mouseDClick(
        gallery.viewport(), Qt.MouseButton.LeftButton, NONE, gallery.visualRect(gallery.model().index(2, 0)).center()
    )
    assert find(window, QWidget, "page-label").isVisible()
    assert find(window, QLabel, "image-name").text() == "c.png"


def test_the_keyboard_is_in_the_gallery_when_the_page_is_shown(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "label")
    window.show_page("data")
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_Right)
    assert window.session.image is not None
    assert window.session.image.name == "b.png"
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_Return)
    assert find(window, QWidget, "page-label").isVisible()


def test_boxes_that_were_asked_for_are_marked_in_the_gallery_and_selected_image_by_image(
    open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled, "data")
    document = window.session.document
    a, b, c = document.images()
    label = document.labels()[0].id
    document.do(edits.AddBoxes((Box(0, c.id, label, (10, 10, 40, 50)), Box(0, a.id, label, (5, 5, 9, 9)))))
    in_a, (in_c,) = document.boxes(a.id), document.boxes(c.id)
    asked = frozenset({in_a[0].id, in_c.id})
    window.session.marked_images_requested.emit(frozenset({a.id, c.id}), "with 2 boxes", asked)
    gallery = find(window, QAbstractItemView, "gallery")
    shown = [gallery.model().index(row, 0).data(LISTED_IMAGE) for row in range(2)]
    assert [one.image.id for one in shown] == [a.id, c.id]
    assert [len(one.marked) for one in shown] == [1, 1], "only those that were asked for"
    *sides, colour = shown[1].marked[0]
    assert sides == pytest.approx([10 / c.width, 10 / c.height, 40 / c.width, 50 / c.height])
    assert colour == document.labels()[0].colour
    gallery.activated.emit(gallery.model().index(0, 0))
    canvas = find(window, AnnotatePage, "page-label").canvas
    assert canvas.isVisible()
    assert [box.id for box in canvas.selected_boxes] == [in_a[0].id]
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    assert document.boxes(a.id) == in_a, "who came to look moves nothing"
    assert find(window, QLabel, "message-text").text().startswith("Nothing was moved: ")
    at = canvas.view.to_widget(QPointF(21, 40)).toPoint()
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, NONE, at)
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    assert document.boxes(a.id) != in_a, "a box that was clicked is moved"
    find(window, QAction, "action-undo").trigger()
    find(window, QAction, "action-next-image").trigger()
    assert window.session.image_id == c.id, "the list beside the canvas is that of the gallery"
    assert [box.id for box in canvas.selected_boxes] == [in_c.id]
    document.do(edits.RemoveBoxes((in_c.id,)))
    assert not gallery.model().index(1, 0).data(LISTED_IMAGE).marked
    window.show_page("data")
    press(window, "filter-only")
    gallery.activated.emit(gallery.model().index(1, 0))
    assert window.session.image_id == b.id
    assert not canvas.selected_boxes
    find(window, QAction, "action-next-image").trigger()
    assert window.session.image_id == c.id


def test_the_filter_goes_along_to_the_label_page_until_it_is_dropped_there(open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        cell = document.labels()[0].id
        c = document.images()[2].id
        document.draw((Box(0, c, cell, (0, 0, 9, 9)), Box(0, c, cell, (20, 0, 29, 9))))
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")

    def open_row(row: int) -> None:
        gallery.activated.emit(gallery.model().index(row, 0))

    def beside() -> list[str]:
        model = find(window, AnnotatePage, "page-label")._images.model
        return [model.index(row, 0).data() for row in range(model.rowCount())]

    def chosen(name: str) -> str:
        return str(find(window, QComboBox, name).currentText())

    combo = find(window, QComboBox, "filter-label")
    combo.setCurrentIndex(combo.findData(cell))
    order = find(window, QComboBox, "filter-order")
    order.setCurrentIndex(order.findText("Most boxes first"))
    open_row(0)
    assert beside() == ["c.png", "a.png"]
    assert chosen("image-filter-label") == "cell"
    assert chosen("image-order") == "Most boxes first"
    note, drop = find(window, QLabel, "image-filter-why"), find(window, QPushButton, "image-filter-only")
    assert note.isVisible()
    assert note.text() == "As filtered on the Data page"
    press(window, "image-filter-only")
    assert beside() == ["c.png", "a.png", "b.png"], "the order stays"
    assert chosen("image-filter-label") == "Any label"
    assert not drop.isVisible()

    own = find(window, QComboBox, "image-filter-state")
    own.setCurrentIndex(own.findText("Unlabelled"))
    assert beside() == ["b.png"]
    assert not drop.isVisible(), "the fields say what was chosen here"
    window.show_page("data")
    open_row(1)
    assert beside() == ["c.png", "a.png"]
    assert chosen("image-filter-state") == "Any state"
    own.setCurrentIndex(own.findText("In work"))
    assert not drop.isVisible(), "it is no longer that of the Data page"
    window.show_page("data")
    combo.setCurrentIndex(0)
    open_row(0)
    assert beside() == ["c.png", "a.png"], "a filter that was chosen here stays"


def test_the_next_image_takes_the_place_of_those_that_are_taken_out(open_window: Open, tmp_path: Path) -> None:
    """The gallery went to the first of thousands."""
    write_photographs(tmp_path / "many", [f"{number:02}.png" for number in range(60)])
    Document.create(tmp_path / "long", tmp_path / "many").close()
    window = open_window(tmp_path / "long", "data")
    gallery = find(window, TileView, "gallery")

    def taken_out() -> tuple[str, list[range]]:
        find(window, QAction, "action-remove-images").trigger()
        assert gallery.viewport().rect().contains(gallery.visualRect(gallery.currentIndex()))
        assert window.session.image is not None
        return window.session.image.name, gallery.chosen_rows()

    gallery.setCurrentIndex(gallery.model().index(40, 0))
    assert taken_out() == ("41.png", [range(40, 41)])
    click_row(gallery, 42, modifier=Qt.KeyboardModifier.ShiftModifier)
    assert taken_out() == ("44.png", [range(40, 41)])
    gallery.setCurrentIndex(gallery.model().index(55, 0))
    assert taken_out() == ("58.png", [range(54, 55)])
    find(window, QLineEdit, "filter-text").setText("58")
    find(window, QAction, "action-remove-images").trigger()
    assert window.session.image.name == "00.png", "nothing else passes the filter"


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_from_the_filter_a_key_leads_to_what_it_found(open_window: Open, labelled: Path, key: Qt.Key) -> None:
    window = open_window(labelled, "data")
    field = find(window, QLineEdit, "filter-text")
    field.setFocus()
    QTest.keyClicks(field, "b.p")
    QTest.keyClick(field, key)
    assert QApplication.focusWidget().objectName() == "gallery"
    assert find(window, QWidget, "page-data").isVisible()  # the same Enter opened nothing
    assert listed(window) == ["b.png"]


def test_a_note_on_images_is_found_by_the_filter_and_added_to_those_that_differ(
    open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    asked: list[tuple[str, str]] = []
    answers = iter([("ask Anna ", True), ("no", False), ("night", True), ("night", True), ("night", True), ("", True)])

    def answer(_owner: object, _title: str, words: str, text: str = "") -> tuple[str, bool]:
        asked.append((words.partition("\n")[2], text))
        return next(answers)

    monkeypatch.setattr(QInputDialog, "getText", answer)
    note = find(window, QAction, "action-note-images")

    def notes() -> list[str]:
        return [image.note for image in on_disk(labelled)]

    click_row(gallery, 0)
    note.trigger()
    assert notes() == ["ask Anna", "", ""]
    assert "ask Anna" in gallery.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole).splitlines()
    assert not gallery.grab().isNull()
    window.show_page("label")
    assert find(window, QLabel, "image-name").toolTip().splitlines() == ["a.png", "ask Anna", "200 × 100, in work"]
    assert not find(window, QAbstractItemView, "image-list").grab().isNull()
    window.show_page("data")
    note.trigger()
    assert asked == [("", ""), ("", "ask Anna")]
    click_row(gallery, 1, modifier=CTRL)
    note.trigger()
    assert notes() == ["ask Anna; night", "night", ""]
    assert asked[2] == ("Their notes differ, so it is added to each.", "")
    before = window.session.undo_title
    note.trigger()
    assert (notes(), window.session.undo_title) == (["ask Anna; night", "night", ""], before), "they have it"
    text = find(window, QLineEdit, "filter-text")
    text.setText("night")
    assert listed(window) == ["a.png", "b.png"]
    window.session.undo()
    assert listed(window) == []
    assert notes() == ["ask Anna", "", ""]
    window.session.redo()
    assert listed(window) == ["a.png", "b.png"]
    click_row(gallery, 1)
    note.trigger()
    assert window.session.undo_title == before, "unchanged"
    note.trigger()
    assert notes() == ["ask Anna; night", "", ""]
    assert window.session.undo_title == "Remove the note on image"
    assert listed(window) == ["a.png"]
