"""Runs that go on wait in the queue while another is trained: resumed ones, and longer ones of finished ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QTableWidget, QTabWidget
from pytestqt.qtbot import QtBot

from tests.training.records.test_runs import PROGRESS, STARTED, leave
from tests.ui.train.queue.train_queue_driver import (
    end_with_evaluation,
    heard,
    is_training,
    on_disk,
    put,
    rows,
    table,
    typed,
)
from tests.ui.train.runs.run_list_driver import ENDED
from tests.ui.train.train_page_driver import (
    FakeTraining,
    button,
    label_all,
    page,
    press,
    run_rows,
    session,
    started,
    text,
    training,
)
from tests.ui.window_driver import find
from workbench.errors import WorkbenchError
from workbench.training.events import Control, Event
from workbench.training.records import run_actions
from workbench.training.records.record import EventLog
from workbench.training.request import RunRequest
from workbench.ui.session import Session
from workbench.ui.train.page import TrainPage
from workbench.ui.train.queue.queue_list import EPOCHS, RESUMED, START, STATE
from workbench.ui.train.runs.extend_window import ExtendWindow

__all__ = ["page", "session", "training"]  # fixtures
STOPPED = replace(ENDED, stopped=True)


@pytest.fixture
def earlier(qtbot: QtBot, page: TrainPage, session: Session) -> Path:
    """While one is trained, a run that was stopped is chosen in the list."""
    label_all(session)
    assert session.document is not None
    folder = leave(session.document.runs_folder / "earlier", replace(STARTED, run="earlier"), PROGRESS, STOPPED)
    (folder / "last.state.pt").write_bytes(b"state")
    (folder / "settings.toml").write_text('title = "Few images"\n', "utf-8")
    typed(page, "run-name", "running")
    started(qtbot, page, 2)
    choose(qtbot, page, "earlier")
    return folder


def choose(qtbot: QtBot, page: TrainPage, run: str) -> None:
    qtbot.waitUntil(lambda: run in [name for name, _ in run_rows(page)])
    find(page, QTableWidget, "train-runs").selectRow([name for name, _ in run_rows(page)].index(run))
    qtbot.waitUntil(lambda: text(page, "train-title").startswith(f"{run}: "))


def finish(folder: Path) -> None:
    log = EventLog(folder)
    log.add(ENDED)
    log.close()


def test_a_run_that_is_resumed_during_a_training_waits_for_its_end(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining, earlier: Path
) -> None:
    said = heard(session)
    assert button(page, "train-resume").text() == "Resume next"
    assert button(page, "train-resume").toolTip().startswith("A training is running: it waits in the queue until")
    press(qtbot, page, "train-resume")
    assert said == [f"'earlier' waits in the queue, in place 1. {RESUMED}"]
    press(qtbot, page, "train-resume")
    assert said[1] == "'earlier' waits in the queue already."
    assert rows(page) == on_disk(session) == ["earlier"]
    assert [rows(page, column) for column in (STATE, START, EPOCHS)] == [["next"], ["its last checkpoint"], ["4"]]
    find(page, QTabWidget, "train-tabs").setCurrentIndex(1)
    table(page).selectRow(0)
    assert text(page, "train-queue-note") == RESUMED
    assert not button(page, "train-queue-edit").isEnabled(), "its settings stay as they are"
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: is_training(session, "earlier") and rows(page) == [])
    assert training.requests[1:] == [earlier]
    assert on_disk(session) == []
    end_with_evaluation(qtbot, page, session)
    assert button(page, "train-resume").text() == "Resume"


def test_a_run_that_waits_is_found_by_its_new_name(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining, earlier: Path
) -> None:
    press(qtbot, page, "train-resume")
    moved = run_actions.rename(earlier, "better")
    put(qtbot, page, "other")
    assert rows(page) == ["better", "other"]
    assert text(page, "train-queue-words") == "2 trainings wait. Next: better."
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: is_training(session, "better") and training.requests[1:] == [moved])


def test_a_run_that_has_gone_when_its_turn_comes_stays_with_the_reason(
    qtbot: QtBot, page: TrainPage, session: Session, earlier: Path
) -> None:
    press(qtbot, page, "train-resume")
    put(qtbot, page, "other")
    deleted = run_actions.delete(earlier)
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: is_training(session, "other") and rows(page) == ["earlier"])
    assert rows(page, STATE) == ["could not begin"]
    find(page, QTabWidget, "train-tabs").setCurrentIndex(1)
    assert text(page, "train-queue-note") == "earlier: The run 'earlier' no longer exists."
    run_actions.restore(deleted)
    press(qtbot, page, "train-queue-hold")
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: is_training(session, "earlier"))


def test_one_that_was_finished_meanwhile_says_so(
    qtbot: QtBot, page: TrainPage, session: Session, earlier: Path
) -> None:
    press(qtbot, page, "train-resume")
    finish(earlier)
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: rows(page, STATE) == ["could not begin"])
    assert on_disk(session) == ["earlier"]
    assert text(page, "train-queue-note") == "earlier: This run is finished."


def test_one_that_its_training_refuses_does_not_count_as_begun_though_it_had_started_before(
    qtbot: QtBot, page: TrainPage, session: Session, earlier: Path
) -> None:
    def refuse(request: RunRequest | Path, control: Control) -> Iterator[Event]:
        if request == earlier:
            raise WorkbenchError("The run's data is missing.")
        yield from ()

    press(qtbot, page, "train-resume")
    page._train = refuse
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: not session.is_training and rows(page, STATE) == ["could not begin"])
    assert on_disk(session) == ["earlier"]
    assert text(page, "train-queue-note") == "earlier: The run's data is missing."


def test_stop_holds_it_and_the_curves_of_another_run_stay_when_it_begins(
    qtbot: QtBot, page: TrainPage, session: Session, earlier: Path
) -> None:
    press(qtbot, page, "train-resume")
    page.stop()
    qtbot.waitUntil(lambda: not session.is_training)
    assert text(page, "train-queue-words") == "The queue is held because a training was stopped: 1 training waits."
    put(qtbot, page, "first")
    find(page, QTabWidget, "train-tabs").setCurrentIndex(1)
    table(page).selectRow(1)
    press(qtbot, page, "train-queue-earlier")
    press(qtbot, page, "train-queue-hold")
    qtbot.waitUntil(lambda: is_training(session, "first"))
    choose(qtbot, page, "running")
    page._stop_after.set()
    page._progress.stop_after_requested.emit(True)
    qtbot.waitUntil(lambda: is_training(session, "earlier") and rows(page) == [])
    assert text(page, "train-title").startswith("running: stopped")


def test_a_longer_run_of_a_finished_one_waits_too(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining, earlier: Path
) -> None:
    for name in ("data.npz", "last.safetensors"):
        (earlier / name).write_bytes(b"")
    finish(earlier)
    settings = "epochs = 4\nbatch = 4\nlearning_rate = 0.1\nwarm_up = 0\n"
    (earlier / "settings.toml").write_text(f'detector = "toy"\n[training]\n{settings}', "utf-8")
    extend = find(page, QAction, "action-extend-run")
    qtbot.waitUntil(extend.isEnabled)
    assert extend.text() == "Extend next: put a longer run into the queue…"
    extend.trigger()
    qtbot.waitUntil(lambda: page.window().findChild(ExtendWindow) is not None)
    press(qtbot, page.window(), "extend-go")
    qtbot.waitUntil(lambda: rows(page) == ["earlier-to-6"])
    assert rows(page, EPOCHS) == ["6"]
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: is_training(session, "earlier-to-6"))
    qtbot.waitUntil(lambda: training.requests[1:] == [earlier.with_name("earlier-to-6")])
