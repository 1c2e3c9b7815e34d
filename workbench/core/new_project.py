"""A new project of a folder of photographs, step by step: its first images can be worked on after a tenth of a second.

The names are taken first, a few and then all; the headers follow. 100,000 names take a second, their headers a minute.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
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
_NAMES = 5000
"""Names in one transaction: others wait for it some 25 ms."""
_HEADERS = 200
"""Headers in one event; they are on disk then."""


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
    found = walk_images(photographs)
    first = list(itertools.islice(found, FIRST))
    if not first:
        raise WorkbenchError(f"There are no images in {photographs}. Choose the folder that holds your photographs.")
    document = Document.create(folder, name=name)
    root = document.add_root(photographs)
    with document.store.transaction() as connection:
        intake.add_names(connection, root, sorted(((name, natural_key(name)) for name in first), key=itemgetter(1)))
    document.settle()
    document.images(), document.counts()
    yield Opened(document)
    with Store(document.store.file) as own:  # the document is another thread's from here on
        for part in _sorted(found):
            with own.transaction() as connection:
                intake.add_names(connection, root, part)
        comings = document.comings
        yield Listed(own.read(ImageTable.read), comings)
    yield from measure(document.store.file)


def measure(file: Path) -> Iterator[Measured]:
    """Read the headers of a project's images that were not read yet, and keep what they say in its file `file`."""
    with Store(file) as own:
        roots = {row["id"]: (file.parent / row["path"]).absolute() for row in own.rows("SELECT id, path FROM root")}
        images = own.read(ImageTable.read)
        rows = images.unmeasured
        for first in range(0, len(rows), _HEADERS):
            part = (images[int(row)] for row in rows[first : first + _HEADERS])
            found = tuple(intake.measured(image, roots[image.root] / image.path) for image in part)
            with own.transaction() as connection:
                intake.keep_headers(connection, found)
            yield Measured(found, first + len(found), len(rows))


def _sorted(names: Iterator[str]) -> Iterator[list[intake.Named]]:
    """In natural order, part by part. SQLite sorts: one long call of Python's would hold the window up."""
    with contextlib.closing(sqlite3.connect(":memory:")) as memory:
        memory.execute("CREATE TABLE name (path TEXT, sort TEXT)")
        while part := [(name, natural_key(name)) for name in itertools.islice(names, _NAMES)]:
            text = json.dumps(part, ensure_ascii=False)
            memory.execute("INSERT INTO name SELECT value ->> 0, value ->> 1 FROM json_each(?)", (text,))
        rows = memory.execute("SELECT path, sort FROM name ORDER BY sort")
        while part := rows.fetchmany(_NAMES):
            yield part
