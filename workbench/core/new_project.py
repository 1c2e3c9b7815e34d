"""A new project of a folder of photographs, step by step: its first images can be worked on after a tenth of a second.

The names are taken first, a few and then all; the headers follow. 100,000 names take a second, their headers a minute.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from workbench.core import intake
from workbench.core.document import Document
from workbench.core.files import natural_key, walk_images
from workbench.core.image_table import ImageTable
from workbench.core.project import Image
from workbench.core.store import Store
from workbench.errors import WorkbenchError

FIRST = 300
"""Names with which a project is opened: some screens full."""


@dataclass(frozen=True, eq=False, slots=True)
class Opened:
    """The project with its first images; it belongs to whoever gets this event."""

    document: Document


@dataclass(frozen=True, eq=False, slots=True)
class Listed:
    """All images, to be given to Document.adopt; `comings` is what the document's was when they were read."""

    images: ImageTable
    comings: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What the headers of some images say; it is on disk already. `done` of `total` are read."""

    images: tuple[Image, ...]
    done: int
    total: int


Event = Opened | Listed | Measured


def new_project(folder: Path, photographs: Path, name: str = "") -> Iterator[Event]:
    """Make a project in `folder` of the images below `photographs`.

    Closing the iterator early leaves a project with the images that were come to; `measure` goes on with the headers.
    WorkbenchError if there are no images, or if the project can't be made.
    """
    first = list(itertools.islice(walk_images(photographs), FIRST))
    if not first:
        raise WorkbenchError(f"There are no images in {photographs}. Choose the folder that holds your photographs.")
    document = Document.create(folder, name=name)
    root = document.add_root(photographs)
    with document.store.transaction() as connection:
        intake.add_names(connection, root, sorted(((name, natural_key(name)) for name in first), key=itemgetter(1)))
    document.settle()
    document.images(), document.counts()
    yield Opened(document)
    yield from _read(document.store.file, document, root, photographs)


def measure(document: Document, dates: bool = False) -> Iterator[Event]:
    """Read the headers of the project's images that were not read yet, and keep what they say in its file.

    `dates`: of those without a date, too.
    """
    yield from _read(document.store.file, document, 0, None, dates)


def _read(file: Path, document: Document, root: int, photographs: Path | None, dates: bool = False) -> Iterator[Event]:
    """The document is another thread's: only the number of its comings is asked, and its file is read anew."""
    from workbench.core import folder_reader  # only where it is needed: multiprocessing takes a while

    for kind, content in folder_reader.messages(file, root, photographs, dates):
        if kind == "listed":
            comings = document.comings
            with Store(file, read_only=True, check=False) as own:
                yield Listed(own.read(ImageTable.read), comings)
        else:
            yield Measured(*content)
