"""Reads a folder of photographs for a project in a separate process, straight into the project's file.

A process, because making 100,000 sort keys and reading 100,000 headers in a thread would hold up the window's
painting, and because some damaged files crash decoders: the file is then marked, and the next process continues.
"""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import gc
import os
import sqlite3
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.core import child_process, files
from workbench.core.child_process import ChildProcess
from workbench.core.decoding.image_files import crash_sentence
from workbench.core.files import natural_keys, walk_images
from workbench.core.folders import image_records
from workbench.core.project import Image, Split, State
from workbench.core.store import Store
from workbench.errors import WorkbenchError

if TYPE_CHECKING:  # names are listed without loading NumPy
    from workbench.core.storage.image_table import ImageTable

NAMES = 25_000
"""Names in one transaction: others wait for it some 60 ms."""
AT_ONCE = 300_000
"""Names reported before they are on disk: an edit waits until they are, some 3 s for this many."""
HEADERS = 200
"""Measured images in one message; they are on disk by then."""
CHILD: str | Sequence[str] = __name__
"""The module that runs in the process."""
_MEMORY = 4 << 30
"""Bytes the process may use: a header needs thousands; a bomb is stopped before it fills the machine's memory."""
_SEPARATOR = "//"  # occurs in no path, and JSON does not escape it
_SECONDS = 60.0
"""Seconds after which a file counts as one that ends the process: 200 megapixels take 10 s."""


@dataclass(frozen=True, slots=True)
class NamesListed:
    """All images of a project with one `root`, in order: `count` new ones, with ids from `first` on, and known ones.

    They are on disk at the next NamesSaved, if that says so: SQLite takes longest. `known` has, for each image that was
    there before, [the number of new ones before it, its id]. `paths` has _SEPARATOR after each.
    """

    first: int
    root: int
    count: int
    known: Sequence[tuple[int, int]]
    paths: str

    def table(self) -> ImageTable:
        """The images as a table, without headers, states and splits."""
        import numpy as np

        from workbench.core.storage.image_table import ImageTable

        at, ids = np.array(self.known, np.int64).reshape(-1, 2).T
        came = np.arange(self.first, self.first + self.count)
        paths = self.paths.encode().replace(_SEPARATOR.encode(), b"\0")
        return ImageTable.named(np.insert(came, at, ids), self.root, paths)


@dataclass(frozen=True, slots=True)
class NamesSaved:
    """All names are in the project; `ids_as_listed`: with the ids given in NamesListed."""

    ids_as_listed: bool


@dataclass(frozen=True, slots=True)
class HeadersRead:
    """What the headers of some images say; already on disk. `done` of `total` have been read."""

    images: tuple[Image, ...]
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ImagesSkipped:
    """A sentence for the user about images or folders left out of the project because of their names."""

    sentence: str


