"""Converts labels, images and boxes to rows of the project's tables and back; ids are never reused."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any, TypeVar

from workbench.core.files import natural_key
from workbench.core.project import Box, Image, Label, Split, State
from workbench.errors import WorkbenchError

Connection = sqlite3.Connection
T = TypeVar("T")


def box_of(row: sqlite3.Row) -> Box:
    """`row`: all columns of the table, in its order; by name takes twice as long."""
    id, image, label, x0, y0, x1, y1, difficult, truncated, occluded, crowd, note, extra = row
    flags = (bool(difficult), bool(truncated), bool(occluded), bool(crowd))
    return Box(id, image, label, (x0, y0, x1, y1), *flags, note, extra)


def image_of(row: sqlite3.Row) -> Image:
    return Image(
        id=row["id"], path=row["path"], width=row["width"], height=row["height"], state=State(row["state"]),
        split=Split(row["split"]), orientation=row["orientation"], root=row["root"], note=row["note"],
        problem=row["problem"], date=row["date"],
    )  # fmt: skip


def label_of(row: sqlite3.Row) -> Label:
    return Label(row["id"], row["name"], row["colour"], row["key"], row["position"])


def box_row(box: Box) -> tuple[Any, ...]:
    x0, y0, x1, y1 = map(float, box.xyxy)
    if not (isfinite(x0) and isfinite(y0) and isfinite(x1) and isfinite(y1)):
        raise WorkbenchError("A box was refused, because a coordinate is not a number.")
    flags = (int(box.difficult), int(box.truncated), int(box.occluded), int(box.crowd))
    return (box.id, box.image, box.label, x0, y0, x1, y1, *flags, box.note, box.extra)


IMAGE_COLUMNS = "id, root, path, width, height, state, split, orientation, note, problem, date, sort"


def image_row(i: Image) -> tuple[Any, ...]:
    """The values of IMAGE_COLUMNS."""
    about = (i.width, i.height, str(i.state), str(i.split), i.orientation, i.note, i.problem)
    return (i.id, i.root, i.path, *about, i.date, natural_key(i.path))


def next_ids(connection: Connection, table: str, wanted: Sequence[int]) -> list[int]:
    """`wanted` with each 0 replaced by the next id that this table has never used."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    following = max(found[0] if found else 0, *wanted, 0) + 1
    ids = []
    for i in wanted:
        if not i:
            i, following = following, following + 1
        ids.append(i)
    return ids


GIVEN = "(SELECT value FROM json_each(?))"
"""The ids from `given`, as part of a statement: one statement for 100,000 ids instead of as many."""


def given(ids: Sequence[int]) -> str:
    return json.dumps(list(ids))


def boxes_with(connection: Connection, ids: Sequence[int]) -> tuple[Box, ...]:
    rows = connection.execute(f"SELECT * FROM box WHERE id IN {GIVEN}", (given(ids),))
    found = {box.id: box for box in map(box_of, rows)}  # not the rows, which take as much memory again
    return tuple(_present(map(found.get, ids), "box"))


def images_with(connection: Connection, ids: Sequence[int]) -> list[Image]:
    rows = connection.execute(f"SELECT * FROM image WHERE id IN {GIVEN}", (given(ids),))
    found = {image.id: image for image in map(image_of, rows)}
    return list(_present(map(found.get, ids), "image"))


def values_of(connection: Connection, column: str, ids: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The ids of these images, grouped by their value in a column. WorkbenchError if an image is gone."""
    rows = connection.execute(f"SELECT id, {column} FROM image WHERE id IN {GIVEN}", (given(ids),))
    found = {row[0]: row for row in rows}
    groups: dict[str, list[int]] = {}
    for id, value in map(tuple, _present(map(found.get, ids), "image")):
        groups.setdefault(value, []).append(id)
    return {value: tuple(members) for value, members in groups.items()}


def label_with(connection: Connection, label: int) -> Label:
    rows = _present([connection.execute("SELECT * FROM label WHERE id = ?", (label,)).fetchone()], "label")
    return label_of(next(iter(rows)))


def _present(found: Iterable[T | None], noun: str) -> Iterable[T]:
    for one in found:
        if one is None:
            raise WorkbenchError(f"That {noun} is no longer in the project, so nothing was changed.")
        yield one
