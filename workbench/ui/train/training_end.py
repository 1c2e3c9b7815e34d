"""How a training ends: after the next evaluation if a person asked for that, and what is reported when it has ended."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget

from workbench.core.formatting import duration, share
from workbench.errors import WorkbenchError
from workbench.training import run_recipe, runs
from workbench.training.events import Control, Evaluated, Event, Failed, Finished, Started
from workbench.training.request import DeferredRunRequest, RunRequest
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.train import work
from workbench.ui.train.runs.evaluation_size import few_images_note
from workbench.ui.train.runs.history import RunHistory
from workbench.ui.train.work import Train

AnyEvent = TypeVar("AnyEvent")
log = logging.getLogger(__name__)


def stop_after_evaluation(events: Iterator[AnyEvent], control: Control, after: threading.Event) -> Iterator[AnyEvent]:
    """Pass `events` on. While `after` is set, the next evaluation is the last: the training stops when it is reported.

    Runs in the training's thread, so that not a single step of the next epoch is computed.
    """
    with contextlib.closing(events):  # type: ignore[type-var]
        for event in events:
            if isinstance(event, Evaluated) and after.is_set():
                control.stop.set()
            yield event


def events(
    train: Train,
    request: DeferredRunRequest | RunRequest | Path,
    job: Job,
    after: threading.Event,
    for_tensorboard: bool = False,
) -> Iterator[Event | RunHistory]:
    """The events of a training that obeys the flags of `job`, and `after` as in `stop_after_evaluation`."""
    control = Control(job.stop, job.pause)
    return stop_after_evaluation(work.events(train, request, control, for_tensorboard), control, after)


def training_job(
    name: str,
    train: Train,
    request: DeferredRunRequest | RunRequest | Path,
    after: threading.Event,
    for_tensorboard: bool = False,
) -> Job:
    """A Job for the training of run `name`; see `events`."""

    def run_events(job: Job) -> Iterator[Event | RunHistory]:
        return events(train, request, job, after, for_tensorboard)

    return Job(f"Training {name}", run_events, ends_itself=True, is_training=True, low_priority=True)


def evaluates(request: DeferredRunRequest | RunRequest | Path) -> bool:
    """Whether the training evaluates before its end; a path is a run to resume."""
    if isinstance(request, DeferredRunRequest | RunRequest):
        return request.recipe.training.evaluate_every > 0
    try:
        return int(run_recipe.tables(request / runs.RECIPE)["training"]["evaluate_every"]) > 0
    except (KeyError, TypeError, ValueError):  # reported later, when the run can't be resumed
        return True


def end_sentence(name: str, history: RunHistory) -> str:
    """What ended, its best AP and how long it took; if it failed, why. "" if it ended without any event."""
    ended = history.ended
    if isinstance(ended, Failed):
        return f"The training of {name} failed. {ended.sentence}"
    if not isinstance(ended, Finished):
        return ""
    word = f"was stopped in epoch {ended.epoch:,}" if ended.stopped else "has finished"
    return f"The training of {name} {word} after {duration(ended.seconds)}. {_best(history)}"


def _best(history: RunHistory) -> str:
    best = history.best
    if best is None or math.isnan(best.ap50):
        return "It was not evaluated."
    few, first = few_images_note(best.images), next(iter(history.evaluations), best)
    word = "Newest" if few else "Best"
    numbers = f"{word}: AP50 {share(best.ap50)}, AP {share(best.ap)} in epoch {best.epoch:,}{few and f', {few}'}."
    if first.step:
        return numbers
    if best is first:
        return f"It found nothing better than the weights it began with (AP50 {share(first.ap50)})."
    return f"{numbers} It began with AP50 {share(first.ap50)}, AP {share(first.ap)}."


class FollowedTraining:
    """What is known of the training that runs."""

    def __init__(self) -> None:
        self._name = ""
        self.began = False
        self.stops_after = False
        self._evaluated = -1  # the step of the last evaluation
        self._ended: Finished | Failed | None = None

    def add(self, event: object) -> None:
        if isinstance(event, Started):
            self.began, self._name = True, event.run
        elif isinstance(event, Evaluated):
            self._evaluated = event.step
        elif isinstance(event, Finished | Failed):
            self._ended = event

    @property
    def failure(self) -> str:
        return self._ended.sentence if isinstance(self._ended, Failed) else ""

    @property
    def stopped_as_asked(self) -> bool:
        """Whether it stopped with an evaluation, as "Stop after the next evaluation" says."""
        return self.stops_after and isinstance(self._ended, Finished) and self._ended.step == self._evaluated

    @property
    def outcome(self) -> str:
        """What became of it, once it has begun."""
        if not isinstance(self._ended, Finished):
            return f"{self._name} failed"
        best = "" if math.isnan(self._ended.best_ap50) else f", AP50 {share(self._ended.best_ap50)}"
        return f"{self._name} {'stopped' if self._ended.stopped else 'finished'}{best}"


def refusal(session: Session, job: Job, history: RunHistory | None) -> str:
    """Why the ended training of `job` was refused before it began, "" if it was not. Reports it if nothing else has."""
    if history is None or history.started is not None:
        return ""
    if job.error is not None:  # which the session has reported
        return job.error.sentence
    if isinstance(history.ended, Failed):
        session.report_error(WorkbenchError(history.ended.sentence, history.ended.cause))
        return history.ended.sentence
    return ""


class EndNotice(QObject):
    """Reports an ended training in the corner; if the person works elsewhere, the window also requests attention, and
    the corner repeats it when they are back.
    """

    def __init__(self, session: Session, owner: QWidget) -> None:
        super().__init__(owner)
        self._session, self._owner = session, owner
        self._waiting: tuple[str, str] | None = None
        self._watched: QWidget | None = None

    def tell(self, name: str, history: RunHistory, already_shown: bool = False) -> None:
        """The run with this history has ended. `already_shown`: the corner shows it already."""
        words = end_sentence(name, history)
        if not words:
            return
        level = "hint"
        if isinstance(history.ended, Failed):
            level = "error"
            log.warning("%s (%s)", words, history.ended.cause)
        self.say(level, words, already_shown and level == "error")

    def say(self, level: str, words: str, already_shown: bool = False) -> None:
        """Show this in the corner, with the level of a message, and again once the person is back."""
        if not already_shown:
            self._session.message.emit(level, words)
        window = self._owner.window()
        if not window.isActiveWindow():
            self._waiting = (level, words)
            self._watch(window)
            QApplication.alert(window)

    def _watch(self, window: QWidget) -> None:
        if self._watched is not window:
            self._watched = window
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.WindowActivate and self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._session.message.emit(*waiting)
        return False
