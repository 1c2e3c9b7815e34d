"""What a comparison needs to know of a run, read from its folder in a thread."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.files import stamp
from workbench.errors import WorkbenchError
from workbench.training import run_recipe, runs
from workbench.training.events import Evaluated, Event, Finished, Progress, Started
from workbench.training.header import CheckpointHeader, read_header
from workbench.training.runs import RECIPE, RunInfo

Floats = NDArray[np.float64]
POINTS = 300  # of a loss curve, each the mean of equally many steps: more would hide each other's curves


@dataclass(frozen=True, eq=False, slots=True)
class TrainingSummary:
    """What a run's events report. `loss` is the sum of the terms; `best` the evaluation of the best checkpoint,
    if there is one. `seconds` of training, NaN if it did not end.
    """

    step: Floats  # (n,)
    loss: Floats  # (n,)
    evaluations: tuple[Evaluated, ...]
    best: Evaluated | None
    started: Started | None
    seconds: float


@dataclass(frozen=True, eq=False, slots=True)
class ComparedRun:
    """One run. `recipe` is the content of settings.toml, empty if it can't be read."""

    info: RunInfo
    trained: TrainingSummary
    recipe: dict[str, Any]
    head: CheckpointHeader | None  # of the best checkpoint, or else the last

    @property
    def epochs(self) -> list[float]:
        return [event.epoch for event in self.trained.evaluations]


class RunReader:
    """Reads runs, and their events only if the file has changed: those of 20,000 steps take 0.8 s.

    Everything else is small, and changes without an event: a note, the settings of an extended run. Use it from one
    thread at a time.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], TrainingSummary]] = {}  # with the stamp of the events file

    def read(self, folder: Path) -> ComparedRun | None:
        """None if `folder` is no longer a run."""
        try:
            now = stamp(folder / runs.EVENTS)
        except OSError:
            self._known.pop(folder, None)
            return None
        known = self._known.get(folder)
        if known is None or known[0] != now:
            known = self._known[folder] = now, read_summary(folder)
        info = runs.info(folder)
        return ComparedRun(info, known[1], run_recipe.tables(folder / RECIPE), _head(info))


def read_summary(folder: Path) -> TrainingSummary:
    events = list(runs.read_events(folder))
    lived = _lived(events)
    evaluations = tuple(event for event in lived if isinstance(event, Evaluated))
    best = [event for event in events if isinstance(event, Evaluated) and event.best]  # the best weights survive a kill
    step, loss = _averaged([(event.step, event.loss) for event in lived if isinstance(event, Progress)])
    return TrainingSummary(
        step=step, loss=loss, evaluations=evaluations, best=best[-1] if best else None,
        started=next((event for event in reversed(lived) if isinstance(event, Started)), None),
        seconds=next((event.seconds for event in reversed(lived) if isinstance(event, Finished)), math.nan),
    )  # fmt: skip


def _lived(events: Iterable[Event]) -> list[Event]:
    """Without what a killed run did after its last save: the resumed one repeated these steps."""
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Started):
            since = event.resumed_step
            kept = [e for e in kept if not isinstance(e, Progress | Evaluated) or e.step <= since]
            kept = [e for e in kept if not isinstance(e, Finished)]  # it was resumed
        kept.append(event)
    return kept


def _averaged(points: list[tuple[int, float]]) -> tuple[Floats, Floats]:
    """(n,) steps and (n,) losses with n <= POINTS: means of equally many neighbouring points."""
    if not points:
        return np.zeros(0), np.zeros(0)
    table = np.array(points, np.float64)
    parts = np.array_split(table, min(POINTS, len(table)))
    means = np.array([part.mean(axis=0) for part in parts])
    return means[:, 0], means[:, 1]


def _head(info: RunInfo) -> CheckpointHeader | None:
    with contextlib.suppress(WorkbenchError):
        return read_header(info.checkpoint) if info.checkpoint is not None else None
    return None