class FolderReader:
    """Reads for the project `file`, which need not exist before `messages` is called. Must be closed."""

    def __init__(
        self, file: Path, photographs: Path | None = None, *, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        """Start walking the folder of `photographs`, if given."""
        import tempfile  # not in the child

        self.file, self._stopped = file, stopped
        handle, name = tempfile.mkstemp(prefix="workbench-reads-")
        os.close(handle)
        self._at = Path(name)
        self._child = self._started(photographs)

    def _started(self, photographs: Path | None = None) -> ChildProcess:
        return ChildProcess(CHILD, str(self._at), str(photographs or ""), stopped=self._stopped)

    def messages(
        self, dates: bool = False, known: Collection[str] = ()
    ) -> Iterator[NamesListed | ImagesSkipped | NamesSaved | HeadersRead]:
        """First the names of the root that is not completely listed (image_records), then all unknown headers.

        Names that were `known` before are not repeated, although the user may have removed them since. With `dates`,
        also the headers of images without a date. Raises WorkbenchError. When `stopped` says so, or the iterator is
        closed, the process is ended; everything it reported is on disk, except NamesListed.
        """
        suspect = b""
        while True:
            try:
                self._child.send([str(self.file), dates, NAMES, HEADERS, list(known)])
                while True:
                    kind, content = self._child.receive()
                    if kind == "done":
                        return
                    if kind == "failed":
                        raise WorkbenchError(*content)
                    if kind == "names":
                        yield NamesListed(*content)
                    elif kind == "left out":
                        yield ImagesSkipped(content)
                    elif kind == "listed":
                        yield NamesSaved(content)
                    else:
                        found, done, total = content
                        yield HeadersRead(tuple(map(_image, found)), done, total)
            except child_process.ChildEnded as ended:
                if self._stopped():
                    return
                died_at = self._at.read_bytes()
                if not died_at:
                    raise WorkbenchError(
                        "The process that reads the folder ended. Open the project again to continue.", ended
                    ) from ended
                if died_at == suspect:  # twice: the file is the cause, not someone who ended the process
                    marked = _mark(self.file, int(died_at))
                    if marked is not None:
                        yield HeadersRead((marked,), 0, 0)
                suspect = died_at
                self._child.close()
                self._at.write_bytes(b"")
                self._child = self._started()

    def close(self) -> None:
        """End the process."""
        self._child.close()
        with contextlib.suppress(OSError):  # a virus scanner has it open
            self._at.unlink(missing_ok=True)


def _mark(file: Path, id: int) -> Image | None:
    """Record that this image can't be read; None if it was removed meanwhile."""
    from workbench.core.storage.image_table import ImageTable

    with Store(file, check=False) as store:
        images = store.read(ImageTable.read)
        if not images.has(id):
            return None
        image = images[images.row_of(id)]
        found = replace(image, problem=crash_sentence(store.roots()[image.root] / image.path))
        with store.transaction() as connection:
            image_records.save_headers(connection, [found])
    return found


def _image(row: Sequence[Any]) -> Image:
    id, path, width, height, state, split, *rest = row
    return Image(id, path, width, height, State(state), Split(split), *rest)


# --- in the process ---


class Watchdog:
    """Ends this process if one file takes longer than _SECONDS: it is then marked like those that crash it."""

    def __init__(self) -> None:
        self._since = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def begin(self, reads: bool) -> None:
        self._since = time.monotonic() if reads else 0.0

    def _watch(self) -> None:
        while True:
            time.sleep(1)
            if self._since and time.monotonic() - self._since > _SECONDS:
                os._exit(1)


def main() -> None:
    """The child: argv has the file that names the image being read, and a folder to walk; orders come on its input."""
    at, photographs = sys.argv[1], sys.argv[2]
    with open(at, "r+b", buffering=0) as current:

        def clean() -> None:
            current.close()  # Windows deletes no open file
            Path(at).unlink(missing_ok=True)

        child_process.begin(clean)
        child_process.limit_memory(_MEMORY)
        watchdog = Watchdog()

        def reads(id: int) -> None:
            """Record the image whose header is being read; 0: none."""
            watchdog.begin(bool(id))
            current.seek(0)
            current.truncate() if not id else current.write(b"%020d" % id)

        try:
            gc.disable()  # it would scan hundreds of thousands of names again and again, and find nothing
            skipped = files.SkippedFiles()
            found = walk_images(Path(photographs), skipped) if photographs else None
            walked = None if found is None else list(found)
            file, dates, names, headers, known = child_process.receive()
            work(file, dates, names, headers, walked, known, reads, skipped)
            child_process.send(("done", None))
        except WorkbenchError as error:
            child_process.send(("failed", (error.sentence, error.cause and str(error.cause))))
        except Exception as error:  # an error of ours, not of a file
            sentence = f"Reading the folder stopped because of an error in Workbench: {error}. See Help > Log."
            child_process.send(("failed", (sentence, traceback.format_exc())))


def work(
    file: str, dates: bool, names: int, headers: int, walked: list[str] | None, known: Sequence[str],
    reads: Callable[[int], None], skipped: files.SkippedFiles,
) -> None:  # fmt: skip
    """Send all of `FolderReader.messages`; `names`, `headers`: batch sizes; `walked`: the root's names, if known."""
    with Store(Path(file)) as store:
        folders = store.roots()
        root = store.read(image_records.unlisted_root)
        if root in folders:
            before = store.rows("SELECT id, path, sort FROM image WHERE root = ? ORDER BY sort, id", root)
            found = walk_images(folders[root], skipped) if walked is None else walked
            child_process.send(("listed", _list(store, root, found, before, known, names, len(folders) == 1)))
        if skipped.sentence:
            child_process.send(("left out", skipped.sentence))
        gc.enable()
        for images, done, total in _headers(store, folders, dates, headers, reads):
            child_process.send(("headers", ([dataclasses.astuple(image) for image in images], done, total)))


def _list(
    store: Store, root: int, found: Iterable[str], before: Sequence[sqlite3.Row], known: Sequence[str], step: int,
    whole: bool,
) -> bool:  # fmt: skip
    """Add the names that were neither there `before` nor `known`: those that the user removes meanwhile stay removed.

    If this is the `whole` project, the names are reported while SQLite is busy. Returns whether all of them were new.
    """
    there = {*known, *(row["path"] for row in before)}
    fresh = [name for name in found if name not in there]
    keys = natural_keys(fresh)
    alone = len(set(keys)) == len(keys)  # nearly always: sorting texts takes half the time of sorting pairs
    order = sorted(range(len(keys)), key=keys.__getitem__ if alone else lambda i: (keys[i], fresh[i]))
    named = [(fresh[i], keys[i]) for i in order]
    store.connection.execute("PRAGMA foreign_keys = OFF")  # the root exists; checking 100,000 times takes 0.1 s
    store.connection.execute("PRAGMA cache_size = -32000")  # KiB: each changed page is written to disk only once
    with store.transaction() as connection:
        first = image_records.reserve_ids(connection, len(named))
    if whole and len(named) <= AT_ONCE:
        child_process.send(("names", (first, root, len(named), *_merged(named, before))))
    added = 0
    for begin in range(0, max(len(named), 1), step):
        with store.transaction() as connection:
            added += image_records.add_names(connection, root, named[begin : begin + step], first + begin)
            if begin + step >= len(named):
                image_records.set_unlisted_root(connection, None)
    return added == len(named)


def _merged(named: Sequence[image_records.Named], before: Sequence[sqlite3.Row]) -> tuple[list[tuple[int, int]], str]:
    """`NamesListed.known` for the images that were there `before`, and the paths of all."""
    paths: list[str] = []
    known, done = [], 0
    for row in before:
        at = bisect.bisect_left(named, row["sort"], key=itemgetter(1))
        known.append((at, row["id"]))
        paths += [*(path for path, _ in named[done:at]), row["path"]]
        done = at
    paths += (path for path, _ in named[done:])
    return known, _SEPARATOR.join([*paths, ""])


def _headers(
    store: Store, folders: Mapping[int, Path], dates: bool, step: int, reads: Callable[[int], None]
) -> Iterator[tuple[list[Image], int, int]]:
    from workbench.core.storage.image_table import ImageTable

    images: ImageTable = store.read(ImageTable.read)
    rows = images.undated if dates else images.unmeasured
    for first in range(0, len(rows), step):
        found = []
        for row in rows[first : first + step].tolist():
            image = images[row]
            file = folders[image.root] / image.path
            reads(image.id)
            read = image_records.with_header(image, file, prove=not image.width)
            # an unplugged disk does not make images unreadable
            if not read.problem or (not image.width and os.path.exists(file)):
                found.append(read)
        reads(0)
        with store.transaction() as connection:
            image_records.save_headers(connection, found)
        yield found, min(first + step, len(rows)), len(rows)


if __name__ == "__main__":
    main()
