"""The window's end while a training's step takes longer than anybody waits, and what comes while something is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction, QFontMetrics
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QInputDialog, QLabel, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find, when_asked
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Label
from workbench.core.storage.backups import Backup
from workbench.ui.job import Job
from workbench.ui.project import project_opener, training_question
from workbench.ui.project.older_copies import restore_copy
from workbench.ui.window import window_closing
from workbench.ui.window.main_window import MainWindow


def test_a_window_closes_when_the_training_has_ended_its_step(
    qtbot: QtBot, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_closing, "AT_ONCE", 0.05)
    window = open_window(project, "label")
    step, saved = threading.Event(), []

    def train(job: Job) -> Iterator[int]:
        try:
            yield 1
            step.wait(20)
            yield 2
        finally:
            saved.append(True)

    window.session.start(Job("Training tiny-1", train, ends_itself=True, is_training=True))
    window.close()
    assert window.isVisible()
    assert find(window, QLabel, "message-text").text() == window_closing.WORDS
    assert window.session.document is not None, "the project is open meanwhile"
    window.close()  # somebody is impatient
    assert window.isVisible()
    step.set()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert saved == [True]
    assert window.session.document is None
    said = open_window(project, "label")
    assert "Training tiny-1 was stopped" in find(said, QLabel, "message-text").text()


REAL = training_question.ask  # before conftest answers for a person


@pytest.fixture
def running(
    open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[MainWindow, Job, threading.Event]:
    """The window with a training that goes on until it is told to stop, or the event is set."""
    monkeypatch.setattr(training_question, "ask", REAL)
    window, over = open_window(project, "label"), threading.Event()

    def train(job: Job) -> Iterator[int]:
        while not over.wait(0.01) and not job.stop.is_set():
            yield 1

    job = window.session.start(Job("Training tiny-1", train, ends_itself=True, is_training=True))
    return window, job, over


def _answering(name: str, words: list[str]) -> None:
    """Press this button of the question that is about to come, or Enter where there is no name."""

    def answer(asked: QMessageBox) -> None:
        words.append(asked.text())
        button = find(asked, QPushButton, name) if name else asked.defaultButton()
        button.click()

    when_asked(QMessageBox, answer)


@pytest.mark.parametrize("way", ["window", "quit", "close-project"])
def test_what_would_stop_a_training_asks_once_and_goes_on_by_itself(
    qtbot: QtBot, running: tuple[MainWindow, Job, threading.Event], way: str
) -> None:
    window, job, _ = running
    leave = window.close if way == "window" else find(window, QAction, f"action-{way}").trigger
    words: list[str] = []
    _answering("", words)
    leave()
    assert words == ["Training tiny-1 is not finished."]
    assert window.isVisible()
    assert window.session.document is not None
    assert not job.stop.is_set(), "the training goes on"
    _answering("training-stop", words)
    leave()
    assert len(words) == 2
    qtbot.waitUntil(lambda: window.session.document is None and not window.session.is_training)
    assert window.isVisible() == (way == "close-project")


def test_the_title_of_the_question_has_room_beside_the_buttons_of_a_windows_frame(
    running: tuple[MainWindow, Job, threading.Event],
) -> None:
    window, _, over = running
    wide: list[int] = []

    def look(asked: QMessageBox) -> None:
        bold = asked.font()
        bold.setBold(True)
        wide.append(asked.width() - QFontMetrics(bold).horizontalAdvance(asked.windowTitle()))
        asked.reject()

    when_asked(QMessageBox, look)
    window.close()
    over.set()
    assert wide[0] > 200


@pytest.mark.parametrize("way", ["log", "history", "seen"])
def test_ctrl_q_in_another_window_of_the_program_quits(
    qtbot: QtBot, open_window: Open, project: Path, way: str
) -> None:
    window = open_window(project, "data")
    find(window, QAction, f"action-{way}").trigger()
    (other,) = (dialog for dialog in window.findChildren(QDialog) if dialog.isVisible())
    other.activateWindow()
    qtbot.waitUntil(other.isActiveWindow)
    QTest.keyClick(other, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not window.isVisible())
    assert window.session.document is None


def test_ctrl_q_does_not_quit_while_something_is_asked(open_window: Open, project: Path) -> None:
    window = open_window(project, "data")

    def press(asked: QMessageBox) -> None:
        QTest.keyClick(asked, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
        asked.reject()

    when_asked(QMessageBox, press)
    QMessageBox.question(window, "A question", "Shall it?")
    assert window.isVisible()


@pytest.mark.parametrize(("place", "waits"), [((1, 1), False), ((2, 4), True), ((4, 4), False)])
def test_the_question_tells_what_becomes_of_trainings_that_wait(
    running: tuple[MainWindow, Job, threading.Event], place: tuple[int, int], waits: bool
) -> None:
    window, job, over = running
    job.place = place
    told: list[str] = []

    def look(asked: QMessageBox) -> None:
        told.append(asked.informativeText())
        asked.reject()

    when_asked(QMessageBox, look)
    window.close()
    over.set()
    assert told[0].endswith(training_question.QUEUED) is waits


def test_ctrl_c_in_the_terminal_asks_nothing(running: tuple[MainWindow, Job, threading.Event]) -> None:
    window, job, _ = running
    window.closing.close_at_once()
    assert job.stop.is_set()
    assert not window.isVisible()


def test_opening_another_project_asks_before_it_stops_a_training(
    two: Path, running: tuple[MainWindow, Job, threading.Event]
) -> None:
    window, job, _ = running
    words: list[str] = []
    _answering("", words)
    assert not window.open(two)
    assert (words, job.stop.is_set()) == (["Training tiny-1 is not finished."], False)


def test_the_question_goes_with_the_training(qtbot: QtBot, running: tuple[MainWindow, Job, threading.Event]) -> None:
    window, _, over = running
    QTimer.singleShot(100, over.set)
    window.close()
    assert not window.isVisible()


def test_a_window_is_not_closed_by_a_training_that_ends_when_others_wait_behind_it(
    qtbot: QtBot, running: tuple[MainWindow, Job, threading.Event]
) -> None:
    window, job, over = running
    job.place = 1, 2
    QTimer.singleShot(100, over.set)
    window.close()
    assert window.isVisible(), "the next training begins, and closing would hold it"
    assert window.session.document is not None


def test_going_back_to_a_copy_is_not_done_by_the_end_of_a_training_that_is_asked_about(
    qtbot: QtBot, running: tuple[MainWindow, Job, threading.Event], project: Path
) -> None:
    window, _, over = running
    shown, told = window.session.document, []

    def look(asked: QMessageBox) -> None:
        told.append((asked.informativeText().split(" stops")[0], find(asked, QPushButton, "training-stop").text()))
        over.set()

    when_asked(QMessageBox, look)
    restore_copy(window.session, Backup(project / "nothing.sqlite", datetime.now()))
    assert told == [("Going back to a copy", "Stop and go back")]
    assert window.session.document is shown


@pytest.fixture
def two(project: Path, tmp_path: Path) -> Path:
    """Another project beside `project`; each has two labels, with the same ids."""
    for folder, names in ((project, ("cat", "dog")), (tmp_path / "other", ("bird", "fish"))):
        with Document.open(folder) if folder == project else Document.create(folder) as document:
            document.do(edits.AddLabels(tuple(Label(0, name) for name in names)))
    return tmp_path / "other"


def test_a_project_that_comes_while_something_is_asked_waits_for_the_answer(
    qtbot: QtBot, open_window: Open, project: Path, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_opener, "AT_ONCE", 0)  # in a job, as of ten thousand images
    window = open_window(project, "data")
    qtbot.waitUntil(lambda: window.session.document is not None and not window.session.jobs)
    window.open(two)
    seen: list[str] = []

    def answer(dialog: QInputDialog) -> None:
        seen.append(window.session.document.name)
        dialog.accept()

    # long after the project came
    QTimer.singleShot(600, lambda: when_asked(QInputDialog, answer))
    QInputDialog.getText(window, "Rename the label", "Name", text="kitten")
    seen.append(window.session.document.name)  # where the answer goes
    assert seen == ["project", "project"]
    qtbot.waitUntil(lambda: window.session.document is not None and window.session.document.name == "other")
    qtbot.waitUntil(lambda: not window.session.jobs)
    with Document.open(project, read_only=True) as document:
        assert [label.name for label in document.labels()] == ["cat", "dog"]
