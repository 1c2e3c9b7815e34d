"""The right side of the Label page: labels that hide their boxes, the list of boxes, their marks and notes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as PillowImage
from PySide6.QtCore import QAbstractItemModel, QRectF, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QLabel,
    QLineEdit,
    QListView,
    QToolButton,
)
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import CTRL, SHIFT, corners, labelled, names, near
from tests.ui.window_driver import Open, WindowDriver, boxes_on_disk, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.ui.annotate.hidden_labels import HiddenLabels
from workbench.ui.annotate.side_panel import SidePanel
from workbench.ui.images.view_transform import ViewTransform
from workbench.ui.widgets.rows import HEIGHT, ROW

__all__ = ["labelled"]  # a fixture


def test_flags_and_note_of_the_selected_box_are_kept(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.click(50, 40)
    assert find(window, QLabel, "selection-about").text() == "60 × 40 px at 20, 20"
    find(window, QCheckBox, "flag-difficult").click()
    note = find(window, QLineEdit, "box-note")
    QTest.keyClicks(note, "out of focus")
    QTest.keyClick(note, Qt.Key.Key_Return)
    (box,) = boxes_on_disk(labelled)["a.png"]
    assert (box.difficult, box.truncated, box.note) == (True, False, "out of focus")
    shown = find(window, QListView, "box-list").model().index(0, 0)
    assert shown.data(ROW).beside.startswith("dn ")
    find(window, QCheckBox, "flag-truncated").click()
    assert shown.data(ROW).beside.startswith("dtn ")
    assert "d difficult, t truncated, n note\nout of focus" in shown.data(Qt.ItemDataRole.ToolTipRole)
    for flag in ("difficult", "truncated"):
        find(window, QCheckBox, f"flag-{flag}").click()
    assert shown.data(ROW).beside.startswith("note ")


def test_nothing_is_made_twice_or_out_of_sight_where_a_label_is_hidden(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hidden, cell = find(window, HiddenLabels, ""), window.session.document.labels()[0].id
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.key(Qt.Key.Key_B, CTRL)
    hidden.toggle(cell)
    assert hand.canvas.layer.ids == ()
    hand.key(Qt.Key.Key_B, CTRL)
    assert len(boxes_on_disk(labelled)["b.png"]) == 1, "the hidden one is there already"
    window.session.undo()
    window.session.redo()
    assert (len(hand.canvas.layer.ids), hidden.ids) == (1, frozenset())
    hidden.toggle(window.session.document.labels()[1].id)
    window.session.do(edits.RemoveLabel(window.session.document.labels()[1].id))
    assert hidden.ids == frozenset()
    hidden.toggle(cell)
    window.session.close()
    assert hidden.ids == frozenset(), "ids are of one project"


def test_keys_mark_the_selected_boxes_and_take_the_mark_away_again(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    said = find(window, QLabel, "message-text")

    def marks() -> list[tuple[bool, ...]]:
        boxes = boxes_on_disk(labelled)["a.png"]
        return [(box.difficult, box.truncated, box.occluded, box.crowd) for box in boxes]

    hand.key("o")
    assert "Select a box first" in said.text()
    hand.click(50, 40)
    for key in "iuoc":
        hand.key(key)
    assert marks() == [(True, True, True, True)]
    hand.draw((100, 30), (150, 90))
    hand.key(Qt.Key.Key_A, CTRL)
    hand.key("o")  # not all of them have it
    hand.key("c")
    hand.key("c")
    assert marks() == [(True, True, True, False), (False, False, True, False)]
    assert said.text() == "No longer crowd."


@pytest.mark.parametrize("end", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_after_a_note_the_picture_has_the_keyboard_again(
    qtbot: QtBot, open_window: Open, labelled: Path, end: Qt.Key
) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.click(50, 40)
    note = find(window, QLineEdit, "box-note")
    note.setFocus()
    QTest.keyClicks(note, "ask Anna")
    QTest.keyClick(note, end)
    assert hand.canvas.hasFocus()
    assert len(hand.canvas.selected) == 1
    assert boxes_on_disk(labelled)["a.png"][0].note == "ask Anna"


def test_a_mark_that_was_clicked_does_not_take_the_keyboard_away_with_it(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """Marks are switched off where no box is selected, and what is switched off loses the keyboard."""
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.click(50, 40)
    find(window, QCheckBox, "flag-difficult").setFocus()
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert hand.canvas.selected == ()
    assert hand.canvas.hasFocus()


def test_a_box_chosen_in_the_list_is_the_one_that_is_deleted(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.draw((100, 30), (150, 90))
    boxes = find(window, QListView, "box-list")
    model: QAbstractItemModel = boxes.model()
    place = boxes.visualRect(model.index(0, 0)).center()
    QTest.mouseClick(boxes.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    hand.key(Qt.Key.Key_Delete)
    assert near(corners(labelled)[0], (100, 30, 150, 90))


def test_a_new_box_comes_into_sight_in_the_list(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    view = find(window, QListView, "box-list")
    view.setFixedHeight(80)
    for number in range(5):
        hand.draw((100, 10 + 15 * number), (150, 20 + 15 * number))
    rows = view.model().rowCount()
    assert rows == 6
    place = view.visualRect(view.model().index(rows - 1, 0))
    assert view.viewport().rect().contains(place)


def test_a_box_chosen_in_the_list_or_by_tab_is_brought_wholly_into_view(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    with Document.open(labelled) as document:
        image, label = document.images()[0].id, document.labels()[0].id
        document.draw((Box(0, image, label, (150, 60, 190, 90)),))
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    canvas = hand.canvas

    def is_in_view(xyxy: tuple[float, float, float, float]) -> bool:
        return QRectF(canvas.rect()).contains(canvas.view.rect(xyxy))

    canvas.zoom_to(12.0)
    canvas.set_view(ViewTransform(12.0, -600.0, -300.0))
    assert not is_in_view((20, 20, 80, 60))
    hand.key(Qt.Key.Key_Tab)
    assert is_in_view((20, 20, 80, 60)), "a part of it was in view before"
    listed = find(window, QListView, "box-list")
    QTest.mouseClick(
        listed.viewport(), Qt.MouseButton.LeftButton, pos=listed.visualRect(listed.model().index(1, 0)).center()
    )
    assert is_in_view((150, 60, 190, 90))
    assert canvas.view.scale == 12.0


def test_the_label_of_the_next_box_stays_in_sight_when_the_boxes_take_room(qtbot: QtBot) -> None:
    panel = SidePanel()
    qtbot.addWidget(panel)
    panel.resize(224, 800)
    panel.show()
    labels = [Label(number, f"label {number}") for number in range(1, 31)]
    panel.labels.show_labels(labels, {}, 15)
    view = panel.labels.view

    def is_in_sight() -> bool:
        return view.viewport().rect().contains(view.visualRect(view.currentIndex()))

    assert is_in_sight()
    boxes = [Box(number, 1, 1, (0, 0, 9, 9)) for number in range(1, 40)]
    panel.boxes.show_boxes(boxes, {1: labels[0]}, (100, 100))
    assert view.height() < 15 * HEIGHT
    assert is_in_sight()


def test_room_that_the_boxes_do_not_need_is_the_labels(qtbot: QtBot) -> None:
    panel = SidePanel()
    qtbot.addWidget(panel)
    panel.resize(220, 700)
    panel.show()
    labels = [Label(id, f"label {id}") for id in range(1, 31)]

    def heights(boxes: int, many: int = 30) -> tuple[int, int]:
        panel.labels.show_labels(labels[:many], {}, 1)
        shown = [Box(id, 1, 1, (0, 0, 9, 9)) for id in range(1, boxes + 1)]
        panel.boxes.show_boxes(shown, {1: labels[0]}, (100, 100))
        return panel.sizes()[0], panel.sizes()[1]

    of_labels, of_boxes = heights(60)
    assert of_labels / (of_labels + of_boxes) == pytest.approx(0.45, abs=0.01)
    assert heights(60, many=3) == (of_labels, of_boxes), "they are seen as it is"
    assert heights(0) == heights(3)
    assert heights(0)[0] > of_labels + 80
    assert of_boxes > heights(5)[1] > heights(0)[1]
    view = panel.boxes.view
    heights(5)
    assert view.visualRect(view.rows.index(4)).bottom() < view.viewport().height(), "all of them are in sight"
    panel.moveSplitter(300, 1)
    moved = heights(5)
    assert heights(60) == moved, "a person has divided it"


def test_the_boxes_of_one_label_are_hidden_until_they_are_wanted(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.key("2")
    hand.draw((100, 30), (150, 90))
    view, told = find(window, QListView, "label-list"), find(window, QToolButton, "hidden-labels")
    at = view.visualRect(view.model().index(0, 0)).center()

    def hide() -> str:
        view.customContextMenuRequested.emit(at)
        action = find(window, QAction, "hide-label")
        words = str(action.text())
        action.trigger()
        return words

    def seen() -> int:
        return len(hand.canvas.layer.ids)

    assert hide() == "Hide its boxes"
    assert (seen(), told.isVisible()) == (1, True)
    assert told.toolTip().startswith("1 label hidden: cell.")
    assert "hidden" in view.model().index(0, 0).data(ROW).beside
    hand.key(Qt.Key.Key_A, CTRL)
    hand.key(Qt.Key.Key_Delete)
    assert names(labelled) == ["cell"], "what is not seen is not deleted"
    told.click()
    assert (seen(), told.isVisible()) == (1, False)
    assert hide() == "Hide its boxes"
    hand.key("1")  # its boxes are to be drawn
    assert (seen(), told.isVisible()) == (1, False)
    for _ in range(2):
        words = hide()
    assert (seen(), words) == (1, "Show its boxes again")
    hide()
    window.session.boxes_requested.emit([box.id for box in boxes_on_disk(labelled)["a.png"]])
    assert len(hand.canvas.selected) == 1, "another page shows it"


def test_a_key_leads_out_of_the_picture_where_tab_is_for_boxes_and_back(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    for held, place in ((Qt.KeyboardModifier.NoModifier, "label-list"), (SHIFT, "image-list")):
        hand.key(Qt.Key.Key_F6, held)
        assert QApplication.focusWidget().objectName() == place
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        assert QApplication.focusWidget().objectName() not in (place, "canvas")
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_F6, held)
        assert hand.canvas.hasFocus()


def test_enter_chooses_the_label_that_the_arrows_came_to_and_leaving_without_it_none(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    labels = find(window, QListView, "label-list")
    hand.key(Qt.Key.Key_F6)
    QTest.keyClick(labels, Qt.Key.Key_Down)
    QTest.keyClick(labels, Qt.Key.Key_F6)
    assert window.session.label.name == labels.currentIndex().data() == "cell"
    hand.key(Qt.Key.Key_F6)
    QTest.keyClick(labels, Qt.Key.Key_Down)
    QTest.keyClick(labels, Qt.Key.Key_Return)
    assert window.session.label.name == labels.currentIndex().data() == "plate"
    assert hand.canvas.hasFocus()


def test_small_boxes_in_a_large_image_are_remarked_on_once_and_marked_each(
    qtbot: QtBot, open_window: Open, tmp_path: Path
) -> None:
    (tmp_path / "photographs").mkdir()
    for name in ("a.png", "b.png"):
        PillowImage.new("RGB", (4000, 400)).save(tmp_path / "photographs" / name)
    with Document.create(tmp_path / "project", tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
    window = open_window(tmp_path / "project")
    hand, said = WindowDriver(qtbot, window), find(window, QLabel, "message-text")
    remarks = []
    for x in (100, 500, 900):
        if x == 900:
            hand.key(Qt.Key.Key_D)
            hand.settle()
        said.setText("")
        hand.draw((x, 100), (x + 30, 130))
        remarks.append(said.text().startswith("This box is too small"))
    assert remarks == [True, False, True]
    hand.key(Qt.Key.Key_A)
    rows = find(window, QListView, "box-list").model()
    assert all("\N{WARNING SIGN}" in rows.index(row, 0).data(ROW).beside for row in range(2))
