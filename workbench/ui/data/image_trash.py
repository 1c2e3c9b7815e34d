"""Moves the files of images to this computer's trash, after asking: a job, as thousands of files take a minute."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import QFile, QObject, Slot
from PySide6.QtWidgets import QMessageBox, QWidget

from workbench.core import edits, formatting
from workbench.errors import WorkbenchError
from workbench.ui.job import Job
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session
from workbench.ui.widgets.buttons import show_whole_words

_EVERY = 0.1
"""Seconds between two events of progress."""


@dataclass(frozen=True, slots=True)
class FilesTrashed:
    """The end: ids of the images whose files are in the trash, and how many could not be moved there."""

    project: Path
    gone: tuple[int, ...]
    stayed: int


class ImageTrash(QObject):
    """For the page `parent`, over which it asks."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._page = session, parent
        self._job: Job | None = None
        session.closing.connect(self._finish)
        session.job_ended.connect(self._ended)

    def trash(self, ids: Sequence[int]) -> None:
        """Move the files of these images there, after a yes; they leave the project at the end, in one step.

        Undo restores images and boxes, but files must be restored from the trash by hand.
        """
        document = self._session.document
        if document is None or not ids or not self._session.may_change():
            return
        if self._job is not None:
            self._session.inform("Files are still being moved to the trash. Wait for them, or stop that below.")
            return
        if document.store.held:  # the images could not leave the project when their files are gone
            self._session.report_error(WorkbenchError(document.store.held))
            return
        files = [document.file(document.image(id)) for id in ids]
        if self._is_agreed(files, int(document.counts().of(np.array(ids)).sum())):
            folder, chosen = document.folder, list(zip(ids, files, strict=True))
            self._job = Job("Moving files to the trash", lambda job: _move(folder, chosen, job), self, ends_itself=True)
            self._job.reported.connect(self._reported)
            self._session.start(self._job)

    def _is_agreed(self, files: Sequence[Path], boxes: int) -> bool:
        question = QMessageBox(
            QMessageBox.Icon.Warning, "Move files to the trash", _words(files, boxes), parent=self._page
        )
        question.setObjectName("trash-question")
        yes = question.addButton("Move to the trash", QMessageBox.ButtonRole.DestructiveRole)
        yes.setObjectName("trash-yes")
        question.setDefaultButton(question.addButton(QMessageBox.StandardButton.Cancel))
        show_whole_words(question)
        question.exec()
        return question.clickedButton() is yes

    @Slot()
    def _finish(self) -> None:
        """The project is about to be closed: images whose files are gone leave it now."""
        if self._job is not None:
            self._job.stop.set()
            self._job.settle()

    @Slot(object)
    def _ended(self, job: object) -> None:
        if job is self._job:
            self._job = None

    @Slot(object)
    def _reported(self, event: object) -> None:
        document = self._session.document
        if not isinstance(event, FilesTrashed) or document is None or document.folder != event.project:
            return
        gone = tuple(id for id in event.gone if document.images().has(id))  # others were taken out meanwhile
        if gone and self._session.do(edits.RemoveImages(gone)) is not None:
            self._session.inform(
                f"{formatting.count(len(gone), 'image')} and their files are gone from here;"
                " the files are in the trash."
            )
        if event.stayed:
            self._session.report_error(
                WorkbenchError(
                    f"{formatting.count(event.stayed, 'image')} could not be moved to the trash and stay in the"
                    " project: their files were not found, or the folder is read-only or on a disk without a trash."
                )
            )


def _move(project: Path, chosen: Sequence[tuple[int, Path]], job: Job) -> Iterator[JobProgress | FilesTrashed]:
    """Runs in the job's thread. Stopping leaves the other files where they are."""
    gone, stayed, told = list[int](), 0, time.monotonic()
    for done, (id, file) in enumerate(chosen):
        if job.stop.is_set():
            break
        if time.monotonic() - told >= _EVERY:
            told = time.monotonic()
            yield JobProgress(done, len(chosen), "files")
        if os.path.exists(file) and QFile.moveToTrash(str(file)):
            gone.append(id)
        else:
            stayed += 1
    yield FilesTrashed(project, tuple(gone), stayed)


def _words(files: Sequence[Path], boxes: int) -> str:
    some = "\n".join(str(file) for file in files[:5]) + ("\n…" if len(files) > 5 else "")
    return (
        f"Move {formatting.count(len(files), 'file')} to the trash of this computer?\n\n{some}\n\n"
        f"Their boxes ({boxes:,}) leave the project. Undo brings them back; the files only you can, from the trash."
    )
