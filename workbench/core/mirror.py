"""The project as text in its folder labels/, for people, git and the day when the project's file is damaged.

`project.json` has labels, roots and settings; `000.jsonl` the images with ids 1 to 1,000, `001.jsonl` the next thousand
and so on: one line for each image with its boxes, what is usual left out. A moved box changes one line. The last line
of a file counts the others and has their SHA-256, so that a half written one is seen. From all of it the project's file
can be made anew (`rebuild`), without the history of edits.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.core import rows, strict_json
from workbench.core.files import atomic_write
from workbench.core.project import Box, Image, Label, Split, State
from workbench.core.store import FILE, Store
from workbench.errors import Refused, WorkbenchError

FOLDER, HEAD = "labels", "project.json"
BLOCK = 1000
"""Images in one file."""
_FORMAT = 1
_USUAL = {"width": 0, "height": 0, "state": "unlabelled", "split": "none", "orientation": 1, "note": "", "problem": "",
          "date": 0.0}  # fmt: skip
_FLAGS = ("difficult", "truncated", "occluded", "crowd")
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
    span = (block * BLOCK + 1, (block + 1) * BLOCK)
    boxes: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute("SELECT * FROM box WHERE image BETWEEN ? AND ? ORDER BY id", span):
        boxes.setdefault(row["image"], []).append(_box_line(row))
    lines = []
    for row in connection.execute("SELECT * FROM image WHERE id BETWEEN ? AND ? ORDER BY id", span):
        told = {name: row[name] for name, usual in _USUAL.items() if row[name] != usual}
        line = {"id": row["id"], "root": row["root"], "path": row["path"], **told, "boxes": boxes.get(row["id"], [])}
        lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    text = "".join(lines)
    return text + _sealing(text.encode(), len(lines))


def _box_line(row: sqlite3.Row) -> dict[str, Any]:
    line = {"id": row["id"], "label": row["label"], "xyxy": [row["x0"], row["y0"], row["x1"], row["y1"]]}
    line |= {flag: True for flag in _FLAGS if row[flag]}
    return line | {name: row[name] for name in ("note", "extra") if row[name]}


def _sealing(data: bytes, images: int) -> str:
    return json.dumps({"images": images, "sha256": hashlib.sha256(data).hexdigest()}, separators=(",", ":")) + "\n"


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
    parts = [part for _, part in _parts(folder)]
    times = [file.stat().st_mtime for file in (folder / FOLDER).glob("*.json*")]
    return Text(datetime.fromtimestamp(max(times)), len(parts), sum(len(boxes) for boxes in parts))


def _parts(folder: Path) -> Iterator[tuple[Image, list[Box]]]:
    """Every image with its boxes."""
    expected, found = read_head(folder)["images"], 0
    for _, file in _block_files(folder / FOLDER):
        shown = f"{FOLDER}/{file.name}"
        *lines, seal = _bytes(file, shown).splitlines(keepends=True) or [b""]
        whole = b"".join(lines)
        if seal != _sealing(whole, len(lines)).encode():
            reason = "its last line does not fit the others: it was cut off, or changed by another program"
            raise Refused(shown, reason, len(lines) + 1)
        found += len(lines)
        for number, line in enumerate(lines, 1):
            try:
                yield _image(strict_json.parse(line, shown))
            except (KeyError, TypeError, ValueError, WorkbenchError) as error:
                raise Refused(shown, "this is not an image as Workbench writes it", number, cause=error) from error
    if found != expected:
        raise Refused(FOLDER, f"there are {found:,} images in its files, and there should be {expected:,}")


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
        difficult, truncated, occluded, crowd = (one.get(flag, False) is True for flag in _FLAGS)
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
            marks = ", ".join("?" * len(rows.IMAGE_COLUMNS.split(",")))
            for image, boxes in _parts(folder):
                connection.execute(f"INSERT INTO image ({rows.IMAGE_COLUMNS}) VALUES ({marks})", rows.image_row(image))
                connection.executemany(
                    f"INSERT INTO box VALUES ({', '.join('?' * 13)})", [rows.box_row(box) for box in boxes]
                )
        except (sqlite3.IntegrityError, TypeError, AttributeError) as error:
            raise Refused(FOLDER, f"its parts don't fit each other: {error}", cause=error) from error
