"""What the list of runs does in threads: read the list, compare a run's data with the project's, and slow actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workbench.core.document import Document
from workbench.training.records import run_actions, runs
from workbench.training.records.run_actions import DeletedRun
from workbench.training.records.runs import RunInfo


@dataclass(frozen=True, slots=True)
class RunListRequest:
    """A request to list the runs in `folder`. `tidy`: first delete what has been in the trash for long enough.
    `changes_made`: how many changes were known then, so that what was read before one is not shown after it.
    """

    folder: Path
    tidy: bool
    changes_made: int


@dataclass(frozen=True, slots=True)
class RunListResult:
    runs: tuple[RunInfo, ...]
    deleted: tuple[DeletedRun, ...]
    trash_bytes: int


@dataclass(frozen=True, slots=True)
class DataDigestRequest:
    """A request for the digest of the data of `project` as it is on disk; `version` counts its edits."""

    project: Path
    version: int


@dataclass(frozen=True, slots=True)
class RunAction:
    """A request to do something with the run in `folder`, or with the trash of this folder of runs."""

    folder: Path
    act: Callable[[Path], object]


def list_runs(request: RunListRequest) -> RunListResult:
    if request.tidy:
        run_actions.empty_trash(request.folder)
    deleted = run_actions.deleted_runs(request.folder)
    return RunListResult(runs.runs(request.folder), deleted, sum(map(run_actions.size_of, deleted)))


def data_digest(request: DataDigestRequest) -> str:
    """Takes a second for 100,000 images."""
    with Document.open(request.project, read_only=True, check=False) as document:
        return document.snapshot().digest


def perform(action: RunAction) -> object:
    """The outcome; WorkbenchError if it can't be done."""
    return action.act(action.folder)
