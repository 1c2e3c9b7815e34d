"""The project as text in its folder labels/, for people, git, and in case the project's file is damaged.

`project.json` has labels, roots, settings and the largest ids ever given; `000.jsonl` the images with ids 1 to 1,000,
`001.jsonl` the next thousand and so on: one line per image with its boxes, without default values. A moved box changes
one line. The last line of a file counts images and boxes and has a SHA-256 of everything, so that an incomplete file is
noticed. The project's file can be rebuilt from all of it (core.storage.mirror_reader), without the edit history.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from workbench.core.files import atomic_write, remove_unfinished
from workbench.core.parsing import strict_json
from workbench.core.project import FLAGS
from workbench.core.storage import written_text
from workbench.core.store import FILE, IN_FORCE, Store
from workbench.errors import Refused, WorkbenchError

FOLDER, HEAD = "labels", "project.json"
BLOCK = 1000
"""Images in one file."""
COUNTED = ("box", "image", "label")
"""Tables whose ids are never given again: runs, former names and other programs' files know things by them."""
_FORMAT = 1
_ASIDE = "labels.replaced"
_LEFT = 600.0
"""Seconds after which an unfinished file was left by a program that was killed, and is no other process' work."""
USUAL = {"width": 0, "height": 0, "state": "unlabelled", "split": "none", "orientation": 1, "note": "", "problem": "",
          "date": 0.0}  # fmt: skip
_NAMES, _VALUES = tuple(USUAL), tuple(USUAL.values())
_MORE = (*FLAGS, "note", "extra")
_BOXES = "SELECT id, label, x0, y0, x1, y1 FROM box WHERE image BETWEEN ? AND ? ORDER BY image, id"  # as in the index
_UNUSUAL = (
    f"SELECT id, {', '.join(_MORE)} FROM box WHERE image BETWEEN ? AND ?"
    f" AND ({' OR '.join(FLAGS)} OR note <> '' OR extra <> '')"
)
_COUNTS = "SELECT image, count(*) FROM box WHERE image BETWEEN ? AND ? GROUP BY image"
_IMAGES = f"SELECT id, root, path, {', '.join(USUAL)} FROM image WHERE id BETWEEN ? AND ? ORDER BY id"
_Rows = list[tuple[Any, ...]]
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_UNSEEN = ("window.image", "window.label", "window.page")
"""Settings that change whenever the project is viewed."""


def block_of(image: int) -> int:
    """The number of the text file that holds this image."""
    return (image - 1) // BLOCK


# --- writing ---


def write(folder: Path, blocks: Collection[int] | None = None, edits: Sequence[int] = ()) -> int:
    """Bring the text of the project in `folder` up to date: the head and these blocks (None: all). Returns how many
    files changed.

    The project may be edited meanwhile. `edits`: the `edits_in` it when the blocks were chosen, as the text must not
    count as current if another block was edited since. WorkbenchError if the disk is full.
    """
    remove_unfinished(folder / FOLDER, _LEFT)
    with Store(folder / FILE, read_only=True, check=False) as store:
        return store.read(lambda connection: _write(connection, folder / FOLDER, blocks, edits or edits_in(connection)))


def _write(connection: sqlite3.Connection, folder: Path, blocks: Collection[int] | None, edits: Sequence[int]) -> int:
    """Write block by block, so that an edit waits for at most one; such an edit is not yet counted in the head."""
    last = connection.execute("SELECT max(id) FROM image").fetchone()[0] or 0
    there = range(block_of(last) + 1 if last else 0)
    changed = sum(
        _renew(folder / block_name(b), read_block(connection, b)) for b in there if blocks is None or b in blocks
    )
    for number, file in block_files(folder):
        if number not in there:
            file.unlink(missing_ok=True)
            changed += 1
    for name in {*written_text.recorded_names(folder)} - {HEAD, *map(block_name, there)}:
        written_text.forget(folder / name)
    return changed + _renew(folder / HEAD, _head(connection, edits))


def block_name(block: int) -> str:
    return f"{block:03d}.jsonl"


def block_files(folder: Path) -> list[tuple[int, Path]]:
    found = [(int(file.stem), file) for file in folder.glob("*.jsonl") if file.stem.isdecimal()]
    return sorted(found)


def _renew(file: Path, text: str) -> bool:
    """Write the file if its content changed; returns whether it did."""
    data, changed = text.encode(), True
    with contextlib.suppress(OSError):
        changed = file.read_bytes() != data
    if changed:
        written_text.forget(file)  # killed before the new record, this text must not seem to be another program's
        atomic_write(file, data, sync=False)
    if changed or not written_text.is_as_recorded(file, written_text.read_record(file)):
        written_text.record(file, data)
    return changed


