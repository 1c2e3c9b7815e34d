"""Which colour each box has: its own, not its label's, and never that of a box nearby. Red is for those not learnt."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor

from workbench.ui.train.seen.work import Floats, Look

INKS = (
    "#ffd400", "#00b4ff", "#c3f53c", "#c77dff", "#00d9a6", "#ff9ee0", "#2f6bff", "#e0a458", "#7ee8fa", "#1f9d3a",
)  # fmt: skip
"""Bright enough for photographs, far apart also for those who see red and green alike; no red, orange or grey."""
MISSED = "#ff4d4d"
"""The bright red in both themes: a photograph is no lighter in the light theme."""
IGNORED = "#b3b3b3"


def missed_colour() -> QColor:
    return QColor(MISSED)


def inks(look: Look, like: Mapping[int, int] | None = None) -> tuple[int, ...]:
    """Of each box the index of its colour. `like`: colours that are given, by box.

    A colour comes again where the boxes that have it are farthest away.
    """
    chosen: dict[int, int] = dict(like or {})
    for box in range(len(look.boxes)):
        if box not in chosen:
            chosen[box] = _farthest(look.boxes / look.side, box, chosen)
    return tuple(chosen[box] for box in range(len(look.boxes)))


def _farthest(boxes: Floats, box: int, chosen: Mapping[int, int]) -> int:
    away = np.full(len(INKS), np.inf)
    given = np.fromiter(chosen, np.int64, len(chosen))
    if len(given):
        np.minimum.at(away, [chosen[other] for other in given.tolist()], _distances(boxes[box], boxes[given]))
    return int(away.argmax())


def _distances(box: NDArray[np.float64], others: Floats) -> NDArray[np.float64]:
    """Between borders, and between middles where they overlap, which is nearer than any gap."""
    gaps = np.maximum(np.maximum(others[:, :2] - box[2:], box[:2] - others[:, 2:]), 0)
    middles = (others[:, :2] + others[:, 2:] - box[:2] - box[2:]) / 2
    return np.asarray(np.hypot(*gaps.T) + 0.01 * np.hypot(*middles.T))


def inks_as(look: Look, other: Look, of_other: tuple[int, ...]) -> tuple[int, ...]:
    """Boxes that another look has, too, in the colours that they have there."""
    twins = {box: look.twin(box, other) for box in range(len(look.boxes))}
    return inks(look, {box: of_other[twin] for box, twin in twins.items() if twin >= 0})


def colour_of(look: Look, inks: tuple[int, ...], box: int) -> QColor:
    """As the box is painted."""
    if look.ignore[box]:
        return QColor(IGNORED)
    return missed_colour() if look.reasons[box] else QColor(INKS[inks[box]])
