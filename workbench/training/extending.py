"""Lets a finished run go on for more epochs, as another run that begins where it ended. No torch here.

The longer run has its weights, its average, its momentum and its data, and goes on from its step. Schedules are
functions of the step and of all steps, so the learning rate is that of the longer run from there on. Refused: to go on
within the run itself. What is finished would change then, its settings no longer tell how it came about, and it could
not be compared with what the longer run gives. Files of weights are replaced and never changed, so both runs share
them (hard links) until then, at no cost of room.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from workbench import settings
from workbench.core.files import atomic_write
from workbench.core.words import count
from workbench.errors import Refused, WorkbenchError
from workbench.training import events, going_on, image_losses, runs, schedule, watched
from workbench.training.events import Finished, Message, Started
from workbench.training.kept_runs import existing, free_folder
from workbench.training.runs import EVENTS, RECIPE
from workbench.training.settings import TrainingSettings

_SHARED = ("data.npz", "data.json", "last.state.pt", "last.safetensors", "best.safetensors")
"""What the longer run takes over as it is; its events and settings are written anew, a note is of one run."""


@dataclass(frozen=True, slots=True)
class Basis:
    """A finished run that can be extended: where it ended, and by which settings. `early`: AP had not risen."""

    folder: Path
    training: TrainingSettings
    images: int
    step: int
    epoch: int
    steps: int
    early: bool

    def extended(self, more: int) -> Extension:
        """What going on for `more` epochs means."""
        training = dataclasses.replace(self.training, epochs=self.epoch + more, least_steps=0)  # which are made
        if self.early:
            training = dataclasses.replace(training, patience=0)
        steps = schedule.Plan(self.images, training.batch, training.epochs).steps
        top = max(self.step, schedule.warm_up_steps(training, steps))  # from there on it only falls
        first, highest, last = (schedule.learning_rate(training, step, steps) for step in (self.step, top, steps - 1))
        ended_at = schedule.learning_rate(self.training, self.step - 1, self.steps)
        return Extension(training, ended_at, first, max(first, highest), last)


@dataclass(frozen=True, slots=True)
class Extension:
    """The settings of the longer run; the learning rate at the end so far, and in the steps to come."""

    training: TrainingSettings
    ended_at: float
    first: float
    highest: float
    last: float


def basis(folder: Path) -> Basis:
    """What an extension of the run in `folder` goes on from. WorkbenchError if it is not finished, or has no state."""
    run = runs.info(existing(folder))
    if run.state != "finished":
        raise WorkbenchError(f"The run '{run.name}' is {run.state}, so it can't be extended: resume it.")
    if not run.extendable:
        raise WorkbenchError(f"The run '{run.name}' was not trained here to its end, so there is nothing to extend.")
    started = [event for event in runs.outline(folder) if isinstance(event, Started)][-1]
    ended = [event for event in runs.outline(folder) if isinstance(event, Finished)][-1]
    training = settings.changed(TrainingSettings(), dict(_recipe(folder).get("training", {})))
    for processes in (1, 2):  # of several the batch stays
        asked = schedule.lengthened(training, started.images, processes)
        steps = schedule.Plan(started.images, asked.batch, asked.epochs).steps
        if (asked.epochs, steps) == (started.epochs, started.steps):
            training = asked
            break
    training = going_on.slowed(training) if runs.goes_on(folder) else training
    return Basis(folder, training, started.images, ended.step, ended.epoch, started.steps, ended.step < started.steps)


def extend(folder: Path, more: int) -> Path:
    """Make the run that goes on where the finished one in `folder` ended, for `more` epochs; returns its folder.

    It is then resumed as one that was interrupted. WorkbenchError as of basis().
    """
    whole = basis(folder)
    longer = whole.extended(more).training
    target = free_folder(folder.parent, f"{re.sub(r'-to-[0-9]+$', '', folder.name)}-to-{longer.epochs}")
    try:
        target.mkdir()
        for name in _SHARED:
            if (folder / name).exists():
                _share(folder / name, target / name)
        for name in (watched.FILE, image_losses.FILE):  # which grow: a link would grow the finished run's too
            if (folder / name).exists():
                atomic_write(target / name, (folder / name).read_bytes())
        recipe = _recipe(folder)
        changed = {name: getattr(longer, name) for name in ("epochs", "patience", "batch", "least_steps")}
        recipe["training"] = {**recipe["training"], **changed}
        atomic_write(target / RECIPE, tomli_w.dumps(recipe))
        atomic_write(target / EVENTS, _history(whole, target, longer))  # last: only then it is a run
    except BaseException as error:
        shutil.rmtree(target, ignore_errors=True)
        if isinstance(error, OSError):
            raise WorkbenchError(f"{target} could not be written: {error.strerror or error}.", error) from error
        raise
    return target


def _history(whole: Basis, target: Path, longer: TrainingSettings) -> bytes:
    """The events so far as those of the longer run, which has begun now and has not ended."""
    now = time.time()
    steps = schedule.Plan(whole.images, longer.batch, longer.epochs).steps
    lines, begun = [], False
    for line in (whole.folder / EVENTS).read_bytes().splitlines(keepends=True):
        if line.startswith(b'{"event": "Finished"') or not line.endswith(b"\n"):
            continue
        if line.startswith(b'{"event": "Started"'):
            start = events.from_json(line.decode())
            assert isinstance(start, Started)
            start = dataclasses.replace(start, epochs=longer.epochs, steps=steps)
            if not begun:
                start, begun = dataclasses.replace(start, run=target.name, folder=str(target), time=now), True
            line = (events.to_json(start) + "\n").encode()
        lines.append(line)
    said = f"Goes on from the run {whole.folder.name}: its {count(whole.epoch, 'epoch')} become {longer.epochs:,}."
    if whole.early:
        said += " It had ended early, so early stopping is switched off."
    lines.append((events.to_json(Message("info", said, time=now)) + "\n").encode())
    return b"".join(lines)


def _share(file: Path, target: Path) -> None:
    """The same file under another name, or a copy where the disk has no hard links."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copy2(file, target)


def _recipe(folder: Path) -> dict[str, Any]:
    file = folder / RECIPE
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(file, "the run's settings can't be read, so it can't be extended.", cause=error) from error
