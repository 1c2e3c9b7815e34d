"""What a comparison needs to know of a run, read from its folder in a thread."""

from __future__ import annotations

import contextlib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.training.checkpoints.header import CheckpointHeader, read_header
from workbench.training.events import Evaluated, Finished, Started
from workbench.training.records import run_recipe, runs
from workbench.training.records.runs import RECIPE, RunInfo
from workbench.ui.train.plots.series import Floats
from workbench.ui.train.runs.history import RunHistory

POINTS = 300  # of a loss curve, each the mean of equally many steps: more would hide each other's curves


@dataclass(frozen=True, eq=False, slots=True)
class ComparedRun:
    """One run: what its events report, and its files.

    `loss` is the sum of the terms, by `step`; `best` the evaluation of the best checkpoint, if there is one; `seconds`
    of training NaN if it has not ended. `recipe` is the content of settings.toml, empty if it can't be read; `head` of
    the best checkpoint, or else the last.
    """

    info: RunInfo
    started: Started | None
    step: Floats  # (n,)
    loss: Floats  # (n,)
    evaluations: tuple[Evaluated, ...]
    best: Evaluated | None
    seconds: float
    recipe: dict[str, Any]
    head: CheckpointHeader | None

    @property
    def epochs(self) -> list[float]:
        return [event.epoch for event in self.evaluations]


class RunReader:
    """Reads runs, and of their events only what is new: 20,000 steps take 0.8 s, and one that trains grows.

    Everything else is small, and changes without an event: a note, the settings of an extended run. Use it from one
    thread at a time.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, RunHistory]] = {}  # with the number of the file on the disk

    def read(self, folder: Path) -> ComparedRun | None:
        """None if `folder` is no longer a run."""
        try:
            history = self._history(folder)
        except OSError:
            self._known.pop(folder, None)
            return None
        info, ended = runs.info(folder), history.ended
        step, loss = _averaged(history.step, history.column("loss"))
        return ComparedRun(
            info, history.started, step, loss, tuple(history.evaluations), history.best,
            ended.seconds if isinstance(ended, Finished) else math.nan, run_recipe.tables(folder / RECIPE), _head(info),
        )  # fmt: skip

    def _history(self, folder: Path) -> RunHistory:
        """As far as it has been written by now; from its beginning if it is another run's, which has that name now."""
        about = os.stat(folder / runs.EVENTS)
        number, history = self._known.get(folder, (about.st_ino, RunHistory()))
        if number != about.st_ino or history.read_to > about.st_size:
            history = RunHistory()
        self._known[folder] = about.st_ino, history
        events, history.read_to = runs.tail(folder, history.read_to)
        for event in events:
            history.add(event)
        return history


def _averaged(step: Floats, loss: Floats) -> tuple[Floats, Floats]:
    """(n,) steps and (n,) losses with n <= POINTS: means of equally many neighbouring points."""
    if not len(step):
        return step, loss
    parts = np.array_split(np.stack([step, loss], 1), min(POINTS, len(step)))
    means = np.array([part.mean(axis=0) for part in parts])
    return means[:, 0], means[:, 1]


def _head(info: RunInfo) -> CheckpointHeader | None:
    with contextlib.suppress(WorkbenchError):
        return read_header(info.checkpoint) if info.checkpoint is not None else None
    return None
