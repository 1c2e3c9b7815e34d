"""Where labels came from: the files of an import, kept in the project, and what they said of each image.

With these, labels that nobody edited are exported byte for byte as imported, and a second import knows what changed:
the file, the project, or both. The files are in the project's imports/*.zip, which users may open or delete.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench import formats
from workbench.core.document import Document
from workbench.core.files import atomic_path, safe_name, stamp
from workbench.core.project import Split
from workbench.core.store import FILE, Store
from workbench.errors import WorkbenchError
from workbench.exchange import content_hash
from workbench.exchange.matching import MatchedImage
from workbench.formats import Reading, Source
from workbench.formats.parts.layout import display_name

FOLDER = "imports"
_CUT_OFF = "SELECT id FROM origin WHERE step > 0 AND NOT EXISTS (SELECT 1 FROM journal WHERE seq = step)"
"""Imports that were undone, followed by another edit: they can't be redone."""
_OUTDATED = """
SELECT id FROM origin WHERE format = ?1 AND id NOT IN (
  SELECT origin FROM (
    SELECT origin, row_number() OVER (PARTITION BY image ORDER BY origin DESC) AS place
    FROM imported JOIN origin ON origin.id = imported.origin WHERE format = ?1)
  WHERE place <= 2)"""
"""Imports of a format that are not among the two newest for any of their images: after undoing the newest, the one
before it remains. Always whole imports: a file about several images would otherwise seem to be about fewer."""
_UNASKED = "SELECT archive FROM origin WHERE id NOT IN (SELECT origin FROM imported)"
LIMIT = 256 << 20
"""Bytes of the largest file that is kept, and of all files of an import together, packed; an export writes others anew.
Files of LabelMe hold their photographs: kept, these would lie in every project twice."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What an import said of an image.

    `file` is the name in the zip `archive`, "" if the bytes are not kept. `labels`: the names in the import by their
    numbers there; `content` as in content_hash.py; `base` as in Reading. `is_done`: it was not undone. `left`: the
    `content` of the image after the import, if that was not just the file's. `split`: the one in the file (NONE for
    none), None if it was not recorded.
    """

    id: int
    format: str
    archive: str
    labels: tuple[str, ...]
    file: str
    name: str
    content: bytes
    base: int | None = None
    is_done: bool = True
    left: bytes | None = None
    split: Split | None = None

    def is_of(self, content: bytes) -> bool:
        """Whether an image with this content (content_hash.of_image) is as this import left it."""
        return content in (self.content, self.left)


@dataclass(frozen=True, slots=True)
class ImportedImage:
    """One image of an import, by its id in the project; `source` is the file that describes it."""

    id: int
    source: Source
    content: bytes
    left: bytes | None
    split: Split


Stamp = tuple[int, int]


def now() -> int:
    """The time, in ns, of the clock by which files are stamped."""
    coarse = getattr(time, "CLOCK_REALTIME_COARSE", None)  # a tick behind the other clock, like the stamps
    read = getattr(time, "clock_gettime_ns", None)
    return time.time_ns() if coarse is None or read is None else int(read(coarse))


def stamps(reading: Reading, since: int) -> dict[Path, Stamp]:
    """The stamps of the files that describe images, except those changed after reading began (`since`, by `now()`)."""
    found = dict[Path, Stamp]()
    for file in {image.source.file for image in reading.images if image.source is not None}:
        with contextlib.suppress(OSError):
            current = stamp(file)
            if current[1] <= since:
                found[file] = current
    return found


