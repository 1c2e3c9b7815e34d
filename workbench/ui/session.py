"""What all pages share: the open project, the selected image and label, running jobs, and messages.

Pages request edits here and never touch the project; `edited` tells them of every edit. The selection belongs to the
project, not to a page: choosing an image in a gallery, a plot or a list shows the same image on every page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication

from workbench.core.folders.name_forms import short
from workbench.errors import ReadOnly, WorkbenchError
from workbench.ui import preferences
from workbench.ui.job import Job

if TYPE_CHECKING:  # painting the window comes before importing NumPy, which all of these need
    from workbench.core.applied_edit import AppliedEdit
    from workbench.core.document import Document
    from workbench.core.edits import Edit
    from workbench.core.project import Box, Image, Label
    from workbench.training.records.runs import RunInfo
    from workbench.ui.page_undo import WidgetUndoStack

log = logging.getLogger(__name__)
_LEFT = "left-training"
"""The preference that holds the project closed during a training, and the title of that job."""
_PATIENCE = 30.0  # seconds that jobs have to end
_LARGE = 5000
"""Number of images from which an edit of all of them is noticeably slow."""


class Session(QObject):
    """The window's state. `document` is None while the start page is shown."""

    document_changed = Signal()  # another project was opened, or closed
    closing = Signal()  # the project is about to be closed: unfinished changes must become edits now
    edited = Signal(object)  # AppliedEdit: after every edit, undo and redo
    image_changed = Signal(int)  # the selected image's id, 0 for none
    label_changed = Signal(int)  # the label for new boxes
    page_requested = Signal(str)  # show the page of this name instead
    command_requested = Signal(str, str)  # the same, and run a command of that page
    images_requested = Signal(object, str)  # the Data page is to list these ids (None: all), and why
    marked_images_requested = Signal(object, str, object)  # the same, with the boxes of these ids marked
    gallery_requested = Signal(object)  # the Data page is to list by this Filter
    filter_requested = Signal(object)  # the Label page is to list by this Filter, the Data page's
    boxes_requested = Signal(object)  # ids of boxes of the selected image to bring into view
    weights_import_requested = Signal()  # open the window that imports weights
    help_requested = Signal(str)  # a help page by name
    undo_changed = Signal()  # what the shown page can undo by itself
    message = Signal(str, str)  # level ("info", "warning", "error"), sentence
    offered = Signal(str, object)  # beside the last message: a button's text, and what is called when it is pressed
    job_started = Signal(object)  # Job
    job_event = Signal(object, object)  # Job, its event
    job_ended = Signal(object)  # Job, after its thread has ended
    file_check_requested = Signal()  # search the folders for new, missing and renamed files
    text_held = Signal(bool)  # another program changed the project's text: it is not written until that is settled
    reopen_requested = Signal(object)  # the folder of a project that is open for reading only: it may be free by now
    dates_requested = Signal()  # read the dates of images without one
    images_found = Signal(object)  # ids of images that were added or measured by a job of their own; None: any
    runs_changed = Signal()  # a run's checkpoint appeared or went
    run_requested = Signal(str)  # show the run of this name on the Inspect page
    setting_requested = Signal(str)  # the field name of a setting of a training, to be shown on the Train page
    training_requested = Signal(object)  # training.request.RunRequest: begin it, unless another training is running
    autosync_requested = Signal(str)  # keep this format beside the images, "" for none
    autosync_finished = Signal(object)  # exchange.autosync.SyncResult, or a WorkbenchError: all files were checked

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document: Document | None = None
        self.image_id = 0
        self.label_id = 0
        self.recent_labels: tuple[int, ...] = ()  # ids, chosen since the project was opened, the last first
        self.page = ""  # the shown page, or else the last project's; "" before any was shown
        self.anchorless = ""  # the title of the detector that the Train page has chosen, if it takes no anchors
        self.jobs: list[Job] = []
        self.page_undo: WidgetUndoStack | None = None  # of what is visible; its steps come before the project's edits
        self.inspected: RunInfo | None = None  # the run that the Inspect page evaluated last
        self.to_import: Path | None = None  # what the import window is to read when next opened
        self._image_orders: list[tuple[Callable[[], bool], Callable[[int], int]]] = []  # see add_image_order
        self.last_images: dict[Path, int] = {}  # by project: the images shown when a window crashed
        self._last_pages: dict[Path, str] = {}  # by project: the page shown when it was opened again
        self._unlisten: Callable[[], None] = lambda: None
        self._messages = 0
        self.message.connect(self._count_message)

    # --- the project ---

    def open(self, document: Document, keep: Job | None = None) -> None:
        """Show `document`; the previous one is closed with its jobs, all but `keep`."""
        self.close(keep)
        self.document = document
        self._unlisten = document.listen(self._document_edited)
        images, labels = document.images(), document.labels()
        last = self.last_images.pop(document.folder, 0) or int(document.setting("window.image", 0) or 0)
        self.image_id = last if images.has(last) else (images[0].id if images else 0)
        last = int(document.setting("window.label", 0) or 0)
        self.label_id = last if any(label.id == last for label in labels) else (labels[0].id if labels else 0)
        self.recent_labels = (self.label_id,)
        self.page = self._last_pages.pop(document.folder, "") or str(document.setting("window.page", "") or "")
        self.document_changed.emit()
        self.image_changed.emit(self.image_id)
        self.label_changed.emit(self.label_id)
        left = preferences.get(_LEFT, []) or []
        if len(left) == 2 and left[0] == str(document.folder) and not document.read_only:
            preferences.put(_LEFT, [])
            from workbench.training.records import queue_file  # a cost only for who needs it

            words = f"{left[1]} was stopped when the project was closed. To go on, press Resume on the Train page."
            if (document.folder / queue_file.FILE).exists():
                words += " Trainings that wait in the queue are held there."
            self.message.emit("hint", words)

    def close(self, keep: Job | None = None, remember: bool = True) -> None:
        """Close the project, if one is open, and its jobs, all but `keep`; `remember` image and page."""
        if self.document is None:
            return
        self.to_import = self.inspected = None
        self.closing.emit()
        self._note_training()
        self.end_jobs(keep=keep)
        if remember:
            self.remember_place()
        self._unlisten()
        document, self.document = self.document, None
        self.image_id = self.label_id = 0
        self.anchorless = ""
        self.document_changed.emit()
        document.close()

    def _document_edited(self, applied: AppliedEdit) -> None:
        document = self.document
        if document is None:
            return
        if applied.labels_changed and self.label_id not in {x.id for x in document.labels()}:
            self.select_label(document.labels()[0].id if document.labels() else 0)
        self.edited.emit(applied)
        images = document.images()
        if applied.images_changed and not images.has(self.image_id):
            self.select_image(self._next_after(self.image_id) or (images[0].id if images else 0))

    # --- the selection ---

    @property
    def image(self) -> Image | None:
        if self.document is None or not self.document.images().has(self.image_id):
            return None
        return self.document.image(self.image_id)

    @property
    def label(self) -> Label | None:
        if self.document is None or not self.label_id:
            return None
        return self.document.label(self.label_id)

    def select_image(self, id: int) -> None:
        if id != self.image_id:
            self.image_id = id
            self.image_changed.emit(id)

    def add_image_order(self, in_sight: Callable[[], bool], next_after: Callable[[int], int]) -> None:
        """Ask a list of images, once all lists have followed an edit, what comes after the selected image if that
        went, 0 for none; of several lists the one in sight first.
        """
        self._image_orders.append((in_sight, next_after))

    def _next_after(self, gone: int) -> int:
        asked = sorted(self._image_orders, key=lambda order: not order[0]())
        return next((id for _, next_after in asked if (id := next_after(gone))), 0)

    def select_label(self, id: int) -> None:
        if id != self.label_id:
            self.label_id = id
            self.recent_labels = (id, *(other for other in self.recent_labels if other != id))
            self.label_changed.emit(id)

    # --- edits: failures become messages ---

    def may_change(self) -> bool:
        """Whether a project is open that this window may change; if it may only read it, says why."""
        document = self.document
        if document is not None and document.read_only:
            self.report_error(ReadOnly(document.why_read_only))
        return document is not None and not document.read_only

    def do(self, edit: Edit) -> AppliedEdit | None:
        return self._try(lambda document: document.do(edit))

    def draw(self, boxes: tuple[Box, ...]) -> AppliedEdit | None:
        return self._try(lambda document: document.draw(boxes))

    def split_off(self, boxes: tuple[Box, ...], name: str) -> AppliedEdit | None:
        return self._try(lambda document: document.split_off(boxes, name))

    @property
    def undo_title(self) -> str:
        """What Ctrl+Z would undo, "" for nothing."""
        own = self.page_undo.undo_title if self.page_undo else ""
        return own or (self.document.undo_title if self.document else "")

    @property
    def redo_title(self) -> str:
        own = self.page_undo.redo_title if self.page_undo else ""
        return own or (self.document.redo_title if self.document else "")

    def undo_last(self) -> None:
        """Ctrl+Z: undo what the shown page can by itself, else the project's newest edit."""
        if self.page_undo is not None and self.page_undo.undo_title:
            self.page_undo.undo()
        else:
            self.undo()

    def redo_last(self) -> None:
        """Ctrl+Shift+Z."""
        if self.page_undo is not None and self.page_undo.redo_title:
            self.page_undo.redo()
        else:
            self.redo()

    def undo(self) -> AppliedEdit | None:
        """What was undone; None for nothing, or if it takes seconds: then a job was begun (long_steps)."""
        return self._step("undo")

    def redo(self) -> AppliedEdit | None:
        return self._step("redo")

    def _step(self, kind: str) -> AppliedEdit | None:
        def step(document: Document) -> AppliedEdit | None:
            from workbench.ui import long_steps

            if long_steps.of(self).undo_or_redo(kind, lambda _, tell: self._show(self._messages, tell())):
                return None
            return document.undo() if kind == "undo" else document.redo()

        return self._show(self._messages, self._try(step))

    @Slot()
    def _count_message(self) -> None:
        self._messages += 1

    def _try(self, act: Callable[[Document], AppliedEdit | None]) -> AppliedEdit | None:
        if self.document is None:
            return None
        busy = len(self.document.images()) > _LARGE
        if busy:  # an edit of all images takes a second, and undo can't tell in advance
            QGuiApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            return act(self.document)
        except WorkbenchError as error:
            self.report_error(error)
            return None
        finally:
            if busy:
                QGuiApplication.restoreOverrideCursor()

    def _show(self, messages: int, applied: AppliedEdit | None) -> AppliedEdit | None:
        """After undo or redo, select the image that changed, so that the change is seen, and name it if another one was
        shown; or describe a change that is not visible.

        `messages`: how many there were before. If someone has reported the consequences, say nothing more.
        """
        if applied is None or self.document is None:
            return applied
        alive = self.document.images()
        changed = [id for id in sorted(applied.images) if alive.has(id)]
        elsewhere = bool(changed) and self.image_id not in changed
        unseen = (
            applied.settings_changed or applied.labels_changed or applied.images_changed or len(applied.images) > 1
            or self.page not in ("", "label")  # boxes of one image are visible on that page only
        )  # fmt: skip
        if (unseen or elsewhere) and messages == self._messages:
            name = self.document.image(changed[0]).name if len(changed) == 1 else ""
            where = f" ({short(name)})" if name and name not in applied.title else ""
            self.inform(f"{'Taken back' if applied.kind == 'undo' else 'Done again'}: {applied.title}{where}.")
        if elsewhere:
            self.select_image(changed[0])
        return applied

    def report_error(self, error: WorkbenchError) -> None:
        """Show a failure in the quiet corner and log its cause."""
        log.warning("%s (%s)", error.sentence, error.cause)
        self.message.emit("error", error.sentence)
        if isinstance(error, ReadOnly):
            self.offer_reopening()

    def inform(self, sentence: str) -> None:
        log.info("%s", sentence)
        self.message.emit("info", sentence)

    def offer_reopening(self) -> None:
        """A button beside the last message: open the project again, at the same image and page, as it may be free."""
        document = self.document
        if document is not None:
            self.offered.emit("Open again", lambda: self._reopen(document.folder))

    def _reopen(self, folder: Path) -> None:
        self.keep_view()
        self.reopen_requested.emit(folder)

    def keep_view(self) -> None:
        """Show the same image and page when this project is opened again."""
        if self.document is not None:
            folder = self.document.folder
            self.last_images[folder], self._last_pages[folder] = self.image_id, self.page

    def offer_import(self, word: str) -> None:
        """Beside the last message, a button that opens the import window with `to_import`."""
        self.offered.emit(word, lambda: self.command_requested.emit("data", "import-labels"))

    # --- jobs ---

    @property
    def is_training(self) -> bool:
        return any(job.is_training for job in self.jobs)

    def start(self, job: Job) -> Job:
        """Start a job whose signals its page has connected already; it ends before this session does."""
        self.jobs.append(job)
        job.reported.connect(self._job_event)
        job.failed.connect(self._job_failed)
        job.finished.connect(self._job_finished)
        job.start()
        self.job_started.emit(job)
        return job

    @Slot(object)
    def _job_event(self, event: object) -> None:
        self.job_event.emit(self.sender(), event)

    @Slot(object)
    def _job_failed(self, error: object) -> None:
        if isinstance(error, WorkbenchError):
            self.message.emit("error", error.sentence)

    @Slot()
    def _job_finished(self) -> None:
        job = self.sender()
        if not isinstance(job, Job):
            return
        job.wait()
        if job in self.jobs:  # else it was ended before the window was notified
            self.jobs.remove(job)
            self.job_ended.emit(job)
        job.deleteLater()  # not connected to `finished`: the thread may still be notifying its listeners

    def _note_training(self) -> None:
        """Note the training that closing stops, for a message at the next opening."""
        trained = next((job.title for job in self.jobs if job.is_training), "")
        if trained and self.document is not None:
            preferences.put(_LEFT, [str(self.document.folder), trained])

    def end_training(self, seconds: float) -> bool:
        """Ask a training to stop after its step, and wait up to `seconds`; False if it still runs."""
        self._note_training()
        return all(job.end(seconds) for job in self.jobs if job.is_training)

    def end_jobs(self, keep: Job | None = None) -> bool:
        """Ask all jobs (but `keep`) to stop and wait for them; False if one still runs.

        Their results are not delivered any more: they would reach the next project. Except jobs that end themselves,
        and those whose events carry something.
        """
        jobs = tuple(job for job in self.jobs if job is not keep)
        for job in jobs:
            job.muted = not (job.ends_itself or job.carries)
            job.stop.set()
            job.pause.clear()
        ended = [job.end(_PATIENCE) for job in jobs]
        for job in jobs:
            if job in self.jobs and job.isFinished():
                self.jobs.remove(job)
                self.job_ended.emit(job)
        return all(ended)

    # --- for the next start ---

    def remember_place(self) -> None:
        """Save the selected image and label, and the page, for the next opening; not an edit, so not in the journal."""
        from workbench.core import edits

        document = self.document
        if document is None or document.read_only:
            return
        place = {"window.image": self.image_id, "window.label": self.label_id, "window.page": self.page}
        news = {name: value for name, value in place.items() if value and value != document.setting(name)}
        if not news:
            return
        try:
            with document.store.transaction() as connection:
                for name, value in news.items():
                    edits.ChangeSetting(name, value).apply(connection)
        except WorkbenchError as error:  # no reason not to close
            log.warning("%s (%s)", error.sentence, error.cause)
