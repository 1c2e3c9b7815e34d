"""What is decided about the shown image on the Label page: not done after all, a note, out of the project."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QApplication, QComboBox, QInputDialog, QLabel, QLineEdit, QTableView
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import CTRL, SHIFT, corners, labelled
from tests.ui.window_driver import Open, WindowDriver, find, write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import State
from workbench.ui.images import pictures
from workbench.ui.images.pictures import Picture
from workbench.ui.widgets.popups import Menu
from workbench.ui.window.main_window import MainWindow

__all__ = ["labelled"]  # a fixture


def images(project: Path) -> list[tuple[str, str, str]]:
    with Document.open(project, read_only=True) as document:
        return [(image.name, str(image.state), image.note) for image in document.images()]


def states(project: Path) -> list[str]:
    return [state for _, state, _ in images(project)]


def said(window: MainWindow) -> str:
    return find(window, QLabel, "message-text").text()


def test_an_image_that_was_done_too_soon_is_in_work_or_unlabelled_again(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.key("N")
    hand.settle()
    hand.key("N")
    assert states(labelled) == ["done", "done", "unlabelled"]
    hand.key("A")
    hand.key("N", SHIFT)
    assert states(labelled) == ["done", "unlabelled", "unlabelled"]
    assert said(window) == "This image is unlabelled again."
    hand.key("N", SHIFT)
    assert said(window) == "This image is unlabelled already."
    hand.key("A")
    hand.key("N", SHIFT)
    assert states(labelled) == ["in work", "unlabelled", "unlabelled"]
    assert window.session.image.name == "a.png", "it is still shown"
    hand.key("Z", CTRL)
    assert states(labelled) == ["done", "unlabelled", "unlabelled"]


def test_an_image_whose_picture_is_still_to_come_is_not_marked_done(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N pressed twice in a hurry said of an image that nobody had seen that there is nothing in it."""
    gate, load = threading.Event(), pictures.load

    def slow(file: Path, *rest: Any) -> Picture:
        assert file.name != "b.png" or gate.wait(60)
        return load(file, *rest)

    monkeypatch.setattr(pictures, "load", slow)
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    try:
        hand.key("N")
        for key in ("N", Qt.Key.Key_Space):
            hand.key(key)
            word = "done" if key == "N" else "verified"
            assert said(window) == f"b.png was not marked {word}: it is still being read. Do it once you see it."
        assert window.session.image.name == "b.png"
        assert states(labelled) == ["done", "unlabelled", "unlabelled"]
    finally:
        gate.set()
    hand.settle()
    hand.key("N")
    assert states(labelled) == ["done", "done", "unlabelled"]


def test_an_image_gets_its_note_where_it_is_labelled(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.key("D")
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, text: (f"{text}ask Anna", True))
    hand.key("N", CTRL | SHIFT)
    assert [note for _, _, note in images(labelled)] == ["", "ask Anna", ""]
    assert "ask Anna" in find(window, QLabel, "image-name").toolTip()


def test_an_image_that_is_taken_out_makes_room_for_the_next_of_the_list(
    qtbot: QtBot, open_window: Open, tmp_path: Path
) -> None:
    """Without the Data page, which was not shown yet, the first of thousands came."""
    write_photographs(tmp_path / "many", [f"{number:02}.png" for number in range(9)])
    Document.create(tmp_path / "long", tmp_path / "many").close()
    window = open_window(tmp_path / "long")
    hand = WindowDriver(qtbot, window)
    order = find(window, QComboBox, "image-order")
    for _ in range(5):
        hand.key("D")
    hand.key(Qt.Key.Key_Delete, CTRL)
    assert said(window) == "05.png is taken out of the project. Its file stays where it is; Undo brings it back."
    assert (tmp_path / "many/05.png").exists()
    assert window.session.image.name == "06.png"
    order.setCurrentIndex(order.findText("Last added first"))
    order.activated.emit(order.currentIndex())
    hand.key(Qt.Key.Key_Delete, CTRL)
    assert window.session.image.name == "04.png"
    window.show_page("data")
    window.show_page("label")
    hand.key(Qt.Key.Key_Delete, CTRL)
    assert window.session.image.name == "03.png", "the list in sight counts"
    for _ in range(2):
        hand.key("Z", CTRL)
    assert [name for name, _, _ in images(tmp_path / "long")] == [
        f"{number:02}.png" for number in range(9) if number != 5
    ]


