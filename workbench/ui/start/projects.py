"""Making and opening projects, with the slow parts in jobs: new from a folder, the sample, one from the disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import platformdirs
from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.document import Document
from workbench.errors import WorkbenchError
from workbench.ui import preferences
from workbench.ui.counted import Counted
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.start.intake import Described, describe

SAMPLE_IMAGES, SAMPLE_UNLABELLED, SAMPLE_SEED = 120, 24, 7


class Projects(QObject):
    """Opens projects into the session; failures become messages. `opened` comes after each success."""

    opened = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._target = Path()
        self._name = ""
        self._scenes: tuple[object, ...] = ()

    def open(self, folder: Path) -> bool:
        """Open the project in `folder`; False after a failure, which was told."""
        try:
            self._show(Document.open(folder))
        except WorkbenchError as error:
            self._session.tell(error)
            return False
        return True

    def create(self, folder: Path, photographs: Path, name: str = "") -> None:
        """A new project in `folder` with the images of `photographs`: read in a job, then made and opened."""
        if (folder / "project.sqlite").exists():
            self._session.tell(
                WorkbenchError(f"There is a project in {folder} already. Open it, or choose another folder.")
            )
            return
        self._target, self._name = folder, name
        job = Job(f"Reading {photographs.name}", lambda _: describe(photographs), self)
        job.reported.connect(self._described)
        self._session.start(job)

    @Slot(object)
    def _described(self, event: object) -> None:
        if not isinstance(event, Described):
            return
        try:
            document = Document.create(self._target, name=self._name)
            add_described(document, event)
        except WorkbenchError as error:
            self._session.tell(error)
            return
        self._show(document)

    def sample(self) -> None:
        """A project of generated photographs in the user's documents; the one made before is opened again."""
        folder = Path(platformdirs.user_documents_dir()) / "Workbench sample"
        if (folder / "project.sqlite").is_file():
            self.open(folder)
            return
        self._target = folder
        job = Job("Making the sample project", lambda _: _sample(folder), self)
        job.reported.connect(self._sampled)
        self._session.start(job)

    @Slot(object)
    def _sampled(self, event: object) -> None:
        if isinstance(event, SampleMade):
            self.open(event.folder)

    def _show(self, document: Document) -> None:
        self._session.open(document)
        images = document.images()
        picture = str(document.file(images[0])) if images else ""
        preferences.remember(preferences.Recent(document.folder, document.name, picture))
        if document.read_only:
            self._session.message.emit("warning", document.why_read_only)
        self.opened.emit()


@dataclasses.dataclass(frozen=True, slots=True)
class SampleMade:
    """The last event of making the sample."""

    folder: Path


def _sample(folder: Path) -> Iterator[Counted | SampleMade]:
    from workbench import scenes

    made = []
    for scene in scenes.write_scenes(folder / scenes.PHOTOGRAPHS, SAMPLE_IMAGES, SAMPLE_SEED):
        made.append(scene)
        yield Counted(len(made), SAMPLE_IMAGES)
    scenes.project_of(folder, made, SAMPLE_UNLABELLED, SAMPLE_SEED).close()
    yield SampleMade(folder)


def add_described(document: Document, described: Described) -> int:
    """Add the described images in one edit; how many there were."""
    return document.add_described(described.folder, described.images)
