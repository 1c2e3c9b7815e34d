"""Reads a folder of photographs for a project in a process of its own, straight into the project's file.

In a process, because making 100,000 sort keys and reading 100,000 headers in a thread would hold up the window's
painting, and because decoders die of some damaged files: then the file is marked, and the next process goes on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Mapping
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
"""Bytes that the process may take: a header needs thousands, a bomb is stopped before the machine is full."""
_CRASHED = "reading it ended the program that reads images; it is damaged, save it anew or remove it from the project"

Message = tuple[str, Any]
"""("listed", None), ("measured", (images, done, total)), ("failed", (sentence, cause)), ("done", None); on the way to
"listed" ("names", count), so that the process notices when nobody listens."""
_LOOK = 0.1
"""Seconds after which it is asked whether to stop."""


def messages(file: Path, dates: bool = False, stopped: Callable[[], bool] = lambda: False) -> Iterator[Message]:
    """What the process tells while it works on the project `file`; without "done" and "failed".

    First the names of the root that was not wholly listed (`intake.unlisted`), then all headers that are not known;
    with `dates` those of images without a date, too. Raises WorkbenchError. When `stopped` says so, or the iterator is
    closed, the process is ended; what it has told is on disk.
    """
    while True:
        context = multiprocessing.get_context("spawn")
        current = context.Value(c_int64, 0, lock=False)
        receiver, sender = context.Pipe(duplex=False)
        task = Task(str(file), dates, NAMES, HEADERS)
        process = context.Process(target=work, args=(sender, current, task), daemon=True)
        process.start()
        sender.close()
        try:
            while True:
                while not receiver.poll(_LOOK):
                    if stopped():
                        return
                kind, content = receiver.recv()
                if kind == "done":
                    return
                if kind == "failed":
                    raise WorkbenchError(*content)
                if kind in ("listed", "measured"):
                    yield kind, content
        except EOFError as error:  # it died
            died_at = int(current.value)
            if not died_at:
                raise WorkbenchError(
                    "The process that reads the folder ended. Open the project again to go on.", error
                ) from error
            marked = _mark(file, died_at)
            if marked is not None:
                yield "measured", ((marked,), 0, 0)
        finally:
            process.terminate()
            process.join()
            receiver.close()


def _mark(file: Path, id: int) -> Image | None:
    """Note that this image can't be read; None where it was removed meanwhile."""
    with Store(file) as store:
        images = store.read(ImageTable.read)
        if not images.has(id):
            return None
        found = replace(images[images.row_of(id)], problem=_CRASHED)
        with store.transaction() as connection:
            intake.keep_headers(connection, [found])
    return found


# --- in the process ---


@dataclass(frozen=True, slots=True)
class Task:
    """What the process is to do; `names` and `headers` in one step."""

    file: str
    dates: bool
    names: int
    headers: int


def work(sender: Connection, current: Any, task: Task) -> None:
    """`current` holds the id of the image whose header is being read. It ends when nobody listens any more."""
    _limit_memory()
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            with Store(Path(task.file)) as store:
                roots = _roots(store)
                root = store.read(intake.unlisted)
                if root in roots:
                    _list(store, sender, root, roots[root], task.names)
                for message in _headers(store, current, roots, task):
                    sender.send(message)
            sender.send(("done", None))
        except WorkbenchError as error:
            sender.send(("failed", (error.sentence, error.cause)))


def _limit_memory() -> None:
    """To what is taken now and _MEMORY more: libraries reserve gigabytes where there are many processors."""
    if sys.platform == "linux":
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = taken + _MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _roots(store: Store) -> dict[int, Path]:
    rows = store.rows("SELECT id, path FROM root")
    return {row["id"]: (store.file.parent / row["path"]).absolute() for row in rows}


def _list(store: Store, sender: Connection, root: int, folder: Path, step: int) -> None:
    """Add the names that are not there. Those that a person removes while it goes on do not come back."""
    known = {row["path"] for row in store.rows("SELECT path FROM image WHERE root = ?", root)}
    names = sorted((natural_key(name), name) for name in walk_images(folder) if name not in known)
    for first in range(0, len(names), step):
        sender.send(("names", first))  # fails where nobody listens: the project may be another's by now
        part = [(name, key) for key, name in names[first : first + step]]
        with store.transaction() as connection:
            intake.add_names(connection, root, part)
    sender.send(("names", len(names)))
    with store.transaction() as connection:
        intake.set_unlisted(connection, None)
    sender.send(("listed", None))


def _headers(store: Store, current: Any, roots: Mapping[int, Path], task: Task) -> Iterator[Message]:
    images = store.read(ImageTable.read)
    rows = images.undated if task.dates else images.unmeasured
    for first in range(0, len(rows), task.headers):
        found = []
        for row in rows[first : first + task.headers].tolist():
            image = images[row]
            file = roots[image.root] / image.path
            current.value = image.id
            read = intake.measured(image, file)
            # a disk that is away makes no image unreadable
            if not read.problem or (not image.width and os.path.exists(file)):
                found.append(read)
        current.value = 0
        with store.transaction() as connection:
            intake.keep_headers(connection, found)
        yield "measured", (tuple(found), min(first + task.headers, len(rows)), len(rows))
