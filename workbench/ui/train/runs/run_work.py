"""What the list of runs does in threads: read the list, compare a run's data with the project's, and slow actions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.core.document import Document
from workbench.training import extension, run_actions, runs
from workbench.training.extension import FinishedRun
from workbench.training.run_actions import DeletedRun, Fork
from workbench.training.runs import RunInfo


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
class ExtensionBasisRequest:
    """A request for what a longer run would go on from."""

    folder: Path


@dataclass(frozen=True, slots=True)
class ExtendRequest:
    folder: Path
    more: int  # epochs


@dataclass(frozen=True, slots=True)
class ForkRequest:
    """A request for the settings of a run, to use for another."""

    folder: Path


@dataclass(frozen=True, slots=True)
class EmptyTrashRequest:
    """A request to empty the trash for good."""

    folder: Path


RunActionRequest = ExtensionBasisRequest | ExtendRequest | ForkRequest | EmptyTrashRequest


def list_runs(request: RunListRequest) -> RunListResult:
    if request.tidy:
        run_actions.empty_trash(request.folder)
    deleted = run_actions.deleted_runs(request.folder)
    return RunListResult(runs.runs(request.folder), deleted, sum(map(run_actions.size_of, deleted)))


def data_digest(request: DataDigestRequest) -> str:
    """Takes a second for 100,000 images."""
    with Document.open(request.project, read_only=True, check=False) as document:
        return document.snapshot().digest


def perform(request: RunActionRequest) -> FinishedRun | Path | Fork | None:
    """The outcome; for an ExtendRequest, the longer run's folder. WorkbenchError if it can't be done."""
    if isinstance(request, ExtensionBasisRequest):
        return extension.read_finished_run(request.folder)
    if isinstance(request, ExtendRequest):
        return extension.extend(request.folder, request.more)
    if isinstance(request, ForkRequest):
        return run_actions.fork(request.folder)
    run_actions.empty_trash(request.folder, 0)
    return None
