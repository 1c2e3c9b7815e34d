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

from workbench.core import child, files, intake
from workbench.core.child import Child
from workbench.core.files import natural_keys, walk_images
from workbench.core.image_files import mark
from workbench.core.project import Image, Split, State
from workbench.core.store import Store
from workbench.errors import WorkbenchError

if TYPE_CHECKING:  # names are listed without loading NumPy
    from workbench.core.image_table import ImageTable

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
class Names:
    """All images of a project with one `root`, in order: `count` new ones, with ids from `first` on, and known ones.

    They are on disk at the next Listed, if that says so: SQLite takes longest. `known` has, for each image that was
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

        from workbench.core.image_table import ImageTable

        at, ids = np.array(self.known, np.int64).reshape(-1, 2).T
        came = np.arange(self.first, self.first + self.count)
        paths = self.paths.encode().replace(_SEPARATOR.encode(), b"\0")
        return ImageTable.named(np.insert(came, at, ids), self.root, paths)


@dataclass(frozen=True, slots=True)
class Listed:
    """All names are in the project; `as_told`: with the ids given in Names."""

    as_told: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """What the headers of some images say; already on disk. `done` of `total` have been read."""

    images: tuple[Image, ...]
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A sentence for the user about images or folders left out of the project because of their names."""

    sentence: str


class Reader:
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

    def _started(self, photographs: Path | None = None) -> Child:
        return Child(CHILD, str(self._at), str(photographs or ""), stopped=self._stopped)

    def messages(
        self, dates: bool = False, known: Collection[str] = ()
    ) -> Iterator[Names | LeftOut | Listed | Measured]:
        """First the names of the root that was not completely listed (`intake.unlisted`), then all unknown headers.

        Names that were `known` before are not repeated, although the user may have removed them since. With `dates`,
        also the headers of images without a date. Raises WorkbenchError. When `stopped` says so, or the iterator is
        closed, the process is ended; everything it reported is on disk, except Names.
        """
        suspect = b""
        while True:
            try:
                self._child.tell([str(self.file), dates, NAMES, HEADERS, list(known)])
                while True:
                    kind, content = self._child.hear()
                    if kind == "done":
                        return
                    if kind == "failed":
                        raise WorkbenchError(*content)
                    if kind == "names":
                        yield Names(*content)
                    elif kind == "left out":
                        yield LeftOut(content)
                    elif kind == "listed":
                        yield Listed(content)
                    else:
                        found, done, total = content
                        yield Measured(tuple(map(_image, found)), done, total)
            except child.Ended as ended:
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
                        yield Measured((marked,), 0, 0)
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
    from workbench.core.image_table import ImageTable

    with Store(file) as store:
        images = store.read(ImageTable.read)
        if not images.has(id):
            return None
        image = images[images.row_of(id)]
        found = replace(image, problem=mark(roots(store)[image.root] / image.path))
        with store.transaction() as connection:
            intake.keep_headers(connection, [found])
    return found


def _image(row: Sequence[Any]) -> Image:
    id, path, width, height, state, split, *rest = row
    return Image(id, path, width, height, State(state), Split(split), *rest)


# --- in the process ---


class Patience:
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

        child.begin(clean)
        child.limit_memory(_MEMORY)
        patience = Patience()

        def reads(id: int) -> None:
            """Record the image whose header is being read; 0: none."""
            patience.begin(bool(id))
            current.seek(0)
            current.truncate() if not id else current.write(b"%020d" % id)

        try:
            gc.disable()  # it would scan hundreds of thousands of names again and again, and find nothing
            left_out = files.PassedOver()
            found = walk_images(Path(photographs), left_out) if photographs else None
            walked = None if found is None else list(found)
            file, dates, names, headers, known = child.told()
            work(file, dates, names, headers, walked, known, reads, left_out)
            child.say(("done", None))
        except WorkbenchError as error:
            child.say(("failed", (error.sentence, error.cause and str(error.cause))))
        except Exception as error:  # an error of ours, not of a file
            sentence = f"Reading the folder stopped because of an error in Workbench: {error}. See Help > Log."
            child.say(("failed", (sentence, traceback.format_exc())))


def work(
    file: str, dates: bool, names: int, headers: int, walked: list[str] | None, known: Sequence[str],
    reads: Callable[[int], None], left_out: files.PassedOver,
) -> None:  # fmt: skip
    """Send all messages of `Reader.messages`; `names`, `headers`: batch sizes; `walked`: the root's names, if known."""
    with Store(Path(file)) as store:
        folders = roots(store)
        root = store.read(intake.unlisted)
        if root in folders:
            before = store.rows("SELECT id, path, sort FROM image WHERE root = ? ORDER BY sort, id", root)
            found = walk_images(folders[root], left_out) if walked is None else walked
            child.say(("listed", _list(store, root, found, before, known, names, len(folders) == 1)))
        if left_out.sentence:
            child.say(("left out", left_out.sentence))
        gc.enable()
        for images, done, total in _headers(store, folders, dates, headers, reads):
            child.say(("headers", ([dataclasses.astuple(image) for image in images], done, total)))


def roots(store: Store) -> dict[int, Path]:
    """The folders of a project's images, by their ids."""
    rows = store.rows("SELECT id, path FROM root")
    return {row["id"]: (store.file.parent / row["path"]).absolute() for row in rows}


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
        first = intake.reserve_ids(connection, len(named))
    if whole and len(named) <= AT_ONCE:
        child.say(("names", (first, root, len(named), *_merged(named, before))))
    added = 0
    for begin in range(0, max(len(named), 1), step):
        with store.transaction() as connection:
            added += intake.add_names(connection, root, named[begin : begin + step], first + begin)
            if begin + step >= len(named):
                intake.set_unlisted(connection, None)
    return added == len(named)


def _merged(named: Sequence[intake.Named], before: Sequence[sqlite3.Row]) -> tuple[list[tuple[int, int]], str]:
    """`Names.known` for the images that were there `before`, and the paths of all."""
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
    from workbench.core.image_table import ImageTable

    images: ImageTable = store.read(ImageTable.read)
    rows = images.undated if dates else images.unmeasured
    for first in range(0, len(rows), step):
        found = []
        for row in rows[first : first + step].tolist():
            image = images[row]
            file = folders[image.root] / image.path
            reads(image.id)
            read = intake.measured(image, file, prove=not image.width)
            # an unplugged disk does not make images unreadable
            if not read.problem or (not image.width and os.path.exists(file)):
                found.append(read)
        reads(0)
        with store.transaction() as connection:
            intake.keep_headers(connection, found)
        yield found, min(first + step, len(rows)), len(rows)


if __name__ == "__main__":
    main()
