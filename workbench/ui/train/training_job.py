"""The job that trains: the events of a run in a thread, which is stopped at once or after its next evaluation."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from workbench.errors import WorkbenchError
from workbench.training.events import Control, Evaluated, Event
from workbench.training.monitoring import tensorboard_log
from workbench.training.records import run_recipe, runs
from workbench.training.request import DeferredRunRequest, RunRequest
from workbench.ui.job import Job
from workbench.ui.train.runs.history import RunHistory, read_history

AnyEvent = TypeVar("AnyEvent")
AnyRequest = DeferredRunRequest | RunRequest | Path
"""What is trained; a path is the folder of a run to resume."""
Train = Callable[[RunRequest | Path, Control], Iterator[Event]]


def training_job(train: Train, request: AnyRequest, after: threading.Event, for_tensorboard: bool) -> Job:
    """A Job for this training; `after` as in `stop_after_evaluation`."""

    def events(job: Job) -> Iterator[Event | RunHistory]:
        control = Control(job.stop, job.pause)
        return stop_after_evaluation(run_events(train, request, control, for_tensorboard), control, after)

    return Job(f"Training {request.name}", events, ends_itself=True, is_training=True, low_priority=True)


def stop_after_evaluation(events: Iterator[AnyEvent], control: Control, after: threading.Event) -> Iterator[AnyEvent]:
    """Pass `events` on. While `after` is set, the next evaluation is the last: the training stops when it is reported.

    Runs in the training's thread, so that not a single step of the next epoch is computed.
    """
    with contextlib.closing(events):  # type: ignore[type-var]
        for event in events:
            if isinstance(event, Evaluated) and after.is_set():
                control.stop.set()
            yield event


def run_events(
    train: Train, request: AnyRequest, control: Control, for_tensorboard: bool
) -> Iterator[Event | RunHistory]:  # fmt: skip
    """The events of a training; of one to resume, first its history so far."""
    if isinstance(request, DeferredRunRequest):
        request = _read_request(request)
    folder = request if isinstance(request, Path) else request.folder
    if isinstance(request, Path):
        history = read_history(request)
        history.await_start()
        yield history
    events = train(request, control)
    yield from tensorboard_log.log_events(events, folder) if for_tensorboard else events


def _read_request(deferred: DeferredRunRequest) -> RunRequest:
    try:
        return deferred.request()
    except WorkbenchError:
        runs.remove_unstarted(deferred.folder)
        raise


def train(request: RunRequest | Path, control: Control) -> Iterator[Event]:
    """Train as requested, or resume."""
    from workbench.training import run

    if isinstance(request, Path):
        yield from run.resume(request, control)
        return
    try:
        yield from run.train(request, control)
    finally:
        runs.remove_unstarted(request.folder)


def evaluates(request: AnyRequest) -> bool:
    """Whether the training evaluates before its end."""
    if isinstance(request, DeferredRunRequest | RunRequest):
        return request.recipe.training.evaluate_every > 0
    try:
        return int(run_recipe.tables(request / runs.RECIPE)["training"]["evaluate_every"]) > 0
    except (KeyError, TypeError, ValueError):  # reported later, when the run can't be resumed
        return True
