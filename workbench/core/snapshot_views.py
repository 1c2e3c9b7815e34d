"""A snapshot whose large images are cut into views: each as a whole, and in tiles. See tiling.py.

All images are cut at once: 20,000 photographs with 20 boxes each, in 20 tiles, take half a second; one by one 5.
n = images, m = their boxes, V = views, v = parts of boxes that tiles show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.core.project import FLAGS, Image, Snapshot
from workbench.core.tiling import Place, Tiling

_CROWD = FLAGS.index("crowd")
_Floats = NDArray[np.floating[Any]]
_Numbers = NDArray[np.int64]
_Marks = NDArray[np.bool_]

FULLEST = -1
"""A view's number: of the tile with most boxes, or of the whole image if no tile has any. 0 is the whole image, and n
the n-th of its tiles.
"""


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
    of_size = {size: tiling.places(*size) for size in {(image.width, image.height) for image in snapshot.images}}
    tiles = [of_size[image.width, image.height] for image in snapshot.images]
    wholes = np.cumsum([0, *(1 + len(some) for some in tiles)])  # (n + 1,) the view that is all of an image
    parts = _parts(snapshot, tiling, least_visible, once)
    own = np.repeat(np.arange(len(snapshot)), np.diff(snapshot.offsets))  # (m,) the image of each box
    view = np.concatenate([wholes[own], wholes[own[parts.rows]] + 1 + parts.tile])
    crowd = np.concatenate([np.asarray(snapshot.crowd, bool) | parts.counts_in_tile, parts.crowd])
    kept = _kept(view[~crowd], wholes) if thin else np.ones(wholes[-1], bool)  # (V,)
    order = np.argsort(view, kind="stable")
    order = order[kept[view[order]]]
    rows = np.concatenate([np.arange(len(snapshot.boxes)), parts.rows])[order]
    flags = snapshot.flags[rows]
    flags[:, _CROWD] = crowd[order]
    chosen, pairs = kept.tolist(), list(zip(snapshot.files, tiles, strict=True))
    return replace(
        snapshot,
        images=tuple(compress(chain.from_iterable(_sized(snapshot.images, tiles)), chosen)),
        files=tuple(compress(chain.from_iterable([file] * (1 + len(some)) for file, some in pairs), chosen)),
        places=tuple(compress(chain.from_iterable((None, *some) for some in tiles), chosen)),
        offsets=np.cumsum(np.concatenate([[0], np.bincount(view, minlength=wholes[-1])[kept]])).astype(np.int64),
        boxes=np.concatenate([snapshot.boxes, parts.boxes])[order],
        label_index=snapshot.label_index[rows], flags=flags, box_ids=snapshot.box_ids[rows], notes=(),
    )  # fmt: skip


def find_view(places: Sequence[Place | None], boxes: Sequence[int], tiles: Sequence[Place], number: int) -> int | None:
    """Which of an image's views, at these `places` and with so many `boxes`, has this number; None if none of them.

    The whole is the first of them. FULLEST also for a number that is larger than that of the last of all `tiles`.
    """
    if not 0 <= number <= len(tiles):
        fullest = max(range(1, len(places)) or [0], key=lambda index: boxes[index])
        return fullest if boxes[fullest] else 0
    wanted = tiles[number - 1] if number else None
    return places.index(wanted) if wanted in places else None


def _sized(images: Sequence[Image], tiles: Sequence[Sequence[Place]]) -> list[list[Image]]:
    """The image of each view, of the view's size. All tiles of an image have the same, so they share a value."""
    found = []
    for image, some in zip(images, tiles, strict=True):
        x0, y0, x1, y1 = some[0] if some else (0, 0, 0, 0)
        found.append([image] + ([replace(image, width=x1 - x0, height=y1 - y0)] * len(some) if some else []))
    return found


