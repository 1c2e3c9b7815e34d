"""What the import window has done in a thread: read and compare, compare anew, keep the files of what was imported."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workbench import exchange, formats
from workbench.core.document import Document
from workbench.core.parsing import archives
from workbench.errors import WorkbenchError
from workbench.exchange import ImportPlan, ImportReport, ImportSettings
from workbench.exchange.importing import replan
from workbench.exchange.recognition import plugin_hint, what_is_there
from workbench.formats.parts import reading_progress
from workbench.ui.data.importing.findings import ImportFindings, make_findings
from workbench.ui.garbage_collector import collection_paused
from workbench.ui.job import Job
from workbench.ui.job_progress import JobProgress

_REPORT_EVERY = 0.1
"""Seconds between two words on how far it is."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What is to be read. `format` "": it is recognised. `images`: a folder to look for image files in, or None."""

    project: Path
    source: Path
    format: str
    images: Path | None
    settings: ImportSettings
    names: Mapping[str, str] = field(default_factory=dict)  # the project's labels by the files'


@dataclass(frozen=True, slots=True)
class ZipUnpacked:
    """The zip was unpacked to `folder`, of which the import is made; whoever does not import it discards it."""

    file: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class FormatRecognised:
    """The format that is being read."""

    format: str


@dataclass(frozen=True, slots=True)
class FormatUnclear:
    """The format is not clear: none was recognised, or several, the surest first. A person chooses."""

    sentence: str
    names: tuple[str, ...]


Event = JobProgress | ZipUnpacked | FormatRecognised | FormatUnclear | ImportFindings | WorkbenchError


def read(request: ImportRequest, job: Job) -> Iterator[Event]:
    """A document is not for two threads, so the project is opened a second time for reading; nothing changes by it.

    What is wrong with the files is an event, because the window shows it in a list and not in the corner.
    """
    watcher = _Watcher(job)
    try:
        source = request.source
        if archives.is_archive(source):
            into = archives.unpack_folder(request.project, source)
            source = archives.unpack_zip(source, into, watcher.unpacking, job.stop.is_set)
            yield ZipUnpacked(request.source, source)
        format = request.format or _recognise(source, watcher)
        if not format:
            yield unclear_format(source)
            return
        yield FormatRecognised(format)
        yield _plan(request, source, format, watcher)
    except (reading_progress.ReadingStopped, archives.UnpackingStopped):
        return
    except WorkbenchError as error:
        yield error


def _recognise(source: Path, watcher: _Watcher) -> str:
    """The format's name, "" where it is not clear. WorkbenchError if there is nothing."""
    try:
        with reading_progress.report_steps(watcher.item_begun):
            return exchange.recognise(source)
    except WorkbenchError:
        if not os.path.exists(source):
            raise
        return ""


def _plan(request: ImportRequest, source: Path, format: str, watcher: _Watcher) -> ImportFindings:
    with (
        collection_paused,
        reading_progress.report_steps(watcher.item_begun),
        Document.open(request.project, read_only=True, check=False) as document,
    ):
        plan = exchange.plan_import(document, source, format, request.images, request.settings)
        return make_findings(document, replan(document, plan, request.settings, request.names))


def unclear_format(source: Path) -> FormatUnclear:
    """Words for a window, which has a list of formats to choose from."""
    failed: list[str] = []
    found = tuple(name for name, _ in formats.recognise(source, failed))
    if not found:
        return FormatUnclear(
            f"{what_is_there(source)} Choose the folder or file with the labels, or say above which format it is."
            f" {' '.join([*failed, plugin_hint()])}".rstrip(),
            (),
        )
    seen = " and ".join(formats.formats.get(name).title for name in found)
    return FormatUnclear(
        f"{source.name}: labels of several formats were found here ({seen}). Choose above which to take.", found
    )


def compare(project: Path, plan: ImportPlan, settings: ImportSettings, names: Mapping[str, str]) -> Iterator[Event]:
    """What was read, under other settings or beside a project that was edited since."""
    try:
        with collection_paused, Document.open(project, read_only=True, check=False) as document:
            found = make_findings(document, replan(document, plan, settings, names))
    except WorkbenchError as error:
        yield error
        return
    yield found


def discard(folder: Path) -> Iterator[None]:
    """Remove what was unpacked and not imported."""
    archives.discard(folder)
    yield None


def keep_files(project: Path, plan: ImportPlan, report: ImportReport, unpacked: Path | None) -> Iterator[None]:
    """`unpacked`: the folder of a zip of which no image has come into the project; it goes."""
    exchange.keep_files(project, plan, report)
    if unpacked is not None:
        archives.discard(unpacked)
    yield None


class _Watcher:
    """Tells how many things were begun, some times a second, and ends a reading that was stopped."""

    def __init__(self, job: Job) -> None:
        self._job, self._begun, self._last = job, Counter[str](), time.monotonic()

    def item_begun(self, what: str) -> None:
        if self._job.stop.is_set():
            raise reading_progress.ReadingStopped
        self._begun[what] += 1
        self._tell(self._begun[what], 0, f"{self._begun[what]:,} {what}")

    def unpacking(self, done: int, total: int) -> None:
        self._tell(done, total, "unpacking")

    def _tell(self, done: int, total: int, detail: str) -> None:
        if time.monotonic() - self._last > _REPORT_EVERY:
            self._last = time.monotonic()
            self._job.reported.emit(JobProgress(done, total, detail))
