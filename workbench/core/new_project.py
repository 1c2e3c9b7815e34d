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

from workbench.core import files, intake
from workbench.core.document import Document
from workbench.core.files import absolute, check_name, natural_keys, walk_images
from workbench.core.folder_reader import LeftOut as LeftOut
from workbench.core.folder_reader import Measured as Measured
from workbench.core.folder_reader import Names, Reader
from workbench.core.image_table import ImageTable
from workbench.core.store import FILE, Store
from workbench.core.tables import Writing
from workbench.errors import WorkbenchError

FIRST = 300
"""Names with which a project is first opened: a few screens full."""


@dataclass(frozen=True, eq=False, slots=True)
class Opened:
    """The project with its first images; it belongs to the receiver of this event. `filling`: more events follow."""

    document: Document
    filling: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Listed:
    """All images, for Document.adopt; `comings` is the document's number when they were read.

    `writing`: they are on disk once it has ended well; edits wait until then.
    """

    images: ImageTable
    comings: int
    writing: Writing | None = None


Event = Opened | Listed | LeftOut | Measured


def new_project(
    folder: Path, photographs: Path, name: str = "", stopped: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """Make a project in `folder` from the images below `photographs`.

    If stopped or closed early it leaves a project with the images read so far; `measure` continues. WorkbenchError if
    there are no images, or if the project can't be made.
    """
    left_out = files.PassedOver()
    walked = itertools.islice(walk_images(photographs, left_out), FIRST)
    first = list(itertools.takewhile(lambda _: not stopped(), walked))
    if stopped():
        return
    if not first:
        why = left_out.sentence or "Choose the folder that holds your photographs."
        raise WorkbenchError(f"There are no images in {photographs}. {why}")
    check_name(photographs)
    with contextlib.closing(Reader(absolute(folder) / FILE, absolute(photographs), stopped=stopped)) as reader:
        document = Document.create(folder, name=name)
        root = document.add_root(photographs)
        with document.store.transaction() as connection:
            intake.add_names(connection, root, sorted(zip(first, natural_keys(first), strict=True), key=itemgetter(1)))
            intake.set_unlisted(connection, root)
        document.settle()
        document.images(), document.counts()
        yield Opened(document, filling=True)
        yield from _events(document, reader, known=first)


def measure(document: Document, dates: bool = False, stopped: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """Continue an interrupted reading of the project's folder: names and headers, which are kept in its file.

    `dates`: also the headers of images without a date. The document belongs to another thread: only its file's path and
    its `comings` are read.
    """
    with contextlib.closing(Reader(document.store.file, stopped=stopped)) as reader:
        yield from _events(document, reader, dates)


def _events(document: Document, reader: Reader, dates: bool = False, known: Sequence[str] = ()) -> Iterator[Event]:
    """If names already shown are not written after all, the document drops them (Document.forget_unwritten)."""
    comings, writing = document.comings, Writing()
    ahead = False  # the window shows what is not on disk yet
    try:
        for message in reader.messages(dates, known):
            if isinstance(message, Measured | LeftOut):
                yield message
            elif isinstance(message, Names):
                ahead = True
                yield Listed(message.table(), comings, writing)
            else:
                writing.end(well=message.as_told)
                if not (ahead and message.as_told and comings == document.comings):
                    comings = document.comings
                    with Store(document.store.file, check=False) as own:
                        read = own.read(ImageTable.read)
                    yield Listed(read, comings)
    finally:
        writing.end()