def keep(
    project: Path,
    reading: Reading,
    read_at: Mapping[Path, Stamp],
    images: Iterable[tuple[int, MatchedImage]],
    step: int,
) -> None:
    """Record what `reading` said of the images (by their ids) taken from it, and keep its files.

    `step`: the import's journal entry; 0 if it changed nothing: the record then lasts as long as the step before it.
    Uses its own connection. Files that have changed since `read_at`, or can't be read, are recorded without their
    bytes; files of imports that are no longer needed are removed. WorkbenchError if the project can't be written.
    """
    cannot = formats.load_all().get(reading.format).cannot_store
    spoken = [(id, one) for id, one in images if one.read.source is not None]
    if not spoken:
        return
    left = _left(project, reading.format, [id for id, one in spoken if one.same or one.instead], step)
    imported = [
        ImportedImage(
            id, one.read.source, content_hash.of_read(one, cannot), left.get(id), one.read.split or Split.NONE
        )
        for id, one in spoken
        if one.read.source is not None
    ]
    if not step and _is_known(project, reading, imported):
        return
    archive = _free(project / FOLDER, f"{safe_name(reading.source.stem)} ({reading.format})")
    names = _keep_files(archive, reading, read_at, imported)
    try:
        unasked = _record(project, reading, archive.name, names, imported, step)
    except BaseException:
        with contextlib.suppress(OSError):
            archive.unlink(missing_ok=True)  # no record would ever lead to it
        raise
    for name in unasked:
        with contextlib.suppress(OSError):
            (archive.parent / name).unlink(missing_ok=True)


def _record(
    project: Path,
    reading: Reading,
    archive: str,
    names: Mapping[Path, str],
    imported: Sequence[ImportedImage],
    step: int,
) -> set[str]:
    """Write what was imported into the project's file; returns the zips that no import needs any more."""
    labels = json.dumps(list(reading.labels), ensure_ascii=False)
    with Store(project / FILE, check=False) as store, store.transaction() as connection:
        newest = connection.execute("SELECT max(seq) FROM journal WHERE undone = 0").fetchone()[0] or 0
        row = (reading.format, archive, labels, step or newest, reading.base)
        made = "INSERT INTO origin (format, archive, labels, step, base) VALUES (?, ?, ?, ?, ?)"
        origin = connection.execute(made, row).lastrowid
        connection.executemany(
            "INSERT INTO imported (image, origin, file, name, content, left) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (one.id, origin, names.get(one.source.file, ""), _text(one.source.name), _noted(one), one.left)
                for one in imported
            ],
        )
        for old, values in ((_CUT_OFF, ()), (_OUTDATED, (reading.format,))):
            connection.execute(f"DELETE FROM imported WHERE origin IN ({old})", values)
        unasked = {row[0] for row in connection.execute(_UNASKED)}
        connection.execute("DELETE FROM origin WHERE id NOT IN (SELECT origin FROM imported)")
        return unasked - {row[0] for row in connection.execute("SELECT archive FROM origin")}


def _is_known(project: Path, reading: Reading, imported: Sequence[ImportedImage]) -> bool:
    """Whether each image's newest import that was not undone says the same, and its file is kept as it is now."""
    with Store(project / FILE, read_only=True, check=False) as store:
        known = store.read(read)
    same = set[Path]()
    with Archives(project / FOLDER) as archives:
        for one in imported:
            valid = (origin for origin in known.get(one.id, ()) if origin.is_done and origin.format == reading.format)
            newest = next(valid, None)
            content = (one.content, one.split, tuple(reading.labels), reading.base)
            if newest is None or content != (newest.content, newest.split, newest.labels, newest.base):
                return False
            if one.source.file not in same:
                with contextlib.suppress(OSError):
                    if archives.bytes_of(newest) == one.source.file.read_bytes():
                        same.add(one.source.file)
                        continue
                return False
    return True


def _noted(one: ImportedImage) -> bytes:
    """Its content followed by the split, which older projects do not have."""
    return one.content + one.split.encode()


