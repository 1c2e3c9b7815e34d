"""Where labels came from: the files of an import, kept in the project, and what they said of each image.

With it a file that nobody edited is exported byte for byte as it came, and a second import knows who has changed what:
the file, a person here, or both. The files are in imports/*.zip of the project, which a person may open or delete.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench import formats
from workbench.core.files import atomic_path, safe_name, stamp
from workbench.core.store import FILE, Store
from workbench.errors import WorkbenchError
from workbench.exchange import content
from workbench.exchange.matching import Matched
from workbench.formats import Reading, Source
from workbench.formats.parts.layout import shown

FOLDER = "imports"
_OF_FORMAT = "imported JOIN origin ON origin.id = imported.origin WHERE image = ?1 AND format = ?2"
_FORGET = (
    f"DELETE FROM imported WHERE image = ?1 AND origin IN (SELECT origin.id FROM {_OF_FORMAT})"
    f" AND origin < (SELECT max(origin.id) FROM {_OF_FORMAT})"
)
"""Of an image and a format all but the newest, before one more comes: undoing an import leaves the one before."""
LIMIT = 256 << 20
"""Bytes of one file that is kept; a larger one is written anew by an export."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What one of the two newest imports of a format said of an image.

    `file` is the name in the zip `archive`, "" where the bytes are not kept. `labels`: all names of the import in
    their order; `content` as in content.py.
    """

    id: int
    format: str
    archive: str
    labels: tuple[str, ...]
    file: str
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """One image of an import, by its id in the project; `source` is the file that speaks of it."""

    id: int
    source: Source
    content: bytes


Stamp = tuple[int, int]


def stamps(reading: Reading) -> dict[Path, Stamp]:
    """Of the files that speak of images, as they are now."""
    found = dict[Path, Stamp]()
    for file in {image.source.file for image in reading.images if image.source is not None}:
        with contextlib.suppress(OSError):
            found[file] = stamp(file)
    return found


def keep(project: Path, reading: Reading, read_at: Mapping[Path, Stamp], images: Iterable[tuple[int, Matched]]) -> None:
    """Note what `reading` said of the images (by their ids) that were taken from it, and keep its files.

    In a connection of its own. Files that are no longer as they were `read_at`, or can't be read, are noted without
    their bytes. WorkbenchError if the project can't be written.
    """
    cannot = formats.load_all().get(reading.format).cannot_store
    taken = [
        Taken(id, one.read.source, content.of_read(one, cannot)) for id, one in images if one.read.source is not None
    ]
    if not taken:
        return
    archive = _free(project / FOLDER, f"{safe_name(reading.source.stem)} ({reading.format})")
    names = _keep_files(archive, reading, read_at, taken)
    labels = json.dumps(list(reading.labels), ensure_ascii=False)
    with Store(project / FILE, check=False) as store, store.transaction() as connection:
        connection.executemany(_FORGET, [(one.id, reading.format) for one in taken])
        row = (reading.format, archive.name, labels)
        origin = connection.execute("INSERT INTO origin (format, archive, labels) VALUES (?, ?, ?)", row).lastrowid
        connection.executemany(
            "INSERT INTO imported (image, origin, file, name, content) VALUES (?, ?, ?, ?, ?)",
            [(one.id, origin, names.get(one.source.file, ""), one.source.name, one.content) for one in taken],
        )


def _keep_files(
    archive: Path, reading: Reading, read_at: Mapping[Path, Stamp], taken: Sequence[Taken]
) -> dict[Path, str]:
    """The name in the zip of each file that was taken whole: all its images, and nothing of it left out."""
    told = Counter(image.source.file for image in reading.images if image.source is not None)
    left = told - Counter(one.source.file for one in taken)
    is_damaged = any(remark.level == "refused" for remark in reading.remarks)
    whole = [file for file, count in told.items() if not left[file] and not (is_damaged and count > 1)]
    root = reading.source if reading.source.is_dir() else reading.source.parent
    names = dict[Path, str]()
    with contextlib.suppress(WorkbenchError), atomic_path(archive) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for file in whole:
                with contextlib.suppress(OSError):
                    now = stamp(file)
                    if now == read_at.get(file) and now[0] <= LIMIT:
                        name = shown(file, root) if file.is_relative_to(root) else f"{len(names)}/{file.name}"
                        packed.writestr(_entry(name), file.read_bytes())
                        names[file] = name
        return names
    return {}


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _free(folder: Path, stem: str) -> Path:
    taken = [int(file.name[:4]) for file in folder.glob("[0-9][0-9][0-9][0-9] *")]
    return folder / f"{max(taken, default=0) + 1:04d} {stem}.zip"


def read(connection: sqlite3.Connection, image: int | None = None) -> dict[int, list[Origin]]:
    """By image, the newest import first. Of one `image` only, if given."""
    about = {}
    for id, format, archive, labels in map(tuple, connection.execute("SELECT id, format, archive, labels FROM origin")):
        about[id] = format, archive, tuple(json.loads(labels))
    found = defaultdict[int, list[Origin]](list)
    where, values = ("", ()) if image is None else ("WHERE image = ?", (image,))
    asked = f"SELECT image, origin, file, name, content FROM imported {where} ORDER BY origin DESC"
    rows = connection.execute(asked, values)
    for of, id, file, name, said in map(tuple, rows):
        found[of].append(Origin(id, *about[id], file, name, said))
    return found
