"""Reads a folder of photographs for a project in a process of its own, straight into the project's file.

In a process, because making 100,000 sort keys and reading 100,000 headers in a thread would hold up the window's
painting, and because decoders die of some damaged files: then the file is marked, and the next process goes on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
from collections.abc import Iterator
from ctypes import c_int64
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from workbench.core import intake
from workbench.core.files import natural_key, walk_images
from workbench.core.image_table import ImageTable
from workbench.core.project import Image
from workbench.core.store import Store
from workbench.errors import WorkbenchError

NAMES = 5000
"""Names in one transaction: others wait for it some 25 ms."""
HEADERS = 200
"""Headers in one message; they are on disk then."""
_MEMORY = 4 << 30
"""Bytes of address space for the process: a header needs thousands, a bomb is stopped before the machine is full."""
_CRASHED = "reading it ended the program that reads images; it is damaged, save it anew or remove it from the project"

Message = tuple[str, Any]
"""("listed", None), ("measured", (images, done, total)), ("failed", (sentence, cause)) or ("done", None)."""


def messages(file: Path, root: int, photographs: Path | None, dates: bool = False) -> Iterator[Message]:
    """What the process tells while it works on the project `file`; without "done" and "failed".

    First the names below `photographs` (None: none are wanted) for the root of that id, then all headers that are not
    known; with `dates` those of images without a date, too. Raises WorkbenchError. Closing the iterator ends the
    process; what it has told is on disk.
    """
    while True:
        context = multiprocessing.get_context("spawn")
        current = context.Value(c_int64, 0, lock=False)
        receiver, sender = context.Pipe(duplex=False)
        task = Task(str(file), root, str(photographs) if photographs else "", dates, NAMES, HEADERS)
        process = context.Process(target=work, args=(sender, current, task), daemon=True)
        process.start()
        sender.close()
        try:
            while True:
                kind, content = receiver.recv()
                if kind == "done":
                    return
                if kind == "failed":
                    raise WorkbenchError(*content)
                if kind == "listed":
                    photographs = None  # should it die now, the next one need not list them again
                yield kind, content
        except EOFError as error:  # it died
            died_at = int(current.value)
            if not died_at:
                raise WorkbenchError(
                    "The process that reads the folder ended. Open the project again to go on.", error
                ) from error
            yield "measured", ((_mark(file, died_at),), 0, 0)
        finally:
            process.terminate()
            process.join()
            receiver.close()


def _mark(file: Path, id: int) -> Image:
    """Note that this image can't be read."""
    with Store(file) as store:
        images = store.read(ImageTable.read)
        found = replace(images[images.row_of(id)], problem=_CRASHED)
        with store.transaction() as connection:
            intake.keep_headers(connection, [found])
    return found


# --- in the process ---


@dataclass(frozen=True, slots=True)
class Task:
    """What the process is to do; `photographs` "": only headers. `names` and `headers` in one step."""

    file: str
    root: int
    photographs: str
    dates: bool
    names: int
    headers: int


def work(sender: Connection, current: Any, task: Task) -> None:
    """`current` holds the id of the image whose header is being read. It ends when nobody listens any more."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            with Store(Path(task.file)) as store:
                if task.photographs:
                    names = sorted((natural_key(name), name) for name in walk_images(Path(task.photographs)))
                    for first in range(0, len(names), task.names):
                        part = [(name, key) for key, name in names[first : first + task.names]]
                        with store.transaction() as connection:
                            intake.add_names(connection, task.root, part)
                    sender.send(("listed", None))
                for message in _headers(store, current, task):
                    sender.send(message)
            sender.send(("done", None))
        except WorkbenchError as error:
            sender.send(("failed", (error.sentence, error.cause)))


def _headers(store: Store, current: Any, task: Task) -> Iterator[Message]:
    known = store.rows("SELECT id, path FROM root")
    roots = {row["id"]: (store.file.parent / row["path"]).absolute() for row in known}
    images = store.read(ImageTable.read)
    rows = images.undated if task.dates else images.unmeasured
    for first in range(0, len(rows), task.headers):
        found = []
        for row in rows[first : first + task.headers].tolist():
            current.value = images[row].id
            read = intake.measured(images[row], roots[images[row].root] / images[row].path)
            if not read.problem or not images[row].width:  # what was read before is not unknown because a disk is away
                found.append(read)
        current.value = 0
        with store.transaction() as connection:
            intake.keep_headers(connection, found)
        yield "measured", (tuple(found), min(first + task.headers, len(rows)), len(rows))
