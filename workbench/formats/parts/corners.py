"""Corners of boxes in foreign texts and tables: put in order, with a remark for each that was not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from workbench.core.project import XYXY

SANE = 1e7  # pixels; no image is larger, and larger numbers are damage
SWAPPED = "The corners of a box were in the wrong order; they were swapped."


def order_corners(corners: Sequence[float]) -> XYXY:
    """xyxy with the smaller number first."""
    x0, y0, x1, y1 = corners
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def rotated_bounds(corners: Sequence[float], degrees: float) -> XYXY:
    """The bounding box of a rectangle rotated about its centre. Its corners may be in any order."""
    x0, y0, x1, y1 = corners
    x, y, w, h = (x0 + x1) / 2, (y0 + y1) / 2, abs(x1 - x0) / 2, abs(y1 - y0) / 2
    across, along = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    half_w, half_h = w * across + h * along, w * along + h * across
    return x - half_w, y - half_h, x + half_w, y + half_h


def first_pixel(boxes: Iterable[tuple[XYXY, int, int]]) -> tuple[int, int]:
    """For boxes with the width and height (0: not known) of their image: how many prove that the first pixel is 0.

    And how many others end exactly at the border, as is likely if it is 1. Boxes that reach outside prove nothing.
    """
    zeros = borders = 0
    for (x0, y0, x1, y1), width, height in boxes:
        if 0 <= x0 < 1 or 0 <= y0 < 1:
            zeros += 1
        elif min(x0, y0) >= 1 and width and (x1 == width or y1 == height):
            borders += 1
    return zeros, borders


def remarks(corners: Sequence[float], empty: str, line: int) -> Iterator[tuple[str, str, int, str]]:
    """(level, sentence, line, kind) for corners as given in a file. `empty`: the sentence for a box of zero size."""
    x0, y0, x1, y1 = corners
    if x0 > x1 or y0 > y1:
        yield "repaired", SWAPPED, line, SWAPPED
    if x0 == x1 or y0 == y1:
        yield "read", empty, line, "boxes of zero size, kept"
