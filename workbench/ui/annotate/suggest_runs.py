"""The runs on disk whose networks can suggest boxes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.inference.evaluating import operating_point, saved_evaluation
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.training.records import runs
from workbench.training.records.runs import RunInfo


@dataclass(frozen=True, slots=True)
class SuggestRun:
    """A run, its operating point if one has been kept, and the confidence at which it is used: that, or its best."""

    run: RunInfo
    point: OperatingPoint | None
    confidence: float | None


def list_suggest_runs(folder: Path) -> tuple[SuggestRun, ...]:
    """The runs with weights in a project's runs folder, newest first. Runs in a thread."""
    found = ((run, run.checkpoint) for run in runs.runs(folder))
    return tuple(_suggest_run(run, checkpoint) for run, checkpoint in found if checkpoint is not None)


def _suggest_run(run: RunInfo, checkpoint: Path) -> SuggestRun:
    kept = _point(checkpoint)
    used = kept or saved_evaluation.best_point(checkpoint.parent, checkpoint.name)
    return SuggestRun(run, kept, None if used is None else used.confidence)


def _point(checkpoint: Path) -> OperatingPoint | None:
    try:
        return operating_point.read(checkpoint.parent, checkpoint.name)
    except WorkbenchError:  # the Inspect page says what is wrong with it
        return None
