"""Thousands of files go to the trash in a job, and the images that lost theirs leave the project however it ends."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QFile
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core.document import Document
from workbench.ui.data.image_trash import ImageTrash
from workbench.ui.data.page import DataPage
from workbench.ui.window.main_window import MainWindow


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
