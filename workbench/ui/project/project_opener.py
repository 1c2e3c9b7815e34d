"""Making and opening projects: new from a folder, the sample, or from disk; slow parts run in jobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QApplication

from workbench.core import formatting
from workbench.core.files import absolute
from workbench.core.folders.project_folder import project_at, project_of
from workbench.errors import Damaged, WorkbenchError
from workbench.ui import long_steps
from workbench.ui.job import Job
from workbench.ui.job_progress import JobProgress
from workbench.ui.project import label_search, recent, sample_project, training_question
from workbench.ui.project.auto_backup import AutoBackup, ask_to_restore
from workbench.ui.project.label_file_sync import LabelFileSync
from workbench.ui.project.read_only_notice import ReadOnlyNotice
from workbench.ui.session import Session

if TYPE_CHECKING:  # later: the window is painted before NumPy is imported
    from workbench.core.document import Document
    from workbench.core.folders.new_project import ProjectOpened

ENDED = object()
"""Event of a job that ended while its other events were waiting."""
QUESTION_POLL = 100
"""Milliseconds between checks whether a question was answered."""
AT_ONCE = 4 << 20
"""Size in bytes up to which a project's file is opened in the window's thread: some 10,000 images, a few ms."""


class ProjectOpener(QObject):
    """Opens projects into the session; failures become messages. `opened` is emitted after each success.

    The last request counts: a project that arrives after another was asked for is closed again.
    """

    opened = Signal()
    sample_progress = Signal(int, int)  # photographs of the sample made, of how many; 0 of 0: it has ended

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._awaited: Job | None = None  # the one whose project will be shown
        self._opening: dict[Path, Job] = {}  # those that open an existing project; each holds its lock
        self._readers: dict[Job, Document] = {}  # jobs that read names and headers, and their project
        self._images_versions: dict[Job, int] = {}  # Document.images_version when they started
        self._begun_at: tuple[Document, int] | None = None  # a new project and the image shown when it was opened
        self._auto_backup = AutoBackup(session, self)
        self._label_file_sync = LabelFileSync(session, self)
        self._read_only_notice = ReadOnlyNotice(session, self)
        self._moved: dict[Path, recent.RecentProject] = {}  # by their folder now, according to the user
        self._sampling: Job | None = None
        self._waiting: list[tuple[Job, object]] = []  # events of jobs, until they are handled
        self._was_asked = False
        self._later = QTimer(self, singleShot=True, interval=QUESTION_POLL)
        self._later.timeout.connect(self._handle_waiting)
        self._new: tuple[Job, Path] | None = None  # the job that makes a project, and its photographs' folder
        self._seeking: tuple[Job, Document | None] | None = None
        self._then: Callable[[], object] | None = None  # called after the sample is open
        session.dates_requested.connect(self.measure_dates)
        session.reopen_requested.connect(self.open)
        session.job_ended.connect(self._job_ended)

    def open(self, folder: Path) -> bool:
        """Open the project in `folder`; False after a failure, which was reported. A large one is opened in a job."""
        from workbench.core.document import Document

        here = absolute(project_of(folder) or folder)
        self._give_up()
        if here in self._opening:
            self._awaited = self._opening[here]  # it is already being opened
            return True
        shown = self._session.document
        if shown is not None and shown.folder == here and not shown.read_only:  # may it be edited by now?
            self._take_place(shown)
            self.opened.emit()
            return True
        if not training_question.may_stop(self._session):
            return False
        try:
            if _file_size(folder) > AT_ONCE:
                self._opening[here] = Job(f"Opening {folder.name}", lambda _: _open_project(folder), self, carries=True)
                self._await(self._opening[here])
            else:
                self._show(Document.open(folder))
        except Damaged as damage:
            return self._restored(here, damage)
        except WorkbenchError as error:
            self._session.report_error(error)
            return False
        return True

    @Slot(object, object)
    def open_moved(self, was: recent.RecentProject, folder: Path) -> None:
        """Open the project that is now in `folder`; it replaces `was` in the list if it is the same one."""
        self._moved[absolute(project_of(folder) or folder)] = was
        self.open(folder)

    def _take_place(self, document: Document) -> None:
        was = self._moved.pop(document.folder, None)
        if was is None or was.folder == document.folder:
            return
        if was.name == document.name:
            recent.forget(was.folder)
        else:
            what = f"The project in {document.folder} is '{document.name}'."
            self._session.message.emit("warning", f"{what} '{was.name}' stays among the recent ones.")

    def _restored(self, folder: Path, damage: Damaged) -> bool:
        """Ask whether to restore the latest good copy, and open that."""
        try:
            return ask_to_restore(folder, damage) and self.open(folder)
        except WorkbenchError as error:
            self._session.report_error(error)
            return False

    def create(self, folder: Path, photographs: Path, name: str = "") -> None:
        """Make a project in `folder` with the images of `photographs`; the first images are shown at once."""
        if project_at(folder) is not None:
            self._session.report_error(
                WorkbenchError(f"There is already a project in {folder}. Open it, or choose another folder.")
            )
            return
        if not training_question.may_stop(self._session):
            return
        self._give_up()
        title = f"Reading {photographs.name}"
        job = Job(title, lambda job: _make_project(folder, photographs, name, job), self, carries=True)
        self._new = (job, photographs)
        self._await(job)

    def _await(self, job: Job) -> None:
        self._awaited = job
        job.reported.connect(self._event_arrived)
        self._session.start(job)

    def _give_up(self) -> None:
        """There is another request, or the window closes: drop what is being opened."""
        if self._awaited is not None and self._awaited not in self._opening.values():
            self._awaited.stop.set()
        self._awaited = None
        if self._sampling is not None:
            self._sampling.stop.set()

    def close(self) -> None:
        """The window closes."""
        self._give_up()
        while self._waiting:  # release what they carry
            self._handle(*self._waiting.pop(0))
        long_steps.of(self._session).finish()
        self._auto_backup.close()
        self._label_file_sync.close()

    @Slot(object)
    def _event_arrived(self, event: object) -> None:
        """An event of a job that opens or fills a project. Held back during a dialog or menu on the one before."""
        job = self.sender()
        assert isinstance(job, Job)
        self._waiting.append((job, event))
        self._handle_waiting()

    @Slot()
    def _handle_waiting(self) -> None:
        from workbench.core.folders import new_project

        while self._waiting:
            asked = bool(QApplication.activeModalWidget() or QApplication.activePopupWidget())
            if isinstance(self._waiting[0][1], new_project.ProjectOpened) and (asked or self._was_asked):
                self._was_asked = asked  # wait once more after the answer, which has not been handled yet
                self._later.start()
                return
            self._handle(*self._waiting.pop(0))

    def _handle(self, job: Job, event: object) -> None:
        """Handle an event; it may be older than the last opening of a project."""
        from workbench.core.folders import new_project

        shown = self._session.document
        if event is ENDED:
            self._job_ended(job)
        elif isinstance(event, new_project.ProjectOpened):
            self._opening.pop(event.document.folder, None)
            if self._awaited is not job:
                event.document.close()
                return
            self._awaited = None
            self._readers[job] = event.document
            self._images_versions[job] = event.document.images_version
            self._show(event.document, job, filling=event.filling)
        elif isinstance(event, DamageFound):
            if shown is not None and self._readers.get(job) is shown:
                self._session.close(remember=False)  # nothing more may be written to it
            elif self._awaited is not job:
                return
            self._restored(event.folder, event.error)
        elif shown is None or self._readers.get(job) is not shown:
            return
        elif isinstance(event, new_project.ImagesSkipped):
            self._session.message.emit("warning", event.sentence)
        elif isinstance(event, new_project.ImagesListed):
            shown.adopt(event.images, event.images_version, event.writing)
            if self._begun_at == (shown, self._session.image_id) and not shown.undo_title and len(shown.images()):
                self._session.select_image(shown.images()[0].id)  # the user has chosen no other yet
            self._session.images_found.emit(None)
        elif isinstance(event, new_project.HeadersRead):
            shown.update_headers(event.images, kept=True)
            self._session.images_found.emit(frozenset(image.id for image in event.images))

    def _seek_labels(self, photographs: Path) -> None:
        """Tell if the folder of a new project also contains labels."""
        job = Job("Looking for labels", lambda job: label_search.find_labels(photographs, job), self, low_priority=True)
        job.reported.connect(self._labels_found)
        self._seeking = (job, self._session.document)
        self._session.start(job)

    @Slot(object)
    def _labels_found(self, labels: object) -> None:
        document = self._session.document
        if document is not None and self._seeking == (self.sender(), document) and not document.labels():
            assert isinstance(labels, label_search.FoundLabels)
            self._session.to_import = labels.path
            self._session.message.emit("hint", labels.sentence)
            self._session.offer_import("Import them…")

    @Slot(object)
    def _job_ended(self, job: object) -> None:
        if isinstance(job, Job):
            if any(other is job for other, _ in self._waiting):
                self._waiting.append((job, ENDED))
                return
            if job is self._sampling:
                self._sampling = None
                self.sample_progress.emit(0, 0)
            if self._new is not None and self._new[0] is job:
                if not job.stop.is_set() and job in self._readers and self._readers[job] is self._session.document:
                    self._seek_labels(self._new[1])
                self._new = None
            self._reader_ended(job, self._readers.pop(job, None), self._images_versions.pop(job, 0))
            self._opening = {folder: other for folder, other in self._opening.items() if other is not job}
            if self._awaited is job:
                self._awaited = None

    def _reader_ended(self, job: Job, document: Document | None, images_version: int) -> None:
        if document is None or document is not self._session.document:
            return
        if document.forget_unwritten():
            images = document.images()
            self._session.images_found.emit(None)
            if not images.has(self._session.image_id):
                self._session.select_image(images[0].id if images else 0)
        left = len(document.images().unmeasured)
        if job.stop.is_set() and (left or document.unlisted is not None):
            there = formatting.count(len(document.images()), "image")
            what = (
                f"{there} of the folder so far" if document.unlisted is not None else f"the sizes of {left:,} are left"
            )
            self._session.inform(f"Reading was stopped: {what}. It goes on when the project is opened again.")
        elif left and document.images_version != images_version and job.error is None:
            self._measure("Reading sizes", dates=False)  # of images that were missing for a while

    @Slot()
    def measure_dates(self) -> None:
        """For sorting by date: read the dates of images added when dates were not stored."""
        if not self._readers:
            self._measure("Reading dates", dates=True)

    def _measure(self, title: str, dates: bool) -> None:
        """Read in a job what is still unknown about the project's images."""
        from workbench.core.folders.new_project import resume_reading

        document = self._session.document
        if document is not None and not document.read_only:
            job = Job(title, lambda job: resume_reading(document, dates, job.stop.is_set), self)
            self._readers[job], self._images_versions[job] = document, document.images_version
            job.reported.connect(self._event_arrived)
            self._session.start(job)

    def sample(self, _checked: bool = False, then: Callable[[], object] | None = None) -> None:
        """Make a project of generated photographs in the user's documents, or open the one made before.

        `then` is called when it is open.
        """
        self._then = then
        if self._sampling is not None and not self._sampling.stop.is_set():
            return  # it is already being made
        folder = Path(platformdirs.user_documents_dir()) / "Workbench sample"
        if project_at(folder) is not None:
            self._open_sample(folder)
            return
        self._give_up()
        self._sampling = Job("Making the sample project", lambda _: sample_project.make_sample(folder), self)
        self._sampling.reported.connect(self._sampled)
        self._session.start(self._sampling)
        self.sample_progress.emit(0, sample_project.IMAGES)

    @Slot(object)
    def _sampled(self, event: object) -> None:
        if self._sampling is None or self._sampling.stop.is_set():
            return  # another project was asked for
        if isinstance(event, JobProgress):
            self.sample_progress.emit(event.done, event.total)
        elif isinstance(event, sample_project.SampleMade):
            self._open_sample(event.folder)
            self._session.inform(f"The sample project is in {event.folder}. Delete it when you no longer need it.")

    def _open_sample(self, folder: Path) -> None:
        if self.open(folder) and self._session.document is not None and self._then is not None:
            self._then()
        self._then = None

    def _show(self, document: Document, job: Job | None = None, filling: bool = False) -> None:
        """`job` has opened it; with `filling` it goes on to read names and headers."""
        if document.images().problems:
            from workbench.core.decoding.image_check import block_marked

            block_marked(document)
        self._session.open(document, keep=job)
        images = document.images()
        picture = str(document.file(images[0])) if images else ""
        recent.remember(recent.RecentProject(document.folder, document.name, picture))
        self._take_place(document)
        self._begun_at = (document, self._session.image_id) if filling else None
        if not filling and (len(images.unmeasured) or document.unlisted is not None):
            self._measure("Reading sizes", dates=False)
        self._read_only_notice.begin()
        self.opened.emit()


