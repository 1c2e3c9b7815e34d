"""The line above all pages about files that were added, removed or renamed in the images' folders.

It checks when the window becomes active, at most once a minute: one listing of each folder, in a thread. File system
watchers were rejected: they take one watch per subfolder, and report nothing on network disks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton

from workbench.core.formatting import count
from workbench.errors import WorkbenchError
from workbench.ui.background import Background
from workbench.ui.data.image_adder import ImageAdder
from workbench.ui.images import thumbnail_cache, unread_images
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.window.question_bar import QuestionBar

if TYPE_CHECKING:
    from workbench.core.applied_edit import AppliedEdit
    from workbench.core.folders.file_changes import FileChanges
    from workbench.core.storage.image_table import ImageTable

EVERY = 60.0
"""Seconds between automatic checks, and before the first one: a project being opened has enough to read."""


@dataclass(frozen=True, eq=False)
class _CheckRequest:
    """`by_user`: the user asked for it; files declined before are then offered again."""

    project: Path
    cache: Path
    folders: Mapping[int, Path]
    images: ImageTable
    by_user: bool


class FileChangesBar(QuestionBar):
    """Hidden while nothing has changed. Call `close_down` before its owner is deleted."""

    def __init__(self, session: Session) -> None:
        super().__init__("file-changes", "mdi6.folder-refresh-outline", "accent")
        self._session = session
        self._image_adder = ImageAdder(session, self)
        self._found: FileChanges | None = None
        self._reported_gone: frozenset[int] = frozenset()  # images whose missing files were already reported
        self._checked_at = time.monotonic()
        self._background = Background("Looking for new and missing files", _check, self)
        self._background.done.connect(self._show_result)
        help = "The images keep their boxes under the new names. Undo takes it back"
        self._keep = self.add_button("renamed", "Keep boxes", help, self._take_over)
        help = "Add these images to the project. Undo takes them out again"
        self._add = self.add_button("add", "Add", help, self._add_new)
        self._show = self.add_button("gone", "Show", "Show the images whose files are gone", self._show_gone)
        self.add_button("later", "Not now", "Do not ask for these files again", self._decline)
        session.document_changed.connect(self._document_changed)
        session.file_check_requested.connect(self._check_now)
        session.edited.connect(self._edited)
        application = QGuiApplication.instance()
        assert isinstance(application, QGuiApplication)
        application.applicationStateChanged.connect(self._state_changed)

    def close_down(self) -> None:
        self._background.close()

    # --- checking ---

    @Slot()
    def _document_changed(self) -> None:
        self._forget()
        self._reported_gone = frozenset()
        self._checked_at = time.monotonic()

    @Slot(object)
    def _state_changed(self, state: Qt.ApplicationState) -> None:
        if state == Qt.ApplicationState.ApplicationActive:
            self.check()

    def check(self) -> None:
        """Check, unless it was done within the last minute, or files are being read that it would report."""
        document, jobs = self._session.document, self._session.jobs
        is_due = time.monotonic() - self._checked_at >= EVERY and self._background.is_idle()
        if document is not None and not document.read_only and is_due and all(job.is_training for job in jobs):
            self._checked_at = time.monotonic()
            self._background.ask([self._request(by_user=False)])

    @Slot()
    def _check_now(self) -> None:
        """The command was used: check, with a line in the status bar meanwhile."""
        if self._session.document is not None:
            request = self._request(by_user=True)
            job = Job("Looking for new and missing files", lambda _: _check_in_job(request), self)
            job.reported.connect(self._show_job_result)
            self._session.start(job)

    def _request(self, *, by_user: bool) -> _CheckRequest:
        document = self._session.document
        assert document is not None
        return _CheckRequest(document.folder, document.cache_folder, document.roots(), document.images(), by_user)

    # --- results ---

    @Slot(object)
    def _show_job_result(self, event: object) -> None:
        assert isinstance(event, tuple)
        self._show_result(*event)

    @Slot(object, object)
    def _show_result(self, request: object, found: object) -> None:
        document = self._session.document
        if not isinstance(request, _CheckRequest) or document is None or document.images() is not request.images:
            return  # images were added or removed meanwhile
        if isinstance(found, WorkbenchError):
            if request.by_user:
                self._session.report_error(found)
            return
        from workbench.core.folders.file_changes import FileChanges

        assert isinstance(found, FileChanges)
        unread_images.of(self._session).files_gone(found.gone)
        gone = found.gone.difference(one.image for one in found.renamed)
        newly, self._reported_gone = gone if request.by_user else gone - self._reported_gone, gone
        self._show_changes(found, newly, len(gone))
        if request.by_user and self.isHidden():
            self._session.inform("There are no new or missing files in the folders of these images.")

    def _show_changes(self, found: FileChanges, newly: frozenset[int], gone: int) -> None:
        document = self._session.document
        assert document is not None
        can_edit = not document.read_only
        new, renamed = sum(map(len, found.new.values())), len(found.renamed)
        if not (new or renamed or newly):
            if self._found is not None:
                self._forget()
            return
        self._found = found
        sentences = []
        if renamed:
            sentences.append(
                _words_of_renamed(found, {one.image: document.image(one.image).name for one in found.renamed})
            )
        if new:
            where = f" in '{next(iter(found.new)).name}'" if len(found.new) == 1 else f" in {len(found.new)} folders"
            sentences.append(f"{count(new, 'new photograph')}{where}.")
        if newly:
            sentences.append(f"{count(gone, 'image')} {'has' if gone == 1 else 'have'} no file any more.")
        self.say(" ".join(sentences), "\n".join([*found.offered[:_NAMED], *["…"] * (len(found.offered) > _NAMED)]))
        self._add.setVisible(new > 0 and can_edit)
        self._keep.setVisible(renamed > 0 and can_edit)
        self._show.setVisible(bool(newly))
        self.show()

    def _forget(self) -> None:
        self._found = None
        self.hide()

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        """The images have changed since the check; those that the user has removed are not offered again."""
        document = self._session.document
        from workbench.core import edits
        from workbench.core.folders import file_changes

        parts = list(edits.walk(applied.edit))
        left = {
            id for part in parts if isinstance(part, edits.RemoveImages) for id in part.ids
        } - applied.added_image_ids
        if document is None or not (left or applied.added_image_ids):
            return
        if self._found is not None:
            self._forget()
            self._background.ask([self._request(by_user=False)])  # the rest of what was offered
        if left and not document.read_only:
            parts = list(edits.walk(applied.inverse))
            images = [image for part in parts if isinstance(part, edits.AddImages) for image in part.images]
            gone = (str(document.file(image)) for image in images if image.id in left)
            file_changes.decline(document.cache_folder, gone)

    # --- the user's answers ---

    @Slot()
    def _add_new(self) -> None:
        found = self._found
        if found is not None:
            self._without(self._add)
            for folder, names in found.new.items():
                self._image_adder.add_folder(folder, names)

    @Slot()
    def _take_over(self) -> None:
        document, found = self._session.document, self._found
        if document is None or found is None:
            return
        from workbench.core.folders import file_changes

        edit = file_changes.rename_edit(document, found.renamed)
        number = len(edit.touches())
        if number and self._session.do(edit) is not None:
            unread_images.of(self._session).files_gone(found.gone.difference(one.image for one in found.renamed))
            names = "its new name" if number == 1 else "their new names"
            self._session.inform(f"{count(number, 'image')} found again under {names}. Undo takes it back.")

    @Slot()
    def _show_gone(self) -> None:
        self._without(self._show)
        self._session.page_requested.emit("data")
        self._session.images_requested.emit(self._reported_gone, "whose files are gone")

    def _without(self, button: QPushButton) -> None:
        """The action that this button offered is done."""
        button.hide()
        if all(one.isHidden() for one in (self._add, self._keep, self._show)):
            self._forget()

    @Slot()
    def _decline(self) -> None:
        document, found = self._session.document, self._found
        self._forget()
        if document is not None and found is not None and not document.read_only:
            from workbench.core.folders import file_changes

            file_changes.decline(document.cache_folder, found.offered)


_NAMED = 12
"""Number of files named in the tooltip."""


def _words_of_renamed(found: FileChanges, names: Mapping[int, str]) -> str:
    first = found.renamed[0]
    if len(found.renamed) == 1:
        return f"{names[first.image]} is called {os.path.basename(first.name)} now."
    return f"{count(len(found.renamed), 'image')} have other names now."


def _check(request: _CheckRequest) -> FileChanges:
    """Runs in a thread."""
    from workbench.core.folders import file_changes

    def last_seen(files: Sequence[Path]) -> dict[Path, tuple[int, int]]:
        return thumbnail_cache.last_seen(request.cache / thumbnail_cache.FILE, files)

    found = file_changes.find_changes(request.project, request.folders, request.images, last_seen)
    return found if request.by_user else found.without(file_changes.declined(request.cache))


def _check_in_job(request: _CheckRequest) -> Iterator[tuple[_CheckRequest, FileChanges]]:
    yield request, _check(request)
