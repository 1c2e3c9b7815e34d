"""A new project of a folder of photographs, step by step: its first images can be worked on after a tenth of a second.

The names are taken first, a few and then all; the headers follow. 100,000 names take a second, their headers a minute.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
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
    """The project with its first images; it belongs to whoever gets this event. `filling`: more events follow."""

    document: Document
    filling: bool = False


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


def new_project(
    folder: Path, photographs: Path, name: str = "", stopped: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """Make a project in `folder` of the images below `photographs`.

    Stopped or closed early it leaves a project with the images that were come to; `measure` goes on. WorkbenchError if
    there are no images, or if the project can't be made.
    """
    first = list(itertools.takewhile(lambda _: not stopped(), itertools.islice(walk_images(photographs), FIRST)))
    if stopped():
        return
    if not first:
        raise WorkbenchError(f"There are no images in {photographs}. Choose the folder that holds your photographs.")
    document = Document.create(folder, name=name)
    root = document.add_root(photographs)
    with document.store.transaction() as connection:
        intake.add_names(connection, root, sorted(((name, natural_key(name)) for name in first), key=itemgetter(1)))
        intake.set_unlisted(connection, root)
    document.settle()
    document.images(), document.counts()
    yield Opened(document, filling=True)
    yield from measure(document, stopped=stopped)


def measure(document: Document, dates: bool = False, stopped: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """Go on where reading the project's folder was broken off: the names, the headers, and keep them in its file.

    `dates`: the headers of images without a date, too. The document is another thread's: only where its file is and
    the number of its comings is asked.
    """
    from workbench.core import folder_reader  # only where it is needed: multiprocessing takes a while

    file = document.store.file
    for kind, content in folder_reader.messages(file, dates, stopped):
        if kind == "listed":
            comings = document.comings
            with Store(file, read_only=True, check=False) as own:
                yield Listed(own.read(ImageTable.read), comings)
        else:
            yield Measured(*content)
