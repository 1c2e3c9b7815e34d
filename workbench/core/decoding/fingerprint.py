"""Finds nearly identical pictures: another size, another JPEG quality, the next frame of a still video.

A difference hash: 128 bits say whether each field of the picture, shrunk to 9 x 9, is darker than its right and its
lower neighbour. Nearly identical pictures differ in few bits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import cv2
import numpy as np

from workbench.core import images
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.errors import WorkbenchError

NEAR = 7
"""Bits of 128 in which nearly identical pictures may differ; fewer than the parts into which the bits are cut."""
_PARTS, _BITS, _COMPARED = 8, 16, 256
_STRIDE = 37
"""Bits between the fields of a part: they lie all over the picture. Of neighbouring ones, a white background or a dark
border makes the same part in all pictures, and each would be compared with each: 4,000 took 31 s instead of 0.9."""
_SIDE = 160  # pixels of a thumbnail that is large enough for 9 x 9 fields
_FLAT = 2.0
"""Standard deviation of grey values below which a picture has no distinguishing features."""


def fingerprint(pixels: np.ndarray) -> int | None:
    """128 bits for (H, W, 3) uint8 RGB; None for a uniform picture, which would resemble all other uniform ones."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (9, 9), interpolation=cv2.INTER_AREA).astype(np.int16)
    if small.std() < _FLAT:
        return None
    right, below = small[:8, 1:] > small[:8, :8], small[1:, :8] > small[:8, :8]
    return int.from_bytes(np.packbits(np.concatenate([right.ravel(), below.ravel()])).tobytes(), "big")


def near_groups(prints: Sequence[int | None]) -> list[list[int]]:
    """Groups of rows whose fingerprints are near each other, directly or through others; without groups of one.

    Two that differ in at most NEAR bits agree in at least one of the eight parts: only such pairs are compared, and
    of a group that shares a part, only the _COMPARED newest, so that 100,000 frames of a fixed camera take seconds.
    """
    buckets: dict[tuple[int, str], dict[int, list[int]]] = defaultdict(dict)  # rows by their group at the time
    group = list(range(len(prints)))

    def head(row: int) -> int:
        while group[row] != row:
            group[row] = group[group[row]]
            row = group[row]
        return row

    for row, value in enumerate(prints):
        if value is None:
            continue
        parts = _parts(value)
        for part in parts:
            for then, rows in buckets[part].items():
                mine, theirs = head(row), head(then)
                if mine != theirs and any(
                    (value ^ (prints[other] or 0)).bit_count() <= NEAR for other in rows[: -_COMPARED - 1 : -1]
                ):
                    group[max(mine, theirs)] = min(mine, theirs)
        for part in parts:
            buckets[part].setdefault(head(row), []).append(row)
    members: dict[int, list[int]] = defaultdict(list)
    for row, value in enumerate(prints):
        if value is not None:
            members[head(row)].append(row)
    return [rows for rows in members.values() if len(rows) > 1]


def _parts(value: int) -> list[tuple[int, str]]:
    """The bits of a fingerprint in parts, each with its number."""
    bits = f"{value:0{_PARTS * _BITS}b}"
    scattered = (bits * _STRIDE)[::_STRIDE]  # each once, as both numbers have no divisor in common
    return [(part, scattered[part * _BITS : (part + 1) * _BITS]) for part in range(_PARTS)]


def of_files(
    files: Sequence[Path], window: IntensityWindow | None = None, threads: int = 4
) -> Iterator[tuple[int, int | None]]:
    """(row, fingerprint) of each image file, as they are read; None also for unreadable ones."""
    with ThreadPoolExecutor(threads, "fingerprints") as pool:
        waiting = {pool.submit(_of_file, file, window): row for row, file in enumerate(files)}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            for future in waiting:
                future.cancel()


def _of_file(file: Path, window: IntensityWindow | None) -> int | None:
    try:
        return fingerprint(images.thumbnail(file, _SIDE, window))
    except WorkbenchError:
        return None
