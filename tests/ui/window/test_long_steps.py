"""Undo and redo of a step that takes seconds run beside the window, in which no other edit is made meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.core.storage import long_steps, mirror
from workbench.ui import long_steps as window_steps
from workbench.ui.project.auto_backup import AutoBackup
from workbench.ui.window.main_window import MainWindow


@pytest.fixture(autouse=True)
def _every_step_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_steps, "LONG", 0)


@pytest.fixture
def window(open_window: Open, project: Path) -> MainWindow:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        document.draw(tuple(Box(0, image, 1, (0, 0, 5, 5)) for image in (1, 2) for _ in range(3)))
    return open_window(project, "data")


def boxes(window: MainWindow) -> tuple[int, int]:
    """As they are in the file, and as they are counted."""
    document = window.session.document
    assert document is not None
    return len(document.boxes(1)) + len(document.boxes(2)), document.counts().total


def wait(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: not window.session.jobs)


def test_the_window_is_told_once_it_is_done(qtbot: QtBot, window: MainWindow) -> None:
    """Undoing an import of a million boxes held the window for ten seconds."""
    kinds = list[str]()
    window.session.edited.connect(lambda applied: kinds.append(applied.kind))
    assert boxes(window) == (6, 6)
    assert window.session.undo() is None
    assert [job.title for job in window.session.jobs] == ["Taking back: Add 6 boxes"]
    wait(qtbot, window)
    assert (boxes(window), kinds) == ((0, 0), ["undo"])
    assert find(window, QLabel, "message-text").text() == "Taken back: Add 6 boxes."
    assert window.session.redo_title == "Add 6 boxes"
    window.session.redo()
    wait(qtbot, window)
    assert (boxes(window), kinds) == ((6, 6), ["undo", "redo"])


def test_no_other_edit_is_made_meanwhile(qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    go, real = threading.Event(), long_steps.beside

    def slow(*of: Any) -> object:
        assert go.wait(20)
        return real(*of)

    monkeypatch.setattr(long_steps, "beside", slow)
    session = window.session
    session.undo()
    assert session.do(edits.SetState((3,), State.DONE)) is None
    assert "another step is still going on (Taking back: Add 6 boxes)" in find(window, QLabel, "message-text").text()
    assert session.undo() is None
    assert boxes(window) == (6, 6)
    go.set()
    wait(qtbot, window)
    assert boxes(window) == (0, 0)
    assert session.do(edits.SetState((3,), State.DONE)) is not None


def test_one_that_fails_has_changed_nothing(qtbot: QtBot, window: MainWindow) -> None:
    document = window.session.document
    assert document is not None
    with document.store.transaction() as connection:
        connection.execute("UPDATE journal SET inverse = '{}' WHERE seq = (SELECT max(seq) FROM journal)")
    window.session.undo()
    wait(qtbot, window)
    assert "This step was made by a newer Workbench" in find(window, QLabel, "message-text").text()
    assert boxes(window) == (6, 6)
    assert window.session.do(edits.SetState((3,), State.DONE)) is not None, "and edits go on"


def test_one_that_is_stopped_has_changed_nothing(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_steps, "_OFTEN", 1)
    begun, real = threading.Event(), long_steps.beside

    def late(folder: Path, act: Any, stop: threading.Event) -> object:
        begun.set()
        assert stop.wait(20)
        return real(folder, act, stop)

    monkeypatch.setattr(long_steps, "beside", late)
    window.session.undo()
    assert begun.wait(20)
    window.session.jobs[0].stop.set()
    wait(qtbot, window)
    document = window.session.document
    assert document is not None
    assert (boxes(window), document.undo_title) == ((6, 6), "Add 6 boxes")
    assert window.session.do(edits.SetState((3,), State.DONE)) is not None, "and edits go on"


def test_going_many_steps_back_is_one_of_those(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = window.session.document
    assert document is not None
    monkeypatch.setattr(long_steps, "LONG", 1 << 30)
    assert not window_steps.of(window.session).go_to(0)
    monkeypatch.setattr(long_steps, "MANY_STEPS", 1)
    assert window_steps.of(window.session).go_to(0)
    assert window.session.jobs[0].title == "Taking back 2 steps"
    wait(qtbot, window)
    assert (boxes(window)[0], document.labels()) == (0, ())


def test_closing_the_project_waits_for_it(qtbot: QtBot, window: MainWindow, project: Path) -> None:
    window.session.undo()
    window.session.close()
    with Document.open(project) as again:
        left = len(again.boxes(1))
        assert left in (0, 3)
        assert again.undo_title == ("Add 6 boxes" if left else "Add label 'cat'")


@pytest.mark.parametrize("closed", ["the project", "the window"])
def test_a_step_that_is_done_as_it_closes_is_in_the_text(
    qtbot: QtBot, window: MainWindow, project: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    """The text was written without it, and counted as current."""
    monkeypatch.setattr(mirror, "BLOCK", 1)
    backup = window.findChild(AutoBackup)
    backup.check()
    qtbot.waitUntil(backup._work.is_idle)
    window.session.do(edits.SetState((3,), State.DONE))
    window.session.undo()
    wait(qtbot, window)
    assert '"xyxy"' in (project / "labels" / "000.jsonl").read_text()
    is_done, real = threading.Event(), long_steps.beside

    def beside(*of: Any) -> object:
        step = real(*of)
        is_done.set()
        return step

    monkeypatch.setattr(long_steps, "beside", beside)
    window.session.undo()
    assert is_done.wait(20)
    if closed == "the window":
        window.close()
    else:
        window.session.close()
        qtbot.waitUntil(backup._work.is_idle)
    assert '"xyxy"' not in (project / "labels" / "000.jsonl").read_text()


def test_the_images_are_still_kept_for_the_next_opening(qtbot: QtBot, window: MainWindow) -> None:
    """Another connection has written: what is in memory seemed older than the file."""
    document = window.session.document
    assert document is not None
    document.images(), document.counts()
    assert document._tables._read_at == {document.others_edits()}
    window.session.undo()
    wait(qtbot, window)
    assert document._tables._read_at == {document.others_edits()}