def _left(project: Path, format: str, ids: Sequence[int], step: int) -> dict[int, bytes]:
    """The content of these images after the import, which had boxes before; empty if the project was edited since."""
    if not ids:
        return {}
    cannot = formats.load_all().get(format).cannot_store
    with Document.open(project, read_only=True, check=False) as document:
        snapshot = document.snapshot(ids)
        newest = document.store.rows("SELECT max(seq) FROM journal WHERE undone = 0")[0][0] or 0
    if step and newest != step:
        return {}
    return {image.id: content_hash.of_image(snapshot, index, cannot) for index, image in enumerate(snapshot.images)}


def _keep_files(
    archive: Path, reading: Reading, read_at: Mapping[Path, Stamp], imported: Sequence[ImportedImage]
) -> dict[Path, str]:
    """The name in the zip of each file that was imported completely: all its images, with nothing left out."""
    spoken = Counter(image.source.file for image in reading.images if image.source is not None)
    left = spoken - Counter(one.source.file for one in imported)
    is_damaged = any(remark.level == "refused" for remark in reading.remarks)
    whole = [file for file, count in spoken.items() if not left[file] and not (is_damaged and count > 1)]
    root = reading.source if os.path.isdir(reading.source) else reading.source.parent
    names, given, packed_size = dict[Path, str](), set[str](), 0
    with contextlib.suppress(WorkbenchError), atomic_path(archive) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for file in whole:
                with contextlib.suppress(OSError):
                    current = stamp(file)
                    if current == read_at.get(file) and current[0] <= LIMIT:
                        name = _text(display_name(file, root)) if file.is_relative_to(root) else ""
                        if not name or name in given:
                            name = f"{len(names)}/{_text(file.name)}"
                        packed.writestr(entry := _entry(name), file.read_bytes())
                        packed_size += entry.compress_size
                        if packed_size > LIMIT:
                            raise WorkbenchError("The files of this import are too large to be kept.")
                        names[file] = name
                        given.add(name)
        return names
    return {}


def _text(name: str) -> str:
    """A name that is not UTF-8, in a form that zips and databases can hold."""
    return name.encode("utf-8", "replace").decode()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _free(folder: Path, stem: str) -> Path:
    taken = [int(file.name[:4]) for file in folder.glob("[0-9][0-9][0-9][0-9] *")]
    return folder / f"{max(taken, default=0) + 1:04d} {stem}.zip"


def read(connection: sqlite3.Connection, image: int | None = None) -> dict[int, list[Origin]]:
    """Origins by image id, the newest import first; only of `image`, if given."""
    about, how = {}, {}
    undone = "step > 0 AND NOT EXISTS (SELECT 1 FROM journal WHERE seq = step AND undone = 0)"
    rows = connection.execute(f"SELECT id, format, archive, labels, base, {undone} FROM origin")
    for id, format, archive, labels, base, is_undone in map(tuple, rows):
        about[id] = format, archive, tuple(json.loads(labels))
        how[id] = base, not is_undone
    found = defaultdict[int, list[Origin]](list)
    where, values = ("", ()) if image is None else ("WHERE image = ?", (image,))
    asked = f"SELECT image, origin, file, name, content, left FROM imported {where} ORDER BY origin DESC"
    rows = connection.execute(asked, values)
    for of, id, file, name, content, left in map(tuple, rows):
        split = Split(content[content_hash.SIZE :].decode()) if len(content) > content_hash.SIZE else None
        found[of].append(Origin(id, *about[id], file, name, content[: content_hash.SIZE], *how[id], left, split))
    return found


class Archives:
    """The zips of imports, each opened once when needed; missing or damaged ones yield nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._open = folder, dict[str, zipfile.ZipFile | None]()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Archives:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def bytes_of(self, origin: Origin) -> bytes | None:
        with contextlib.suppress(Exception):  # zipfile and zlib raise a dozen kinds of exceptions on damage
            if origin.archive not in self._open:
                self._open[origin.archive] = None
                packed = zipfile.ZipFile(self._folder / origin.archive)
                self._open[origin.archive] = self._stack.enter_context(packed)
            found = self._open[origin.archive]
            return found.read(origin.file) if found is not None else None
        return None
