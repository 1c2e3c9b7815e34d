"""The project as text in its folder labels/, for people, git and the day when the project's file is damaged.

`project.json` has labels, roots and settings; `000.jsonl` the images with ids 1 to 1,000, `001.jsonl` the next thousand
and so on: one line for each image with its boxes, what is usual left out. A moved box changes one line. The last line
of a file counts images and boxes and has a SHA-256 of it all, so that a half written one is seen. From all of it the
project's file can be made anew (`rebuild`), without the history of edits.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.core import rows, strict_json
from workbench.core.files import atomic_write
from workbench.core.project import Box, Image, Label, Split, State
from workbench.core.store import FILE, Store
from workbench.errors import Refused

FOLDER, HEAD = "labels", "project.json"
BLOCK = 1000
"""Images in one file."""
_FORMAT = 1
_USUAL = {"width": 0, "height": 0, "state": "unlabelled", "split": "none", "orientation": 1, "note": "", "problem": "",
          "date": 0.0}  # fmt: skip
_FLAGS = ("difficult", "truncated", "occluded", "crowd")
_MORE = (*_FLAGS, "note", "extra")
_BOXES = (
    "SELECT id, image, label, x0, y0, x1, y1, difficult, truncated, occluded, crowd, note, extra FROM box"
    " WHERE image BETWEEN ? AND ? ORDER BY image, id"  # as the index has them
)
_IMAGES = f"SELECT id, root, path, {', '.join(_USUAL)} FROM image WHERE id BETWEEN ? AND ? ORDER BY id"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_UNSEEN = ("window.image",)
"""Settings that change with every look at the project."""


def block_of(image: int) -> int:
    """The number of the file that has this image."""
    return (image - 1) // BLOCK


# --- writing ---


def write(folder: Path, blocks: Collection[int] | None = None) -> int:
    """Bring the text of the project in `folder` up to date: these blocks and the head, or all; how many files changed.

    The project may be edited meanwhile. WorkbenchError if the disk is full.
    """
    with Store(folder / FILE, read_only=True, check=False) as store:
        return store.read(lambda connection: _write(connection, folder / FOLDER, blocks))


def _write(connection: sqlite3.Connection, folder: Path, blocks: Collection[int] | None) -> int:
    """Block by block, so that an edit waits for one at most: it is not in the number that the head then has."""
    edits = _edits(connection)
    last = connection.execute("SELECT max(id) FROM image").fetchone()[0] or 0
    there = range(block_of(last) + 1 if last else 0)
    changed = sum(_renew(folder / _name(b), _block(connection, b)) for b in there if blocks is None or b in blocks)
    for number, file in _block_files(folder):
        if number not in there:
            file.unlink(missing_ok=True)
            changed += 1
    return changed + _renew(folder / HEAD, _head(connection, edits))


def _name(block: int) -> str:
    return f"{block:03d}.jsonl"


def _block_files(folder: Path) -> list[tuple[int, Path]]:
    found = [(int(file.stem), file) for file in folder.glob("*.jsonl") if file.stem.isdecimal()]
    return sorted(found)


def _renew(file: Path, text: str) -> bool:
    """Whether it had to be written: what did not change is left alone."""
    data = text.encode()
    with contextlib.suppress(OSError):
        if file.read_bytes() == data:
            return False
    atomic_write(file, data, sync=False)
    return True


def _head(connection: sqlite3.Connection, edits: list[int]) -> str:
    labels = connection.execute("SELECT id, name, colour, key, position FROM label ORDER BY position, id")
    content = {
        "workbench": _FORMAT,
        "edits": edits,
        "images": connection.execute("SELECT count(*) FROM image").fetchone()[0],
        "labels": [dict(row) for row in labels],
        "roots": [dict(row) for row in connection.execute("SELECT id, path FROM root ORDER BY id")],
        "settings": {
            row["key"]: row["value"]
            for row in connection.execute("SELECT key, value FROM meta ORDER BY key")
            if row["key"] not in _UNSEEN
        },
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _edits(connection: sqlite3.Connection) -> list[int]:
    """Another list after each edit, undo and redo."""
    found = connection.execute("SELECT count(*), ifnull(max(seq), 0), ifnull(sum(undone), 0) FROM journal").fetchone()
    return [int(value) for value in found]


def _block(connection: sqlite3.Connection, block: int) -> str:
    """Seven boxes on each of 100,000 images are as many lines of JSON: they are put together by hand where possible."""
    span = (block * BLOCK + 1, (block + 1) * BLOCK)
    cursor = connection.cursor()
    cursor.row_factory = None
    boxes: dict[int, list[str]] = {}
    for id, image, label, x0, y0, x1, y1, *more in cursor.execute(_BOXES, span):
        line = f'{{"id":{id},"label":{label},"xyxy":[{x0!r},{y0!r},{x1!r},{y1!r}]'
        if any(more):
            line += "".join(f',"{name}":{_encode(value)}' for name, value in zip(_MORE, more, strict=True) if value)
        boxes.setdefault(image, []).append(line + "}")
    lines = []
    for id, root, path, *about in cursor.execute(_IMAGES, span):
        line = f'{{"id":{id},"root":{root},"path":{_encode(path)}'
        told = zip(_USUAL.items(), about, strict=True)
        line += "".join(f',"{name}":{_encode(value)}' for (name, usual), value in told if value != usual)
        lines.append(f'{line},"boxes":[{",".join(boxes.get(id, ()))}]}}\n')
    text = "".join(lines)
    return text + _Seal.of(text.encode(), len(lines), sum(map(len, boxes.values()))).line


@dataclass(frozen=True, slots=True)
class _Seal:
    """The last line of a file: what the others must be."""

    images: int
    boxes: int
    sha256: str

    @classmethod
    def of(cls, lines: bytes, images: int, boxes: int) -> _Seal:
        return cls(images, boxes, hashlib.sha256(lines + f"{images} {boxes}".encode()).hexdigest())

    @classmethod
    def read(cls, line: bytes) -> _Seal | None:
        try:
            told = json.loads(line)
            return cls(int(told["images"]), int(told["boxes"]), str(told["sha256"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    @property
    def line(self) -> str:
        return _encode({"images": self.images, "boxes": self.boxes, "sha256": self.sha256}) + "\n"


# --- reading ---


@dataclass(frozen=True, slots=True)
class Text:
    """The text that a project has: when it was written last, and how much is in it."""

    written: datetime
    images: int
    boxes: int


def is_current(folder: Path, connection: sqlite3.Connection) -> bool:
    """Whether the text has all edits of the project in `folder`."""
    with contextlib.suppress(OSError, ValueError):
        return bool(json.loads((folder / FOLDER / HEAD).read_bytes())["edits"] == _edits(connection))
    return False


def look(folder: Path) -> Text:
    """What a project could be rebuilt from. Refused, with file and line, if it is not whole."""
    boxes = sum(seal.boxes for _, _, seal in _lines(folder))
    times = [file.stat().st_mtime for file in (folder / FOLDER).glob("*.json*")]
    return Text(datetime.fromtimestamp(max(times)), read_head(folder)["images"], boxes)


def _lines(folder: Path) -> Iterator[tuple[str, list[bytes], _Seal]]:
    """Name and lines of each file; what is in them is what Workbench wrote, or Refused."""
    expected, found = read_head(folder)["images"], 0
    for _, file in _block_files(folder / FOLDER):
        shown = f"{FOLDER}/{file.name}"
        *lines, last = _bytes(file, shown).splitlines(keepends=True) or [b""]
        seal = _Seal.read(last)
        if seal is None or last != _Seal.of(b"".join(lines), len(lines), seal.boxes).line.encode():
            reason = "its last line does not fit the others: it was cut off, or changed by another program"
            raise Refused(shown, reason, len(lines) + 1)
        found += len(lines)
        yield shown, lines, seal
    if found != expected:
        raise Refused(FOLDER, f"there are {found:,} images in its files, and there should be {expected:,}")


def _parts(folder: Path) -> Iterator[tuple[Image, list[Box]]]:
    """Every image with its boxes."""
    for shown, lines, _ in _lines(folder):
        for number, line in enumerate(lines, 1):
            try:
                yield _image(json.loads(line))
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
                raise Refused(shown, "this is not an image as Workbench writes it", number, cause=error) from error


def _image(told: Any) -> tuple[Image, list[Box]]:
    about = _USUAL | {name: value for name, value in told.items() if name in _USUAL}
    image = Image(
        id=int(told["id"]), path=str(told["path"]), root=int(told["root"]), width=int(about["width"]),
        height=int(about["height"]), state=State(about["state"]), split=Split(about["split"]),
        orientation=int(about["orientation"]), note=str(about["note"]), problem=str(about["problem"]),
        date=float(about["date"]),
    )  # fmt: skip
    boxes = []
    for one in told["boxes"]:
        x0, y0, x1, y1 = map(float, one["xyxy"])
        difficult, truncated, occluded, crowd = (bool(one.get(flag, 0)) for flag in _FLAGS)
        note, extra = str(one.get("note", "")), str(one.get("extra", ""))
        ids = int(one["id"]), image.id, int(one["label"])
        boxes.append(Box(*ids, (x0, y0, x1, y1), difficult, truncated, occluded, crowd, note, extra))
    return image, boxes


def read_head(folder: Path) -> dict[str, Any]:
    """Labels, roots and settings. Refused if they can't be read, or a newer Workbench wrote them."""
    shown = f"{FOLDER}/{HEAD}"
    told = strict_json.parse(_bytes(folder / FOLDER / HEAD, shown), shown)
    if not isinstance(told, dict) or not {"workbench", "images", "labels", "roots", "settings"} <= set(told):
        raise Refused(shown, "this is not the head of a project as Workbench writes it")
    if told["workbench"] != _FORMAT:
        raise Refused(shown, f"it is of format {told['workbench']}, and this program knows {_FORMAT}; update Workbench")
    return told


