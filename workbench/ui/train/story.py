"""The story of a run, gathered from its events: the numbers behind the curves, and the lines of the log."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

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

MOST_POINTS = 8_000  # more than pixels: then every second point goes


@dataclass(slots=True)
class Story:
    """Lists grow with `add`; `terms[name]` is as long as `step`, NaN where a term was missing."""

    started: Started | None = None
    progress: Progress | None = None
    ended: Finished | Failed | None = None
    paused: bool = False
    step: list[float] = field(default_factory=list)
    terms: dict[str, list[float]] = field(default_factory=dict)
    learning_rate: list[float] = field(default_factory=list)
    speed: list[float] = field(default_factory=list)  # images per second
    evaluations: list[Evaluated] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Take in the next event."""
        if isinstance(event, Progress):
            self._add_progress(event)
        elif isinstance(event, Paused):
            self.paused = event.paused
        elif isinstance(event, Started):
            self.started, self.ended, self.paused = self.started or event, None, False
        elif isinstance(event, Evaluated):
            self.evaluations.append(event)
        elif isinstance(event, Finished | Failed):
            self.ended = event
        words = said(event)
        if words:
            clock = time.strftime("%H:%M:%S  ", time.localtime(event.time)) if event.time else ""
            self.log.append(clock + words)

    def _add_progress(self, event: Progress) -> None:
        self.progress = event
        self.step.append(event.step)
        self.learning_rate.append(event.learning_rate)
        self.speed.append(event.images_per_second)
        for name in (*self.terms, *(name for name in event.terms if name not in self.terms)):
            column = self.terms.setdefault(name, [math.nan] * (len(self.step) - 1))
            column.append(event.terms.get(name, math.nan))
        if len(self.step) > MOST_POINTS:
            for column in (self.step, self.learning_rate, self.speed, *self.terms.values()):
                del column[1::2]


def told(events: Iterable[Event]) -> Story:
    """The story of all these events."""
    story = Story()
    for event in events:
        story.add(event)
    return story


def said(event: Event) -> str:
    """The event as a line of the log, or "" for those that only move a curve."""
    if isinstance(event, Started):
        again = f", going on at step {event.resumed_step:,}" if event.resumed_step else ""
        return (
            f"{event.run}: {event.detector} on {event.device} ({event.precision}), {event.images:,} images,"
            f" {event.validation_images:,} to validate on, {event.parameters:,} parameters{again}."
        )
    if isinstance(event, Evaluated):
        best = " The best so far." if event.best else ""
        return f"Epoch {event.epoch}: AP {event.ap:.3f}, AP50 {event.ap50:.3f} on {event.images:,} images.{best}"
    if isinstance(event, Saved):
        return f"Saved the {event.kind} checkpoint at step {event.step:,}."
    if isinstance(event, Message):
        return event.sentence
    if isinstance(event, Paused):
        return f"Paused at step {event.step:,}." if event.paused else "Going on."
    if isinstance(event, Finished):
        word = "Stopped" if event.stopped else "Finished"
        return f"{word} in epoch {event.epoch} at step {event.step:,}, best AP50 {event.best_ap50:.3f}."
    return event.sentence if isinstance(event, Failed) else ""
