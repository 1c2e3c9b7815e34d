"""Below the form of the Train page: what a training would cost, measured in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from tests.ui.train.preflight.preflight_driver import Fakes, fakes, shown, typed
from tests.ui.train.train_page_driver import button, label_all, press, session, text
from workbench.core.child_process import ChildEnded
from workbench.errors import WorkbenchError
from workbench.training import recipes
from workbench.training.checks.estimate import Estimate
from workbench.ui.session import Session
from workbench.ui.train.page import TrainPage
from workbench.ui.train.preflight import preflight_work
from workbench.ui.train.preflight.preflight_panel import ESTIMATE, ESTIMATE_HELP
from workbench.ui.train.preflight.preflight_work import PreflightRequest
from workbench.ui.train.refusals import ANOTHER_TRAINS

__all__ = ["fakes", "session", "shown"]  # fixtures


def test_an_estimate_is_shown_until_something_is_changed(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    cost = shown.findChild(QLabel, "train-cost")
    assert cost.isHidden(), "no line of the form is taken before"
    press(qtbot, shown, "train-estimate")
    assert fakes.estimate is not None
    qtbot.waitUntil(lambda: text(shown, "train-cost") == fakes.estimate.words)
    assert "made of noise" in cost.toolTip()
    assert cost.isVisible()
    typed(shown, "batch", "3")
    assert cost.isHidden()


def test_an_estimate_is_not_shown_of_what_was_changed_before_its_job_had_ended(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    fakes.held.set()  # until the test listens
    press(qtbot, shown, "train-estimate")
    (job,) = (job for job in session.jobs if job.title == "Estimating the training")
    job.reported.connect(lambda _: typed(shown, "batch", "3"))
    fakes.held.clear()
    qtbot.waitUntil(lambda: not session.jobs)
    assert text(shown, "train-cost") == ""


def test_an_estimate_can_be_stopped(qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes) -> None:
    fakes.held.set()
    press(qtbot, shown, "train-estimate")
    assert button(shown, "train-estimate").text() == "Stop"
    assert text(shown, "train-cost") == "Trying a few steps …"
    press(qtbot, shown, "train-estimate")
    qtbot.waitUntil(lambda: not session.jobs)
    assert (button(shown, "train-estimate").text(), text(shown, "train-cost")) == (ESTIMATE, "")


def test_an_estimate_of_other_settings_than_now_is_not_shown(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    fakes.held.set()
    press(qtbot, shown, "train-estimate")
    typed(shown, "batch", "3")
    assert text(shown, "train-cost") == "Trying a few steps …"
    fakes.held.clear()
    told = "The settings or the labels have changed since: estimate the time again."
    qtbot.waitUntil(lambda: text(shown, "train-cost") == told)


def test_a_training_has_the_machine_for_itself(qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes) -> None:
    fakes.held.set()
    press(qtbot, shown, "train-estimate")
    press(qtbot, shown, "train-start")
    qtbot.waitUntil(lambda: [job.ends_itself for job in session.jobs] == [True])
    assert not button(shown, "train-estimate").isEnabled()
    assert button(shown, "train-estimate").toolTip() == ANOTHER_TRAINS
    press(qtbot, shown, "train-stop")
    qtbot.waitUntil(lambda: not session.jobs)
    qtbot.waitUntil(button(shown, "train-estimate").isEnabled)
    assert button(shown, "train-estimate").toolTip() == ESTIMATE_HELP


def test_an_estimate_that_fails_says_why(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    fakes.error = WorkbenchError("There is no device 'cuda' on this machine.")
    press(qtbot, shown, "train-estimate")
    qtbot.waitUntil(lambda: text(shown, "train-cost") == "There is no device 'cuda' on this machine.")


class Mute:
    """A child that ends without a word, as one that the system ends for its memory."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def send(self, _: object) -> None:
        pass

    def receive(self) -> object:
        raise ChildEnded

    def close(self) -> None:
        pass


def test_a_child_that_is_ended_by_the_system_is_told_as_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight_work, "ChildProcess", Mute)
    request = PreflightRequest(Path("project"), recipes.preset("quick-cpu"), None, 0)
    with pytest.raises(WorkbenchError, match="too little memory"):
        preflight_work.estimate_cost(request, lambda: False)
    assert preflight_work.estimate_cost(request, lambda: True) is None


def test_what_the_child_refuses_is_refused_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight_work, "ChildProcess", Mute)
    monkeypatch.setattr(Mute, "receive", lambda self: {"error": "There is no device 'cuda:99'.", "cause": "x"})
    with pytest.raises(WorkbenchError, match="There is no device 'cuda:99'"):
        preflight_work.estimate_cost(
            PreflightRequest(Path("project"), recipes.preset("quick-cpu"), None, 0), lambda: False
        )


@pytest.mark.slow
def test_a_child_measures(session: Session) -> None:
    label_all(session)
    assert session.document is not None
    recipe = recipes.preset("quick-cpu").changed({"input_px": 64, "width": 0.05, "precision": "fp32", "device": "cpu"})
    found = preflight_work.estimate_cost(PreflightRequest(session.document.folder, recipe, None, 0), lambda: False)
    assert isinstance(found, Estimate)
    assert (found.images, found.px, found.batch) == (3, 64, 8)
