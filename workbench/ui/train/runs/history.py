"""The history of a run, gathered from its events: the numbers behind the curves, and the lines of the log."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from workbench.core.formatting import count, share
from workbench.training.events import (
    Evaluated,
    Event,
    Failed,
    Finished,
    Message,
    Paused,
    Progress,
    Saved,
    Started,
)
from workbench.training.records import runs
from workbench.ui.train.plots.series import Floats, Series

_TERM = "term "  # prefix of the names of loss terms, which the detector chooses
_SUM, _RATE, _SPEED, _NORM, _MEMORY, _USE = "loss", "rate", "speed", "norm", "memory", "use"


def _series() -> Series:
    return Series(peaks=(_NORM, _MEMORY))


class Stage(enum.Enum):
    """What a training does after it was begun or resumed: it reads its images, computes a first step, then others."""

    READING, FIRST_STEP, STEPS = range(3)


@dataclass(slots=True)
class RunHistory:
    """Grows with `add`. Its properties by step are arrays as long as `step`, NaN where a value is unknown.

    `started`: when it last began or went on. `trained_elsewhere`: another window or the command line trains it; its
    events have been read up to byte `read_to`.
    """

    started: Started | None = None
    stage: Stage = Stage.READING
    progress: Progress | None = None
    ended: Finished | Failed | None = None
    paused: bool = False
    reading: Message | None = None  # how many images are read, before it starts
    trained_elsewhere: bool = False
    read_to: int = 0
    series: Series = field(default_factory=_series)
    evaluations: list[Evaluated] = field(default_factory=list)
    best: Evaluated | None = None  # of the best weights, which survive a kill though their steps are repeated
    log: list[str] = field(default_factory=list)

    def await_start(self) -> None:
        """It is to go on: until it has, what it was doing before is not what it does now."""
        self.stage, self.ended, self.paused, self.reading = Stage.READING, None, False, None

    def add(self, event: Event) -> None:
        """Add the next event."""
        if isinstance(event, Progress):
            self._add_progress(event)
        elif isinstance(event, Message):
            self.reading = event if event.total else self.reading
        elif isinstance(event, Paused):
            self.paused = event.paused
        elif isinstance(event, Started):
            self._begin(event)
        elif isinstance(event, Evaluated):
            self.evaluations.append(event)
            self.best = event if event.best else self.best
        elif isinstance(event, Finished | Failed):
            self.ended = event
        words = log_line(event)
        if words:
            clock = time.strftime("%H:%M:%S  ", time.localtime(event.time)) if event.time else ""
            self.log.append(clock + words)

    def _begin(self, event: Started) -> None:
        """A resumed run repeats the steps after its last checkpoint; what was reported of them before is dropped."""
        self.await_start()
        self.started, self.stage, self.trained_elsewhere = event, Stage.FIRST_STEP, False
        self.series.cut(event.resumed_step)
        self.evaluations = [kept for kept in self.evaluations if kept.step <= event.resumed_step]

    def _add_progress(self, event: Progress) -> None:
        self.progress, self.stage = event, Stage.STEPS
        terms = {_TERM + name: value for name, value in event.terms.items()}
        memory = event.memory_bytes / 1e9 or math.nan  # 0 means unknown
        own = {_SUM: event.loss, _RATE: event.learning_rate, _SPEED: event.images_per_second,
               _NORM: event.gradient_norm, _MEMORY: memory, _USE: 100 * event.device_use}  # fmt: skip
        self.series.add(event.step, terms | own)

    @property
    def step(self) -> Floats:
        return self.series.step

    @property
    def terms(self) -> dict[str, Floats]:
        """The loss terms by name."""
        names = [name for name in self.series.names if name.startswith(_TERM)]
        return {name.removeprefix(_TERM): self.series.column(name) for name in names}

    def column(self, name: str) -> Floats:
        """The sum of the terms, "loss"; or what the plot of this name shows: "rate" of learning, "speed" in images a
        second, "norm" of the gradient (the maximum since the previous point, before clipping), "memory" in GB (of 1e9
        bytes), "use" of the device in percent.
        """
        return self.series.column(name)


def history_of(events: Iterable[Event]) -> RunHistory:
    """The history of all these events."""
    history = RunHistory()
    for event in events:
        history.add(event)
    return history


def read_history(folder: Path) -> RunHistory:
    """Of the run in `folder`, as far as it has been written by now."""
    events, end = runs.tail(folder)
    history = history_of(events)
    history.read_to = end
    history.trained_elsewhere = history.ended is None and runs.is_running(folder)
    return history


def log_line(event: Event) -> str:
    """The event as a line of the log, or "" for events that only add to a curve."""
    if isinstance(event, Started):
        again = f", going on at step {event.resumed_step:,}" if event.resumed_step else ""
        return (
            f"{event.run}: {event.detector} on {event.device} ({event.precision}), {count(event.images, 'image')},"
            f" {event.validation_images:,} to validate on, {event.parameters:,} parameters{again}."
        )
    if isinstance(event, Evaluated):
        best = " The best so far." if event.is_record else ""
        scores = f"AP {share(event.ap)}, AP50 {share(event.ap50)}"
        return f"Epoch {event.epoch}: {scores} on {count(event.images, 'image')}.{best}"
    if isinstance(event, Saved):
        return f"Saved the {event.kind} checkpoint at step {event.step:,}."
    if isinstance(event, Message):
        return event.sentence
    if isinstance(event, Paused):
        return f"Paused at step {event.step:,}." if event.paused else "Going on."
    if isinstance(event, Finished):
        word = "Stopped" if event.stopped else "Finished"
        judged = not math.isnan(event.best_ap50)
        best = f"the best checkpoint has AP50 {share(event.best_ap50)}" if judged else "its AP was not measured"
        return f"{word} in epoch {event.epoch} at step {event.step:,}; {best}."
    return event.sentence if isinstance(event, Failed) else ""
