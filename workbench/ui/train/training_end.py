"""What is said of a training that has ended: how, with which AP, or why it did not begin."""

from __future__ import annotations

import logging
import math

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget

from workbench.core.formatting import duration, share
from workbench.errors import WorkbenchError
from workbench.training.events import Failed, Finished
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.train.runs.evaluation_size import few_images_note
from workbench.ui.train.runs.history import RunHistory, Stage

WITH_A_WAY_ON = ("train", "label")
"""Pages that go on from an ended training by themselves: one has a button Inspect, the other the run's suggestions."""
NO_BOX = "Its AP is not known: there was no box to judge it by."
log = logging.getLogger(__name__)


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
        return NO_BOX if history.evaluations else "It was not evaluated."
    few, first = few_images_note(best.images), next(iter(history.evaluations), best)
    word = "Newest" if few else "Best"
    numbers = f"{word}: AP50 {share(best.ap50)}, AP {share(best.ap)} in epoch {best.epoch:,}{few and f', {few}'}."
    if first.step:
        return numbers
    if best is first:
        return f"It found nothing better than the weights it began with (AP50 {share(first.ap50)})."
    return f"{numbers} It began with AP50 {share(first.ap50)}, AP {share(first.ap)}."


def is_end_of_evaluation(history: RunHistory) -> bool:
    """Whether it stopped with an evaluation, as "Stop after the next evaluation" says: not with that after which it had
    stopped before it was resumed.
    """
    ended, evaluations = history.ended, history.evaluations
    if not isinstance(ended, Finished) or not evaluations or history.started is None or history.stage is Stage.READING:
        return False
    is_former = 0 < ended.step == history.started.resumed_step
    return evaluations[-1].step == ended.step and not is_former


def outcome(name: str, history: RunHistory) -> str:
    """What became of a run that has begun, in a few words."""
    ended = history.ended
    if not isinstance(ended, Finished):
        return f"{name} failed"
    best = "" if math.isnan(ended.best_ap50) else f", AP50 {share(ended.best_ap50)}"
    return f"{name} {'stopped' if ended.stopped else 'finished'}{best}"


def refusal(session: Session, job: Job, history: RunHistory) -> str:
    """Why the ended training of `job` was refused before it began, "" if it was not. Reports it if nothing else has."""
    if history.stage is not Stage.READING:
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
        self._waiting: tuple[str, str, str] | None = None  # as for _emit
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
        reached_its_end = isinstance(history.ended, Finished) and not history.ended.stopped
        self.say(level, words, already_shown and level == "error", name if reached_its_end else "")

    def say(self, level: str, words: str, already_shown: bool = False, run: str = "") -> None:
        """Show this in the corner, with the level of a message, and again once the person is back.

        `run`: the name of one that a button beside it is to show on the Inspect page.
        """
        if not already_shown:
            self._emit(level, words, run)
        window = self._owner.window()
        if not window.isActiveWindow():
            self._waiting = (level, words, run)
            self._watch(window)
            QApplication.alert(window)

    def _emit(self, level: str, words: str, run: str) -> None:
        self._session.message.emit(level, words)
        if run and self._session.page not in WITH_A_WAY_ON:
            self._session.offered.emit("Inspect", lambda: self._inspect(run))

    def _inspect(self, run: str) -> None:
        self._session.page_requested.emit("inspect")  # which makes the page when it is first needed
        self._session.run_requested.emit(run)

    def _watch(self, window: QWidget) -> None:
        if self._watched is not window:
            self._watched = window
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.WindowActivate and self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._emit(*waiting)
        return False
