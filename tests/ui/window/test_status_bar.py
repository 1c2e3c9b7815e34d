"""The bottom line follows a job: its title, how far it is, Pause for a training, Stop for all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QProgressBar, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.ui.actions import key_text
from workbench.ui.job import Job
from workbench.ui.job_progress import JobProgress
from workbench.ui.train.runs.history import RunHistory
from workbench.ui.window.status_bar import StatusBar


def until_stopped(job: Job) -> Iterator[JobProgress]:
    yield JobProgress(3, 12, "c.png")
    job.stop.wait(20)


def test_a_job_shows_how_far_it_is_and_ends_by_the_stop_button(qtbot: QtBot, open_window: Open) -> None:
    window = open_window()
    title, stop = find(window, QLabel, "job-title"), find(window, QToolButton, "job-stop")
    assert not stop.isVisible()
    window.session.start(Job("Reading files", until_stopped, window))
    qtbot.waitUntil(lambda: "Reading files  3 of 12 c.png" in title.text())
    assert find(window, QProgressBar, "job-progress").value() == 250
    assert not find(window, QToolButton, "job-pause").isVisible()
    QTest.mouseClick(stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: title.text() == "")
    assert not stop.isVisible()


def at_the_first_of_two(job: Job) -> Iterator[JobProgress]:
    yield JobProgress(0, 2, "ONNX")
    job.stop.wait(20)


def test_the_bar_moves_until_something_is_done(qtbot: QtBot, open_window: Open) -> None:
    window = open_window()
    window.session.start(Job("Exporting", at_the_first_of_two, window))
    qtbot.waitUntil(lambda: "0 of 2 ONNX" in find(window, QLabel, "job-title").text())
    assert find(window, QProgressBar, "job-progress").maximum() == 0


def until_paused_and_stopped(job: Job) -> Iterator[JobProgress]:
    yield JobProgress(1, 2)
    job.pause.wait(20)
    yield JobProgress(2, 2, "it waits")
    job.stop.wait(20)


def test_a_training_can_be_paused_from_any_page(qtbot: QtBot, open_window: Open) -> None:
    window = open_window()
    job = window.session.start(Job("Run 'tiny-2'", until_paused_and_stopped, window, is_training=True))
    pause = find(window, QToolButton, "job-pause")
    assert pause.isVisible()
    QTest.mouseClick(pause, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "it waits" in find(window, QLabel, "job-title").text())
    assert pause.text() == "Continue"
    QTest.mouseClick(pause, Qt.MouseButton.LeftButton)
    assert not job.pause.is_set()
    assert pause.text() == "Pause"


def test_what_runs_is_paused_and_stopped_by_key(qtbot: QtBot, open_window: Open) -> None:
    window = open_window()
    control, pausing = Qt.KeyboardModifier.ControlModifier, find(window, QAction, "action-pause-job")
    assert not pausing.isEnabled()
    job = window.session.start(Job("Run 'tiny-2'", until_paused_and_stopped, window, is_training=True))
    assert pausing.isEnabled()
    for is_set in (True, False):
        QTest.keyClick(window, Qt.Key.Key_P, control | Qt.KeyboardModifier.ShiftModifier)
        assert job.pause.is_set() is is_set
    QTest.keyClick(window, Qt.Key.Key_Period, control)
    assert job.stop.is_set()
    qtbot.waitUntil(lambda: not find(window, QAction, "action-stop-job").isEnabled())


def test_a_training_stays_in_sight_with_its_pause_and_stop_while_another_job_runs(
    qtbot: QtBot, open_window: Open
) -> None:
    window = open_window()
    title, beside = find(window, QLabel, "job-title"), find(window, QLabel, "training-title")
    training = window.session.start(Job("Run 'tiny-2'", until_stopped, window, is_training=True))
    qtbot.waitUntil(lambda: "3 of 12" in title.text())
    assert not beside.isVisible()
    find(window, QToolButton, "job-pause").click()
    other = window.session.start(Job("Exporting", until_stopped, window))
    qtbot.waitUntil(lambda: "Exporting  3 of 12" in title.text())
    qtbot.waitUntil(lambda: "Run 'tiny-2'  3 of 12" in beside.text())
    assert find(window, QToolButton, "job-pause").isHidden()
    assert find(window, QProgressBar, "training-progress").width() < 100, "the words need the room"
    pause = find(window, QToolButton, "training-pause")
    assert pause.text() == "Continue"
    tips = [find(window, QToolButton, f"{line}-stop").toolTip() for line in ("training", "job")]
    assert [key_text("Ctrl+.") in tip for tip in tips] == [False, True], "the key stops what began last"
    find(window, QAction, "action-pause-job").trigger()
    assert not training.pause.is_set()
    find(window, QAction, "action-stop-job").trigger()
    qtbot.waitUntil(lambda: window.session.jobs == [training])
    assert "Run 'tiny-2'  3 of 12" in title.text()
    assert not beside.isVisible()
    assert other.stop.is_set()
    window.session.start(Job("Exporting", until_stopped, window))
    find(window, QToolButton, "training-stop").click()
    assert training.stop.is_set()


def test_closing_the_window_ends_a_running_job(open_window: Open) -> None:
    window = open_window()
    job = window.session.start(Job("Reading files", until_stopped, window))
    window.close()
    assert job.isFinished()


def resumed(job: Job) -> Iterator[object]:
    yield RunHistory()  # what a resumed run reports first: arrays under the names of numbers
    yield JobProgress(1, 4)
    job.stop.wait(20)


def test_a_history_of_lists_does_not_reach_the_bar(qtbot: QtBot, open_window: Open) -> None:
    window = open_window()
    window.session.start(Job("Run 'tiny-2'", resumed, window))
    qtbot.waitUntil(lambda: "1 of 4" in find(window, QLabel, "job-title").text())
    assert find(window, QProgressBar, "job-progress").value() == 250


@dataclass(frozen=True)
class OnDevice:
    device: str = "cpu"
    precision: str = "fp32"
    memory_bytes: int = 5_000_000


def on_device(_: Job) -> Iterator[OnDevice]:
    yield OnDevice()


@dataclass(frozen=True)
class LongTraining:
    epoch: int = 1200
    epochs: int = 4800


def test_epochs_are_counted_in_the_words_of_the_train_page(qtbot: QtBot, open_window: Open) -> None:
    window = open_window()

    def trains(job: Job) -> Iterator[LongTraining]:
        yield LongTraining()
        job.stop.wait(20)

    window.session.start(Job("Training tiny-1", trains, window))
    title = find(window, QLabel, "job-title")
    qtbot.waitUntil(lambda: title.text() == "Training tiny-1  epoch 1,200 of 4,800")


def test_device_and_precision_of_the_last_job_stay_and_the_memory_is_the_programs(
    qtbot: QtBot, open_window: Open
) -> None:
    window = open_window()
    device, memory = find(window, QLabel, "device"), find(window, QLabel, "memory")
    assert device.text() == ""
    window.session.start(Job("Run 'tiny-2'", on_device, window))
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert device.text() == "CPU  fp32"
    assert "Run 'tiny-2'" in device.toolTip()
    find(window, StatusBar, "status-bar").show_memory()
    assert memory.text().startswith("Memory ")
    assert memory.text().endswith(("MB", "GB"))


def test_the_keys_are_a_click_away(open_window: Open) -> None:
    window = open_window()
    QTest.mouseClick(find(window, QToolButton, "show-keys"), Qt.MouseButton.LeftButton)
    assert find(window, QWidget, "keys-sheet").isVisible()
