"""Boxes under the mouse: which box, which handle, and the result of moving or resizing it.

Everything is in image pixels, xyxy, and snaps to whole pixels: a mouse is no finer, and VOC can't store fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.core import box_faults
from workbench.core.boxes import clip
from workbench.core.project import XYXY

LEAST = box_faults.LEAST
"""Boxes narrower or lower than this many pixels are taken for slips of the hand."""


@dataclass(frozen=True, slots=True)
class Handle:
    """One of the eight handles, and the sides it moves: -1 left or top, 1 right or bottom, 0 neither."""

    x: int
    y: int

    def place(self, xyxy: XYXY) -> tuple[float, float]:
        """Its position on the box."""
        x0, y0, x1, y1 = xyxy
        return ((x0, (x0 + x1) / 2, x1)[self.x + 1], (y0, (y0 + y1) / 2, y1)[self.y + 1])

    @property
    def opposite(self) -> Handle:
        return Handle(-self.x, -self.y)


# Corners first: on a small box they take precedence over the sides.
HANDLES = tuple(
    Handle(x, y) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1), (0, -1), (1, 0), (0, 1), (-1, 0))
)  # fmt: skip


def handle_at(xyxy: XYXY, x: float, y: float, reach: float) -> Handle | None:
    """The handle within `reach` of the point; on a side, anywhere along it."""
    for handle in HANDLES:
        hx, hy = handle.place(xyxy)
        near_x = abs(x - hx) <= reach if handle.x else xyxy[0] + reach < x < xyxy[2] - reach
        near_y = abs(y - hy) <= reach if handle.y else xyxy[1] + reach < y < xyxy[3] - reach
        if near_x and near_y:
            return handle
    return None


def nearest_handle(boxes: np.ndarray, x: float, y: float, reach: float) -> tuple[int, Handle] | None:
    """Row and handle nearest to the point within `reach`, among (n, 4) boxes; in a tie, the smallest box's.

    For a small box the reach is shorter, so that its middle half is always free of handles.
    """
    best: tuple[float, int, Handle] | None = None
    for row in rows_under(boxes, x, y, reach).tolist():
        x0, y0, x1, y1 = xyxy = boxes[row].tolist()
        handle = handle_at(xyxy, x, y, min(reach, (x1 - x0) / 4, (y1 - y0) / 4))
        if handle is not None:
            hx, hy = handle.place(xyxy)
            away = max(abs(x - hx) if handle.x else 0.0, abs(y - hy) if handle.y else 0.0)
            if best is None or away < best[0]:
                best = away, row, handle
    return best[1:] if best else None


def rows_under(boxes: np.ndarray, x: float, y: float, reach: float) -> np.ndarray:
    """Rows of the (n, 4) boxes that contain the point (or come within `reach` of it), smallest first, then newest."""
    if not len(boxes):
        return np.zeros(0, np.int64)
    inside = (
        (boxes[:, 0] - reach <= x)
        & (x <= boxes[:, 2] + reach)
        & (boxes[:, 1] - reach <= y)
        & (y <= boxes[:, 3] + reach)
    )
    rows = np.flatnonzero(inside)[::-1]
    areas = (boxes[rows, 2] - boxes[rows, 0]) * (boxes[rows, 3] - boxes[rows, 1])
    return rows[np.argsort(areas, kind="stable")]


def rows_touched(boxes: np.ndarray, area: XYXY) -> np.ndarray:
    """Rows of the (n, 4) boxes that `area` touches."""
    x0, y0, x1, y1 = area
    return np.flatnonzero((boxes[:, 0] < x1) & (boxes[:, 2] > x0) & (boxes[:, 1] < y1) & (boxes[:, 3] > y0))


def rect_between(x0: float, y0: float, x1: float, y1: float, width: float, height: float) -> XYXY:
    """The box between two points, clipped to the image and in whole pixels."""
    left, right = sorted((_snap(x0, width), _snap(x1, width)))
    top, bottom = sorted((_snap(y0, height), _snap(y1, height)))
    return left, top, right, bottom


def rect_with_ratio(start: tuple[float, float], x: float, y: float, ratio: float, width: float, height: float) -> XYXY:
    """Like `rect_between`, but `ratio` times as wide as high: as large as the farther side needs, inside the image."""
    x0, y0 = _snap(start[0], width), _snap(start[1], height)
    right, down = x >= x0, y >= y0
    high = max(abs(x - x0) / ratio, abs(y - y0))
    high = min(high, (width - x0 if right else x0) / ratio, height - y0 if down else y0)
    wide, high = float(round(high * ratio)), float(round(high))
    left, top = (x0 if right else x0 - wide), (y0 if down else y0 - high)
    return max(left, 0.0), max(top, 0.0), min(left + wide, width), min(top + high, height)


def clipped(xyxy: XYXY, width: float, height: float) -> XYXY:
    """The part of the box inside the image, not rounded; without area if nothing is."""
    x0, y0, x1, y1 = clip(np.array([xyxy], float), width, height)[0].tolist()
    return x0, y0, x1, y1


def snapped_to_border(x: float, y: float, width: float, height: float, reach: float) -> tuple[float, float]:
    """The point, snapped to the image's border if it lies within `reach` of it."""
    return _snapped(x, width, reach), _snapped(y, height, reach)


def _snapped(value: float, size: float, reach: float) -> float:
    return 0.0 if value < reach else size if value > size - reach else value


def resized(xyxy: XYXY, handle: Handle, x: float, y: float, width: float, height: float) -> XYXY:
    """The box with the handle's sides at the point, clipped to the image; it may flip over."""
    x0, y0, x1, y1 = xyxy
    if handle.x:
        x0, x1 = (_snap(x, width), x1) if handle.x < 0 else (x0, _snap(x, width))
    if handle.y:
        y0, y1 = (_snap(y, height), y1) if handle.y < 0 else (y0, _snap(y, height))
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def shift(
    boxes: Sequence[XYXY], dx: float, dy: float, width: float, height: float, reach: float = 0.0
) -> tuple[float, float]:
    """The part of the shift (dx, dy) that keeps all boxes inside the image, in whole pixels.

    Sides that would come within `reach` of the border snap to it. Boxes that are already outside are not pulled in:
    nobody asked for that edit.
    """
    return (
        _limited(round(dx), min(b[0] for b in boxes), max(b[2] for b in boxes), width, reach),
        _limited(round(dy), min(b[1] for b in boxes), max(b[3] for b in boxes), height, reach),
    )


def stretch(boxes: Sequence[XYXY], dx: float, dy: float, width: float, height: float) -> tuple[float, float]:
    """The part of (dx, dy) by which the right and lower sides may move: no box leaves the image or gets too small."""
    low_x, low_y = (min(0.0, max(LEAST - (b[2 + i] - b[i]) for b in boxes)) for i in (0, 1))
    high_x, high_y = (max(0.0, min(size - b[2 + i] for b in boxes)) for i, size in enumerate((width, height)))
    return min(max(round(dx), low_x), high_x), min(max(round(dy), low_y), high_y)


def _limited(step: float, low: float, high: float, size: float, reach: float) -> float:
    if step and low >= 0 and low + step < reach:
        step = -low
    elif step and high <= size and high + step > size - reach:
        step = size - high
    return min(max(step, min(0.0, -low)), max(0.0, size - high))


def _snap(value: float, size: float) -> float:
    return float(round(min(max(value, 0.0), size)))


def is_too_small(xyxy: XYXY) -> bool:
    return xyxy[2] - xyxy[0] < LEAST or xyxy[3] - xyxy[1] < LEAST
