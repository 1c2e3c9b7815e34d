"""Boxes of an augmented image that its network does not learn, and the reason: cut off, too small, ignored.

The limits are those of `augment`, which decides; this module only says what happened. k = boxes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.anchors.sizes import LEAST_SIDE, LEAST_VISIBLE
from workbench.core.boxes import areas
from workbench.core.formatting import percent
from workbench.core.project import XYXY
from workbench.training.batches import augment
from workbench.training.batches.augment import Pieces
from workbench.training.batches.data import Dataset


@dataclass(frozen=True)
class LostBox:
    """A box that is not learnt. `gone`: nothing of it is left; else what is left is ignored.

    `small`: only for its size, which is not intended: a larger input would learn it, or it has no area in its image.
    """

    row: int  # of the snapshot's boxes
    source: int  # its image
    xyxy: XYXY  # where all of it would lie, in pixels of the input
    gone: bool
    reason: str
    small: bool = False


def find_lost_boxes(
    data: Dataset, pieces: Pieces, which: NDArray[np.int64], *, by_centre: bool = False
) -> tuple[LostBox, ...]:
    """The boxes that are not learnt of the pieces at `which`, all in one batch image. by_centre: as in augment."""
    return tuple(one for piece in which.tolist() for one in _of_piece(data, pieces, piece, by_centre))


def _of_piece(data: Dataset, pieces: Pieces, piece: int, by_centre: bool) -> list[LostBox]:
    source = int(pieces.source[piece])
    rows = np.arange(data.offsets[source], data.offsets[source + 1])
    whole = data.boxes[rows].reshape(-1, 2, 2) * pieces.a[piece] + pieces.b[piece]
    whole = np.concatenate([whole.min(axis=1), whole.max(axis=1)], axis=1)
    window, hole = (np.tile(edge[piece], (len(rows), 1)) for edge in (pieces.window, pieces.hole))
    cut = augment.common(whole, window)
    hidden = areas(augment.common(cut, hole))
    area, inside = areas(whole), areas(cut)
    away = by_centre & ~augment.centred(whole, window) & ~data.ignore[rows]
    found = []
    for k, row in enumerate(rows.tolist()):
        sides = (cut[k, 2:] - cut[k, :2]).clip(0)
        share = (inside[k] - hidden[k]) / max(area[k], 1e-9)
        gone = not (sides > 0).all() or inside[k] <= hidden[k]
        reason = _reason(share, hidden[k] > 0, gone, bool(data.ignore[row]), _why_ignored(data, source, row))
        if away[k] and not gone:
            gone, reason = True, "its centre was cut off, and SSD's crop then drops it"
        reason = "" if area[k] <= 0 else reason
        small = not reason and bool((sides < LEAST_SIDE).any())
        if reason or small:
            x0, y0, x1, y1 = whole[k].tolist()
            found.append(LostBox(row, source, (x0, y0, x1, y1), gone, reason or _too_small(sides), small))
    return found


def _reason(share: float, covered: bool, gone: bool, ignored: bool, why: str) -> str:
    """Empty for a box that is learnt if it is large enough."""
    where = "behind the part of another image" if covered else "outside the visible part of its image"
    if gone:
        return f"it lies {where}"
    if ignored:
        return f"{why}: neither object nor background"
    if share < LEAST_VISIBLE:
        return f"only {percent(share, 0)} of it is visible: ignored below {percent(LEAST_VISIBLE, 0)}"
    return ""


def _too_small(sides: NDArray[np.float64]) -> str:
    """`sides` of its visible part, in pixels of the input."""
    if not (sides > 0).all():
        return "it has no area in its image"
    w, h = sides.tolist()
    return f"too small: {w:.1f} × {h:.1f} px of the input, and nothing below {LEAST_SIDE:g} px is learnt"


def _why_ignored(data: Dataset, source: int, row: int) -> str:
    """Of a box that is ignored in its image, before augmentation."""
    image, box = data.snapshot.images[source], data.snapshot.boxes[row]
    if not data.snapshot.crowd[row]:
        return "it is marked as difficult"
    at_border = (box[:2] <= 0).any() or box[2] >= image.width or box[3] >= image.height
    if data.snapshot.place(source) is not None and at_border:
        return f"this tile shows less than {percent(LEAST_VISIBLE, 0)} of it, or it is marked as a crowd"
    return "it is marked as a crowd"