@dataclasses.dataclass(frozen=True, slots=True)
class DamageFound:
    """The project in `folder` is damaged and must not be used."""

    folder: Path
    error: Damaged


def _file_size(folder: Path) -> int:
    try:
        return (project_of(folder) or folder).joinpath("project.sqlite").stat().st_size
    except OSError:
        return 0  # Document.open says what is wrong


def _make_project(folder: Path, photographs: Path, name: str, job: Job) -> Iterator[object]:
    from workbench.core.folders.new_project import new_project  # runs in the job's thread: importing takes 10 ms

    yield from new_project(folder, photographs, name, job.stop.is_set)


def _open_project(folder: Path) -> Iterator[ProjectOpened | DamageFound]:
    """The project, with what all pages ask for first.

    Every page of its file is checked before; in the background if the file is just as it was closed (its cache
    tells), because then only the disk itself can have damaged it.
    """
    from workbench.core.document import Document
    from workbench.core.folders.new_project import ProjectOpened
    from workbench.core.storage import backups, store_check, table_cache
    from workbench.core.storage.contents import CACHE
    from workbench.core.store import FILE

    here = project_of(folder) or folder
    as_closed = table_cache.is_kept(here / FILE, here / CACHE)
    try:
        document = Document.open(folder, check=not as_closed)
    except Damaged as damage:
        yield DamageFound(here, damage)
        return
    document.images(), document.counts(), document.labels()
    yield ProjectOpened(document)
    if as_closed:
        try:
            store_check.check(here / FILE)
        except Damaged as damage:
            yield DamageFound(here, backups.with_advice(here, damage))
