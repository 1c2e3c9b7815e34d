"""A frozen copy of a project, read from its file in columns: a second for 700,000 boxes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.project import FLAGS, FormerName, Image, Label, Snapshot
from workbench.core.storage.image_table import ImageTable

_BOX = np.dtype(
    [("id", "i8"), ("image", "i8"), ("label", "i8"), *((side, "f8") for side in ("x0", "y0", "x1", "y1"))]
    + [(flag, "?") for flag in FLAGS]
)


def take(
    connection: sqlite3.Connection,
    labels: tuple[Label, ...],
    images: ImageTable,
    file: Callable[[Image], Path],
    window: IntensityWindow | None,
    former_names: tuple[FormerName, ...] = (),
    some: bool = False,
) -> Snapshot:
    """All boxes with these labels (in export order) and images (in their order). `file` gives an image's path.

    `some`: the project has other images too, whose boxes are left out.
    """
    cursor = connection.cursor()
    cursor.row_factory = None
    columns = ", ".join(_BOX.names or ())
    rows: Iterable[tuple[float, ...]]
    if some:
        asked = f"SELECT {columns} FROM box WHERE image = ?"
        rows = sorted(row for image in images.ids.tolist() for row in cursor.execute(asked, (image,)).fetchall())
    else:
        rows = cursor.execute(f"SELECT {columns} FROM box ORDER BY id")
    boxes = np.fromiter(rows, _BOX)
    # (m,) the row of each box's image; the stable sort keeps the oldest box first
    owners = images.rows_of(boxes["image"])
    assert len(owners) == len(boxes), "each box has an image"
    order = np.argsort(owners, kind="stable")
    boxes = boxes[order]
    counts = np.bincount(owners, minlength=len(images))
    ids = np.array([label.id for label in labels], np.int64)
    by_id = np.argsort(ids)
    all_images = tuple(images)
    return Snapshot(
        labels=labels,
        images=all_images,
        files=tuple(file(image) for image in all_images),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        boxes=np.stack([boxes[side] for side in ("x0", "y0", "x1", "y1")], axis=1),
        label_index=by_id[np.searchsorted(ids[by_id], boxes["label"])] if len(ids) else np.zeros(0, np.int64),
        flags=np.stack([boxes[flag] for flag in FLAGS], axis=1),
        box_ids=boxes["id"].copy(),
        notes=_notes(connection, boxes["id"], images.ids.tolist() if some else None),
        window=window,
        former_names=former_names,
    )


def _notes(connection: sqlite3.Connection, ids: np.ndarray, images: list[int] | None) -> tuple[tuple[str, str], ...]:
    """(note, extra) of each box, or nothing if no box has any. `images`: those of the boxes, None for all."""
    asked = "SELECT id, note, extra FROM box WHERE (note <> '' OR extra <> '')"
    if images is None:
        rows = connection.execute(asked).fetchall()
    else:
        rows = [row for image in images for row in connection.execute(f"{asked} AND image = ?", (image,))]
    notes = {row[0]: (row[1], row[2]) for row in rows}
    return tuple(notes.get(id, ("", "")) for id in ids.tolist()) if notes else ()
