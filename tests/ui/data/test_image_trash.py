"""Thousands of files go to the trash in a job, and the images that lost theirs leave the project however it ends."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QFile
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractItemView, QLabel, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.data.data_page_driver import CTRL, click_row, labelled, on_disk
from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import State
from workbench.core.storage import long_steps
from workbench.ui.data.image_trash import ImageTrash
from workbench.ui.data.page import DataPage
from workbench.ui.window.main_window import MainWindow

__all__ = ["labelled"]  # a fixture


class Trash:
    """Takes one file at a time, in a thread: whenever `take` is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.took: list[str] = []
        self._may = threading.Semaphore(0)
        monkeypatch.setattr(QFile, "moveToTrash", self._move)
        monkeypatch.setattr(ImageTrash, "_is_agreed", lambda *_: True)

    def _move(self, file: str) -> bool:
        assert threading.current_thread() is not threading.main_thread(), "the window stood still meanwhile"
        assert self._may.acquire(timeout=20)
        Path(file).unlink()
        self.took.append(Path(file).name)
        return True

    def take(self, files: int) -> None:
        self._may.release(files)


@pytest.fixture
def trash(monkeypatch: pytest.MonkeyPatch) -> Trash:
    return Trash(monkeypatch)


@pytest.fixture
def window(open_window: Open, project: Path, trash: Trash) -> MainWindow:
    window = open_window(project, "data")
    window.findChild(DataPage).findChild(ImageTrash).trash((1, 2, 3))
    return window


def names(project: Path) -> list[str]:
    with Document.open(project, read_only=True) as document:
        return [image.name for image in document.images()]


def test_the_window_goes_on_and_all_leave_the_project_in_one_step(
    qtbot: QtBot, window: MainWindow, project: Path, trash: Trash
) -> None:
    assert [job.title for job in window.session.jobs] == ["Moving files to the trash"]
    trash.take(1)
    qtbot.waitUntil(lambda: trash.took == ["a.png"])
    assert names(project) == ["a.png", "b.png", "c.png"]
    window.findChild(ImageTrash).trash((2,))
    assert "still being moved to the trash" in find(window, QLabel, "message-text").text()
    trash.take(2)
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert names(project) == []
    window.session.undo()
    assert len(names(project)) == 3


def test_if_it_is_stopped_those_that_are_gone_leave_the_project(
    qtbot: QtBot, window: MainWindow, project: Path, trash: Trash
) -> None:
    trash.take(1)
    qtbot.waitUntil(lambda: trash.took == ["a.png"])
    window.session.jobs[0].stop.set()
    trash.take(1)
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert names(project) == ["c.png"]
    assert (project.parent / "photographs" / "c.png").exists()


def test_closing_the_project_stops_it_and_keeps_no_image_without_a_file(
    qtbot: QtBot, window: MainWindow, project: Path, trash: Trash
) -> None:
    trash.take(1)
    qtbot.waitUntil(lambda: trash.took == ["a.png"])
    threading.Timer(0.1, trash.take, [1]).start()
    window.session.close()
    assert names(project) == ["c.png"]


def test_a_long_undo_does_not_keep_images_whose_files_are_gone(
    qtbot: QtBot, window: MainWindow, project: Path, trash: Trash, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edits are refused while it goes on, so it is no job beside this one, and this one does not begin beside it."""
    monkeypatch.setattr(long_steps, "LONG", 0)
    document = window.session.document
    assert document is not None
    window.session.do(edits.SetState((1,), State.DONE))
    trash.take(1)
    qtbot.waitUntil(lambda: trash.took == ["a.png"])
    assert window.session.undo() is not None
    trash.take(2)
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert names(project) == []
    document.undo()
    document.store.held = "Another step is still going on."
    window.findChild(ImageTrash).trash((1,))
    document.store.held = ""
    assert not window.session.jobs
    assert find(window, QLabel, "message-text").text() == "Another step is still going on."


@pytest.mark.parametrize("agreed", [True, False])
def test_files_go_to_the_trash_only_after_a_yes(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch, agreed: bool
) -> None:
    trashed: list[str] = []
    asked: list[str] = []

    def answer(question: QMessageBox) -> int:
        asked.append(question.text())
        button = "trash-yes" if agreed else ""
        chosen = question.findChild(QPushButton, button) if button else question.defaultButton()
        assert chosen is not None
        monkeypatch.setattr(QMessageBox, "clickedButton", lambda _: chosen)
        return 0

    monkeypatch.setattr(QMessageBox, "exec", answer)
    monkeypatch.setattr(
        QFile, "moveToTrash", lambda file: trashed.append(Path(file).name) or "b" not in Path(file).name
    )
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    click_row(gallery, 0)
    click_row(gallery, 1, modifier=CTRL)
    find(window, QAction, "action-trash-images").trigger()
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert "a.png" in asked[0]
    assert "boxes (1)" in asked[0]
    left = [image.name for image in on_disk(labelled)]
    assert (trashed, left) == (
        (["a.png", "b.png"], ["b.png", "c.png"]) if agreed else ([], ["a.png", "b.png", "c.png"])
    )
    if agreed:
        assert "could not be moved" in find(window, QLabel, "message-text").text()
        window.session.undo()
        assert len(on_disk(labelled)) == 3


def test_a_read_only_project_says_why_no_file_goes_to_the_trash(open_window: Open, labelled: Path) -> None:
    with Document.open(labelled):
        window = open_window(labelled, "data")
        said: list[str] = []
        window.session.message.connect(lambda _kind, words: said.append(words))
        click_row(find(window, QAbstractItemView, "gallery"), 0)
        find(window, QAction, "action-trash-images").trigger()
        assert len(said) == 1
        assert "open for reading only" in said[0]
