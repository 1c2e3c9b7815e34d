"""The colours of boxes on the screen, as chosen by training/seen_inks.py; the same in the looks of two detectors."""

from __future__ import annotations

from PySide6.QtGui import QColor

from workbench.training import seen_inks
from workbench.training.seen_inks import IGNORED, INKS, MISSED
from workbench.ui.train.seen.wishes import Look

__all__ = ["IGNORED", "INKS", "colour_of", "inks", "inks_as", "missed_colour"]


def missed_colour() -> QColor:
    return QColor(MISSED)


def inks(look: Look) -> tuple[int, ...]:
    """For each box the index of its colour."""
    return seen_inks.inks(look.boxes, look.side)


def inks_as(look: Look, other: Look, of_other: tuple[int, ...]) -> tuple[int, ...]:
    """Boxes that are also in another look get the colours that they have there."""
    twins = {box: look.twin(box, other) for box in range(len(look.boxes))}
    given = {box: of_other[twin] for box, twin in twins.items() if twin >= 0}
    return seen_inks.inks(look.boxes, look.side, given)


def colour_of(look: Look, inks: tuple[int, ...], box: int) -> QColor:
    """The colour in which the box is painted."""
    if look.ignore[box]:
        return QColor(IGNORED)
    return missed_colour() if look.reasons[box] else QColor(INKS[inks[box]])
