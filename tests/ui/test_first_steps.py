"""Where a person stumbled who had never seen the window: a new project, long names, words that find nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSize, QStringListModel, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableView,
    QTextBrowser,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.formats.making import voc_file, voc_object
from tests.ui.data.data_page_driver import press
from tests.ui.window_driver import HEIGHT, WIDTH, Open, find, write_photographs
from workbench import formats
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Label
from workbench.ui.data.labels_model import NAME
from workbench.ui.data.page import DataPage
from workbench.ui.job import Job
from workbench.ui.project import label_search
from workbench.ui.widgets.rows import RowsView
from workbench.ui.widgets.tile_view import TileView
from workbench.ui.window.help_window import HelpWindow

LONG = "Platelets, also the clumped and the giant ones that are larger than seven micrometres"


def test_enter_makes_a_new_project_and_nothing_else_and_its_first_image_stays_on_every_page(
    qtbot: QtBot, open_window: Open, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "holiday", ["b.png", "a.png", "c.png"])
    window = open_window()
    window.offer(tmp_path / "holiday")
    QTest.keyClick(find(window, QLineEdit, "new-project-folder"), Qt.Key.Key_Return)
    assert [button for button in window.findChildren(QAbstractButton) if button.isDown()] == []
    qtbot.waitUntil(lambda: window.session.document is not None and not window.session.jobs)
    assert find(window, QAbstractItemView, "gallery").currentIndex().data() == "a.png"
    for page in ("label", "data"):
        window.show_page(page)
        assert find(window, QLabel, "gallery-selected").text() == "1 selected"
        assert window.session.image is not None
        assert window.session.image.path == "a.png"


def test_labels_that_lie_with_the_photographs_of_a_new_project_are_told_and_proposed(
    qtbot: QtBot, open_window: Open, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "cells" / "JPEGImages", ["a.png", "b.png"])
    label = voc_file(voc_object("cell", (1, 2, 30, 20)), size=(WIDTH, HEIGHT), filename="a.png")
    (tmp_path / "cells" / "Annotations").mkdir()
    (tmp_path / "cells" / "Annotations" / "a.xml").write_text(label, "utf-8")
    window = open_window()
    window.offer(tmp_path / "cells" / "JPEGImages")
    QTest.keyClick(find(window, QLineEdit, "new-project-folder"), Qt.Key.Key_Return)
    told = find(window, QLabel, "message-text")
    qtbot.waitUntil(lambda: "labels with these photographs (Pascal VOC XML)" in told.text())
    qtbot.waitUntil(lambda: not window.session.jobs)
    press(window, "message-button")  # "Import them…"
    dialog = find(window, QDialog, "import-window")
    qtbot.waitUntil(lambda: find(dialog, QPushButton, "import-apply").text() == "Import 1 box")
    assert find(dialog, QLineEdit, "import-path").text() == str(tmp_path / "cells")

    # what is open above a page is put aside for the start page, and comes back with the page
    window.offer(tmp_path / "cells")
    assert not dialog.isVisible()
    window.show_page("data")
    assert dialog.isVisible()
    window.offer(tmp_path / "cells")
    window.close_project()
    assert not dialog.isVisible()


def test_photographs_alone_are_not_searched_for_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photographs(tmp_path / "images", ["a.png"])
    job = Job("", lambda _: iter(()))
    monkeypatch.setattr(formats, "recognise", lambda path: pytest.fail(f"{path} was searched"))
    assert list(label_search.find_labels(tmp_path / "images", job)) == []
    (tmp_path / "images" / "notes.txt").write_text("none")
    monkeypatch.setattr(label_search, "MOST", 1)
    assert list(label_search.find_labels(tmp_path / "images", job)) == []
    monkeypatch.undo()
    assert list(label_search.find_labels(tmp_path / "images", job)) == []


def test_tiles_of_which_none_is_current_begin_with_the_first_when_the_keyboard_comes(qtbot: QtBot) -> None:
    view = TileView("tiles", "Tiles", QSize(100, 100))
    qtbot.addWidget(view)
    view.setModel(QStringListModel(["a", "b", "c"]))
    move = QAbstractItemView.CursorAction.MoveNext
    assert view.moveCursor(move, Qt.KeyboardModifier.NoModifier).row() == 0
    view.setCurrentIndex(view.model().index(0, 0))
    assert view.moveCursor(move, Qt.KeyboardModifier.NoModifier).row() == 1


def test_the_form_of_a_new_project_can_be_put_away(open_window: Open, tmp_path: Path) -> None:
    window = open_window()
    form = find(window, QWidget, "new-project-form")
    window.offer(tmp_path)
    press(window, "new-project-cancel")
    assert not form.isVisible()
    window.offer(tmp_path)
    QTest.keyClick(find(window, QLineEdit, "new-project-folder"), Qt.Key.Key_Escape)
    assert not form.isVisible()


def test_a_long_label_takes_no_room_from_the_other_filters_and_stays_in_its_line(
    open_window: Open, project: Path
) -> None:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, LONG))))
    window = open_window(project, "data")
    choice = find(window, QComboBox, "filter-label")
    assert choice.findText(LONG) > 0
    assert choice.sizeHint().width() < choice.fontMetrics().horizontalAdvance(LONG)
    table = find(window, QTableView, "labels-table")
    table.resizeRowsToContents()
    assert table.rowHeight(1) == table.rowHeight(0)
    assert table.model().index(1, NAME).data() == LONG


def test_an_opened_project_has_its_image_selected_and_a_split_at_random_says_what_it_did(
    open_window: Open, project: Path
) -> None:
    window = open_window(project, "data")
    assert find(window, QLabel, "gallery-selected").text() == "1 selected"  # of a project that was just opened
    press(window, "button-random-split")
    assert "Split 3 images at random" in find(window, QLabel, "message-text").text()


def test_images_that_came_are_counted_and_those_that_cannot_be_read(
    qtbot: QtBot, open_window: Open, project: Path, tmp_path: Path
) -> None:
    window = open_window(project, "data")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "empty.jpg").touch()
    find(window, DataPage, "page-data").image_adder.add_folder(tmp_path / "more")
    text = "1 image added. It can't be read: Check the data says why."
    qtbot.waitUntil(lambda: find(window, QLabel, "message-text").text() == text)


def test_the_finder_says_when_nothing_is_found_and_help_finds_the_help(open_window: Open) -> None:
    window = open_window()
    window.show_finder()
    finder = find(window, QWidget, "finder")
    field, none = find(finder, QLineEdit, "finder-field"), find(finder, QLabel, "finder-none")
    rows = find(finder, RowsView, "finder-list")
    assert not none.isVisible()
    field.setText("how do i begin")
    assert none.isVisible()
    assert not rows.isVisible()
    field.setText("help")
    assert not none.isVisible()
    assert "Start here" in [rows.rows.index(row).data() for row in range(rows.rows.rowCount())]
    finder.close()


def test_words_are_found_on_a_help_page_and_back_is_a_button(open_window: Open) -> None:
    window = open_window()
    window.show_help("start-here")
    help = find(window, HelpWindow, "help-window")
    text, back = find(help, QTextBrowser, "help-text"), find(help, QPushButton, "help-back")
    field, missing = find(help, QLineEdit, "help-find"), find(help, QLabel, "help-missing")
    QTest.keyClicks(field, "photograph")
    first = text.textCursor().selectionStart()
    assert text.textCursor().selectedText().casefold() == "photograph"
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert text.textCursor().selectionStart() > first
    assert missing.isHidden()
    field.setText("no such word")
    assert not missing.isHidden()
    assert not back.isEnabled()
    text.setSource(text.source().resolved("label-fast.md"))
    assert back.isEnabled()
    back.click()
    assert help.windowTitle().startswith("Start here")
    help.close()