def _kept(counted: _Numbers, wholes: _Numbers) -> _Marks:
    """(V,) the views that stay when empty tiles are thinned out; `counted`: the view of each box that counts."""
    full, is_tile = np.zeros(wholes[-1], bool), np.ones(wholes[-1], bool)
    full[counted] = True
    is_tile[wholes[:-1]] = False
    empty = np.flatnonzero(is_tile & ~full)
    count = min(int(np.count_nonzero(is_tile & full)), len(empty))
    kept = full | ~is_tile
    kept[empty[np.arange(count) * len(empty) // max(count, 1)]] = True
    return kept


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """What tiles show of boxes: box by box, and of each box tile by tile."""

    rows: _Numbers  # (v,) the box
    tile: _Numbers  # (v,) the number of the tile among its image's
    boxes: _Floats  # (v, 4) in pixels of the tile
    crowd: _Marks  # (v,) neither object nor background there
    counts_in_tile: _Marks  # (m,) and therefore not in the whole


def _parts(snapshot: Snapshot, tiling: Tiling, least_visible: float, once: bool) -> _Parts:
    sizes = np.array([(image.width, image.height) for image in snapshot.images], np.int64).reshape(-1, 2)
    sizes = np.repeat(sizes, np.diff(snapshot.offsets), axis=0)  # (m, 2)
    inside = geometry.clip(snapshot.boxes, sizes[:, 0], sizes[:, 1])
    across, down = (_Tiles.along(inside[:, axis::2], sizes[:, axis], tiling) for axis in (0, 1))
    count = np.where((sizes > tiling.side).any(axis=1), across.count * down.count, 0)  # (m,)
    rows = np.repeat(np.arange(len(count)), count)
    nth = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)  # (v,) among those that show the box
    y, x = np.divmod(nth, across.count[rows])
    y, x = y + down.first[rows], x + across.first[rows]
    origin = np.stack([across.starts[x], down.starts[y]], axis=1)  # (v, 2)
    low = np.maximum(inside[rows, :2], origin)
    high = np.minimum(inside[rows, 2:], origin + np.minimum(tiling.side, sizes[rows]))
    share = (high - low).prod(axis=1) / np.maximum(geometry.areas(inside), 1e-12)[rows]
    crowd, counts_in_tile = snapshot.crowd[rows] | (share < least_visible), np.zeros(len(count), bool)
    if once:
        best = _best(share, rows)
        crowd |= ~best
        counts_in_tile[rows[best]] = True
    tile = (y - down.base[rows]) * across.number[rows] + x - across.base[rows]
    return _Parts(rows, tile, np.concatenate([low - origin, high - origin], axis=1), crowd, counts_in_tile)


def _best(share: _Floats, rows: _Numbers) -> _Marks:
    """(v,) the first of the parts that show as much of a box as the whole image does: all that lies in it."""
    candidates = np.flatnonzero(share >= 1)
    best = np.zeros(len(share), bool)
    best[candidates[np.unique(rows[candidates], return_index=True)[1]]] = True
    return best


@dataclass(frozen=True, slots=True, eq=False)
class _Tiles:
    """Along one axis, the tiles that show each box. `starts` are those of all lengths of images, one after another."""

    starts: _Numbers
    base: _Numbers  # (m,) where those of the box's image begin,
    number: _Numbers  # (m,) how many they are,
    first: _Numbers  # (m,) the first that shows the box,
    count: _Numbers  # (m,) and how many do

    @staticmethod
    def along(stretches: _Floats, lengths: _Numbers, tiling: Tiling) -> _Tiles:
        """`stretches` (m, 2) of the boxes on the axis, `lengths` (m,) of their images."""
        different, which = np.unique(lengths, return_inverse=True)
        starts = [np.array(tiling.starts(length), np.int64) for length in different.tolist()]
        number = np.array([len(some) for some in starts], np.int64)
        base = np.cumsum(number) - number
        first, count = np.zeros((2, len(lengths)), np.int64)
        of_length = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
        for some, begin, length, rows in zip(starts, base, different, of_length, strict=False):
            low, high = stretches[rows].T
            before = np.searchsorted(some + min(tiling.side, int(length)), low, side="right")
            first[rows] = begin + before
            count[rows] = np.where(high > low, np.searchsorted(some, high, side="left") - before, 0)
        every = np.concatenate([np.zeros(0, np.int64), *starts])
        return _Tiles(every, base[which], number[which], first, count.clip(0))
