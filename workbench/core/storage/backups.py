"""Copies of the project's file, made while it is in use: for the last ten hours and the last seven days.

Each is complete before it replaces another: SQLite's backup API copies what is on disk, and its integrity check must
find nothing. They lie in the project's folder, so they move with it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from workbench.core.files import atomic_path, remove_unfinished
from workbench.core.formatting import count
from workbench.core.project import FINISHED
from workbench.core.storage import mirror, mirror_reader
from workbench.core.storage.lock import Lock
from workbench.core.storage.mirror import MirrorInfo
from workbench.core.storage.store_errors import absent
from workbench.core.store import FILE, Store
from workbench.errors import Damaged, WorkbenchError

FOLDER = "backups"
HOURS, DAYS = 10, 7
_NAME = re.compile(r"project (\d{4}-\d\d-\d\d) (\d\d)h\.sqlite", re.ASCII)
_REPLACED = re.compile(r"project\.replaced (\d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d)( \d+)?\.sqlite", re.ASCII)


@dataclass(frozen=True, slots=True)
class Backup:
    """One copy of a project's file, made in this hour. `is_replaced`: what a restored copy took the place of then."""

    file: Path
    hour: datetime
    is_replaced: bool = False

    @property
    def made(self) -> datetime:
        """When it was made, to the second."""
        try:
            return datetime.fromtimestamp(self.file.stat().st_mtime)
        except OSError:
            return self.hour

    @property
    def words(self) -> str:
        return f"replaced on {time_text(self.hour)}" if self.is_replaced else time_text(self.made)


def time_text(time: datetime) -> str:
    """The time in words: "26 November 2026, 23:10"."""
    return f"{time.day} {time:%B %Y, %H:%M}"


def backups(folder: Path, now: datetime | None = None) -> list[Backup]:
    """The backups of the project in `folder`, newest first. Those dated in the future (a clock was wrong) come last."""
    found, now = [], now or datetime.now()
    with contextlib.suppress(OSError):
        for file in (folder / FOLDER).iterdir():
            name = _NAME.fullmatch(file.name)
            if name:
                with contextlib.suppress(ValueError):
                    found.append(Backup(file, datetime.strptime(f"{name[1]} {name[2]}", "%Y-%m-%d %H")))
    return sorted(found, key=lambda backup: (backup.hour <= now, backup.hour), reverse=True)


def replaced(folder: Path) -> list[Backup]:
    """What restore() has set aside in `folder` and can be taken back, newest first.

    Not the damaged ones, nor those with a rollback journal: their program was killed, and without it they aren't whole.
    """
    found = []
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            name = _REPLACED.fullmatch(file.name)
            if name and not file.with_name(f"{file.name}-journal").exists():
                with contextlib.suppress(ValueError, WorkbenchError), Store(file, read_only=True, upgrade=False):
                    found.append(Backup(file, datetime.strptime(name[1], "%Y-%m-%d %H.%M.%S"), is_replaced=True))
    return sorted(found, key=lambda backup: (backup.hour, backup.file.name), reverse=True)


def is_due(folder: Path, now: datetime | None = None) -> bool:
    """Whether the project was changed since its newest backup and that backup was made in another hour."""
    now = now or datetime.now()
    newest = next(iter(backups(folder, now)), None)
    if newest is None or newest.hour > now:
        return os.path.isfile(folder / FILE)
    try:
        changed = (folder / FILE).stat().st_mtime_ns > newest.file.stat().st_mtime_ns
    except OSError:
        return False
    return changed and newest.hour != now.replace(minute=0, second=0, microsecond=0)


def back_up(folder: Path, now: datetime | None = None) -> Backup:
    """Make a backup of the project in `folder`, which may be edited meanwhile; remove those no longer needed.

    Only one process does that at a time: the one that edits it.

    WorkbenchError if the project's file is damaged (then none is removed), or if there is no room.
    """
    now = now or datetime.now()
    file = folder / FOLDER / f"project {now:%Y-%m-%d %H}h.sqlite"
    begun = time.time()
    remove_unfinished(folder / FOLDER)
    with Store(folder / FILE, read_only=True, check=False, upgrade=False) as store:
        store.backup(file)
    with contextlib.suppress(OSError):
        os.utime(file, (begun, begun))  # an edit made while it was written is newer, and so another one is due
    made = backups(folder, now)
    for backup in made:
        if backup not in _wanted(made):
            with contextlib.suppress(OSError):
                backup.file.unlink()
    return Backup(file, now.replace(minute=0, second=0, microsecond=0))


def _wanted(made: list[Backup]) -> list[Backup]:
    """The backups to keep: the ten newest, and the newest of each of the last seven days that have one."""
    days: dict[object, Backup] = {}
    for backup in made:
        days.setdefault(backup.hour.date(), backup)
    return [*made[:HOURS], *list(days.values())[:DAYS]]


