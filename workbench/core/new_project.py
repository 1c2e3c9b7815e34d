"""A new project of a folder of photographs, step by step: its first images can be worked on after a tenth of a second.

The names are taken first, a few and then all; the headers follow. 100,000 names take a second, their headers a minute.
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
"""Names with which a project is opened: some screens full."""


@dataclass(frozen=True, eq=False, slots=True)
class Opened:
    """The project with its first images; it belongs to whoever gets this event. `filling`: more events follow."""

    document: Document
    filling: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Listed:
    """All images, to be given to Document.adopt; `comings` is what the document's was when they were read.

    `writing`: they are on disk when it has ended well; edits wait until then.
    """

    images: ImageTable
    comings: int
    writing: Writing | None = None


Event = Opened | Listed | LeftOut | Measured


def new_project(
    folder: Path, photographs: Path, name: str = "", stopped: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """Make a project in `folder` of the images below `photographs`.

    Stopped or closed early it leaves a project with the images that were come to; `measure` goes on. WorkbenchError if
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
    """Go on where reading the project's folder was broken off: the names, the headers, and keep them in its file.

    `dates`: the headers of images without a date, too. The document is another thread's: only where its file is and
    the number of its comings is asked.
    """
    with contextlib.closing(Reader(document.store.file, stopped=stopped)) as reader:
        yield from _events(document, reader, dates)


def _events(document: Document, reader: Reader, dates: bool = False, known: Sequence[str] = ()) -> Iterator[Event]:
    """If names that are shown are not written after all, the document forgets them (Document.forget_unwritten)."""
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