def note_written(folder: Path) -> None:
    """The text of the project in `folder` is as the project is, which was made of it: as if it had been written now."""
    for file in (folder / FOLDER / HEAD, *(file for _, file in block_files(folder / FOLDER))):
        with contextlib.suppress(OSError):
            written_text.record(file, file.read_bytes())


def _head(connection: sqlite3.Connection, edits: Sequence[int]) -> str:
    labels = connection.execute("SELECT id, name, colour, key, position FROM label ORDER BY position, id")
    content = {
        "workbench": _FORMAT,
        "edits": edits,
        "images": connection.execute("SELECT count(*) FROM image").fetchone()[0],
        "labels": [dict(row) for row in labels],
        "last ids": _last_ids(connection),
        "roots": roots_in(connection),
        "settings": {
            row["key"]: row["value"]
            for row in connection.execute("SELECT key, value FROM meta ORDER BY key")
            if row["key"] not in _UNSEEN
        },
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _last_ids(connection: sqlite3.Connection) -> dict[str, int]:
    """The largest id that was ever given, by table: of what is gone, too."""
    rows = connection.execute(f"SELECT name, seq FROM sqlite_sequence WHERE name IN {COUNTED} ORDER BY name")
    return {row["name"]: row["seq"] for row in rows}


def roots_in(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute("SELECT id, path FROM root ORDER BY id")]


def edits_in(connection: sqlite3.Connection) -> list[int]:
    """A value that changes with each edit, undo and redo: the last number given, and how many edits are undone."""
    found = connection.execute(
        f"SELECT (SELECT ifnull(max(seq), 0) FROM journal), (SELECT count(*) FROM journal WHERE seq > {IN_FORCE})"
    ).fetchone()
    return [int(value) for value in found]


def read_block(connection: sqlite3.Connection, block: int) -> str:
    """The text of a block, as the project is at one moment; an edit waits only while it is read."""
    span = (block * BLOCK + 1, (block + 1) * BLOCK)
    cursor = connection.cursor()
    cursor.row_factory = None
    cursor.execute("BEGIN")
    try:
        rows = [cursor.execute(asked, span).fetchall() for asked in (_BOXES, _UNUSUAL, _COUNTS, _IMAGES)]
    finally:
        cursor.execute("ROLLBACK")
    return _block_text(*rows)


def _block_text(rows: _Rows, unusual: _Rows, counted: _Rows, images: _Rows) -> str:
    """JSON assembled by hand: 100,000 images with seven boxes each are many pieces."""
    boxes = [
        f'{{"id":{id},"label":{label},"xyxy":[{x0!r},{y0!r},{x1!r},{y1!r}]}}' for id, label, x0, y0, x1, y1 in rows
    ]
    places = {row[0]: place for place, row in enumerate(rows)} if unusual else {}
    for id, *more in unusual:
        also = "".join(f',"{name}":{_json(value)}' for name, value in zip(_MORE, more, strict=True) if value)
        boxes[places[id]] = f"{boxes[places[id]][:-1]}{also}}}"
    counts: dict[int, int] = dict(counted)
    lines, end = [], 0
    for id, root, path, *about in images:
        line = f'{{"id":{id},"root":{root},"path":{_json(path)}'
        for name, usual, value in zip(_NAMES, _VALUES, about, strict=True):
            if value != usual:
                line += f',"{name}":{_json(value)}'
        start, end = end, end + counts.get(id, 0)
        lines.append(f'{line},"boxes":[{",".join(boxes[start:end])}]}}\n')
    text = "".join(lines)
    return text + _Seal.of(text.encode(), len(lines), len(boxes)).line


def _json(value: str | float) -> str:
    """As json.dumps, in a tenth of the time."""
    return encode_basestring(value) if isinstance(value, str) else repr(value)


@dataclass(frozen=True, slots=True)
class _Seal:
    """The last line of a file: what the other lines must add up to."""

    images: int
    boxes: int
    sha256: str

    @classmethod
    def of(cls, lines: bytes, images: int, boxes: int) -> _Seal:
        return cls(images, boxes, hashlib.sha256(lines + f"{images} {boxes}".encode()).hexdigest())

    @classmethod
    def read(cls, line: bytes) -> _Seal | None:
        try:
            values = json.loads(line)
            return cls(int(values["images"]), int(values["boxes"]), str(values["sha256"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    @property
    def line(self) -> str:
        return _encode({"images": self.images, "boxes": self.boxes, "sha256": self.sha256}) + "\n"


# --- reading ---


@dataclass(frozen=True, slots=True)
class MirrorInfo:
    """The text of a project: when it was last written, and how much it holds."""

    written: datetime
    images: int
    boxes: int


def is_current(folder: Path, connection: sqlite3.Connection) -> bool:
    """Whether the text includes every edit of the project in `folder`, and where its images are.

    Not if another program wrote its head: the edits of a colleague may be as many.
    """
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        file = folder / FOLDER / HEAD
        if not written_text.is_as_recorded(file, written_text.read_record(file)):
            return False
        head = json.loads(file.read_bytes())
        return bool(head["edits"] == edits_in(connection) and head["roots"] == roots_in(connection))
    return False


def outdate(folder: Path) -> None:
    """Let the text no longer count as current: another file is about to be the project's, and may have as many edits.

    It stays complete until it is written anew. WorkbenchError if the disk is full.
    """
    file = folder / FOLDER / HEAD
    with contextlib.suppress(OSError, ValueError, TypeError):
        head = {**json.loads(file.read_bytes()), "edits": None}
        atomic_write(file, json.dumps(head, ensure_ascii=False, indent=1) + "\n")


def read_info(folder: Path) -> MirrorInfo:
    """When the text was written and how much is in it. Refused, with file and line, if it is damaged."""
    boxes = sum(seal.boxes for _, _, seal in blocks(folder))
    times = [file.stat().st_mtime for file in (folder / FOLDER).glob("*.json*")]
    return MirrorInfo(datetime.fromtimestamp(max(times)), read_head(folder)["images"], boxes)


def blocks(folder: Path) -> Iterator[tuple[str, list[bytes], _Seal]]:
    """Name, lines and seal of each file. Refused if a file is not just as Workbench wrote it, or one is missing."""
    expected, found = read_head(folder)["images"], 0
    for _, file in block_files(folder / FOLDER):
        shown = f"{FOLDER}/{file.name}"
        *lines, last = _bytes(file, shown).splitlines(keepends=True) or [b""]
        seal = _Seal.read(last)
        if seal is None or last != _Seal.of(b"".join(lines), len(lines), seal.boxes).line.encode():
            reason = "its last line does not match the others: it was cut off, or changed by another program"
            raise Refused(shown, reason, len(lines) + 1)
        found += len(lines)
        yield shown, lines, seal
    if found != expected:
        raise Refused(FOLDER, f"there are {found:,} images in its files, but there should be {expected:,}")


def read_head(folder: Path) -> dict[str, Any]:
    """Labels, roots and settings. Refused if they can't be read, or a newer Workbench wrote them."""
    return parse_head(_bytes(folder / FOLDER / HEAD, f"{FOLDER}/{HEAD}"))


def parse_head(data: bytes) -> dict[str, Any]:
    """As read_head, of the file's content."""
    shown = f"{FOLDER}/{HEAD}"
    head = strict_json.parse(data, shown)
    if not isinstance(head, dict) or not {"workbench", "images", "labels", "roots", "settings"} <= set(head):
        raise Refused(shown, "this is not the head of a project as Workbench writes it")
    if head["workbench"] != _FORMAT:
        raise Refused(shown, f"it has format {head['workbench']}, but this program knows {_FORMAT}; update Workbench")
    return head


def _bytes(file: Path, shown: str) -> bytes:
    try:
        return file.read_bytes().replace(b"\r\n", b"\n")  # git on Windows changes line ends; values have none
    except OSError as error:
        raise Refused(shown, f"it can't be read ({error.strerror or error})") from error


def copy_aside(text: Path) -> Path:
    """Copy the folder `text`, of a project, and return the copy, which lies beside it. WorkbenchError if that fails."""
    made = time.strftime("%Y-%m-%d %H.%M.%S")
    copy, number = text.with_name(f"{_ASIDE} {made}"), 1
    while copy.exists():  # made in the same second
        number += 1
        copy = text.with_name(f"{_ASIDE} {made} {number}")
    for killed in text.parent.glob(f".{_ASIDE} *.tmp"):
        shutil.rmtree(killed, ignore_errors=True)
    unfinished = copy.with_name(f".{copy.name}.tmp")
    try:
        shutil.copytree(text, unfinished)
        os.replace(unfinished, copy)
    except OSError as error:
        reason = error.strerror or "not all of it could be copied"
        raise WorkbenchError(f"{copy} could not be made: {reason}. Make room there, then try again.", error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return copy
