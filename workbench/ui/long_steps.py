"""Undo and redo of steps that take seconds, as a job: the window is painted meanwhile, and edits wait for its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from workbench.ui.job import Job

if TYPE_CHECKING:
    from workbench.core.applied_edit import AppliedEdit
    from workbench.core.document import Document
    from workbench.core.storage.long_steps import LongStep
    from workbench.ui.session import Session


Show = Callable[[Callable[[], "AppliedEdit"]], object]


def _only_tell(tell: Callable[[], AppliedEdit]) -> object:
    return tell()


class LongSteps(QObject):
    """One step at a time."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._job: Job | None = None
        self._document: Document | None = None
        self._before = 0  # of the project's data_version
        self._show: Show = _only_tell
        session.job_ended.connect(self._ended)

    def begin_newest(self, kind: str, show: Show) -> bool:
        """As begin, of the edit that is next to "undo" or "redo"."""
        from workbench.core.storage import undo_steps

        document = self._session.document
        if document is None:
            return False
        next_of = undo_steps.undoable if kind == "undo" else undo_steps.redoable
        return self.begin(kind, next_of(document.store), show)

    def begin(self, kind: str, numbers: Sequence[int], show: Show = _only_tell) -> bool:
        """Begin to "undo" or "redo" these edits if that takes long; False, and nothing is done, if it does not.

        Other edits are refused meanwhile. At the end `show` is called in the window's thread, to call what it is given,
        which tells the project's listeners.
        """
        from workbench.core.storage import long_steps

        document = self._session.document
        if document is None or document.read_only or self._job is not None:
            return False
        if not long_steps.is_long(document.store, numbers):
            return False
        if document.store.before_writing is not None:
            document.store.before_writing()
        folder, word = document.folder, "Taking back" if kind == "undo" else "Doing again"
        what = document.undo_title if kind == "undo" else document.redo_title
        title = f"{word}: {what}" if len(numbers) == 1 else f"{word} {len(numbers):,} steps"
        self._document, self._before, self._show = document, document.others_edits(), show
        document.store.held = f"That was not done, as another step is still going on ({title}). Try again after it."
        self._job = Job(title, lambda job: _apply(folder, kind, numbers, job), self._session)
        self._job.reported.connect(self._applied)
        self._session.start(self._job)
        return True

    @Slot(object)
    def _applied(self, step: LongStep) -> None:
        document = self._document
        if document is not None and document is self._session.document:
            document.store.held = ""
            document.catch_up(self._before)
            self._show(lambda: document.tell(step.kind, step.edit, step.inverse, step.title, step.steps))

    @Slot(object)
    def _ended(self, job: object) -> None:
        if job is self._job and self._document is not None:
            self._document.store.held = ""
            self._job = self._document = None


def _apply(folder: Path, kind: str, numbers: Sequence[int], job: Job) -> Iterator[LongStep]:
    """Runs in the job's thread."""
    from workbench.core.storage import long_steps

    step = long_steps.apply(folder, kind, numbers, job.stop)
    if step is not None:
        yield step


def of(session: Session) -> LongSteps:
    """The session's; created on first use."""
    found = session.findChild(LongSteps)
    return found if isinstance(found, LongSteps) else LongSteps(session)
