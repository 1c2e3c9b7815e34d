"""Managing trained runs: rename, note, delete and restore, use again. No torch here.

A deleted run is moved into the folder `.trash` among the runs, where `restore` finds it; `empty_trash` deletes what has
been there for longer than KEPT_DAYS. A run is never moved while it is being trained.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core.files import atomic_write, safe_name
from workbench.core.storage.lock import Lock
from workbench.core.windows_files import retry_while_in_use
from workbench.errors import WorkbenchError
from workbench.training.records import record
from workbench.training.records.runs import EVENTS, FORMER, NOTE, RECIPE, TRASH, former_names, known_by

if TYPE_CHECKING:
    from workbench.core.project import AnchorSet
    from workbench.training.recipes import Recipe

KEPT_DAYS = 30


# --- names and notes ---


def rename(folder: Path, wanted: str) -> Path:
    """Rename the run in `folder`, and thus its folder; returns the new folder.

    WorkbenchError while it is being trained, if the name is taken (ignoring case), or another run's former one by which
    runs that began from it know it, or if some system refuses it; and if the disk is full. Nothing has changed then.
    """
    name = unicodedata.normalize("NFC", wanted.strip())
    if name == folder.name:
        return folder
    if not name:
        raise WorkbenchError("A run needs a name. Type one.")
    if safe_name(name) != name:
        raise WorkbenchError(f"'{name}' is not a valid folder name on every system. '{safe_name(name)}' is.")
    if name.casefold() in {entry.name.casefold() for entry in existing(folder).parent.iterdir() if entry != folder}:
        raise WorkbenchError(f"There is a run called '{name}' already. Choose another name.")
    former = list(dict.fromkeys([*former_names(folder), folder.name]))
    if name.casefold() in known_by(folder.parent) - {own.casefold() for own in former}:
        raise WorkbenchError(f"Runs began from another one that was called '{name}'. Choose another name.")
    atomic_write(folder / FORMER, "\n".join(former) + "\n")  # first: its present name among them does no harm
    return _move(folder, folder.with_name(name))


def write_note(folder: Path, text: str) -> None:
    """Save `text` as the note of the run in `folder`; an empty text removes the note."""
    file = existing(folder) / NOTE
    if text.strip():
        atomic_write(file, text.strip() + "\n")
        return
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise WorkbenchError(f"{file} could not be deleted: {error.strerror or error}.", error) from error


# --- deleting and taking back ---


@dataclass(frozen=True, slots=True)
class DeletedRun:
    """A run in the trash: it is in `folder`, `deleted` in seconds since 1970."""

    name: str
    folder: Path
    deleted: float


def delete(folder: Path) -> DeletedRun:
    """Move the run in `folder` to the trash. WorkbenchError while it is trained."""
    now, trash = time.time_ns(), existing(folder).parent / TRASH
    while (trash / str(now)).exists():  # Windows' clock stands still for milliseconds, in which several are deleted
        now += 1
    shelf = trash / str(now)
    try:
        shelf.mkdir(parents=True)
    except OSError as error:
        raise WorkbenchError(f"The folder {shelf} could not be made: {error.strerror or error}.", error) from error
    try:
        return DeletedRun(folder.name, _move(folder, shelf / folder.name), now / 1e9)
    except BaseException:
        shelf.rmdir()
        raise


def restore(deleted: DeletedRun) -> Path:
    """Restore a run from the trash, with a number after its name if that is taken by now; returns its folder."""
    shelf = existing(deleted.folder).parent
    target = free_folder(shelf.parent.parent, deleted.name)
    _move(deleted.folder, target)
    with contextlib.suppress(OSError):
        shelf.rmdir()
    return target


def deleted_runs(folder: Path) -> tuple[DeletedRun, ...]:
    """The contents of the trash of a project's folder `runs`, newest first."""
    return tuple(
        DeletedRun(entry.name, entry, seconds)
        for seconds, shelf in sorted(_shelves(folder), reverse=True)
        for entry in sorted(shelf.iterdir())
        if (entry / EVENTS).is_file()
    )


def size_of(deleted: DeletedRun) -> int:
    """Bytes on disk."""
    files = (Path(where) / name for where, _, names in os.walk(deleted.folder) for name in names)
    total = 0
    for file in files:
        with contextlib.suppress(OSError):
            total += file.stat().st_size
    return total


def empty_trash(folder: Path, days: float = KEPT_DAYS) -> None:
    """Permanently delete what was moved to the trash of a project's folder `runs` more than `days` days ago."""
    for seconds, shelf in _shelves(folder):
        if time.time() - seconds >= days * 86_400:
            for entry in shelf.iterdir():
                with contextlib.suppress(OSError):
                    (entry / EVENTS).unlink()  # first: without it a partly deleted run can't be restored
            shutil.rmtree(shelf, ignore_errors=True)
    with contextlib.suppress(OSError):
        (folder / TRASH).rmdir()


def _shelves(folder: Path) -> Iterator[tuple[float, Path]]:
    """When something was deleted, and its folder; skips what others put there."""
    try:
        entries = list((folder / TRASH).iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.isascii() and entry.name.isdigit() and entry.is_dir():
            yield int(entry.name) / 1e9, entry


# --- using again ---


@dataclass(frozen=True, eq=False)
class Fork:
    """What a run was asked to do. `recorded`: whether anchors and start are known; not for imported weights."""

    name: str
    recipe: Recipe
    anchors: AnchorSet | None
    start: Path | None
    recorded: bool


def fork(folder: Path) -> Fork:
    """The recipe of the run in `folder` and what it started from. Loads the detectors, and with them torch."""
    from workbench.training import recipes

    recipe = recipes.read(existing(folder) / RECIPE)
    options = record.read_start_options(folder)
    anchors, start = options or (None, None)
    return Fork(folder.name, recipe, anchors, start, options is not None)


# --- what these share ---


def existing(folder: Path) -> Path:
    """The folder; WorkbenchError if there is no run in it."""
    if not (folder / EVENTS).is_file():
        raise WorkbenchError(f"The run '{folder.name}' no longer exists.")
    return folder


def free_folder(folder: Path, name: str) -> Path:
    """`name` in `folder`, with the first number after it that makes it free if it is taken."""
    taken = {entry.name.casefold() for entry in folder.iterdir()}
    free, number = name, 1
    while free.casefold() in taken:
        number += 1
        free = f"{name}-{number}"
    return folder / free


def _move(folder: Path, target: Path) -> Path:
    """Rename a run's folder while holding its lock, so that no training starts meanwhile."""
    lock = Lock(folder)
    try:
        if not lock.held:
            raise WorkbenchError(lock.why(f"the run '{folder.name}'"))
        if os.name == "nt":
            lock.release()  # Windows can't move a folder that contains an open file
        retry_while_in_use(os.rename, folder, target)
    except OSError as error:
        why = error.strerror or error
        raise WorkbenchError(
            f"The run '{folder.name}' could not be moved: {why}. Close what uses its files, and try again.", error
        ) from error
    finally:
        lock.release()
    return target
