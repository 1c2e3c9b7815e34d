"""A project whose photographs were moved says so above every page, and shows them once it knows where they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QFrame, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core.document import Document
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.background import Background
from workbench.ui.images import unread_images
from workbench.ui.window import lost_folders_bar
from workbench.ui.window.lost_folders_bar import LostFoldersBar
from workbench.ui.window.main_window import MainWindow


def bar(window: MainWindow) -> LostFoldersBar:
    return find(window, LostFoldersBar, "lost-folders")


def press(window: MainWindow, name: str) -> None:
    QTest.mouseClick(find(window, QPushButton, f"lost-folders-{name}"), Qt.MouseButton.LeftButton)


def test_a_project_whose_photographs_are_there_says_nothing(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project)
    qtbot.waitUntil(bar(window)._background.is_idle)
    assert not bar(window).isVisible()


def test_photographs_that_were_moved_are_asked_for_and_shown_again(
    qtbot: QtBot, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = project.parent / "photographs of märz 🦊"
    (project.parent / "photographs").rename(new)
    window = open_window(project, "data")
    qtbot.waitUntil(bar(window).isVisible)
    words = find(window, QFrame, "lost-folders-words")
    assert words.text().startswith("3 photographs are not where they were: ")  # type: ignore[attr-defined]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(project))
    press(window, "choose")
    assert "None of the project's 3 images" in find(window, QLabel, "message-text").text()
    assert bar(window).isVisible()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(new))
    press(window, "choose")
    document = window.session.document
    assert document is not None
    assert document.file(document.images()[0]) == new / "a.png"
    assert find(window, QLabel, "message-text").text() == f"3 images now at {new}."
    qtbot.waitUntil(bar(window)._background.is_idle)
    assert not bar(window).isVisible()


def test_one_may_go_on_without_them(qtbot: QtBot, open_window: Open, project: Path) -> None:
    (project.parent / "photographs").rename(project.parent / "new")
    window = open_window(project)
    qtbot.waitUntil(bar(window).isVisible)
    press(window, "later")
    assert not bar(window).isVisible()
    window.session.close()
    window.open(project)
    qtbot.waitUntil(bar(window).isVisible)


def test_who_may_not_change_the_project_may_not_move_them(qtbot: QtBot, open_window: Open, project: Path) -> None:
    (project.parent / "photographs").rename(project.parent / "new")
    with Document.open(project):
        window = open_window(project)
        qtbot.waitUntil(bar(window).isVisible)
        assert not find(window, QPushButton, "lost-folders-choose").isEnabled()


def test_photographs_that_are_back_in_their_place_are_shown_again(
    qtbot: QtBot, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line stayed until the project was opened again, and the images were ones that can't be read."""
    monkeypatch.setattr(lost_folders_bar, "AGAIN", 10)
    (project.parent / "photographs").rename(project.parent / "away")
    window = open_window(project)
    qtbot.waitUntil(bar(window).isVisible)
    canvas, unread = find(window, Canvas, "canvas"), unread_images.of(window.session)
    qtbot.waitUntil(lambda: "the file is not there" in canvas.sentence)
    qtbot.waitUntil(lambda: len(unread.ids()) == 3)
    readers = [one for one in window.findChildren(Background) if one is not bar(window)._background]
    qtbot.waitUntil(lambda: all(one.is_idle() for one in readers))
    (project.parent / "away").rename(project.parent / "photographs")
    qtbot.waitUntil(lambda: canvas.picture is not None)
    assert not unread.ids()
    qtbot.waitUntil(lambda: not bar(window).isVisible())


def test_a_line_that_was_declined_stays_away_while_the_photographs_do(
    qtbot: QtBot, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_folders_bar, "AGAIN", 10)
    (project.parent / "photographs").rename(project.parent / "away")
    window = open_window(project)
    qtbot.waitUntil(bar(window).isVisible)
    press(window, "later")
    with qtbot.waitSignals([bar(window)._background.done] * 2):
        pass
    assert not bar(window).isVisible()


def test_a_folder_that_goes_missing_while_its_project_is_open_is_told(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    """Only opening the project said so; tiles told that they can't be read, and nothing what to do."""
    window = open_window(project)
    qtbot.waitUntil(lambda: all(one.is_idle() for one in window.findChildren(Background)))
    (project.parent / "photographs").rename(project.parent / "away")
    ids = window.session.document.images().ids.tolist()
    unread_images.of(window.session).note({ids[2]: "the file is not there"})  # as whoever wanted to read it says
    qtbot.waitUntil(bar(window).isVisible)
    words = find(window, QFrame, "lost-folders-words")
    assert words.text().startswith("3 photographs are not where they were: ")  # type: ignore[attr-defined]


def test_a_single_file_that_is_missing_is_no_lost_folder(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project)
    qtbot.waitUntil(lambda: all(one.is_idle() for one in window.findChildren(Background)))
    (project.parent / "photographs" / "c.png").unlink()
    ids = window.session.document.images().ids.tolist()
    with qtbot.waitSignal(bar(window)._background.done):
        unread_images.of(window.session).note({ids[2]: "the file is not there"})
    assert not bar(window).isVisible()
