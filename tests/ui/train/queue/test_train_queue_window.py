"""The queue of trainings in the real window, with real trainings: in the evening two, in the morning two runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit, QTableWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.training.records import queue_file, runs
from workbench.ui.window.main_window import MainWindow

pytestmark = pytest.mark.slow
SMALL = {"epochs": "2", "input_px": "64", "batch": "2", "width": "0.1", "threads": "1"}


@pytest.fixture
def labelled(project: Path) -> Path:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
        ids, label = tuple(image.id for image in document.images()), document.labels()[0].id
        document.do(edits.AddBoxes(tuple(Box(0, image, label, (20, 20, 120, 80)) for image in ids)))
        document.do(edits.SetState(ids, State.DONE))
    return project


def wait(qtbot: QtBot, condition: Callable[[], bool]) -> None:
    qtbot.waitUntil(condition, timeout=120_000)


def press(qtbot: QtBot, window: MainWindow, name: str) -> None:
    button = find(window, QAbstractButton, name)
    wait(qtbot, button.isEnabled)
    button.click()


def fill_in(qtbot: QtBot, window: MainWindow, name: str, **more: str) -> None:
    wait(qtbot, find(window, QComboBox, "train-detector").isEnabled)
    for row, typed in {**SMALL, **more}.items():
        find(window, QLineEdit, f"train-form-{row}").setText(typed)
    find(window, QLineEdit, "train-run-name").setText(name)


def queue(qtbot: QtBot, window: MainWindow, name: str, waiting: int) -> None:
    fill_in(qtbot, window, name)
    press(qtbot, window, "train-next")
    wait(qtbot, lambda: find(window, QTableWidget, "train-queue").rowCount() == waiting)


def states(project: Path) -> dict[str, str]:
    return {run.name: run.state for run in runs.runs(project / "runs")}


def test_two_trainings_that_were_queued_are_both_trained(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "train")
    queue(qtbot, window, "one", 1)
    queue(qtbot, window, "two", 2)
    assert states(labelled) == {}
    press(qtbot, window, "train-queue-hold")
    wait(qtbot, lambda: "Training one  run 1 of 2" in find(window, QLabel, "job-title").text())
    wait(qtbot, lambda: "Training two  run 2 of 2" in find(window, QLabel, "job-title").text())
    wait(qtbot, lambda: states(labelled) == {"one": "finished", "two": "finished"} and not window.session.jobs)
    assert all((labelled / "runs" / name / "last.safetensors").exists() for name in ("one", "two"))
    assert not (labelled / queue_file.FILE).exists()
    assert find(window, QLabel, "message-text").text().startswith("The queue has ended: one finished")


def test_what_waits_outlives_the_window_and_is_trained_when_a_person_lets_it_go_on(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled, "train")
    fill_in(qtbot, window, "long", epochs="10000")
    press(qtbot, window, "train-start")
    wait(qtbot, lambda: window.session.is_training)
    queue(qtbot, window, "two", 1)
    wait(qtbot, lambda: runs.info(labelled / "runs" / "long").step > 1)
    window.close()
    assert states(labelled) == {"long": "stopped"}
    assert [one.name for one in queue_file.read(labelled / queue_file.FILE)] == ["two"]
    window = open_window(labelled, "label")
    left = find(window, QLabel, "message-text").text()
    assert left.endswith("press Resume on the Train page. Trainings that wait in the queue are held there.")
    window.show_page("train")
    told = find(window, QLabel, "train-queue-words").text()
    assert told == "The queue is held because the project was closed: 1 training waits."
    assert not window.session.is_training
    press(qtbot, window, "train-queue-hold")
    wait(qtbot, lambda: states(labelled) == {"long": "stopped", "two": "finished"} and not window.session.jobs)
    assert not (labelled / queue_file.FILE).exists()