def _bytes(file: Path, shown: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Refused(shown, f"it can't be read ({error.strerror or error})") from error


def rebuild(folder: Path, file: Path) -> None:
    """Make the project file `file` of the text in `folder`. Refused, with file and line, if that is not whole."""
    head = read_head(folder)
    with Store.create(file) as store, store.transaction() as connection:
        try:
            connection.executemany("INSERT INTO root (id, path) VALUES (:id, :path)", head["roots"])
            labels = [Label(**label) for label in head["labels"]]
            connection.executemany(
                "INSERT INTO label (id, name, colour, key, position) VALUES (?, ?, ?, ?, ?)",
                [(label.id, label.name, label.colour, label.key, label.position) for label in labels],
            )
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", head["settings"].items())
            parts = _parts(folder)
            while some := list(itertools.islice(parts, BLOCK)):
                _insert(connection, f"image ({rows.IMAGE_COLUMNS})", [rows.image_row(image) for image, _ in some])
                _insert(connection, "box", [rows.box_row(box) for _, boxes in some for box in boxes])
        except (sqlite3.IntegrityError, TypeError, AttributeError) as error:
            raise Refused(FOLDER, f"its parts don't fit each other: {error}", cause=error) from error


def _insert(connection: sqlite3.Connection, into: str, values: Sequence[tuple[Any, ...]]) -> None:
    if values:
        connection.executemany(f"INSERT INTO {into} VALUES ({', '.join('?' * len(values[0]))})", values)
