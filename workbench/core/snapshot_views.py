"""A snapshot whose large images are cut into views: each as a whole, and in tiles. See tiling.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.core.project import FLAGS, Image, Snapshot
from workbench.core.tiling import Place, Tiling

_CROWD = FLAGS.index("crowd")


def cut_into_views(
    snapshot: Snapshot, tiling: Tiling | None, least_visible: float, *, once: bool = False, thin: bool = False
) -> Snapshot:
    """The views of all images, each an image of its own with its part of the boxes, in its pixels.

    The whole comes first, then its tiles; `places` says where they lie, and ids, paths and files are those of the
    original. Images that fit into a tile, or whose size is not known, stay as they are. A box of which a view shows
    less than `least_visible` of its area counts there as a crowd: neither object nor background.

    `once`: each box counts in only one view, the tile that shows most of it, or the whole if no tile shows as much.
    `thin`: of tiles without boxes that count only as many as there are with some, evenly spread.
    """
    if tiling is None:
        return snapshot
    views: list[tuple[int, Place | None, NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]] = []
    for index, image in enumerate(snapshot.images):
        views += [(index, *view) for view in _views_of(snapshot, index, image, tiling, least_visible, once)]
    if thin:
        empty = [n for n, (_, place, _, _, crowd) in enumerate(views) if place is not None and crowd.all()]
        full = sum(place is not None for _, place, *_ in views) - len(empty)
        count = min(full, len(empty))
        left_out = set(empty) - {empty[i * len(empty) // count] for i in range(count)}
        views = [view for n, view in enumerate(views) if n not in left_out]
    rows = np.concatenate([rows for _, _, rows, _, _ in views]) if views else np.zeros(0, np.int64)
    flags = snapshot.flags[rows]
    if len(rows):
        flags[:, _CROWD] = np.concatenate([crowd for *_, crowd in views])
    return replace(
        snapshot,
        images=_sized(snapshot.images, [(index, place) for index, place, *_ in views]),
        files=tuple(snapshot.files[index] for index, *_ in views),
        places=tuple(place for _, place, *_ in views),
        offsets=np.cumsum([0, *(len(rows) for _, _, rows, _, _ in views)]).astype(np.int64),
        boxes=np.concatenate([boxes for _, _, _, boxes, _ in views]) if views else snapshot.boxes,
        label_index=snapshot.label_index[rows], flags=flags, box_ids=snapshot.box_ids[rows], notes=(),
    )  # fmt: skip


def _sized(images: Sequence[Image], views: Sequence[tuple[int, Place | None]]) -> tuple[Image, ...]:
    """The image of each view, of the view's size. All tiles of an image have the same, so they share a value."""
    found, known, tile = [], -1, None
    for index, place in views:
        image = images[index]
        if place is not None and known != index:
            known, tile = index, replace(image, width=place[2] - place[0], height=place[3] - place[1])
        found.append(image if place is None or tile is None else tile)
    return tuple(found)


def _views_of(
    snapshot: Snapshot, index: int, image: Image, tiling: Tiling, least_visible: float, once: bool
) -> list[tuple[Place | None, NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]]:
    """Of each view its place, the rows of its boxes, the boxes in its pixels, and whether they are a crowd there."""
    rows = np.arange(snapshot.offsets[index], snapshot.offsets[index + 1])
    boxes, crowd = snapshot.boxes[rows], np.asarray(snapshot.crowd[rows], bool)
    places = tiling.places(image.width, image.height)
    if not places:
        return [(None, rows, boxes, crowd)]
    inside = geometry.clip(boxes, image.width, image.height)
    windows = np.array(places, np.float64)[:, None]  # (p, 1, 4)
    low, high = np.maximum(inside[..., :2], windows[..., :2]), np.minimum(inside[..., 2:], windows[..., 2:])
    sides = (high - low).clip(0)  # (p, b, 2)
    share = sides.prod(axis=2) / np.maximum(geometry.areas(inside), 1e-12)  # (p, b)
    best = np.argmax(np.concatenate([share, np.ones((1, len(rows)))]), axis=0) if once else None
    seen = (sides > 0).all(axis=2)  # (p, b)
    tile, there = np.nonzero(seen)  # (v,) tile by tile
    apart = np.concatenate([low[seen], high[seen]], axis=1) - windows[tile, 0][:, [0, 1, 0, 1]]  # (v, 4)
    unclear = crowd[there] | (share[seen] < least_visible)
    if best is not None:
        unclear |= best[there] != tile
    ends = np.cumsum(np.bincount(tile, minlength=len(places))).tolist()
    parts = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    whole = crowd if best is None else crowd | (best != len(places))
    tiles = zip(places, parts, strict=True)
    return [(None, rows, boxes, whole), *((place, rows[there[one]], apart[one], unclear[one]) for place, one in tiles)]
