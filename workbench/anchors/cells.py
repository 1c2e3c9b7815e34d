"""How many boxes share a cell with another box's centre: where each cell learns one box, the others are lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.core.project import Snapshot
from workbench.core.resize import scales_and_offsets


def centres_of(snapshot: Snapshot, rows: NDArray[np.int64], px: int, resize: str) -> NDArray[np.float64]:
    """(n, 2) the centres of the boxes `rows` in pixels of the network's input."""
    pictures = np.array([(image.width, image.height) for image in snapshot.images], np.float64).reshape(-1, 2)
    scales, offsets = scales_and_offsets(pictures, px, resize)
    image = np.repeat(np.arange(len(snapshot.images)), np.diff(snapshot.offsets))[rows]
    boxes = snapshot.boxes[rows]
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2 * scales[image] + offsets[image])


def cell_numbers(
    images: NDArray[np.int64], centres: NDArray[np.float64], cell: float, kinds: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """(n,) for centres (n, 2) in `images` (n,) the number of each one's cell of `cell` pixels, consecutive from 0.

    `kinds` (n,): only centres of one kind share a cell.
    """
    places = [images, *np.floor(centres / cell).astype(np.int64).T]
    keys = np.column_stack(places if kinds is None else [*places, kinds])
    if not len(keys):
        return np.zeros(0, np.int64)
    order = np.lexsort(keys.T)
    fresh = (np.diff(keys[order], axis=0) != 0).any(axis=1)
    found = np.zeros(len(keys), np.int64)
    found[order[1:]] = np.cumsum(fresh)
    return found


def shared_cells(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """(m,) the rows that share their cell with another; `cells` as of cell_numbers()."""
    return np.flatnonzero(np.bincount(cells)[cells] > 1) if len(cells) else cells
