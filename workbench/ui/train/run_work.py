"""What the list of runs does in threads: read the list, compare a run's data with the project's, and slow actions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.core.document import Document
from workbench.training import extending, kept_runs, runs
from workbench.training.extending import Basis
from workbench.training.kept_runs import Deleted, Fork
from workbench.training.runs import RunInfo


@dataclass(frozen=True, slots=True)
class List:
    """A request to list the runs in `folder`. `tidy`: first delete what has been in the trash for long enough.
    `number`: of the request, so that what was read before a change is not shown after it.
    """

    folder: Path
    tidy: bool
    number: int


@dataclass(frozen=True, slots=True)
class Listing:
    runs: tuple[RunInfo, ...]
    deleted: tuple[Deleted, ...]
    trash_bytes: int


@dataclass(frozen=True, slots=True)
class Today:
    """A request for the digest of the data of `project` as it is on disk; `version` counts its edits."""

    project: Path
    version: int


@dataclass(frozen=True, slots=True)
class Weigh:
    """A request for what a longer run would go on from."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Extend:
    folder: Path
    more: int  # epochs


@dataclass(frozen=True, slots=True)
class TakeUp:
    """A request for the settings of a run, to use for another."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Empty:
    """A request to empty the trash for good."""

    folder: Path


Deed = Weigh | Extend | TakeUp | Empty


def listed(wish: List) -> Listing:
    if wish.tidy:
        kept_runs.empty_trash(wish.folder)
    deleted = kept_runs.deleted_runs(wish.folder)
    return Listing(runs.runs(wish.folder), deleted, sum(map(kept_runs.size_of, deleted)))


def digest_of(wish: Today) -> str:
    """Takes a second for 100,000 images."""
    with Document.open(wish.project, read_only=True, check=False) as document:
        return document.snapshot().digest


def done(deed: Deed) -> Basis | Path | Fork | None:
    """The outcome; for Extend, the longer run's folder. WorkbenchError if it can't be done."""
    if isinstance(deed, Weigh):
        return extending.basis(deed.folder)
    if isinstance(deed, Extend):
        return extending.extend(deed.folder, deed.more)
    if isinstance(deed, TakeUp):
        return kept_runs.fork(deed.folder)
    kept_runs.empty_trash(deed.folder, 0)
    return None
