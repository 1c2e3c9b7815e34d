"""The labels on the Data page by mouse and keys: named, keyed, added, moved, deleted, locked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFileDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QMenu,
    QTableView,
)
from pytestqt.qtbot import QtBot

from tests.ui.data.data_page_driver import CTRL, click_row, label_names, labelled, listed, press
from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.ui.data.labels_model import LabelsModel

__all__ = ["labelled"]  # a fixture


def test_a_label_s_number_of_boxes_shows_its_images(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    click_row(table, 1, 3)  # it has none: nothing happens
    assert listed(window) == ["a.png", "b.png", "c.png"]
    click_row(table, 0, 3)
    assert listed(window) == ["a.png"]


def test_a_label_is_renamed_in_the_table(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    assert table.model().index(0, 3).data() == "1"
    type_into(qtbot, table, 0, 2, "red cell")
    assert label_names(labelled) == ["red cell", "plate"]
    type_into(qtbot, table, 0, 2, "plate")
    assert label_names(labelled) == ["red cell", "plate"]
    assert "There is already a label 'plate'" in find(window, QLabel, "message-text").text()


def type_into(qtbot: QtBot, table: QTableView, row: int, column: int, text: str) -> None:
    table.setCurrentIndex(table.model().index(row, column))
    table.edit(table.model().index(row, column))
    type_in_cell(qtbot, table, text)


def type_in_cell(qtbot: QtBot, table: QTableView, text: str, end: Qt.Key = Qt.Key.Key_Return) -> None:
    """In the one that is open; "" leaves what is there."""
    editor = table.viewport().findChildren(QLineEdit)[-1]
    if text:
        editor.selectAll()
        QTest.keyClicks(editor, text)
    with qtbot.waitSignal(editor.destroyed):  # the cell takes the text after the key was handled
        QTest.keyClick(editor, end)


def test_after_deleting_and_undo_a_row_is_current(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    window.session.do(edits.AddLabels((Label(0, "last"),)))
    click_row(table, 1, 2)
    press(window, "label-remove")
    assert [table.model().index(row, 2).data() for row in range(2)] == ["cell", "last"]
    assert table.currentIndex().data() == "last", "what stands where it was"
    window.session.undo()
    assert table.currentIndex().data() == "plate"
    click_row(table, 0, 2)
    window.session.do(edits.AddLabels((Label(0, "one"), Label(0, "two"))))
    assert table.currentIndex().data() == "cell"


def test_a_key_given_to_a_label_is_taken_from_another(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    type_into(qtbot, table, 1, 1, "1")
    assert [table.model().index(row, 1).data() for row in range(2)] == ["2", "1"]
    type_into(qtbot, table, 1, 1, "x")
    assert table.model().index(1, 1).data() == "1"


def test_a_label_that_is_added_and_named_is_one_step_back_and_with_escape_there_is_none(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project, "data")
    table, none = find(window, QTableView, "labels-table"), find(window, QLabel, "labels-none")
    press(window, "label-add")
    assert none.isHidden()
    type_in_cell(qtbot, table, "cell")
    press(window, "label-add")
    type_in_cell(qtbot, table, "plate", Qt.Key.Key_Escape)
    assert table.model().rowCount() == 1
    press(window, "label-add")
    type_in_cell(qtbot, table, "cell")  # refused
    assert table.model().rowCount() == 1
    press(window, "label-add")
    press(window, "label-add")  # while the name of the one before is typed
    type_in_cell(qtbot, table, "plate")
    assert label_names(project) == ["cell", "label 1", "plate"]
    assert [table.model().index(row, 2).data() for row in range(table.model().rowCount())] == label_names(project)
    for left in (["cell", "label 1"], ["cell"], []):
        window.session.undo()
        assert label_names(project) == left
    assert not none.isHidden()
    assert window.session.undo_title == ""
    model = table.model()
    assert isinstance(model, LabelsModel)
    model.begin_draft()
    window.close_project()  # what is typed is of this project only
    assert table.model().rowCount() == 0


def test_a_list_of_names_is_pasted_or_read_from_a_file_as_one_step(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pasted lines were refused, with umlauts as escapes, and a file of names was nowhere taken."""
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    press(window, "label-add")
    (editor,) = table.findChildren(QLineEdit)
    QApplication.clipboard().setText("RBC\ncell\n\nZelle groß \r\nRBC\n")
    editor.selectAll()
    editor.paste()
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: label_names(labelled) == ["cell", "plate", "RBC", "Zelle groß"])
    assert table.model().rowCount() == 4
    assert find(window, QLabel, "message-text").text() == "2 labels added. 1 was there already."
    window.session.undo()
    assert label_names(labelled) == ["cell", "plate"]
    (tmp_path / "classes.txt").write_text("\ufeffgrün\nplate\n", encoding="utf-8")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "classes.txt"), ""))
    press(window, "label-file")
    assert label_names(labelled) == ["cell", "plate", "grün"]
    window.show_page("label")
    field = find(window, QLineEdit, "new-label")
    QApplication.clipboard().setText("a\nb\n")
    field.setFocus()
    field.paste()
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert label_names(labelled) == ["cell", "plate", "grün", "a", "b"]


