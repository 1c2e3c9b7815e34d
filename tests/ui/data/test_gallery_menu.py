"""The menu of the gallery changes the selected images, and those of their boxes that the filter asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QAction, QContextMenuEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QInputDialog,
    QLabel,
    QMenu,
    QSpinBox,
)
from pytestqt.qtbot import QtBot

from tests.ui.data.data_page_driver import CTRL, click_row, label_names, labelled, on_disk, press
from tests.ui.window_driver import Open, find
from workbench.core.document import Document
from workbench.core.project import Box, Split, State
from workbench.ui.images.images_model import LISTED_IMAGE
from workbench.ui.project import project_opener
from workbench.ui.window.main_window import MainWindow

__all__ = ["labelled"]  # a fixture


@pytest.mark.parametrize("name", ["note-images", "remove-images", "trash-images"])
def test_a_command_for_selected_images_says_what_to_do_if_none_is(open_window: Open, labelled: Path, name: str) -> None:
    window = open_window(labelled, "data")
    find(window, QAbstractItemView, "gallery").clearSelection()
    command, said = find(window, QAction, f"action-{name}"), find(window, QLabel, "message-text")
    command.trigger()
    assert said.text() == "Select images first: click one, or press Ctrl+A for all."
    find(window, QAction, "action-box-tiles").trigger()
    command.trigger()
    assert said.text() == "Boxes are shown: switch them off and select images first."


def menu_of(window: MainWindow, gallery: QAbstractItemView, row: int) -> QMenu:
    place = gallery.visualRect(gallery.model().index(row, 0)).center()
    there = gallery.viewport().mapToGlobal(place)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, there)
    QApplication.sendEvent(gallery.viewport(), event)
    menu: QMenu = find(window, QMenu, "gallery-menu")
    return menu


def choose(menu: QMenu, *words: str) -> None:
    for word in words[:-1]:
        below = next(action.menu() for action in menu.actions() if word in action.text())
        assert isinstance(below, QMenu)
        menu = below
    next(action for action in menu.actions() if words[-1] in action.text()).trigger()


def test_the_menu_of_the_gallery_acts_on_all_selected_images(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        images, cell = document.images(), document.labels()[0].id
        document.draw(tuple(Box(0, images[2].id, cell, (x, 0, x + 9, 9)) for x in (0, 50)))
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    click_row(gallery, 0)
    click_row(gallery, 2, modifier=CTRL)

    def labels_of() -> list[str]:
        with Document.open(labelled, read_only=True) as document:
            return [document.label(box.label).name for image in document.images() for box in document.boxes(image.id)]

    def close() -> None:
        menu.close()
        qtbot.waitUntil(lambda: window.findChild(QMenu, "gallery-menu") is None)

    menu = menu_of(window, gallery, 0)
    choose(menu, "State", "Done")
    choose(menu, "Split", "Test")
    choose(menu, "Label of their boxes (3)", "plate")
    close()
    assert [(i.state, i.split) for i in on_disk(labelled)][::2] == [(State.DONE, Split.TEST)] * 2
    assert labels_of() == ["plate"] * 3
    menu = menu_of(window, gallery, 0)
    choose(menu, "Delete their boxes (3)")
    close()
    assert labels_of() == []
    window.session.undo()
    window.session.undo()
    assert labels_of() == ["cell"] * 3


def test_only_the_boxes_that_the_filter_asks_for_are_outlined_and_get_another_label(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Document.open(labelled) as document:  # a.png has one cell of 60 x 40
        cell, plate = (label.id for label in document.labels())
        c = document.images()[2].id
        document.draw(tuple(Box(0, c, label, (x, 0, x + side, side)) for x, side, label in (
            (0, 9, cell), (50, 30, cell), (90, 40, plate)
        )))  # fmt: skip
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")

    def numbers() -> list[int]:
        rows = range(gallery.model().rowCount())
        return [len(gallery.model().index(row, 0).data(LISTED_IMAGE).marked) for row in rows]

    def labels_of() -> list[str]:
        with Document.open(labelled, read_only=True) as document:
            return [document.label(box.label).name for image in document.images() for box in document.boxes(image.id)]

    def choose_in_menu(*words: str) -> None:
        gallery.selectAll()
        menu = menu_of(window, gallery, 0)
        choose(menu, *words)
        menu.close()
        qtbot.waitUntil(lambda: window.findChild(QMenu, "gallery-menu") is None)

    assert numbers() == [0, 0, 0], "no boxes are asked for"
    combo = find(window, QComboBox, "filter-label")
    combo.setCurrentIndex(combo.findData(cell))
    assert numbers() == [1, 2]
    find(window, QSpinBox, "filter-side-from").setValue(30)
    assert numbers() == [1, 1], "both must hold of one box"
    choose_in_menu("Label of their outlined boxes (2)", "plate")
    assert labels_of() == ["plate", "cell", "plate", "plate"]
    assert find(window, QLabel, "message-text").text() == "2 boxes are 'plate' now. Undo takes it back."
    assert window.session.undo_title == "Change 2 boxes to 'plate'"
    window.session.undo()
    assert labels_of() == ["cell", "cell", "cell", "plate"]
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("white", True))
    choose_in_menu("Label of their outlined boxes (2)", "A new label")
    assert labels_of() == ["white", "cell", "white", "plate"]
    press(window, "filter-clear")
    choose_in_menu("Label of all their boxes (3)", "plate")
    assert labels_of() == ["white", "plate", "plate", "plate"]
    window.session.undo()
    choose_in_menu("Delete their outlined boxes (1)")
    assert labels_of() == ["white", "white", "plate"]


def test_boxes_of_some_images_are_split_off_as_a_label_in_one_step(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Document.open(labelled) as document:
        document.draw((Box(0, document.images()[2].id, document.labels()[0].id, (0, 0, 9, 9)),))
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    click_row(gallery, 2)
    names = iter([("plate", True), ("", True), ("young cell", False), ("young cell", True)])
    asked: list[str] = []
    monkeypatch.setattr(QInputDialog, "getText", lambda *words: (asked.append(words[2]), next(names))[1])
    for _ in range(4):
        menu = menu_of(window, gallery, 2)
        choose(menu, "Label of their boxes (1)", "A new label")
        menu.close()
        qtbot.waitUntil(lambda: window.findChild(QMenu, "gallery-menu") is None)
    assert set(asked) == {"A new label for this box:"}
    assert label_names(labelled) == ["cell", "plate", "young cell"]
    with Document.open(labelled, read_only=True) as document:
        found = [[document.label(box.label).name for box in document.boxes(i.id)] for i in document.images()]
    assert found == [["cell"], [], ["young cell"]]
    assert window.session.undo_title == "Split 'young cell' off, 1 box"
    window.session.undo()
    assert label_names(labelled) == ["cell", "plate"]
    window.session.redo()
    assert label_names(labelled) == ["cell", "plate", "young cell"]


def test_a_project_that_comes_while_the_menu_is_open_waits_until_it_is_closed(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was chosen then was done to the boxes of the same numbers in the other project."""
    Document.create(tmp_path / "other", tmp_path / "photographs").close()
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    menu = menu_of(window, gallery, 0)
    assert QApplication.activePopupWidget() is menu
    monkeypatch.setattr(project_opener, "AT_ONCE", 0)
    window.open(tmp_path / "other")
    qtbot.waitUntil(lambda: not window.session.jobs)
    document = window.session.document
    assert document is not None
    assert document.folder == labelled
    menu.close()
    qtbot.waitUntil(lambda: window.session.document.folder == tmp_path / "other")