def test_ctrl_del_in_a_field_deletes_a_word_there_and_no_image(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    """On both pages it took images out of the project."""
    window = open_window(labelled, "data")
    for page, name in (("data", "filter-text"), ("label", "image-filter-text")):
        window.show_page(page)
        field = find(window, QLineEdit, name)
        field.setText("png")
        field.setFocus()
        field.setCursorPosition(0)
        find(window, QAbstractItemView, "gallery").selectAll()
        QTest.keyClick(field, Qt.Key.Key_Delete, CTRL)
        assert len(images(labelled)) == 3
        assert field.text() == ""
    hand = WindowDriver(qtbot, window)
    hand.key(Qt.Key.Key_Delete, CTRL)
    assert len(images(labelled)) == 2


def test_a_right_click_in_the_list_of_images_offers_what_to_do_with_one(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled)
    WindowDriver(qtbot, window)
    view = find(window, QTableView, "image-list")
    at = view.visualRect(view.model().index(2, 0)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.RightButton, pos=at)
    assert window.session.image.name == "c.png"
    view.customContextMenuRequested.emit(at)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, Menu)
    assert menu.objectName() == "image-menu"
    words = [action.text() for action in menu.actions() if action.text()]
    assert words == [
        "State",
        "Not done after all: back to in work",
        "Note on this image…",
        "Take this image out of the project",
        "Copy the path of this image's file",
        "Show the folder of this image's file",
        "What the trainer sees of this image…",
    ]
    below = menu.actions()[0].menu()
    assert isinstance(below, Menu)
    assert [action.text() for action in below.actions() if action.isChecked()] == ["Unlabelled"]
    next(action for action in below.actions() if action.text() == "Verified").trigger()
    menu.close()
    assert states(labelled) == ["in work", "unlabelled", "verified"]
    assert window.session.image.name == "c.png"
    view.customContextMenuRequested.emit(QPoint(5, view.viewport().height() - 5))
    assert QApplication.activePopupWidget() is None, "below the last image"


def test_the_file_of_an_image_is_found_outside_of_the_program(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(labelled)
    WindowDriver(qtbot, window).key("D")
    file = labelled.parent / "photographs" / "b.png"
    find(window, QAction, "action-copy-path").trigger()
    assert QApplication.clipboard().text() == str(file)
    assert said(window) == f"Copied: {file}"
    shown: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: not shown.append(url.toLocalFile()))
    find(window, QAction, "action-open-image-folder").trigger()
    assert shown == [str(file.parent)]
    shutil.move(file.parent, labelled.parent / "elsewhere")
    find(window, QAction, "action-open-image-folder").trigger()
    assert said(window) == f"The folder could not be shown. It is {file.parent}."


@pytest.mark.parametrize("name", ["reopen-image", "remove-image", "note-image"])
def test_a_window_that_may_only_read_says_why(qtbot: QtBot, open_window: Open, labelled: Path, name: str) -> None:
    with Document.open(labelled) as other:
        other.do(edits.SetState((other.images()[0].id,), State.DONE))
        window = open_window(labelled)
        WindowDriver(qtbot, window)
        find(window, QAction, f"action-{name}").trigger()
        assert "is being edited by" in said(window)
    assert states(labelled) == ["done", "unlabelled", "unlabelled"]


@pytest.mark.parametrize(
    ("field", "choice"), [("image-filter-state", "Not done yet"), ("image-filter-label", "Without boxes")]
)
def test_the_boxes_of_the_image_before_are_copied_though_it_has_left_the_list(
    qtbot: QtBot, open_window: Open, labelled: Path, field: str, choice: str
) -> None:
    """\"This is the first image", it said after each frame that was marked done."""
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    combo = find(window, QComboBox, field)
    combo.setCurrentIndex(combo.findText(choice))
    hand.key("N" if choice == "Not done yet" else "D")
    assert window.session.image.name == "b.png"
    hand.key("B", CTRL)
    assert corners(labelled, "b.png") == [(20, 20, 80, 60)]
    window.session.select_image(window.session.document.images()[0].id)
    hand.key("B", CTRL)
    assert said(window) == "This is the first image: there is no previous one to copy boxes from."


def test_of_a_list_by_name_the_image_before_is_the_listed_one(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    """Of two cameras whose frames alternate, that of the same one."""
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    with_two = find(window, QLineEdit, "image-filter-text")
    with_two.setText("a.png")
    hand.key("B", CTRL)
    assert "first image" in said(window)
    window.session.do(edits.SetNote((1, 3), "left"))
    with_two.setText("left")
    combo = find(window, QComboBox, "image-filter-state")
    combo.setCurrentIndex(combo.findText("Not done yet"))
    hand.settle()
    hand.key("N")
    assert window.session.image.name == "c.png"
    hand.key("B", CTRL)
    assert corners(labelled, "c.png") == [(20, 20, 80, 60)]


def test_the_shown_image_stays_in_the_sight_of_the_list_in_a_smaller_window(
    qtbot: QtBot, open_window: Open, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "many", [f"{number:02}.png" for number in range(60)])
    Document.create(tmp_path / "long", tmp_path / "many").close()
    window = open_window(tmp_path / "long")
    WindowDriver(qtbot, window)
    view = find(window, QTableView, "image-list")

    def in_sight() -> bool:
        return view.viewport().rect().contains(view.visualRect(view.currentIndex()))

    def resize(height: int) -> None:
        before = view.height()
        window.resize(1280, height)
        qtbot.waitUntil(lambda: view.height() != before)

    resize(900)
    view.setCurrentIndex(view.model().index(view.rowAt(view.viewport().height() - 60), 0))
    assert in_sight()
    resize(600)
    assert in_sight()
    view.scrollToBottom()
    resize(700)
    assert not in_sight()
