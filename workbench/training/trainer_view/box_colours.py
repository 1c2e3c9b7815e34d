"""The colour of each box of an image as the trainer sees it: its own, never that of a box nearby. k = boxes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

INKS = (
    "#ffd400", "#00b4ff", "#c3f53c", "#c77dff", "#00d9a6", "#ff9ee0", "#2f6bff", "#e0a458", "#7ee8fa", "#1f9d3a",
)  # fmt: skip
"""Bright enough for photographs, distinct also for people with red-green blindness; no red, orange or grey."""
MISSED = "#ff4d4d"
"""Red is for boxes that nothing learns; the same in both themes, as a photograph is no lighter in the light one."""
IGNORED = "#b3b3b3"

Floats = NDArray[np.float64]


def choose_colours(boxes: Floats, side: float, like: Mapping[int, int] | None = None) -> tuple[int, ...]:
    """For boxes (k, 4) xyxy in a square of `side` the index of each one's colour. `like`: colours already given.

    A colour is reused where the boxes that have it are farthest away.
    """
    chosen: dict[int, int] = dict(like or {})
    for box in range(len(boxes)):
        if box not in chosen:
            chosen[box] = _farthest(boxes / side, box, chosen)
    return tuple(chosen[box] for box in range(len(boxes)))


def _farthest(boxes: Floats, box: int, chosen: Mapping[int, int]) -> int:
    away = np.full(len(INKS), np.inf)
    given = np.fromiter(chosen, np.int64, len(chosen))
    if len(given):
        np.minimum.at(away, [chosen[other] for other in given.tolist()], _distances(boxes[box], boxes[given]))
    return int(away.argmax())


def _distances(box: Floats, others: Floats) -> Floats:
    """Distances between borders, or between centres for boxes that overlap; these are nearer than any gap."""
    gaps = np.maximum(np.maximum(others[:, :2] - box[2:], box[:2] - others[:, 2:]), 0)
    middles = (others[:, :2] + others[:, 2:] - box[:2] - box[2:]) / 2
    return np.asarray(np.hypot(*gaps.T) + 0.01 * np.hypot(*middles.T))
