"""Rebuilds the project's file from its text (mirror): unusual values are checked here, SQLite checks the rest."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator
from math import isfinite
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, TypeVar

from workbench.core.files import natural_keys
from workbench.core.project import FLAGS, Label, Split, State
from workbench.core.storage import mirror
from workbench.core.storage.mirror import FOLDER, USUAL
from workbench.core.storage.rows import IMAGE_COLUMNS
from workbench.core.store import Store
from workbench.errors import Refused

T = TypeVar("T")
_IMAGE = f"image ({IMAGE_COLUMNS})", f"({', '.join('?' * len(IMAGE_COLUMNS.split()))})"
_BOX = f"box (id, image, label, x0, y0, x1, y1, {', '.join(FLAGS)}, note, extra)"
_USUAL_BOX = _BOX, "(?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, '', '')"
_ANY_BOX = _BOX, f"({', '.join('?' * 13)})"
_TOGETHER = 50
"""Rows inserted by one statement, which takes less than half the time of one by one."""
_ENDLESS = "SELECT id, image FROM box WHERE NOT max(abs(x0), abs(y0), abs(x1), abs(y1)) < 9e999"
_STATES, _SPLITS = frozenset(map(str, State)), frozenset(map(str, Split))
_ABOUT = itemgetter(*USUAL)
_MOST = 1 << 53
"""Ids beyond it are damage: each further one must be greater still."""
_CACHE = 64_000
"""KiB of the file held in memory; otherwise pages are written again and again."""


def rebuild(folder: Path, file: Path) -> None:
    """Make the project file `file` from the text in `folder`. Refused, with file and line, if that is incomplete."""
    head = mirror.read_head(folder)
    with Store.create(file) as store:
        store.connection.execute("PRAGMA foreign_keys = OFF")  # all are checked at the end
        store.connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        with store.transaction() as connection:
            try:
                _insert_head(connection, head)
                with _without_box_indexes(connection):
                    for shown, lines, _ in mirror.blocks(folder):
                        _insert_block(connection, shown, lines)
                _go_on_counting(connection, head.get("last ids", {}))
            except (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError) as error:
                raise _misfit(error, error) from error
            except (TypeError, ValueError, AttributeError, OverflowError) as error:
                raise _misfit(error, error) from error
            for table, row, other, _ in connection.execute("PRAGMA foreign_key_check"):
                raise _misfit(f"{table} {row} has {_article(other)} {other} that is not there")
            for box, image in connection.execute(_ENDLESS):
                raise _misfit(f"box {box} of image {image} has a coordinate that is not a number")


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _misfit(what: object, cause: object = "") -> Refused:
    return Refused(FOLDER, f"its parts don't match: {what}", cause=cause)


def _insert_head(connection: sqlite3.Connection, head: dict[str, Any]) -> None:
    connection.executemany("INSERT INTO root (id, path) VALUES (:id, :path)", head["roots"])
    labels = [Label(**label) for label in head["labels"]]
    connection.executemany(
        "INSERT INTO label (id, name, colour, key, position) VALUES (?, ?, ?, ?, ?)",
        [(label.id, label.name, label.colour, label.key, label.position) for label in labels],
    )
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", head["settings"].items())


def _go_on_counting(connection: sqlite3.Connection, last: dict[str, int]) -> None:
    """Give no id again. `last`: the largest that was given, by table; earlier versions did not write it."""
    for table in mirror.COUNTED:
        connection.execute(
            "INSERT INTO sqlite_sequence SELECT ?1, 0 WHERE ?1 NOT IN (SELECT name FROM sqlite_sequence)", (table,)
        )
        connection.execute(
            "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (int(last.get(table, 0)), table)
        )


@contextlib.contextmanager
def _without_box_indexes(connection: sqlite3.Connection) -> Iterator[None]:
    """Drop the indexes and create them at the end, which is faster than keeping them sorted."""
    found = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'box' AND sql NOT NULL"
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    yield
    for _, sql in found:
        connection.execute(sql)


def _insert_block(connection: sqlite3.Connection, shown: str, lines: list[bytes]) -> None:
    """The images of one file with their boxes."""
    records = _parse_lines(lines, shown)
    images = [_at(_image_row, image, shown, number) for number, image in enumerate(records, 1)]
    keys = natural_keys([str(image[2]) for image in images])
    _insert(connection, _IMAGE, [(*image, key) for image, key in zip(images, keys, strict=True)])
    boxes = [_at(_box_rows, image, shown, number) for number, image in enumerate(records, 1)]
    _insert(connection, _USUAL_BOX, [row for usual, _ in boxes for row in usual])
    _insert(connection, _ANY_BOX, [row for _, unusual in boxes for row in unusual])


def _insert(connection: sqlite3.Connection, into: tuple[str, str], rows: list[tuple[Any, ...]]) -> None:
    """`into`: a table with its columns, and the values of a row."""
    table, values = into
    if any(len(row) != values.count("?") for row in rows):  # one row's surplus must not spill into the next
        raise TypeError(f"a row of the table {table} has too many values, or too few")
    whole = len(rows) - len(rows) % _TOGETHER
    together = (tuple(itertools.chain.from_iterable(rows[at : at + _TOGETHER])) for at in range(0, whole, _TOGETHER))
    connection.executemany(f"INSERT INTO {table} VALUES {', '.join([values] * _TOGETHER)}", together)
    connection.executemany(f"INSERT INTO {table} VALUES {values}", rows[whole:])


def _parse_lines(lines: list[bytes], shown: str) -> list[Any]:
    """The JSON values of all lines, parsed at once: one by one takes half as long again."""
    with contextlib.suppress(ValueError, RecursionError):
        values = decode((b"[" + b",".join(lines) + b"]").decode())
        if isinstance(values, list) and len(values) == len(lines):
            return values
    return [_at(lambda line: decode(line.decode()), line, shown, number) for number, line in enumerate(lines, 1)]


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


decode = json.JSONDecoder(parse_constant=_no_number).decode
"""The value of a line; ValueError or RecursionError if it is no JSON, or has a number that is none."""


def _at(make: Callable[[Any], T], value: Any, shown: str, number: int) -> T:
    """The result of `make` for line `number`, or Refused."""
    try:
        return make(value)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Refused(shown, "this is not an image as Workbench writes it", number, cause=error) from error


def is_id(value: object) -> bool:
    """Whether the value from a text can be an id or a size: a whole number from 0 to 2^53."""
    return type(value) is int and 0 <= value < _MOST


def check(record: Any) -> None:
    """Whether the value of a line is an image with its boxes: KeyError, TypeError, ValueError or AttributeError if not.

    What is built anew as a whole is checked by SQLite instead.
    """
    id, root, path, width, height, _, _, orientation, note, problem, date = _image_row(record)
    numbers, texts, edges = [id, root, width, height, orientation], [path, note, problem], [date]
    for rows in _box_rows(record):
        for box, _, label, x0, y0, x1, y1, *more in rows:
            numbers += [box, label]
            edges += [x0, y0, x1, y1]
            texts += more[-2:]
    if not all(map(is_id, numbers)):
        raise ValueError("an id or a size is not a whole number")
    if not all(type(edge) in (int, float) and isfinite(edge) for edge in edges):
        raise ValueError("a coordinate is not a number")
    if not all(isinstance(text, str) and text.encode() is not None for text in texts):
        raise TypeError("a text is something else")
    place = PurePosixPath(path)
    if not path or "\0" in path or place.is_absolute() or ".." in place.parts:
        raise ValueError("its path leads out of its folder")


def _image_row(record: Any) -> tuple[Any, ...]:
    """The values of IMAGE_COLUMNS except the last. SQLite checks their types."""
    about = {**USUAL, **record}
    if about["state"] not in _STATES or about["split"] not in _SPLITS:
        raise ValueError(f"there is no state {about['state']} or split {about['split']}")
    return (record["id"], record["root"], record["path"], *_ABOUT(about))


def _box_rows(record: Any) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The boxes of one image: id, image, label and edges of boxes with nothing else, and all values of the others."""
    image, boxes = record["id"], record["boxes"]
    usual = [(one["id"], image, one["label"], *one["xyxy"]) for one in boxes if len(one) == 3]
    return usual, [_box_row(image, one) for one in boxes if len(one) != 3] if len(usual) < len(boxes) else []


def _box_row(image: Any, one: Any) -> tuple[Any, ...]:
    flags = (int(bool(one.get(flag, 0))) for flag in FLAGS)
    return (one["id"], image, one["label"], *one["xyxy"], *flags, one.get("note", ""), one.get("extra", ""))
