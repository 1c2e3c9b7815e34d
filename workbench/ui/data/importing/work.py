"""What the import window has done in a thread: read and compare, compare anew, keep the files of what was imported."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench import exchange, formats
from workbench.core import archives
from workbench.core.document import Document
from workbench.errors import WorkbenchError
from workbench.exchange import ImportPlan, ImportReport, ImportSettings
from workbench.exchange.importing import replan
from workbench.exchange.recognising import absent, what_is_there
from workbench.formats.parts import watching
from workbench.ui.counted import Counted
from workbench.ui.data.importing.findings import Findings, findings
from workbench.ui.garbage import uncollected
from workbench.ui.job import Job

_TOLD = 0.1
"""Seconds between two words on how far it is."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be read. `format` "": it is recognised. `images`: a folder to look for image files in, or None."""

    project: Path
    source: Path
    format: str
    images: Path | None
    settings: ImportSettings


@dataclass(frozen=True, slots=True)
class Opened:
    """The zip was unpacked to `folder`, of which the import is made; whoever does not import it discards it."""

    file: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class Recognised:
    """The format that is being read."""

    format: str


@dataclass(frozen=True, slots=True)
class Unsure:
    """The format is not clear: none was recognised, or several, the surest first. A person chooses."""

    sentence: str
    names: tuple[str, ...]


Event = Counted | Opened | Recognised | Unsure | Findings | WorkbenchError


def read(request: Request, job: Job) -> Iterator[Event]:
    """A document is not for two threads, so the project is opened a second time for reading; nothing changes by it.

    What is wrong with the files is an event, because the window shows it in a list and not in the corner.
    """
    watcher = _Watcher(job)
    try:
        source = request.source
        if archives.is_archive(source):
            into = archives.place(request.project, source)
            source = archives.unpacked(source, into, watcher.unpacking, job.stop.is_set)
            yield Opened(request.source, source)
        format = request.format or _recognised(source, watcher)
        if not format:
            yield unsure(source)
            return
        yield Recognised(format)
        yield _planned(request, source, format, watcher)
    except (watching.Stopped, archives.Stopped):
        return
    except WorkbenchError as error:
        yield error


def _recognised(source: Path, watcher: _Watcher) -> str:
    """The format's name, "" where it is not clear. WorkbenchError if there is nothing."""
    try:
        with watching.watched(watcher.told):
            return exchange.recognise(source)
    except WorkbenchError:
        if not source.exists():
            raise
        return ""


def _planned(request: Request, source: Path, format: str, watcher: _Watcher) -> Findings:
    with (
        uncollected,
        watching.watched(watcher.told),
        Document.open(request.project, read_only=True, check=False) as document,
    ):
        plan = exchange.plan_import(document, source, format, request.images, request.settings)
        return findings(document, plan)


def unsure(source: Path) -> Unsure:
    """Words for a window, which has a list of formats to choose from."""
    found = tuple(name for name, _ in formats.recognise(source))
    if not found:
        return Unsure(
            f"{what_is_there(source)} Choose the folder or file with the labels, or say above which format it is."
            f" {absent()}".rstrip(),
            (),
        )
    seen = " and ".join(formats.formats.get(name).title for name in found)
    return Unsure(
        f"{source.name}: labels of several formats were found here ({seen}). Choose above which to take.", found
    )


def compare(project: Path, plan: ImportPlan, settings: ImportSettings) -> Iterator[Event]:
    """What was read, under other settings or beside a project that was edited since."""
    try:
        with uncollected, Document.open(project, read_only=True, check=False) as document:
            found = findings(document, replan(document, plan, settings))
    except WorkbenchError as error:
        yield error
        return
    yield found


def discard(folder: Path) -> Iterator[None]:
    """Remove what was unpacked and not imported."""
    archives.discard(folder)
    yield None


def keep(project: Path, plan: ImportPlan, report: ImportReport, unpacked: Path | None) -> Iterator[None]:
    """`unpacked`: the folder of a zip of which no image has come into the project; it goes."""
    exchange.keep_files(project, plan, report)
    if unpacked is not None:
        archives.discard(unpacked)
    yield None


class _Watcher:
    """Tells how many things were begun, some times a second, and ends a reading that was stopped."""

    def __init__(self, job: Job) -> None:
        self._job, self._begun, self._last = job, Counter[str](), time.monotonic()

    def told(self, what: str) -> None:
        if self._job.stop.is_set():
            raise watching.Stopped
        self._begun[what] += 1
        self._tell(self._begun[what], 0, f"{self._begun[what]:,} {what}")

    def unpacking(self, done: int, total: int) -> None:
        self._tell(done, total, "unpacking")

    def _tell(self, done: int, total: int, detail: str) -> None:
        if time.monotonic() - self._last > _TOLD:
            self._last = time.monotonic()
            self._job.reported.emit(Counted(done, total, detail))