def test_labels_are_added_moved_and_deleted_with_their_boxes(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    press(window, "label-add")
    type_in_cell(qtbot, table, "")
    assert label_names(labelled) == ["cell", "plate", "label 1"]
    click_row(table, 0, 2)
    press(window, "label-down")
    assert label_names(labelled) == ["plate", "cell", "label 1"]
    click_row(table, 1, 2)
    press(window, "label-remove")
    menu = find(window, QMenu, "remove-menu")
    choice, keep = menu.actions()
    assert keep.text().startswith("Keep ")
    assert choice.text() == "Delete 'cell' and its 1 box in 1 image"
    assert label_names(labelled) == ["plate", "cell", "label 1"]
    choice.trigger()
    menu.close()
    assert label_names(labelled) == ["plate", "label 1"]
    assert "its 1 box in 1 image were deleted" in find(window, QLabel, "message-text").text()
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert label_names(labelled) == ["plate", "cell", "label 1"]


def test_the_other_labels_keep_their_keys_when_one_goes(open_window: Open, labelled: Path) -> None:
    """All after it moved up by a key without a word."""
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    window.session.do(edits.AddLabels(tuple(Label(0, f"l{n}") for n in range(3, 13))))

    def keys() -> dict[str, str]:
        model = table.model()
        return {model.index(row, 2).data(): model.index(row, 1).data() for row in range(model.rowCount())}

    before = keys()
    assert (before["l3"], before["l10"], before["l11"]) == ("3", "0", "")
    click_row(table, 1, 2)
    press(window, "label-remove")
    assert keys() == {name: key for name, key in before.items() if name != "plate"} | {"l11": "2"}, "one key was free"
    window.session.undo()
    assert keys() == before


def test_the_menu_key_opens_the_menu_of_the_current_label(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    table.setCurrentIndex(table.model().index(1, 2))
    middle = table.rect().center()  # below the last label, where Qt has the key ask
    assert not table.indexAt(middle).isValid()
    asking = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, middle, table.mapToGlobal(middle))
    QApplication.sendEvent(table, asking)
    menu = find(window, QMenu, "labels-menu")
    assert menu.isVisible()
    (rename,) = (action for action in menu.actions() if action.text() == "Rename")
    menu.close()
    rename.trigger()
    assert find(table, QLineEdit, "").text() == "plate"


def test_what_can_be_done_to_a_label_is_in_its_menu(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")

    def choose(row: int, words: str) -> None:
        at = table.visualRect(table.model().index(row, 2)).center()
        table.customContextMenuRequested.emit(at)
        menu = window.findChildren(QMenu, "labels-menu")[-1]
        (action,) = (action for action in menu.actions() if action.text().startswith(words))
        assert action.isEnabled()
        menu.close()
        action.trigger()

    choose(1, "Rename")
    type_in_cell(qtbot, table, "dish")
    assert label_names(labelled) == ["cell", "dish"]
    choose(1, "Another key")
    type_in_cell(qtbot, table, "7")
    assert table.model().index(1, 1).data() == "7"
    choose(1, "Move up")
    assert label_names(labelled) == ["dish", "cell"]
    choose(1, "Show the images")
    assert listed(window) == ["a.png"]
    choose(0, "Delete this label")
    assert label_names(labelled) == ["cell"]


def test_labels_are_sorted_and_moved_to_either_end_in_one_step(open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        document.do(edits.AddLabels(tuple(Label(0, name) for name in ("Rod 10", "clot", "rod 9"))))
        boxes = [Box(0, document.images()[0].id, label.id, (1, 1, 30, 30)) for label in document.labels()[3:]]
        document.draw((*boxes, *boxes[:1]))
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")

    def arranged(row: int, words: str) -> list[str]:
        table.customContextMenuRequested.emit(table.visualRect(table.model().index(row, 2)).center())
        menu = window.findChildren(QMenu, "labels-menu")[-1]
        (action,) = (action for action in menu.actions() if action.text() == words)
        menu.close()
        current = table.model().index(row, 2).data()
        action.trigger()
        assert table.currentIndex().siblingAtColumn(2).data() == current
        return label_names(labelled)

    assert arranged(4, "Move to the top") == ["rod 9", "cell", "plate", "Rod 10", "clot"]
    assert arranged(1, "Move to the bottom") == ["rod 9", "plate", "Rod 10", "clot", "cell"]
    assert arranged(2, "Sort all by name") == ["cell", "clot", "plate", "rod 9", "Rod 10"]
    assert arranged(2, "Sort all by number of boxes") == ["clot", "cell", "rod 9", "plate", "Rod 10"]
    before = window.session.undo_title
    assert arranged(0, "Move to the top") == ["clot", "cell", "rod 9", "plate", "Rod 10"]
    assert window.session.undo_title == before == "Sort labels by number of boxes"
    window.session.undo()
    assert label_names(labelled) == ["cell", "clot", "plate", "rod 9", "Rod 10"]


def test_all_labels_without_boxes_go_in_one_step_and_the_others_keep_their_keys(
    open_window: Open, labelled: Path
) -> None:
    with Document.open(labelled) as document:
        document.do(edits.AddLabels(tuple(Label(0, name) for name in ("rod", "plasma", "clot"))))
        image = document.images()[0].id
        document.draw((Box(0, image, document.labels()[3].id, (1, 1, 30, 30)),))
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")

    def offered() -> list[QAction]:
        place = table.visualRect(table.model().index(0, 2)).center()
        table.customContextMenuRequested.emit(place)
        menu = window.findChildren(QMenu, "labels-menu")[-1]
        menu.close()
        return [action for action in menu.actions() if "without boxes" in action.text()]

    find(window, QAbstractButton, "label-lock").click()
    (remove,) = offered()
    assert not remove.isEnabled()
    find(window, QAbstractButton, "label-lock").click()
    (remove,) = offered()
    assert remove.text() == "Delete the labels without boxes (3)"
    remove.trigger()
    assert label_names(labelled) == ["cell", "plasma"]
    assert [table.model().index(row, 1).data() for row in range(2)] == ["1", "4"]
    assert not offered()
    window.session.undo()
    assert label_names(labelled) == ["cell", "plate", "rod", "plasma", "clot"]


def test_a_label_without_boxes_goes_at_once(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    click_row(find(window, QTableView, "labels-table"), 1, 2)
    press(window, "label-remove")
    assert label_names(labelled) == ["cell"]


def test_while_the_order_is_locked_no_label_moves_goes_or_is_merged(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    press(window, "label-lock")
    click_row(table, 0, 2)
    for name in ("label-up", "label-down", "label-merge", "label-remove"):
        assert not find(window, QAbstractButton, name).isEnabled()
        assert "is locked" in find(window, QAbstractButton, name).toolTip()
    with Document.open(labelled, read_only=True) as document:
        cell, plate = document.labels()
    for refused in (
        edits.RemoveLabel(plate.id),
        edits.MergeLabels(plate.id, cell.id),
        edits.Batch((edits.ChangeLabel(dataclasses.replace(cell, position=9)),), "Move"),
    ):
        assert window.session.do(refused) is None
        assert "order of the labels is locked" in find(window, QLabel, "message-text").text()
    press(window, "label-add")  # at the end, where it gives no other another number
    type_in_cell(qtbot, table, "")
    window.session.do(edits.ChangeLabel(dataclasses.replace(cell, name="Zelle")))
    assert label_names(labelled) == ["Zelle", "plate", "label 1"]
    window.session.undo()
    window.session.undo()  # what was done before can be undone all the same
    assert label_names(labelled) == ["cell", "plate"]
    press(window, "label-lock")
    click_row(table, 0, 2)
    assert find(window, QAbstractButton, "label-down").toolTip() == "Move down: later in every export"
    press(window, "label-down")
    assert label_names(labelled) == ["plate", "cell"]


def test_a_label_is_merged_into_one_that_is_found_by_typing(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Document.open(labelled) as document:
        document.do(edits.AddLabels(tuple(Label(0, f"part {number:03}") for number in range(300))))
    window = open_window(labelled, "data")
    asked: list[int] = []
    known = Document.images_with
    monkeypatch.setattr(Document, "images_with", lambda self, id: asked.append(id) or known(self, id))
    click_row(find(window, QTableView, "labels-table"), 0, 2)
    press(window, "label-merge")
    assert len(asked) == 1  # and not once for each of 300 labels, while the window stands still
    popup = QApplication.activePopupWidget()
    assert popup is not None
    assert popup.height() < 500
    assert "'cell', its 1 box in 1 image" in find(popup, QLabel, "label-popup-hint").text()
    field, offered = find(popup, QLineEdit, "label-popup-field"), find(popup, QListWidget, "label-popup-list")
    QTest.keyClicks(field, "part 29")
    assert [offered.item(row).text() for row in range(offered.count())] == [f"part 29{n}" for n in range(10)]
    QTest.keyClicks(field, "77")  # there is no such label, and none is made
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert [offered.item(row).text() for row in range(offered.count())] == ["No label is called that."]
    assert len(label_names(labelled)) == 302
    field.setText("part 297")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert label_names(labelled) == ["plate", *(f"part {number:03}" for number in range(300))]
    with Document.open(labelled, read_only=True) as document:
        (box,) = document.boxes(document.images()[0].id)
        assert document.label(box.label).name == "part 297"


def test_a_long_name_is_cut_in_its_middle(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    assert find(window, QTableView, "labels-table").textElideMode() == Qt.TextElideMode.ElideMiddle
