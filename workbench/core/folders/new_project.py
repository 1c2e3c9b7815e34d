"""Makes a project from a folder of photographs, step by step: work can begin after a tenth of a second.

The names are added first, a few and then all; the headers follow. 100,000 names take a second, their headers a minute.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from workbench.core import files
from workbench.core.document import Document, remove_files
from workbench.core.files import absolute, check_name, natural_keys, walk_images
from workbench.core.folders import image_records
from workbench.core.folders.folder_reader import FolderReader, NamesListed
from workbench.core.folders.folder_reader import HeadersRead as HeadersRead
from workbench.core.folders.folder_reader import ImagesSkipped as ImagesSkipped
from workbench.core.storage.image_table import ImageTable
from workbench.core.storage.tables import PendingWrite
from workbench.core.store import FILE, Store
from workbench.errors import WorkbenchError

FIRST = 300
"""Names with which a project is first opened: a few screens full."""


@dataclass(frozen=True, eq=False, slots=True)
class ProjectOpened:
    """The project with its first images; it belongs to the receiver of this event. `filling`: more events follow."""

    document: Document
    filling: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class ImagesListed:
    """All images, for Document.adopt; `images_version` is the document's number when they were read.

    `writing`: they are on disk once it has ended well; edits wait until then.
    """

    images: ImageTable
    images_version: int
    writing: PendingWrite | None = None


Event = ProjectOpened | ImagesListed | ImagesSkipped | HeadersRead


def new_project(
    folder: Path, photographs: Path, name: str = "", stopped: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """Make a project in `folder` from the images below `photographs`.

    If ended early it leaves a project with the images read so far; `resume_reading` continues. WorkbenchError if
    there are no images, or if the project can't be made.
    """
    skipped = files.SkippedFiles()
    walked = itertools.islice(walk_images(photographs, skipped), FIRST)
    first = list(itertools.takewhile(lambda _: not stopped(), walked))
    if stopped():
        return
    if not first:
        why = skipped.sentence or "Choose the folder that holds your photographs."
        raise WorkbenchError(f"There are no images in {photographs}. {why}")
    check_name(photographs)
    with contextlib.closing(FolderReader(absolute(folder) / FILE, absolute(photographs), stopped=stopped)) as reader:
        document = _begun(folder, photographs, name, first)
        yield ProjectOpened(document, filling=True)
        yield from _events(document, reader, known=first)


def _begun(folder: Path, photographs: Path, name: str, first: Sequence[str]) -> Document:
    """The project with the first names; nothing is left of it if that fails, as on a full disk."""
    with contextlib.ExitStack() as undo:
        document = Document.create(folder, name=name)
        undo.callback(remove_files, document.folder)
        undo.callback(document.close)
        root = document.add_root(photographs)
        named = sorted(zip(first, natural_keys(first), strict=True), key=itemgetter(1))
        with document.store.transaction() as connection:
            image_records.add_names(connection, root, named)
            image_records.set_unlisted_root(connection, root)
        document.clear_history()
        document.images(), document.counts()
        undo.pop_all()
    return document


def resume_reading(
    document: Document, dates: bool = False, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """Continue an interrupted reading of the project's folder: names and headers, which are kept in its file.

    `dates`: also the headers of images without a date. The document belongs to another thread: only its file's path and
    its `images_version` are read.
    """
    with contextlib.closing(FolderReader(document.store.file, stopped=stopped)) as reader:
        yield from _events(document, reader, dates)


def _events(
    document: Document, reader: FolderReader, dates: bool = False, known: Sequence[str] = ()
) -> Iterator[Event]:
    """If names already shown are not written after all, the document drops them (Document.forget_unwritten)."""
    images_version, writing = document.images_version, PendingWrite()
    ahead = False  # the window shows what is not on disk yet
    try:
        for message in reader.messages(dates, known):
            if isinstance(message, HeadersRead | ImagesSkipped):
                yield message
            elif isinstance(message, NamesListed):
                ahead = True
                yield ImagesListed(message.table(), images_version, writing)
            else:
                writing.end(well=message.ids_as_listed)
                if not (ahead and message.ids_as_listed and images_version == document.images_version):
                    images_version = document.images_version
                    with Store(document.store.file, check=False) as own:
                        read = own.read(ImageTable.read)
                    yield ImagesListed(read, images_version)
    finally:
        writing.end()
