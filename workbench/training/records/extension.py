"""Extends a finished run by more epochs, as another run that starts where it ended. No torch here.

The longer run takes over its weights, average, momentum and data, and continues from its step. Schedules are functions
of the step and the number of steps, so from there on the learning rate is that of the longer run. Refused: continuing
the run itself. A finished run would change, its settings would no longer say how it was made, and it could not be
compared with the longer one. Files of weights are replaced, never changed, so until then both runs share them (hard
links) and no space is lost.
"""

from __future__ import annotations

import dataclasses
import json
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
from workbench.core.formatting import count
from workbench.errors import Refused, WorkbenchError
from workbench.training import events, fine_tuning, schedule
from workbench.training.events import Finished, Message, Started
from workbench.training.monitoring import image_losses, watched_images
from workbench.training.records import runs
from workbench.training.records.run_actions import existing, free_folder
from workbench.training.records.runs import ABOUT, EVENTS, RECIPE
from workbench.training.settings import TrainingSettings

_SHARED = ("data.npz", "last.state.pt", "last.safetensors", "best.safetensors")
"""What the longer run takes over unchanged; events and settings are rewritten, a note belongs to one run."""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A finished run that can be extended: where it ended, and its settings. `early`: because AP had not risen."""

    folder: Path
    training: TrainingSettings
    images: int
    step: int
    epoch: int
    steps: int
    early: bool

    def extended(self, more: int) -> Extension:
        """What `more` epochs would mean."""
        training = dataclasses.replace(self.training, epochs=self.epoch + more, least_steps=0)  # which are made
        if self.early:
            training = dataclasses.replace(training, patience=0)
        steps = schedule.Plan(self.images, training.batch, training.epochs).steps
        top = max(self.step, schedule.warm_up_steps(training, steps))  # from here on the rate only falls
        first, highest, last = (schedule.learning_rate(training, step, steps) for step in (self.step, top, steps - 1))
        ended_at = schedule.learning_rate(self.training, self.step - 1, self.steps)
        return Extension(training, ended_at, first, max(first, highest), last)


@dataclass(frozen=True, slots=True)
class Extension:
    """The settings of the longer run; the learning rate at the end so far, and in the coming steps."""

    training: TrainingSettings
    ended_at: float
    first: float
    highest: float
    last: float


def read_finished_run(folder: Path) -> FinishedRun:
    """What an extension of the run in `folder` starts from. WorkbenchError if it is not finished or has no state."""
    run = runs.info(existing(folder))
    if run.state != "finished":
        raise WorkbenchError(f"The run '{run.name}' is {run.state}, so it can't be extended: resume it.")
    if not run.extendable:
        raise WorkbenchError(f"The run '{run.name}' was not trained here to its end, so there is nothing to extend.")
    started = [event for event in runs.outline(folder) if isinstance(event, Started)][-1]
    ended = [event for event in runs.outline(folder) if isinstance(event, Finished)][-1]
    training = settings.with_values(TrainingSettings(), dict(_recipe(folder).get("training", {})))
    for processes in (1, 2):  # with several, the batch stays
        asked = schedule.lengthen(training, started.an_epoch, processes)
        steps = schedule.Plan(started.an_epoch, asked.batch, asked.epochs).steps
        if (asked.epochs, steps) == (started.epochs, started.steps):
            training = asked
            break
    training = fine_tuning.fine_tuning_settings(training) if runs.goes_on(folder) else training
    return FinishedRun(
        folder, training, started.an_epoch, ended.step, ended.epoch, started.steps, ended.step < started.steps
    )


def extend(folder: Path, more: int) -> Path:
    """Make the run that continues the finished one in `folder` for `more` epochs; returns its folder.

    Resume it like one that was interrupted. WorkbenchError as in read_finished_run().
    """
    whole = read_finished_run(folder)
    longer = whole.extended(more).training
    target = free_folder(folder.parent, f"{re.sub(r'-to-[0-9]+$', '', folder.name)}-to-{longer.epochs}")
    try:
        target.mkdir()
    except OSError as error:  # perhaps another process has just made it: it is that one's
        raise WorkbenchError(f"{target} could not be made: {error.strerror or error}.", error) from error
    try:
        for name in _SHARED:
            if (folder / name).exists():
                _share(folder / name, target / name)
        for name in (
            watched_images.FILE,
            image_losses.FILE,
        ):  # these grow: with a link the finished run's would grow too
            if (folder / name).exists():
                atomic_write(target / name, (folder / name).read_bytes())
        about = _about_data(folder)
        if about:
            atomic_write(target / ABOUT, json.dumps(about))
        recipe = _recipe(folder)
        changed = {name: getattr(longer, name) for name in ("epochs", "patience", "batch", "least_steps")}
        recipe["training"] = {**recipe["training"], **changed}
        atomic_write(target / RECIPE, tomli_w.dumps(recipe))
        atomic_write(target / EVENTS, _history(whole, target, longer))  # last: only this makes it a run
    except BaseException as error:
        shutil.rmtree(target, ignore_errors=True)
        if isinstance(error, OSError):
            raise WorkbenchError(f"{target} could not be written: {error.strerror or error}.", error) from error
        raise
    return target


def _history(finished: FinishedRun, target: Path, longer: TrainingSettings) -> bytes:
    """The events so far as those of the longer run, which has just started and has not ended."""
    now = time.time()
    steps = schedule.Plan(finished.images, longer.batch, longer.epochs).steps
    lines, begun = [], False
    for line in (finished.folder / EVENTS).read_bytes().splitlines(keepends=True):
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
    note = f"Continues the run {finished.folder.name}: its {count(finished.epoch, 'epoch')} become {longer.epochs:,}."
    if finished.early:
        note += " It had ended early, so early stopping is switched off."
    lines.append((events.to_json(Message("info", note, time=now)) + "\n").encode())
    return b"".join(lines)


def _about_data(folder: Path) -> dict[str, Any]:
    """What is noted of the run's data, with the time of which it is: the longer run has learnt nothing later."""
    try:
        about = json.loads((folder / ABOUT).read_bytes())
    except (OSError, ValueError):
        return {}
    return {**about, "time": runs.info(folder).data_time} if isinstance(about, dict) else {}


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
