"""Corners of boxes in texts and tables of strangers: put in order, with a remark on each that was not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workbench.core.project import XYXY

SANE = 1e7  # pixels; no image is larger, and larger numbers are damage
SWAPPED = "The corners of a box stood in the wrong order; they were swapped."


def ordered(corners: Sequence[float]) -> XYXY:
    """xyxy with the lesser number first."""
    x0, y0, x1, y1 = corners
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def remarks(corners: Sequence[float], empty: str, line: int) -> Iterator[tuple[str, str, int, str]]:
    """(level, sentence, line, kind) of corners as a file says them. `empty`: the sentence for a box of zero size."""
    x0, y0, x1, y1 = corners
    if x0 > x1 or y0 > y1:
        yield "repaired", SWAPPED, line, SWAPPED
    if x0 == x1 or y0 == y1:
        yield "read", empty, line, "boxes of zero size, kept"
