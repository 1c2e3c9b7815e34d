"""Runs that another program trains while the Train page is seen: their curves and their rows follow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QTableWidget
from pytestqt.qtbot import QtBot

from tests.ui.train.train_page_driver import button, label_all, page, progress, session, training
from tests.ui.window_driver import find
from workbench.core.storage.lock import Lock
from workbench.training import events
from workbench.training.events import Evaluated, Event, Finished, Started
from workbench.ui.session import Session
from workbench.ui.train.page import TrainPage
from workbench.ui.train.runs.runs_table import AP50, NAME, STATE

__all__ = ["page", "session", "training"]  # fixtures

STARTED = Started("cli-1", "", "yolov4-tiny", "cpu", "fp32", 8, 20, 4, 40, 1234, time=9e8)
EVALUATED = Evaluated(1, 10, 0.3, 0.51, 0.2, {}, 20, 0.1, True)
FINISHED = Finished(40, 4, False, 0.51, 1.0, "")


class Other:
    """Another program, which trains."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.file = folder / "events.jsonl"
        self.lock = Lock(folder)

    def write(self, text: str) -> None:
        with open(self.file, "a", encoding="utf-8") as file:
            file.write(text)

    def tell(self, *told: Event) -> None:
        self.write("".join(events.to_json(event) + "\n" for event in told))


@pytest.fixture
def other(session: Session) -> Iterator[Other]:
    assert session.document is not None
    label_all(session)
    other = Other(session.document.runs_folder / "cli-1")
    yield other
    other.lock.release()


def poll(qtbot: QtBot, page: TrainPage) -> None:
    """Now, and not after two seconds."""
    page._follower.poll()
    qtbot.waitUntil(page._follower._poller.is_idle)


def title(page: TrainPage) -> str:
    text: str = find(page, QLabel, "train-title").text()
    return text


def numbers(page: TrainPage) -> str:
    text: str = find(page, QLabel, "train-numbers").text()
    return text


def row(page: TrainPage, run: str) -> tuple[str, str]:
    """Its state and AP50; empty where it is not listed."""
    table = find(page, QTableWidget, "train-runs")
    for at in range(table.rowCount()):
        if table.item(at, NAME).text() == run:
            return table.item(at, STATE).text(), table.item(at, AP50).text()
    return "", ""


def test_the_curves_and_the_row_of_a_run_grow_while_another_program_trains_it(
    qtbot: QtBot, page: TrainPage, session: Session, other: Other
) -> None:
    changes: list[bool] = []
    session.runs_changed.connect(lambda: changes.append(True))
    other.tell(STARTED, progress(1), progress(2))
    page.shown()
    qtbot.waitUntil(lambda: title(page) == "cli-1: training in another program, 0:12 left")
    assert not button(page, "train-stop").isVisible(), "it can't be stopped from here"
    whole = events.to_json(progress(3)) + "\n"
    other.write(whole[:20])
    poll(qtbot, page)
    other.write(whole[20:])
    other.tell(progress(10), EVALUATED)
    qtbot.waitUntil(lambda: "step 10 of 40" in numbers(page))
    assert page._curves.loss.data("box")[0].tolist() == [1, 2, 3, 10]
    assert page._curves.ap.data("AP50")[1].tolist() == [0.51]
    qtbot.waitUntil(lambda: row(page, "cli-1") == ("running", "0.510"))  # looked at by itself
    assert changes, "Compare and Inspect are told of the checkpoint"
    changes.clear()
    other.tell(replace(EVALUATED, epoch=2, step=20, ap=0.1, ap50=0.2, best=False))
    poll(qtbot, page)
    assert changes, "and of each evaluation"
    other.tell(progress(40), FINISHED)
    other.lock.release()
    qtbot.waitUntil(lambda: title(page) == "cli-1: finished")
    qtbot.waitUntil(lambda: row(page, "cli-1")[0] == "finished")


def test_a_run_that_is_killed_elsewhere_is_called_interrupted_and_one_that_goes_on_there_is_followed(
    qtbot: QtBot, page: TrainPage, session: Session, other: Other
) -> None:
    other.tell(STARTED, progress(1))
    page.shown()
    qtbot.waitUntil(lambda: title(page).startswith("cli-1: training in another program"))
    other.lock.release()
    qtbot.waitUntil(lambda: title(page) == "cli-1: interrupted; Resume goes on with it")
    qtbot.waitUntil(lambda: row(page, "cli-1")[0] == "interrupted")
    other.lock = Lock(other.file.parent)
    other.tell(STARTED, progress(7))
    qtbot.waitUntil(lambda: title(page).startswith("cli-1: training in another program"))
    other.tell(progress(8))
    qtbot.waitUntil(lambda: "step 8 of 40" in numbers(page))
    assert page._curves.loss.data("box")[0].tolist() == [7, 8], "those before were not saved"


def test_a_run_that_begins_elsewhere_is_listed_and_what_is_shown_stays(
    qtbot: QtBot, page: TrainPage, session: Session, other: Other
) -> None:
    past = Other(other.file.parent.with_name("past"))
    past.tell(STARTED, progress(40), FINISHED)
    past.lock.release()
    page.shown()
    qtbot.waitUntil(lambda: title(page) == "past: finished")
    poll(qtbot, page)
    other.tell(STARTED, progress(1))
    qtbot.waitUntil(lambda: row(page, "cli-1")[0] == "running")
    assert title(page) == "past: finished"


def test_a_run_that_another_program_removes_goes_from_the_page_too(
    qtbot: QtBot, page: TrainPage, session: Session, other: Other
) -> None:
    """Its curves stayed, and were those of no run."""
    past = Other(other.file.parent.with_name("past"))
    past.tell(replace(STARTED, time=8e8), progress(3), FINISHED)
    past.lock.release()
    other.tell(STARTED, progress(1), progress(40), FINISHED)
    other.lock.release()
    page.shown()
    qtbot.waitUntil(lambda: title(page) == "cli-1: finished")
    poll(qtbot, page)
    shutil.rmtree(other.file.parent)
    poll(qtbot, page)
    qtbot.waitUntil(lambda: title(page) == "past: finished")
    assert row(page, "cli-1") == ("", "")
    assert page._curves.loss.data("box")[0].tolist() == [3]
    shutil.rmtree(past.file.parent)
    poll(qtbot, page)
    qtbot.waitUntil(lambda: not page._shown_name)
    assert row(page, "past") == ("", "")
    assert title(page) == find(page, QLabel, "train-title").text() == ""
