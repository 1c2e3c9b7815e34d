"""Runs that go on, on the Train page: what is said before they have begun, and while a training reports nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QTableWidget
from pytestqt.qtbot import QtBot

from tests.ui.train.queue.train_queue_driver import heard
from tests.ui.train.train_page_driver import (
    FakeTraining,
    button,
    label_all,
    page,
    past_run,
    points,
    press,
    ready,
    run_rows,
    session,
    started,
    text,
    training,
)
from tests.ui.window_driver import find
from workbench.errors import WorkbenchError
from workbench.training.events import Control, Event
from workbench.training.records import runs
from workbench.training.request import RunRequest
from workbench.ui.session import Session
from workbench.ui.train.page import TrainPage
from workbench.ui.train.runs.run_actions import RunActions

__all__ = ["page", "session", "training"]  # fixtures
STOPPED = "earlier: stopped; Resume goes on with it"


@pytest.fixture
def resumed(qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining) -> TrainPage:
    """It goes on with a run that was stopped, and still reads its images."""
    training.quiet.set()
    label_all(session)
    past_run(session)
    ready(qtbot, page)
    qtbot.waitUntil(lambda: text(page, "train-title") == STOPPED)
    press(qtbot, page, "train-resume")
    qtbot.waitUntil(lambda: points(page, "loss", "box") == 5)
    return page


def test_a_run_that_goes_on_is_said_to_start_until_it_has(
    qtbot: QtBot, resumed: TrainPage, training: FakeTraining
) -> None:
    """A run that was extended was "interrupted" in the list, with "0:00 left" above, until its images were read."""
    assert text(resumed, "train-title") == "earlier: training"
    assert text(resumed, "train-numbers") == "Reading the images …"
    assert not button(resumed, "train-pause").isEnabled()
    assert run_rows(resumed) == [("earlier", "starting")]
    training.quiet.clear()
    qtbot.waitUntil(lambda: text(resumed, "train-title") == "earlier: training, 0:12 left")
    qtbot.waitUntil(lambda: text(resumed, "train-numbers").startswith("epoch "))
    assert button(resumed, "train-pause").isEnabled()


def test_one_that_is_stopped_before_it_has_begun_is_what_it_was(
    qtbot: QtBot, resumed: TrainPage, session: Session
) -> None:
    press(qtbot, resumed, "train-stop")
    qtbot.waitUntil(lambda: not session.jobs)
    qtbot.waitUntil(lambda: text(resumed, "train-title") == STOPPED)
    assert run_rows(resumed) == [("earlier", "stopped")]
    assert "step 5 of" in text(resumed, "train-numbers")


def test_one_that_can_not_go_on_is_what_it_was_and_says_why(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    """It was said to have failed, though nothing of it had changed."""

    def refuse(request: RunRequest | Path, control: Control) -> Iterator[Event]:
        yield from ()
        raise WorkbenchError("The run's data is missing.")

    page._train = refuse
    label_all(session)
    past_run(session)
    ready(qtbot, page)
    qtbot.waitUntil(lambda: text(page, "train-title") == STOPPED)
    said = heard(session)
    before = text(page, "train-data")
    press(qtbot, page, "train-resume")
    qtbot.waitUntil(lambda: bool(said) and not session.jobs)
    qtbot.waitUntil(lambda: text(page, "train-title") == STOPPED)
    assert said == ["The run's data is missing."]
    assert text(page, "train-data") == before, "the form is about another training"


def test_what_a_training_is_asked_is_seen_at_once_wherever_that_was(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining
) -> None:
    """During an evaluation, which may take minutes, Pause could be pressed again and again."""
    label_all(session)
    started(qtbot, page, 2)
    training.quiet.set()
    press(qtbot, page, "train-pause")
    assert text(page, "train-title").endswith(": pausing …")
    assert button(page, "train-pause").text() == "Continue"
    (job,) = session.jobs
    assert job.pause.is_set()
    press(qtbot, page, "train-pause")
    assert not job.pause.is_set()
    assert "pausing" not in text(page, "train-title")
    job.pause.set()  # as the status bar does
    qtbot.waitUntil(lambda: text(page, "train-title").endswith(": pausing …"))
    training.quiet.clear()
    qtbot.waitUntil(lambda: text(page, "train-title").endswith(": paused"))


def test_all_plots_are_drawn_up_to_the_last_step_also_if_the_next_takes_long(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining
) -> None:
    """One plot was drawn with each step: of a step in ten seconds, the last plot was half a minute behind."""
    label_all(session)
    started(qtbot, page)
    training.quiet.set()
    curves = (("loss", "box"), ("rate", "learning rate"), ("speed", "images a second"))
    qtbot.waitUntil(lambda: {points(page, *curve) for curve in curves} == {len(page._live.step)})
    qtbot.waitUntil(lambda: not page._curves.is_behind)


def test_where_the_run_that_is_looked_at_is_deleted_the_training_is_shown(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    """Nothing was shown, with no button to pause or stop it."""
    label_all(session)
    folder = past_run(session)
    started(qtbot, page, 2)
    qtbot.waitUntil(lambda: "earlier" in [name for name, _ in run_rows(page)])
    find(page, QTableWidget, "train-runs").selectRow([name for name, _ in run_rows(page)].index("earlier"))
    qtbot.waitUntil(lambda: text(page, "train-title") == STOPPED)
    assert not button(page, "train-stop").isVisible()
    find(page, RunActions, "").delete([runs.info(folder)])
    qtbot.waitUntil(button(page, "train-stop").isVisible)
    assert text(page, "train-title").startswith("yolov4-tiny-1: training")