@dataclass(frozen=True, slots=True)
class CopyContents:
    """How much a project's file holds, and the title of the newest edit in it, "" for none."""

    images: int
    done: int  # or verified
    boxes: int
    labels: int
    last_edit: str


def contents_of(file: Path) -> CopyContents:
    """What is in a copy of a project's file. WorkbenchError if it can't be read."""
    done = ", ".join(f"'{state}'" for state in FINISHED)
    with Store(file, read_only=True, check=False, upgrade=False) as store:
        (row,) = store.rows(
            f"SELECT (SELECT count(*) FROM image), (SELECT count(*) FROM image WHERE state IN ({done})),"
            " (SELECT count(*) FROM box), (SELECT count(*) FROM label),"
            " (SELECT title FROM journal WHERE undone = 0 ORDER BY seq DESC LIMIT 1)"
        )
    images, done, boxes, labels, last_edit = row
    return CopyContents(images, done, boxes, labels, last_edit or "")


def newest_good(folder: Path) -> Backup | None:
    """The newest backup without a damaged page that can be opened."""
    for backup in backups(folder):
        with contextlib.suppress(WorkbenchError), Store(backup.file, read_only=True, upgrade=False):
            return backup
    return None


def text_of(folder: Path) -> MirrorInfo | None:
    """The project's text in labels/, or None if it is damaged. It has labels, images and boxes, but no history of
    edits.
    """
    try:
        return mirror.read_info(folder)
    except (WorkbenchError, ValueError):
        return None


def check_new(folder: Path) -> None:
    """WorkbenchError if a new project in `folder` would replace the text and copies of one whose file is missing."""
    if is_left(folder):
        raise WorkbenchError(
            f"In {folder} are the text or copies of a project whose {FILE} is missing; a new one would replace them."
            " Restore it, by opening that folder in the window or with 'workbench restore', or choose another folder."
        )


def missing(folder: Path) -> WorkbenchError:
    """Why nothing can be opened there: no project was made, or its file was deleted, or never copied (as by git)."""
    if is_left(folder):
        return with_advice(folder, Damaged(f"The project file {folder / FILE} is missing."))
    return absent(folder / FILE)


def is_left(folder: Path) -> bool:
    """Whether the text or copies of a project are there, intact or not."""
    return bool(backups(folder)) or os.path.exists(folder / mirror.FOLDER / mirror.HEAD)


def _advice(folder: Path) -> str:
    """What the project in `folder`, whose file is damaged or missing, can be restored from; "" if from nothing."""
    good, text = newest_good(folder), text_of(folder)
    told = []
    if good is not None:
        told.append(f"Its copy of {good.words} is intact.")
    if text is not None:
        held = f"{count(text.images, 'image')} and {count(text.boxes, 'box')}"
        told.append(f"Its text of {time_text(text.written)} has {held}.")
    if told:
        told.append(f"Restore it in the window, or with 'workbench restore{'' if good is not None else ' --text'}'.")
    return " ".join(told)


def with_advice(folder: Path, damage: Damaged) -> Damaged:
    """The same error with advice: what the project in `folder` can be restored from."""
    told = _advice(folder) or "There is no intact copy in its folder; restore it from a backup of your own."
    return Damaged(f"{damage.sentence} {told}", damage.cause)


def restore(folder: Path, source: Backup | MirrorInfo) -> Path | None:
    """Replace the project's file by a backup, or by one made of its text. Returns where the old file is kept, if any.

    WorkbenchError, and nothing is changed, if the source is damaged, the project is being edited or the disk is full.
    """
    file = folder / FILE
    if isinstance(source, Backup):
        Store(source.file, read_only=True, upgrade=False).close()
    lock = Lock(folder)
    try:
        if not lock.held:
            raise WorkbenchError(lock.why(f"the project in {folder}"))
        remove_unfinished(folder)
        with atomic_path(file) as temporary:
            if isinstance(source, Backup):
                shutil.copyfile(source.file, temporary)
                mirror.outdate(folder)
            else:
                mirror_reader.rebuild(folder, temporary)
            old = _kept_aside(file)
        if not isinstance(source, Backup):
            mirror.note_written(folder)
    finally:
        lock.release()
    return old


def _kept_aside(file: Path) -> Path | None:
    """A second name for the file as it is, together with its rollback journal, which must not reach the new file."""
    name, number = f"{file.stem}.replaced {time.strftime('%Y-%m-%d %H.%M.%S')}", 1
    old = file.with_name(f"{name}{file.suffix}")
    while old.exists():  # made in the same second
        number += 1
        old = file.with_name(f"{name} {number}{file.suffix}")
    try:
        if file.exists():
            try:
                os.link(file, old)
            except OSError:  # a file system without links
                shutil.copyfile(file, old)
        journal = file.with_name(f"{file.name}-journal")
        if journal.exists():
            os.replace(journal, old.with_name(f"{old.name}-journal"))
    except OSError as error:
        raise WorkbenchError(f"{file} could not be kept: {error.strerror or error}. Make room there.", error) from error
    return old if old.exists() else None
