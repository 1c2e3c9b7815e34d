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

if TYPE_CHECKING:
    from workbench.core import backups, mirror
    from workbench.core.applied import Applied

T = TypeVar("T")
AT_ONCE = 5000
"""Number of images up to which the whole text is written while the window closes."""
UNSEEN = 200
"""Milliseconds of work on a damaged project before the user is told to wait."""
LOOK = 30_000
"""Milliseconds between checks whether a backup is due: one in each hour with changes."""


class BackingUp(QObject):
    """Backs up the open project when that is due (core.backups), and keeps its text current (core.mirror).

    Call `close` before its owner is deleted.
    """

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._work = Background("Copying the project", _made, self)
        self._work.done.connect(self._done)
        self._failed_in: tuple[Path, int] | None = None  # the project and the hour of the last reported failure
        self._folder: Path | None = None  # of the open project, if it can be edited
        self._behind: frozenset[int] | None = frozenset()  # parts of the text that lack an edit; None: perhaps all
        self._clock = QTimer(self, interval=LOOK)
        self._clock.timeout.connect(self.look)
        session.document_changed.connect(self._document_changed)
        session.edited.connect(self._edited)
        session.images_found.connect(self._found)

    @Slot()
    def _document_changed(self) -> None:
        document = self._session.document
        if self._folder is not None and self._behind != frozenset():
            self._work.ask([Wish(self._folder, text=True, parts=self._behind)])
        self._folder, self._behind = None, frozenset()
        if document is not None and not document.read_only:
            from workbench.core import mirror

            current = document.store.read(lambda connection: mirror.is_current(document.folder, connection))
            self._folder, self._behind = document.folder, frozenset() if current else None
            self._clock.start()
        else:
            self._clock.stop()

    @Slot(object)
    def _edited(self, applied: Applied) -> None:
        from workbench.core import mirror

        if self._behind is not None:
            # -1: no such part exists, but writing any part writes labels and settings
            self._behind |= {-1, *map(mirror.block_of, applied.images)}

    @Slot(object)
    def _found(self, _images: object) -> None:
        self._behind = None

    @Slot()
    def look(self) -> None:
        """Start what is due."""
        from workbench.core import backups

        if self._folder is None or not self._work.is_idle() or self._session.jobs:
            return
        wishes = []
        if self._behind != frozenset():
            wishes.append(Wish(self._folder, text=True, parts=self._behind))
            self._behind = frozenset()
        if self._failed_in != (self._folder, datetime.now().hour) and backups.is_due(self._folder):
            wishes.append(Wish(self._folder))
        if wishes:
            self._work.ask(wishes)

    @Slot(object, object)
    def _done(self, wish: object, result: object) -> None:
        assert isinstance(wish, Wish)
        if not isinstance(result, WorkbenchError) or wish.folder != self._folder:
            return
        if wish.text:
            self._behind = None
        now = self._folder, datetime.now().hour
        if self._failed_in != now:
            self._failed_in = now
            what = "The project's text" if wish.text else "This hour's copy of the project"
            self._session.tell(WorkbenchError(f"{what} could not be written. {result.sentence}", result.cause))

    def close(self) -> None:
        """The window closes: bring the text up to date, or at the next opening if that takes seconds."""
        self._work.close()
        document = self._session.document
        if document is not None and self._behind is None and len(document.images()) > AT_ONCE:
            return
        if self._folder is not None and self._behind != frozenset():
            with contextlib.suppress(WorkbenchError):  # it is written again after the next opening
                _made(Wish(self._folder, text=True, parts=self._behind))
            self._behind = frozenset()


@dataclass(frozen=True, slots=True)
class Wish:
    """A backup of the project in `folder`, or these `parts` of its text (None: all)."""

    folder: Path
    text: bool = False
    parts: frozenset[int] | None = None


def _made(wish: object) -> object:
    from workbench.core import backups, mirror

    assert isinstance(wish, Wish)
    return mirror.write(wish.folder, wish.parts) if wish.text else backups.back_up(wish.folder)


def ask_to_restore(folder: Path, damage: Damaged) -> bool:
    """Say what is wrong with the project in `folder`; True if a copy or one made from its text has replaced it.

    WorkbenchError if that could not be done.
    """
    from workbench.core import backups

    owner = QApplication.activeWindow()  # found before the waiting dialog is active, which takes its children along
    good, text = _behind(
        "Looking for good copies of the project", lambda: (backups.newest_good(folder), backups.text_of(folder))
    )
    asked = QMessageBox(QMessageBox.Icon.Warning, "The project is damaged", damage.sentence)
    asked.setParent(owner, asked.windowFlags())
    asked.setObjectName("restore-question")
    asked.setDefaultButton(asked.addButton(QMessageBox.StandardButton.Close))
    ways: dict[QPushButton, backups.Backup | mirror.Text] = {}
    if good is not None:
        ways[_way(asked, "restore-copy", f"Take the copy of {good.words}")] = good
    if text is not None:
        ways[_way(asked, "restore-text", f"Rebuild it from the text of {backups.said(text.written)}")] = text
    if good is not None and text is not None and good.made > text.written:
        asked.setDefaultButton(next(button for button, way in ways.items() if way is good))
    if ways:
        asked.setInformativeText(
            "The damaged file is kept beside it. A project rebuilt from the text has no edits to undo."
        )
    clicked: list[object] = []
    asked.buttonClicked.connect(clicked.append)
    asked.exec()
    chosen = next((way for button, way in ways.items() if button in clicked), None)
    if chosen is not None:
        _behind("Going back to what the project was", lambda: backups.restore(folder, chosen))
    return chosen is not None


def _way(asked: QMessageBox, name: str, words: str) -> QPushButton:
    button = asked.addButton(words, QMessageBox.ButtonRole.AcceptRole)
    button.setObjectName(name)
    asked.setDefaultButton(button)
    return button


class _Waiting(QDialog):
    """Says what is going on; it can't be closed meanwhile."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setParent(QApplication.activeWindow(), self.windowFlags() | Qt.WindowType.Dialog)
        self.setObjectName("restore-waiting")
        self.setWindowTitle("Workbench")
        self.setWindowModality(Qt.WindowModality.ApplicationModal)
        lines = QVBoxLayout(self)
        lines.addWidget(QLabel(f"{title} ..."))
        lines.addWidget(QProgressBar(maximum=0))

    def reject(self) -> None:
        """Ignore Esc and the close button."""


def _behind(title: str, work: Callable[[], T]) -> T:
    """What `work` returns or raises (WorkbenchError). It may take seconds: a job, so that the window is painted."""
    found: list[T] = []

    def once(_: Job) -> Iterator[None]:
        found.append(work())
        yield None

    waiting = _Waiting(title)
    job = Job(title, once, waiting)
    job.finished.connect(waiting.accept)
    job.start()
    if not job.wait(UNSEEN):
        waiting.exec()
        job.wait()
    waiting.deleteLater()
    if job.error is not None:
        raise job.error
    return found[0]
