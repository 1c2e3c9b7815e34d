"""What the list of runs does in threads: reading it, comparing its data with the project's, and what takes a while."""

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
    """The runs in `folder`. `tidy`: what has been in the trash for long enough is deleted first. `number` of the wish:
    what was read before something was changed is not shown after it.
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
    """The digest of the data of `project` as it is on disk; `version` counts its edits."""

    project: Path
    version: int


@dataclass(frozen=True, slots=True)
class Weigh:
    """What a longer run would go on from."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Extend:
    folder: Path
    more: int  # epochs


@dataclass(frozen=True, slots=True)
class TakeUp:
    """The settings of a run, for another."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Empty:
    """The trash, for good."""

    folder: Path


Deed = Weigh | Extend | TakeUp | Empty


def listed(wish: List) -> Listing:
    if wish.tidy:
        kept_runs.empty_trash(wish.folder)
    deleted = kept_runs.deleted_runs(wish.folder)
    return Listing(runs.runs(wish.folder), deleted, sum(map(kept_runs.size_of, deleted)))


def digest_of(wish: Today) -> str:
    """A second for 100,000 images."""
    with Document.open(wish.project, read_only=True, check=False) as document:
        return document.snapshot().digest


def done(deed: Deed) -> Basis | Path | Fork | None:
    """The outcome; of Extend the longer run's folder. WorkbenchError where it can't be done."""
    if isinstance(deed, Weigh):
        return extending.basis(deed.folder)
    if isinstance(deed, Extend):
        return extending.extend(deed.folder, deed.more)
    if isinstance(deed, TakeUp):
        return kept_runs.fork(deed.folder)
    kept_runs.empty_trash(deed.folder, 0)
    return None
