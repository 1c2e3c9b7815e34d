"""The open project is backed up behind the window, and a damaged one offers its newest good copy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QMessageBox, QProgressBar
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, when_asked
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.core.storage import backups, mirror, mirror_reader
from workbench.core.store import FILE
from workbench.errors import WorkbenchError
from workbench.ui.job import Job
from workbench.ui.project import auto_backup, project_opener
from workbench.ui.project.auto_backup import AutoBackup


def answer(name: str) -> Callable[[], QMessageBox | None]:
    """Press the button of this name as soon as the question is there; what was asked."""
    seen: list[QMessageBox] = []

    def press(asked: QMessageBox) -> None:
        seen.append(asked)
        button = asked.findChild(QAbstractButton, name) or asked.buttons()[0]
        button.click()

    when_asked(QMessageBox, press)
    return lambda: seen[0] if seen else None


def test_the_open_project_is_backed_up_behind_the_window(open_window: Open, project: Path, qtbot: QtBot) -> None:
    window = open_window(project)
    worker = window.findChild(AutoBackup)
    worker.check()
    qtbot.waitUntil(lambda: len(backups.backups(project)) == 1)
    qtbot.waitUntil(worker._work.is_idle)
    worker.check()
    assert worker._work.is_idle(), "this hour has its backup"


def test_it_is_backed_up_beside_a_training_and_not_beside_what_may_write_it(
    open_window: Open, project: Path, qtbot: QtBot
) -> None:
    """Of all that was labelled in the hours of a training there was no copy before its end."""
    window = open_window(project)
    worker, jobs = window.findChild(AutoBackup), window.session.jobs
    other, training = (Job("work", lambda _: iter(()), is_training=trains) for trains in (False, True))
    jobs.append(other)
    worker.check()
    assert worker._work.is_idle()
    jobs[:] = [training]
    worker.check()
    qtbot.waitUntil(lambda: len(backups.backups(project)) == 1)
    jobs.clear()


def test_a_backup_that_fails_is_told_once_an_hour(
    open_window: Open, project: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> None:
        raise WorkbenchError(f"The disk of {folder} is full.")

    monkeypatch.setattr(backups, "back_up", full)
    window = open_window(project)
    told: list[str] = []
    window.session.message.connect(lambda _, sentence: told.append(sentence))
    worker = window.findChild(AutoBackup)
    for _ in range(2):
        worker.check()
        qtbot.waitUntil(worker._work.is_idle)
        qtbot.waitUntil(lambda: len(told) == 1)
    assert "copy of the project could not be written. The disk of" in told[0]


@pytest.mark.parametrize("at_once", [0, project_opener.AT_ONCE], ids=["in a job", "in the window's thread"])
def test_a_damaged_project_is_opened_from_its_newest_good_copy(
    open_window: Open, project: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(project_opener, "AT_ONCE", at_once)
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        document.draw(tuple(Box(0, 1, 1, (0, 0, 5, 5), note="x" * 60) for _ in range(200)))
    backups.back_up(project)
    file = project / FILE
    file.write_bytes(file.read_bytes()[:8000] + b"\xff" * 12_000)
    window = open_window()
    asked = answer("restore-copy")
    window.open(project)
    qtbot.waitUntil(lambda: window.session.document is not None)
    assert asked() is not None
    assert len(window.session.document.boxes(1)) == 200
    assert len(list(project.glob("project.replaced *.sqlite"))) == 1


def test_the_text_follows_edits_behind_the_window_and_at_its_end(
    open_window: Open, project: Path, qtbot: QtBot
) -> None:
    def lines() -> str:
        return (project / "labels" / "000.jsonl").read_text() + (project / "labels" / "project.json").read_text()

    window = open_window(project)
    worker = window.findChild(AutoBackup)
    worker.check()
    qtbot.waitUntil(worker._work.is_idle)
    assert lines().count('"path":"') == 3
    window.session.do(edits.AddLabels((Label(0, "cat"),)))
    worker.check()
    qtbot.waitUntil(worker._work.is_idle)
    assert '"name": "cat"' in lines()
    window.session.draw((Box(0, 2, 1, (1, 2, 3, 4)),))
    assert '"xyxy"' not in lines()
    window.close()
    assert '"xyxy":[1.0,2.0,3.0,4.0]' in lines()


def test_a_part_of_the_text_whose_writing_fails_while_the_window_closes_is_not_taken_for_written(
    open_window: Open, project: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "BLOCK", 1)
    mirror.write(project)
    backups.back_up(project)
    begun, go_on, real = threading.Event(), threading.Event(), mirror.write

    def fail_once(*of: Any) -> int:
        monkeypatch.setattr(mirror, "write", real)
        begun.set()
        go_on.wait(20)
        raise WorkbenchError("The disk is full.")

    window = open_window(project)
    monkeypatch.setattr(mirror, "write", fail_once)
    window.session.do(edits.SetState((2,), State.DONE))
    window.findChild(AutoBackup).check()
    assert begun.wait(20)
    window.session.do(edits.SetState((3,), State.DONE))
    threading.Timer(0.2, go_on.set).start()
    window.close()
    assert '"state":"done"' in (project / "labels" / "002.jsonl").read_text()
    assert '"state":"done"' in (project / "labels" / "001.jsonl").read_text(), "the head says that it is current"


def test_a_text_that_has_all_edits_is_not_written_again(
    open_window: Open, project: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.write(project)
    backups.back_up(project)
    written: list[object] = []
    monkeypatch.setattr(mirror, "write", lambda folder, parts=None, edits=(): written.append((parts, edits)))
    window = open_window(project)
    worker = window.findChild(AutoBackup)
    worker.check()
    assert worker._work.is_idle()
    window.session.do(edits.SetState((2,), State.DONE))
    now = window.session.document.store.read(mirror.edits_in)
    worker.check()
    qtbot.waitUntil(worker._work.is_idle)
    window.close()
    assert written == [(frozenset({-1, 0}), tuple(now))]


def test_the_whole_text_of_many_images_waits_for_the_next_opening(
    open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_backup, "AT_ONCE", 2)
    open_window(project).close()
    assert not (project / "labels").exists()


@pytest.mark.parametrize("unseen", [0, 10_000], ids=["with a word to wait", "at once"])
def test_a_damaged_project_is_made_of_its_text(
    open_window: Open, project: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, unseen: int
) -> None:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        document.draw(tuple(Box(0, 1, 1, (0, 0, 5, 5), note="x" * 60) for _ in range(200)))
    mirror.write(project)
    file = project / FILE
    file.write_bytes(file.read_bytes()[:8000] + b"\xff" * 12_000)
    monkeypatch.setattr(auto_backup, "WAIT_DIALOG_DELAY", unseen)
    window = open_window()
    asked = answer("restore-text")
    window.open(project)
    qtbot.waitUntil(lambda: window.session.document is not None)
    assert asked() is not None
    assert len(window.session.document.boxes(1)) == 200


def test_each_choice_can_be_read_whole(open_window: Open, project: Path) -> None:
    backups.back_up(project)
    mirror.write(project)
    file = project / FILE
    file.write_bytes(file.read_bytes()[:8000] + b"\xff" * 12_000)
    widths: dict[str, tuple[int, int]] = {}

    def look(asked: QMessageBox) -> None:
        for button in asked.buttons():
            widths[button.text()[:8]] = (button.width(), button.sizeHint().width())
        asked.reject()

    when_asked(QMessageBox, look)
    assert not open_window().open(project)
    assert sorted(widths) == ["Close", "Rebuild ", "Take the"]
    assert all(width >= wanted for width, wanted in widths.values()), widths


def test_the_window_is_alive_while_a_project_is_made_of_its_text(
    open_window: Open, project: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.write(project)
    file = project / FILE
    file.write_bytes(file.read_bytes()[:8000] + b"\xff" * 12_000)
    window, alive, threads = open_window(), threading.Event(), []

    def slow(folder: Path, to: Path) -> None:
        threads.append(threading.current_thread())
        assert alive.wait(60), "nothing happened in the window"
        rebuild(folder, to)

    def check() -> None:
        waiting = QApplication.activeModalWidget()
        if threads and waiting is not None and waiting.objectName() == "restore-waiting":
            QTest.keyClick(waiting, Qt.Key.Key_Escape)
            assert waiting.isVisible(), "nobody can do anything else meanwhile"
            bar = waiting.findChild(QProgressBar)
            assert bar.accessibleName() == "Going back to what the project was"
            alive.set()
        else:
            QTimer.singleShot(10, check)

    rebuild = mirror_reader.rebuild
    monkeypatch.setattr(mirror_reader, "rebuild", slow)
    answer("restore-text")
    check()
    window.open(project)
    qtbot.waitUntil(lambda: window.session.document is not None)
    assert threads != [threading.main_thread()]


def test_what_goes_wrong_while_going_back_is_told(
    open_window: Open, project: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, to: Path) -> None:
        raise WorkbenchError(f"The disk of {folder} is full.")

    mirror.write(project)
    file = project / FILE
    file.write_bytes(file.read_bytes()[:8000] + b"\xff" * 12_000)
    monkeypatch.setattr(mirror_reader, "rebuild", full)
    window, told = open_window(), []
    window.session.message.connect(lambda _, sentence: told.append(sentence))
    answer("restore-text")
    assert not window.open(project)
    assert told == [f"The disk of {project} is full."]


def test_a_damaged_project_without_a_good_copy_is_not_opened(open_window: Open, project: Path) -> None:
    file = project / FILE
    file.write_bytes(file.read_bytes()[:6000] + b"\xff" * 12_000)
    window = open_window()
    asked = answer("nothing else to press")
    assert not window.open(project)
    assert asked() is not None
    assert window.session.document is None
    assert file.read_bytes().endswith(b"\xff")


def test_a_project_whose_file_is_missing_is_made_of_its_text(open_window: Open, project: Path, qtbot: QtBot) -> None:
    """As after a git clone."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        document.draw((Box(0, 1, 1, (0, 0, 5, 5)),))
    mirror.write(project)
    (project / FILE).unlink()
    window = open_window()
    asked = answer("restore-text")
    window.open(project)
    qtbot.waitUntil(lambda: window.session.document is not None)
    assert asked().informativeText() == "A project rebuilt from the text has no edits to undo."
    assert len(window.session.document.boxes(1)) == 1
