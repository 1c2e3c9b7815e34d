"""Detects that the window crashed last time: each running window keeps a note, and the next start reads it.

A note says which project and image are shown. Its owner holds a lock beside it, which the operating system releases
however the process ends; Python writes the stack traces of a crash to a third file.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from workbench.core.files import atomic_write
from workbench.core.storage.lock import Lock
from workbench.errors import WorkbenchError
from workbench.ui.job import Job
from workbench.ui.session import Session

if TYPE_CHECKING:  # cv2 and NumPy
    from workbench.core.decoding.image_check import ImageCheckResult

_PROJECT = "project.sqlite"
_FATAL = re.compile(r"^(?:Fatal Python error|Windows fatal exception): (?!code 0x8)(.+)$", re.MULTILINE)
"""Not 0x8001010d and the like, which parts of Windows throw and catch themselves: Python reports them anyway."""
_RECENT = 10
"""Images checked after a crash, and as many before and after the last one, which were read ahead."""
_SHOWN = 100_000
"""Characters of a crash's stack traces that are kept, from the end."""
_watches = False  # whether this module opened the file of stack traces


@dataclass(frozen=True, slots=True)
class Crash:
    """What a crashed window showed; `reason` is what Python could report of the crash, or ""."""

    when: datetime
    project: Path | None
    image: int
    reason: str
    stacks: str
    recent: tuple[int, ...] = ()  # images shown before, the last one first
    training: str = ""  # the title of the training job that ran then

    @property
    def sentence(self) -> str:
        why = self.reason or "it was killed, or the machine stopped"
        resume = f" {self.training} was interrupted: Resume on the Train page goes on with it." if self.training else ""
        return (
            f"Workbench ended unexpectedly on {self.when.day} {self.when:%B, %H:%M}: {why}."
            f" Your edits are on disk; Help > Log has details.{resume}"
        )


def watch_for_fatal_errors(folder: Path) -> IO[str]:
    """From now on Python writes a crash's stack traces to a file of this process; OSError if it can't be opened."""
    folder.mkdir(parents=True, exist_ok=True)
    global _watches
    stacks = open(_stacks(folder, os.getpid()), "w", encoding="utf-8")  # noqa: SIM115 - open as long as we run
    faulthandler.enable(stacks)
    _watches = True
    return stacks


def _stacks(folder: Path, process: int) -> Path:
    return folder / f"{process}.stacks"


class CrashNote(QObject):
    """Keeps this process's note in `folder` until `end`. Call `read_crashes` first, for notes of crashed windows."""

    def __init__(self, session: Session, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._folder = session, folder
        self._file = folder / f"{os.getpid()}.json"
        self._recent: list[int] = []
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(folder, f"{os.getpid()}.lock")
        session.image_changed.connect(self.write)
        session.document_changed.connect(self.write)
        session.runs_changed.connect(self.write)  # a training has begun
        session.job_ended.connect(self.write)
        self.write()

    @Slot()
    def write(self) -> None:
        document = self._session.document
        image = self._session.image_id
        self._recent = [image, *(id for id in self._recent if id != image)][:_RECENT]
        training = next((job.title for job in self._session.jobs if job.is_training), "")
        shown = {"project": str(document.folder) if document else "", "image": image, "recent": self._recent}
        shown |= {"training": training}
        with contextlib.suppress(WorkbenchError):  # a full disk: not worth a message here
            atomic_write(self._file, json.dumps(shown), sync=False)

    def end(self) -> None:
        """The window closes normally."""
        if _watches:  # else the file is someone else's
            faulthandler.disable()
        self._lock.release()
        _forget(self._folder, os.getpid())


def read_crashes(folder: Path) -> list[Crash]:
    """What crashed windows left in `folder`, the oldest first. Their notes are removed."""
    found = []
    for file in folder.glob("*.json"):
        if not file.stem.isdecimal():
            continue
        lock = Lock(folder, f"{file.stem}.lock")
        if lock.held:
            crash = _read(file, int(file.stem))
            lock.release()
            _forget(folder, int(file.stem))
            if crash is not None:
                found.append(crash)
    return sorted(found, key=lambda crash: crash.when)


def _read(file: Path, process: int) -> Crash | None:
    try:
        when = datetime.fromtimestamp(file.stat().st_mtime)
        shown = json.loads(file.read_text(encoding="utf-8"))
        project, image = str(shown["project"]), int(shown["image"])
        recent, training = tuple(int(id) for id in shown.get("recent", ())), str(shown.get("training", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    stacks = ""
    with contextlib.suppress(OSError):
        file = _stacks(file.parent, process)
        stacks = file.read_text(encoding="utf-8", errors="replace")[-_SHOWN:]
        when = max(when, datetime.fromtimestamp(file.stat().st_mtime))
    fatal = _FATAL.search(stacks)
    return Crash(when, Path(project) if project else None, image, fatal[1] if fatal else "", stacks, recent, training)


class CrashRecovery(QObject):
    """Goes back to where a window crashed: checks its last images in a child process, then opens its project.

    So an image that crashes the program does so only once: it is marked and not read again. The parent is the session.
    """

    def __init__(self, session: Session, crash: Crash, open_project: Callable[[Path], object]) -> None:
        super().__init__(session)
        self._session, self._crash, self._open = session, crash, open_project
        self._job: Job | None = None

    def begin(self) -> None:
        project = self._crash.project
        if project is None or not os.path.isfile(project / _PROJECT):
            return
        self._session.last_images[project] = self._crash.image
        self._job = Job("Looking at the images shown last", lambda _: _check_images(self._crash), self)
        self._job.reported.connect(self._image_checked)
        self._session.job_ended.connect(self._all_checked)
        self._session.start(self._job)

    @Slot(object)
    def _image_checked(self, checked: object) -> None:
        from workbench.core.decoding.image_check import ImageCheckResult
        from workbench.core.decoding.image_files import block

        if isinstance(checked, ImageCheckResult):
            block(checked.file, checked.problem)
            self._session.message.emit("warning", f"{checked.file.name}: {checked.problem}.")

    @Slot(object)
    def _all_checked(self, job: object) -> None:
        if job is self._job and self._crash.project is not None:
            self._job = None
            if self._session.document is None and not self._session.jobs:
                self._open(self._crash.project)


def _check_images(crash: Crash) -> Iterator[ImageCheckResult]:
    from workbench.core.decoding.image_check import recheck
    from workbench.core.storage.image_table import ImageTable
    from workbench.core.store import Store

    assert crash.project is not None
    with Store(crash.project / _PROJECT, read_only=True, check=False) as store:
        table = store.read(ImageTable.read)
    row = table.row_of(crash.image) if table.has(crash.image) else 0
    beside = table.ids[max(0, row - _RECENT) : row + _RECENT + 1].tolist()
    yield from recheck(crash.project / _PROJECT, list(dict.fromkeys([crash.image, *crash.recent, *beside])))


def _forget(folder: Path, process: int) -> None:
    for kind in ("json", "stacks", "lock"):
        with contextlib.suppress(OSError):
            (folder / f"{process}.{kind}").unlink()
