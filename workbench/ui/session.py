"""What all pages share: the open project, the one selected image and label, running jobs, and messages.

Pages ask for edits here and never touch the project; they hear of every edit by `edited`. The selection is the
project's, not a page's: choosing an image in a gallery, a plot or a list shows the same image on every page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication

from workbench.core.name_forms import short
from workbench.errors import WorkbenchError
from workbench.ui import preferences
from workbench.ui.job import Job

if TYPE_CHECKING:  # the window is painted before NumPy is imported, which all of these need
    from workbench.core.applied import Applied
    from workbench.core.document import Document
    from workbench.core.edits import Edit
    from workbench.core.project import Box, Image, Label
    from workbench.training.runs import RunInfo

log = logging.getLogger(__name__)
_LEFT = "left-training"
"""The preference with the project that was closed while it trained, and the title of that job."""
_PATIENCE = 30.0  # seconds that jobs get to end
_LARGE = 5000
"""Images from which an edit of all of them is felt."""


class PageUndo(Protocol):
    """What the page that is shown can take back by itself, before an edit of the project is; "" for nothing."""

    @property
    def undo_title(self) -> str: ...

    @property
    def redo_title(self) -> str: ...

    def undo(self) -> None: ...

    def redo(self) -> None: ...


class Session(QObject):
    """The window's state. `document` is None while the start page is shown."""

    document_changed = Signal()  # another project was opened, or closed
    closing = Signal()  # the project is about to be closed: what is half done must become an edit now
    edited = Signal(object)  # Applied: after every edit, undo and redo
    image_changed = Signal(int)  # the selected image's id, 0 for none
    label_changed = Signal(int)  # the label that new boxes get
    page_asked = Signal(str)  # a page asks to be left for the page of this name
    command_asked = Signal(str, str)  # the same, and to have a command of that page done
    images_asked = Signal(object, str)  # the Data page, which is shown, is to list these ids, None all: why, in words
    marked_asked = Signal(object, str, object)  # the same, with boxes of these ids marked on them
    walk_asked = Signal(object)  # the Label page is to list what this Filter says, of which `only` or nothing is set
    boxes_asked = Signal(object)  # ids of boxes of the selected image that are to be seen
    import_asked = Signal()  # a page asks for the window that imports weights
    help_asked = Signal(str)  # a help page by name
    undo_changed = Signal()  # what the shown page can take back by itself
    message = Signal(str, str)  # level ("info", "warning", "error"), sentence
    offered = Signal(str, object)  # beside the message before: a button's word, and what is called when it is pressed
    job_started = Signal(object)  # Job
    job_event = Signal(object, object)  # Job, its event
    job_ended = Signal(object)  # Job, after its thread has ended
    files_asked = Signal()  # the folders are to be looked through for new, missing and renamed files
    dates_asked = Signal()  # images without a date are to be looked at
    images_found = Signal(object)  # ids of images that came or were measured by a job of their own; None: any
    runs_changed = Signal()  # a run's checkpoint appeared or went
    run_asked = Signal(str)  # the run of this name is to be looked at
    training_asked = Signal(object)  # training.request.RunRequest: begin it, where no other training is under way
    beside_asked = Signal(str)  # this format is to be kept beside the images, "" for none
    beside_synced = Signal(object)  # exchange.autosync.Synced, or a WorkbenchError: all files were looked at

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document: Document | None = None
        self.image_id = 0
        self.label_id = 0
        self.page = ""  # name of the page that is shown, or of the project's that was last; "" before any was
        self.anchorless = ""  # the title of the detector that the Train page has chosen, if it takes no anchors
        self.jobs: list[Job] = []
        self.page_undo: PageUndo | None = None
        self.inspected: RunInfo | None = None  # the run that the Inspect page has looked with last
        self.to_import: Path | None = None  # what the import window is to read when it is opened next
        self.last_images: dict[Path, int] = {}  # shown when the window did not end by itself, by project
        self._unlisten: Callable[[], None] = lambda: None
        self._messages = 0
        self.message.connect(self._count_message)

    # --- the project ---

    def open(self, document: Document, keep: Job | None = None) -> None:
        """Show `document`; the one before is closed with its jobs, all but `keep`."""
        self.close(keep)
        self.document = document
        self._unlisten = document.listen(self._heard)
        images, labels = document.images(), document.labels()
        last = self.last_images.pop(document.folder, 0) or int(document.setting("window.image", 0) or 0)
        self.image_id = last if images.has(last) else (images[0].id if images else 0)
        self.label_id = labels[0].id if labels else 0
        self.page = str(document.setting("window.page", "") or "")
        self.document_changed.emit()
        self.image_changed.emit(self.image_id)
        self.label_changed.emit(self.label_id)
        left = preferences.get(_LEFT, []) or []
        if len(left) == 2 and left[0] == str(document.folder) and not document.read_only:
            preferences.put(_LEFT, [])
            words = f"{left[1]} was stopped when the project was closed. To go on, press Resume on the Train page."
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

    def _heard(self, applied: Applied) -> None:
        document = self.document
        if document is None:
            return
        if applied.labels_changed and self.label_id not in {x.id for x in document.labels()}:
            self.select_label(document.labels()[0].id if document.labels() else 0)
        self.edited.emit(applied)
        images = document.images()
        if applied.images_changed and not images.has(self.image_id):
            self.select_image(images[0].id if images else 0)

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

    def select_label(self, id: int) -> None:
        if id != self.label_id:
            self.label_id = id
            self.label_changed.emit(id)

    # --- edits: failures become messages ---

    def do(self, edit: Edit) -> Applied | None:
        return self._try(lambda document: document.do(edit))

    def draw(self, boxes: tuple[Box, ...]) -> Applied | None:
        return self._try(lambda document: document.draw(boxes))

    def split_off(self, boxes: tuple[Box, ...], name: str) -> Applied | None:
        return self._try(lambda document: document.split_off(boxes, name))

    @property
    def undo_title(self) -> str:
        """What Ctrl+Z would take back, "" for nothing."""
        own = self.page_undo.undo_title if self.page_undo else ""
        return own or (self.document.undo_title if self.document else "")

    @property
    def redo_title(self) -> str:
        own = self.page_undo.redo_title if self.page_undo else ""
        return own or (self.document.redo_title if self.document else "")

    def undo_last(self) -> None:
        """Ctrl+Z: what the shown page takes back by itself, else the project's newest edit."""
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

    def undo(self) -> Applied | None:
        return self._show(self._messages, self._try(lambda document: document.undo()))

    def redo(self) -> Applied | None:
        return self._show(self._messages, self._try(lambda document: document.redo()))

    @Slot()
    def _count_message(self) -> None:
        self._messages += 1

    def _try(self, act: Callable[[Document], Applied | None]) -> Applied | None:
        if self.document is None:
            return None
        busy = len(self.document.images()) > _LARGE
        if busy:  # an edit of all images takes a second, and one can't know before an undo
            QGuiApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            return act(self.document)
        except WorkbenchError as error:
            self.tell(error)
            return None
        finally:
            if busy:
                QGuiApplication.restoreOverrideCursor()

    def _show(self, messages: int, applied: Applied | None) -> Applied | None:
        """After undo or redo, go to the image that changed, so that it is seen, and name it where another one was
        shown; or say what can't be seen.

        `messages`: how many there were before. Who has said what follows from it is not spoken over.
        """
        if applied is None or self.document is None:
            return applied
        alive = self.document.images()
        changed = [id for id in sorted(applied.images) if alive.has(id)]
        elsewhere = bool(changed) and self.image_id not in changed
        unseen = (
            applied.settings_changed or applied.labels_changed or applied.images_changed or len(applied.images) > 1
            or self.page not in ("", "label")  # boxes of one image are seen on that page only
        )  # fmt: skip
        if (unseen or elsewhere) and messages == self._messages:
            name = self.document.image(changed[0]).name if len(changed) == 1 else ""
            where = f" ({short(name)})" if name and name not in applied.title else ""
            self.inform(f"{'Taken back' if applied.kind == 'undo' else 'Done again'}: {applied.title}{where}.")
        if elsewhere:
            self.select_image(changed[0])
        return applied

    def tell(self, error: WorkbenchError) -> None:
        """Show a failure in the quiet corner and keep its cause in the log."""
        log.warning("%s (%s)", error.sentence, error.cause)
        self.message.emit("error", error.sentence)

    def inform(self, sentence: str) -> None:
        log.info("%s", sentence)
        self.message.emit("info", sentence)

    def offer_import(self, word: str) -> None:
        """Beside what was said last, a button that opens the import window with `to_import`."""
        self.offered.emit(word, lambda: self.command_asked.emit("data", "import-labels"))

    # --- jobs ---

    @property
    def is_training(self) -> bool:
        return any(job.pauses for job in self.jobs)

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
        if job in self.jobs:  # else it was ended before the window heard of it
            self.jobs.remove(job)
            self.job_ended.emit(job)
        job.deleteLater()  # not by `finished` itself: the thread may still be telling who listens to it

    def _note_training(self) -> None:
        """What closing stops is told at the next opening."""
        trained = next((job.title for job in self.jobs if job.pauses), "")
        if trained and self.document is not None:
            preferences.put(_LEFT, [str(self.document.folder), trained])

    def end_training(self, seconds: float) -> bool:
        """Ask a training to stop after its step, and wait for so long; False if it still runs."""
        self._note_training()
        return all(job.end(seconds) for job in self.jobs if job.pauses)

    def end_jobs(self, keep: Job | None = None) -> bool:
        """Ask all jobs (but `keep`) to stop and wait for them; False if one still runs.

        What they found is not told any more: it would come to the next project. Those that end themselves may, and
        those whose events carry something.
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
        """Keep the selected image and the page for the next opening; not an edit, so not in the journal."""
        from workbench.core import edits

        document = self.document
        if document is None or document.read_only:
            return
        place = {"window.image": self.image_id, "window.page": self.page}
        news = {name: value for name, value in place.items() if value and value != document.setting(name)}
        if not news:
            return
        try:
            with document.store.transaction() as connection:
                for name, value in news.items():
                    edits.ChangeSetting(name, value).apply(connection)
        except WorkbenchError as error:  # no reason not to close
            log.warning("%s (%s)", error.sentence, error.cause)


def project_of(path: Path) -> Path | None:
    """The project folder that `path` names (the folder, or its project.sqlite), or None."""
    folder = path.parent if path.name == "project.sqlite" else path
    return folder if (folder / "project.sqlite").is_file() else None
