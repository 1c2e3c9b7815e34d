"""A training that begins from a run is checked again if that comes, goes or is renamed while it is checked."""

from __future__ import annotations

from pathlib import Path

from pytestqt.qtbot import QtBot

from tests.ui.train.form.test_starting_weights import choose
from tests.ui.train.preflight.preflight_driver import Fakes, fakes, shown, typed
from tests.ui.train.train_page_driver import button, press, session
from workbench.training.records.runs import RunInfo
from workbench.ui.session import Session
from workbench.ui.train.page import TrainPage

__all__ = ["fakes", "session", "shown"]  # fixtures


def test_a_training_from_a_run_is_looked_at_again_where_runs_come_or_go(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes, tmp_path: Path
) -> None:
    shown._setup.start_from.begin_from(tmp_path / "best.safetensors")
    typed(shown, "batch", "3")
    qtbot.waitUntil(lambda: fakes.requests[-1].start == tmp_path / "best.safetensors")
    for change in ((tmp_path / "best.safetensors").touch, (tmp_path / "best.safetensors").unlink):
        seen = len(fakes.requests)
        change()
        session.runs_changed.emit()
        qtbot.waitUntil(lambda seen=seen: len(fakes.requests) == seen + 1)  # type: ignore[misc]


def test_a_start_from_a_run_goes_ahead_though_that_is_renamed_meanwhile(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes, tmp_path: Path
) -> None:
    """What had been checked was of the former name, and nothing else was: Start said for ever that it was checked."""
    begin_from, former = shown._setup.start_from.begin_from, tmp_path / "best.safetensors"
    former.touch()
    begin_from(former)
    fakes.finishes.clear()
    typed(shown, "batch", "3")
    press(qtbot, shown, "train-start")
    begin_from(former.rename(tmp_path / "renamed.safetensors"))
    session.runs_changed.emit()
    fakes.finishes.set()
    qtbot.waitUntil(lambda: session.is_training)


def test_no_training_begins_from_fresh_weights_if_the_run_it_was_to_begin_from_goes_meanwhile(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes, tmp_path: Path
) -> None:
    """They were chosen in its place, and what had been pressed for the run went ahead with them."""
    assert shown._setup.choice is not None
    best = tmp_path / "best.safetensors"
    best.touch()
    run = RunInfo("first", tmp_path, shown._setup.choice.name, "", "finished", 0.0, 1, 1, 1, 0.5, 0.5)
    qtbot.waitUntil(shown._run_actions._list.is_idle)
    shown._setup.offer_runs([run])
    choose(shown._setup.start_from, best)
    fakes.finishes.clear()
    typed(shown, "batch", "3")
    press(qtbot, shown, "train-start")
    assert shown._setup.buttons.is_pending
    best.unlink()
    shown._setup.offer_runs(())
    seen = len(fakes.requests)
    fakes.finishes.set()
    qtbot.waitUntil(lambda: len(fakes.requests) > seen)
    qtbot.waitUntil(shown._preflight._checker.is_idle)
    assert not session.is_training
    assert button(shown, "train-start").text() == "Start training"
    press(qtbot, shown, "train-start")
    qtbot.waitUntil(lambda: session.is_training)


def test_a_start_from_a_run_does_not_wait_for_one_that_saves_often(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes, tmp_path: Path
) -> None:
    """Each save began the check anew: beside a training that saves each second, Train next checked for ever."""
    (tmp_path / "best.safetensors").touch()
    shown._setup.start_from.begin_from(tmp_path / "best.safetensors")
    fakes.finishes.clear()
    typed(shown, "batch", "3")
    press(qtbot, shown, "train-start")
    qtbot.waitUntil(lambda: fakes.requests[-1].recipe.training.batch == 3)
    seen = len(fakes.requests)
    session.runs_changed.emit()
    fakes.finishes.set()
    qtbot.waitUntil(lambda: session.is_training)
    assert len(fakes.requests) == seen
