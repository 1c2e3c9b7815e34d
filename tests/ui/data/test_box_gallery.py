"""The Data page's boxes one by one: which are shown, another label by key, menu or name, deleting, and opening one."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QTableView,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.data.data_page_driver import CTRL, click_row, label_names, labelled, listed, press
from tests.ui.window_driver import Open, boxes_on_disk, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box
from workbench.core.storage import box_rows
from workbench.errors import WorkbenchError
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.data.box_entries import split_off
from workbench.ui.data.box_gallery import NONE
from workbench.ui.data.box_tiles import BOX_TILE
from workbench.ui.widgets.tile_view import TileView
from workbench.ui.window.main_window import MainWindow

__all__ = ["labelled"]  # a fixture
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def boxed(labelled: Path) -> Path:
    """Cells: 1 in a.png (60 x 40), 2 (9 x 9) and 3 (30 x 10) in c.png; a plate, 4 (40 x 40), in b.png."""
    with Document.open(labelled) as document:
        cell, plate = (label.id for label in document.labels())
        _a, b, c = (image.id for image in document.images())
        document.draw(
            (Box(0, c, cell, (0, 0, 9, 9)), Box(0, c, cell, (50, 0, 80, 10)), Box(0, b, plate, (0, 0, 40, 40)))
        )
    return labelled


def view_of(window: MainWindow) -> TileView:
    return find(window, TileView, "boxes")


def shown(window: MainWindow) -> list[str]:
    """Label and size of each tile."""
    model = view_of(window).model()
    tiles = [model.index(row, 0).data(BOX_TILE) for row in range(model.rowCount())]
    return [f"{tile.label} {tile.size.removesuffix(' px')}" for tile in tiles]


def opened(qtbot: QtBot, window: MainWindow, boxes: int = 4) -> TileView:
    gallery = find(window, QAbstractItemView, "gallery")
    gallery.setFocus()
    QTest.keyClick(gallery, Qt.Key.Key_B)
    qtbot.waitUntil(lambda: len(shown(window)) == boxes)
    return view_of(window)


def test_a_command_for_selected_boxes_says_what_to_do_if_none_is(qtbot: QtBot, open_window: Open, boxed: Path) -> None:
    window = open_window(boxed, "data")
    view, said = opened(qtbot, window), find(window, QLabel, "message-text")
    view.clearSelection()
    for key in (Qt.Key.Key_Delete, Qt.Key.Key_E, Qt.Key.Key_1):
        said.clear()
        QTest.keyClick(view, key)
        assert said.text() == "Select boxes first: click one, or press Ctrl+A for all."
    assert len(shown(window)) == 4


def labels_on_disk(project: Path) -> list[int]:
    """By box."""
    boxes = [box for some in boxes_on_disk(project).values() for box in some]
    return [box.label for box in sorted(boxes, key=lambda box: box.id)]


def said(window: MainWindow) -> str:
    return str(find(window, QLabel, "message-text").text())


def test_the_boxes_of_the_listed_images_are_shown_that_the_filter_asks_for(
    qtbot: QtBot, open_window: Open, boxed: Path
) -> None:
    window = open_window(boxed, "data")
    view = opened(qtbot, window)
    assert view.hasFocus()
    assert shown(window) == ["cell 60 × 40", "plate 40 × 40", "cell 9 × 9", "cell 30 × 10"]
    count = find(window, QLabel, "gallery-count")
    assert count.text() == "4 boxes"
    order = find(window, QComboBox, "boxes-order")
    order.setCurrentIndex(order.findText("Narrowest first"))
    assert shown(window) == ["plate 40 × 40", "cell 9 × 9", "cell 60 × 40", "cell 30 × 10"]
    label = find(window, QComboBox, "filter-label")
    label.setCurrentIndex(label.findText("cell"))
    qtbot.waitUntil(lambda: shown(window) == ["cell 9 × 9", "cell 60 × 40", "cell 30 × 10"])
    find(window, QLineEdit, "filter-text").setText("c.p")
    qtbot.waitUntil(lambda: shown(window) == ["cell 9 × 9", "cell 30 × 10"])
    model = view.model()
    qtbot.waitUntil(lambda: all(model.index(row, 0).data(BOX_TILE).crop is not None for row in range(2)))
    assert not view.grab().isNull()
    assert model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole) == "cell, 9 × 9 px\nc.png"
    QTest.keyClick(view, Qt.Key.Key_B)
    assert find(window, QAbstractItemView, "gallery").hasFocus()
    assert count.text() == "1 of 3"


def test_a_number_gives_its_label_to_the_selected_boxes_and_the_next_one_follows(
    qtbot: QtBot, open_window: Open, boxed: Path
) -> None:
    window = open_window(boxed, "data")
    label = find(window, QComboBox, "filter-label")
    label.setCurrentIndex(label.findText("cell"))
    view = opened(qtbot, window, 3)
    click_row(view, 0)
    click_row(view, 1, modifier=CTRL)
    assert find(window, QLabel, "boxes-selected").text() == "2 selected"
    QTest.keyClick(view, Qt.Key.Key_2)
    assert labels_on_disk(boxed) == [2, 2, 1, 2]
    assert said(window) == "2 boxes are 'plate' now. Undo takes it back."
    qtbot.waitUntil(lambda: shown(window) == ["cell 30 × 10"])
    assert find(window, QLabel, "boxes-selected").text() == "1 selected", "that which took their place"
    QTest.keyClick(view, Qt.Key.Key_1)
    assert said(window) == "This box has that label already."
    QTest.keyClick(view, Qt.Key.Key_9)
    assert said(window) == "No label has the key 9."
    QTest.keyClick(view, Qt.Key.Key_Z, CTRL)
    assert labels_on_disk(boxed) == [1, 1, 1, 2]
    qtbot.waitUntil(lambda: len(shown(window)) == 3)
    assert find(window, QLabel, "boxes-selected").text() == "1 selected"


def test_a_box_that_was_just_deleted_gets_no_other_label_and_that_is_said(
    qtbot: QtBot, open_window: Open, boxed: Path
) -> None:
    window = open_window(boxed, "data")
    view = opened(qtbot, window)
    click_row(view, 0)
    QTest.keyClick(view, Qt.Key.Key_Delete)
    QTest.keyClick(view, Qt.Key.Key_2)  # before the boxes are read again
    gone = "That box is no longer in the project, so nothing was changed."
    assert said(window) == gone
    find(window, QLabel, "message-text").clear()
    split_off(window.session, (1,), "young cell")
    assert said(window) == gone
    assert (labels_on_disk(boxed), label_names(boxed)) == ([1, 1, 2], ["cell", "plate"])


def test_e_finds_a_label_or_makes_one(qtbot: QtBot, open_window: Open, boxed: Path) -> None:
    window = open_window(boxed, "data")
    view = opened(qtbot, window)

    def answer(name: str) -> None:
        QTest.keyClick(view, Qt.Key.Key_E)
        popup = QApplication.activePopupWidget()
        assert popup is not None
        field = find(popup, QLineEdit, "label-popup-field")
        QTest.keyClicks(field, name)
        QTest.keyClick(field, Qt.Key.Key_Return)
        with qtbot.waitActive(window):  # without a screen nobody else does that when the pop-up closes
            window.activateWindow()

    click_row(view, 2)
    answer("pla")
    assert labels_on_disk(boxed) == [1, 2, 1, 2]
    qtbot.waitUntil(lambda: shown(window)[2] == "plate 9 × 9")
    click_row(view, 3, modifier=SHIFT)
    answer("young cell")
    assert label_names(boxed) == ["cell", "plate", "young cell"]
    assert labels_on_disk(boxed) == [1, 3, 3, 2]
    assert window.session.undo_title == "Split 'young cell' off, 2 boxes"


def test_del_deletes_and_the_menu_has_it_all(qtbot: QtBot, open_window: Open, boxed: Path) -> None:
    window = open_window(boxed, "data")
    view = opened(qtbot, window)
    delete = find(window, QPushButton, "boxes-delete-button")
    assert not delete.isEnabled()
    click_row(view, 1)
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert len(labels_on_disk(boxed)) == 3
    qtbot.waitUntil(lambda: len(shown(window)) == 3)
    window.session.undo()
    qtbot.waitUntil(lambda: len(shown(window)) == 4)
    view.selectAll()
    view.customContextMenuRequested.emit(view.visualRect(view.currentIndex()).center())
    menu = find(window, QMenu, "boxes-menu")
    texts = [action.text() for action in menu.actions() if action.text()]
    assert texts == ["Label of these 4 boxes", "Delete these 4 boxes", "Open on the Label page"]
    labels = menu.actions()[0].menu()
    assert isinstance(labels, QMenu)
    (to_plate,) = (action for action in labels.actions() if action.text() == "plate")
    to_plate.trigger()
    menu.close()
    assert labels_on_disk(boxed) == [2, 2, 2, 2]


def test_enter_opens_the_box_on_its_image_and_back_again_the_boxes_are_there(
    qtbot: QtBot, open_window: Open, boxed: Path
) -> None:
    window = open_window(boxed, "data")
    view = opened(qtbot, window)
    click_row(view, 3)
    document = window.session.document
    assert document is not None
    assert window.session.image_id == document.images()[2].id, "one selection everywhere"
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert find(window, QWidget, "page-label").isVisible()
    assert [box.id for box in find(window, Canvas, "canvas").selected_boxes] == [3]
    window.session.do(edits.RemoveBoxes((1,)))
    window.show_page("data")
    assert view.hasFocus()
    qtbot.waitUntil(lambda: len(shown(window)) == 3)


def test_a_number_of_images_shows_images_and_one_of_boxes_stays_with_boxes(
    qtbot: QtBot, open_window: Open, boxed: Path
) -> None:
    window = open_window(boxed, "data")
    view = opened(qtbot, window)
    table = find(window, QTableView, "labels-table")
    click_row(table, 1, 3)
    qtbot.waitUntil(lambda: shown(window) == ["plate 40 × 40"])
    press(window, "count-state-in work")
    assert not view.isVisible()
    assert listed(window) == ["a.png", "b.png", "c.png"]
    QTest.keyClick(find(window, QAbstractItemView, "gallery"), Qt.Key.Key_B)
    qtbot.waitUntil(lambda: len(shown(window)) == 4)
    window.session.images_requested.emit(frozenset({1}), "not done yet")
    assert not view.isVisible()
    assert listed(window) == ["a.png"]


def test_where_no_box_passes_the_filter_a_sentence_says_so(qtbot: QtBot, open_window: Open, boxed: Path) -> None:
    window = open_window(boxed, "data")
    find(window, QLineEdit, "filter-text").setText("no such name")
    view = opened(qtbot, window, 0)
    qtbot.waitUntil(lambda: view.hint == NONE)


def test_boxes_that_can_not_be_read_are_not_awaited_for_ever(
    qtbot: QtBot, open_window: Open, boxed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise WorkbenchError("The project can't be read: its disk is away.")

    monkeypatch.setattr(box_rows, "read", away)
    window = open_window(boxed, "data")
    view = opened(qtbot, window, 0)
    qtbot.waitUntil(lambda: said(window).endswith("its disk is away."))
    assert view.hint == ""


def test_the_button_for_boxes_has_its_word_where_there_is_room(open_window: Open, boxed: Path) -> None:
    window = open_window(boxed, "data")
    button = find(window, QToolButton, "button-box-tiles")
    assert button.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonTextBesideIcon
    window.resize(960, 600)
    assert button.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly


def test_commands_for_images_do_nothing_to_images_that_are_not_shown(
    qtbot: QtBot, open_window: Open, boxed: Path
) -> None:
    window = open_window(boxed, "data")
    click_row(find(window, QAbstractItemView, "gallery"), 0)
    opened(qtbot, window)
    find(window, QAction, "action-remove-images").trigger()
    assert window.session.document is not None
    assert len(window.session.document.images()) == 3


def test_the_selected_images_are_still_selected_after_a_look_at_boxes(
    qtbot: QtBot, open_window: Open, boxed: Path
) -> None:
    """They were not once the filter had changed meanwhile."""
    window = open_window(boxed, "data")
    gallery = find(window, TileView, "gallery")
    click_row(gallery, 1)
    click_row(gallery, 2, modifier=CTRL)
    view = opened(qtbot, window)
    find(window, QLineEdit, "filter-text").setText("c.p")
    qtbot.waitUntil(lambda: len(shown(window)) == 2)
    QTest.keyClick(view, Qt.Key.Key_B)
    assert find(window, QLabel, "gallery-selected").text() == "1 selected"


def test_another_project_shows_its_own_boxes(qtbot: QtBot, open_window: Open, boxed: Path, tmp_path: Path) -> None:
    with Document.create(tmp_path / "other", boxed.parent / "photographs") as document:
        document.do(edits.AddLabels((Document.open(boxed, read_only=True).labels()[0],)))
        document.draw((Box(0, 1, 1, (0, 0, 20, 20)),))
    window = open_window(boxed, "data")
    opened(qtbot, window)
    assert window.open(tmp_path / "other")
    window.show_page("data")
    qtbot.waitUntil(lambda: shown(window) == ["cell 20 × 20"])


def test_a_window_that_may_only_read_shows_boxes_and_changes_none(qtbot: QtBot, open_window: Open, boxed: Path) -> None:
    with Document.open(boxed):
        window = open_window(boxed, "data")
        view = opened(qtbot, window)
        click_row(view, 0)
        for key in (Qt.Key.Key_2, Qt.Key.Key_Delete, Qt.Key.Key_E):
            find(window, QLabel, "message-text").setText("")
            QTest.keyClick(view, key)
            assert "being edited by" in said(window)
        assert QApplication.activePopupWidget() is None
    assert labels_on_disk(boxed) == [1, 1, 1, 2]
