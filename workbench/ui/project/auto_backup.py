"""Backups of the project's file in the background, and the question whether to restore one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Qt, QTimer, Slot
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QMessageBox, QProgressBar, QPushButton, QVBoxLayout

from workbench.errors import Damaged, WorkbenchError
from workbench.ui.background import Background
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.widgets.buttons import show_whole_words

if TYPE_CHECKING:
    from workbench.core.applied_edit import AppliedEdit
    from workbench.core.storage import backups, mirror

T = TypeVar("T")
AT_ONCE = 5000
"""Number of images up to which the whole text is written while the window closes."""
WAIT_DIALOG_DELAY = 200
"""Milliseconds of work on a damaged project before the user is told to wait."""
CHECK_EVERY = 30_000
"""Milliseconds between checks whether a backup is due: one in each hour with changes."""


class AutoBackup(QObject):
    """Backs up the open project when that is due, and keeps its text current (core.storage: backups, text_changes).

    Call `close` before its owner is deleted.
    """

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._work = Background("Copying the project", _write_backup, self)
        self._work.done.connect(self._done)
        self._failed_in: tuple[Path, int] | None = None  # the project and the hour of the last reported failure
        self._folder: Path | None = None  # of the open project, if it can be edited
        self._outdated: frozenset[int] | None = frozenset()  # parts of the text that lack an edit; None: perhaps all
        self._is_text_held = False  # it has what another program wrote, and somebody has to decide about that
        self._clock = QTimer(self, interval=CHECK_EVERY)
        self._clock.timeout.connect(self.check)
        session.document_changed.connect(self._document_changed)
        session.edited.connect(self._edited)
        session.images_found.connect(self._found)
        session.text_held.connect(self._hold_text)

    @Slot()
    def _document_changed(self) -> None:
        document = self._session.document
        self._look_at_all_if_busy()
        if self._folder is not None and self._outdated != frozenset():
            self._work.ask([BackupRequest(self._folder, text=True, parts=self._outdated)])
        self._folder, self._outdated, self._is_text_held = None, frozenset(), False
        if document is not None and not document.read_only:
            from workbench.core.storage import mirror

            current = document.store.read(lambda connection: mirror.is_current(document.folder, connection))
            self._folder, self._outdated = document.folder, frozenset() if current else None
            self._clock.start()
        else:
            self._clock.stop()

    def _look_at_all_if_busy(self) -> None:
        """Nobody will hear whether what is being written was: the text must not count as current without it."""
        if not self._work.is_idle():
            self._outdated = None

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        from workbench.core.storage import mirror

        if self._outdated is not None:
            # -1: no such part exists, but writing any part writes labels and settings
            self._outdated |= {-1, *map(mirror.block_of, applied.images)}

    @Slot(object)
    def _found(self, _images: object) -> None:
        self._outdated = None

    @Slot(bool)
    def _hold_text(self, is_held: bool) -> None:
        self._is_text_held, self._outdated = is_held, None

    @Slot()
    def check(self) -> None:
        """Start what is due, also beside a training: it takes hours, in which people label on."""
        from workbench.core.storage import backups, mirror

        document = self._session.document
        if document is None or self._folder is None or not self._work.is_idle():
            return
        if not all(job.is_training for job in self._session.jobs):
            return
        requests = []
        if self._outdated != frozenset() and not self._is_text_held:
            with contextlib.suppress(WorkbenchError):  # the disk is gone; it is tried again
                edits = tuple(document.store.read(mirror.edits_in))
                requests.append(BackupRequest(self._folder, text=True, parts=self._outdated, edits=edits))
                self._outdated = frozenset()
        if self._failed_in != (self._folder, datetime.now().hour) and backups.is_due(self._folder):
            requests.append(BackupRequest(self._folder))
        if requests:
            self._work.ask(requests)

    @Slot(object, object)
    def _done(self, request: object, result: object) -> None:
        assert isinstance(request, BackupRequest)
        if not isinstance(result, WorkbenchError) or request.folder != self._folder:
            return
        from workbench.core.storage.text_changes import TextChanged

        if isinstance(result, TextChanged):
            self._session.text_held.emit(True)
            return
        if request.text:
            self._outdated = None
        now = self._folder, datetime.now().hour
        if self._failed_in != now:
            self._failed_in = now
            what = "The project's text" if request.text else "This hour's copy of the project"
            self._session.report_error(WorkbenchError(f"{what} could not be written. {result.sentence}", result.cause))

    def close(self) -> None:
        """The window closes: bring the text up to date, or at the next opening if that takes seconds."""
        self._look_at_all_if_busy()
        self._work.close()
        document = self._session.document
        if self._is_text_held:
            return  # after the next opening it is asked again
        if document is not None and self._outdated is None and len(document.images()) > AT_ONCE:
            return
        if self._folder is not None and self._outdated != frozenset():
            with contextlib.suppress(WorkbenchError):  # it is written again after the next opening
                _write_backup(BackupRequest(self._folder, text=True, parts=self._outdated))
            self._outdated = frozenset()


@dataclass(frozen=True, slots=True)
class BackupRequest:
    """A backup of the project in `folder`, or these `parts` of its text (None: all)."""

    folder: Path
    text: bool = False
    parts: frozenset[int] | None = None
    edits: tuple[int, ...] = ()  # as in mirror.write


def _write_backup(request: object) -> object:
    from workbench.core.storage import backups, text_changes

    assert isinstance(request, BackupRequest)
    if request.text:
        return text_changes.write(request.folder, request.parts, request.edits)
    return backups.back_up(request.folder)


def ask_to_restore(folder: Path, damage: Damaged) -> bool:
    """Say what is wrong with the project in `folder`; True if a copy or one made from its text has replaced it.

    WorkbenchError if that could not be done.
    """
    from workbench.core.storage import backups
    from workbench.core.store import FILE

    owner = QApplication.activeWindow()  # found before the waiting dialog is active, which takes its children along
    good, text = run_waiting(
        "Looking for good copies of the project", lambda: (backups.newest_good(folder), backups.text_of(folder))
    )
    question = QMessageBox(QMessageBox.Icon.Warning, "The project can't be opened", damage.sentence)
    question.setParent(owner, question.windowFlags())
    question.setObjectName("restore-question")
    question.setDefaultButton(question.addButton(QMessageBox.StandardButton.Close))
    choices: dict[QPushButton, backups.Backup | mirror.MirrorInfo] = {}
    if good is not None:
        choices[_add_choice(question, "restore-copy", f"Take the copy of {good.words}")] = good
    if text is not None:
        choices[
            _add_choice(question, "restore-text", f"Rebuild it from the text of {backups.time_text(text.written)}")
        ] = text
    if good is not None and text is not None and good.made > text.written:
        question.setDefaultButton(next(button for button, choice in choices.items() if choice is good))
    if choices:
        kept = "The damaged file is kept beside it. " if (folder / FILE).exists() else ""
        question.setInformativeText(f"{kept}A project rebuilt from the text has no edits to undo.")
    show_whole_words(question)
    clicked: list[object] = []
    question.buttonClicked.connect(clicked.append)
    question.exec()
    chosen = next((choice for button, choice in choices.items() if button in clicked), None)
    if chosen is not None:
        run_waiting("Going back to what the project was", lambda: backups.restore(folder, chosen))
    return chosen is not None


def _add_choice(question: QMessageBox, name: str, words: str) -> QPushButton:
    button = question.addButton(words, QMessageBox.ButtonRole.AcceptRole)
    button.setObjectName(name)
    question.setDefaultButton(button)
    return button


class _WaitingDialog(QDialog):
    """Says what is going on; it can't be closed meanwhile."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setParent(QApplication.activeWindow(), self.windowFlags() | Qt.WindowType.Dialog)
        self.setObjectName("restore-waiting")
        self.setWindowTitle("Workbench")
        self.setWindowModality(Qt.WindowModality.ApplicationModal)
        lines = QVBoxLayout(self)
        lines.addWidget(QLabel(f"{title} ..."))
        bar = QProgressBar(maximum=0)
        bar.setAccessibleName(title)
        lines.addWidget(bar)

    def reject(self) -> None:
        """Ignore Esc and the close button."""


def run_waiting(title: str, work: Callable[[], T]) -> T:
    """What `work` returns or raises (WorkbenchError). It may take seconds: a job, so that the window is painted.

    `title` says what is going on, in a dialog that can't be closed meanwhile.
    """
    found: list[T] = []

    def once(_: Job) -> Iterator[None]:
        found.append(work())
        yield None

    waiting = _WaitingDialog(title)
    job = Job(title, once, waiting)
    job.finished.connect(waiting.accept)
    job.start()
    if not job.wait(WAIT_DIALOG_DELAY):
        waiting.exec()
        job.wait()
    waiting.deleteLater()
    if job.error is not None:
        raise job.error
    return found[0]
