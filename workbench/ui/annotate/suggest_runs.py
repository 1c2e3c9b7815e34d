"""The runs whose networks can suggest boxes, as they are on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.inference import operating_point
from workbench.inference.operating_point import OperatingPoint
from workbench.training import runs
from workbench.training.runs import RunInfo


@dataclass(frozen=True, slots=True)
class Listed:
    """A run, and the operating point at which a person keeps it, if one does."""

    run: RunInfo
    point: OperatingPoint | None


def listed(folder: Path) -> tuple[Listed, ...]:
    """The runs with weights in a project's folder of runs, the newest first. In a thread."""
    found = ((run, run.checkpoint) for run in runs.runs(folder))
    return tuple(Listed(run, _point(checkpoint)) for run, checkpoint in found if checkpoint is not None)


def _point(checkpoint: Path) -> OperatingPoint | None:
    try:
        return operating_point.read(checkpoint.parent, checkpoint.name)
    except WorkbenchError:  # the Inspect page says what is wrong with it
        return None
