"""Steps that take seconds, as a job: the window is painted meanwhile, and other edits are refused until its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Slot

from workbench.errors import WorkbenchError
from workbench.ui.job import Job

if TYPE_CHECKING:
    from workbench.core.applied_edit import AppliedEdit
    from workbench.core.document import Document
    from workbench.ui.session import Session

Tell = Callable[[], "AppliedEdit | None"]
"""Tells the project's listeners what was done."""
Show = Callable[[Any, Tell], object]
"""Gets what the step returned, and has to call the second."""


@dataclass(frozen=True, slots=True, eq=False)
class StepDone:
    """The last event: what the step returned, and the edits that it has made."""

    result: object
    made: tuple[AppliedEdit, ...]


class LongSteps(QObject):
    """One step at a time."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._job: Job | None = None
        self._document: Document | None = None
        self._before = 0  # of the project's data_version
        self._show: Show = lambda _, tell: tell()
        session.job_ended.connect(self._ended)
        session.closing.connect(self.finish)

    def undo_or_redo(self, kind: str, show: Show) -> bool:
        """Begin to "undo" or "redo" the next edit if that takes long; False, and nothing is done, if it does not."""
        from workbench.core.storage import undo_steps

        document = self._session.document
        if document is None:
            return False
        back = kind == "undo"
        title = f"Taking back: {document.undo_title}" if back else f"Doing again: {document.redo_title}"
        numbers = undo_steps.undoable(document.store) if back else undo_steps.redoable(document.store)
        act: Callable[[Document], object] = (lambda inner: inner.undo()) if back else (lambda inner: inner.redo())
        return self._is_long(numbers) and self.run(title, act, show)

    def go_to(self, seq: int) -> bool:
        """The same, of Document.go_to. WorkbenchError if there is no such edit."""
        from workbench.core.storage import undo_steps

        document = self._session.document
        if document is None:
            return False
        kind, numbers = undo_steps.between(document.store, seq)
        title = f"{'Taking back' if kind == 'undo' else 'Doing again'} {len(numbers):,} steps"
        return self._is_long(numbers) and self.run(title, lambda inner: inner.go_to(seq), lambda _, tell: tell())

    def _is_long(self, numbers: Sequence[int]) -> bool:
        from workbench.core.storage import long_steps

        document = self._session.document
        return document is not None and not document.read_only and long_steps.is_long(document.store, numbers)

    def run(self, title: str, act: Callable[[Document], object], show: Show) -> bool:
        """Begin the job `title`, in which `act` edits the project. False, and nothing is done, if there is another such
        job, or one that may come to its own edit meanwhile: images whose files it trashed would stay. WorkbenchError if
        images that are shown are not in the project yet.

        At the end `show` is called in the window's thread; not if it failed or was stopped: then nothing has changed.
        """
        document = self._session.document
        if document is None or document.read_only or self._job is not None:
            return False
        if not all(job.is_training for job in self._session.jobs):
            return False
        if document.store.before_writing is not None:
            document.store.before_writing()
        folder = document.folder
        self._document, self._before = document, document.others_edits()
        self._show = show
        document.store.held = f"That was not done, as another step is still going on ({title}). Try again after it."
        self._job = Job(title, lambda job: _run(folder, act, job), self._session)
        self._job.reported.connect(self._done)
        self._session.start(self._job)
        return True

    def run_or_say(self, title: str, act: Callable[[Document], object], show: Show) -> None:
        """run(), and why it does not begin is told."""
        try:
            if not self.run(title, act, show):
                self._session.inform("Another step is still going on. Try again after it.")
        except WorkbenchError as error:  # images are still being written
            self._session.report_error(error)

    @Slot(object)
    def _done(self, event: StepDone) -> None:
        document = self._document
        if document is not None and document is self._session.document:
            document.store.held = ""
            document.catch_up(self._before)
            self._show(event.result, lambda: _tell(document, event.made))

    @Slot()
    def finish(self) -> None:
        """The project or the window is about to be closed: a step that is on disk by now is told, for the text to have
        it, and any other is stopped.
        """
        if self._job is not None:
            self._job.stop.set()
            self._job.settle()

    @Slot(object)
    def _ended(self, job: object) -> None:
        if job is self._job and self._document is not None:
            self._document.store.held = ""
            self._job = self._document = None


def _tell(document: Document, made: Sequence[AppliedEdit]) -> AppliedEdit | None:
    told = None
    for one in made:
        told = document.tell(one.kind, one.edit, one.inverse, one.title, one.steps)
    return told


def _run(folder: Path, act: Callable[[Document], object], job: Job) -> Iterator[StepDone]:
    """Runs in the job's thread."""
    from workbench.core.storage import long_steps

    done = long_steps.beside(folder, act, job.stop)
    if done is not None:
        yield StepDone(*done)


def of(session: Session) -> LongSteps:
    """The session's; created on first use."""
    found = session.findChild(LongSteps)
    return found if isinstance(found, LongSteps) else LongSteps(session)
