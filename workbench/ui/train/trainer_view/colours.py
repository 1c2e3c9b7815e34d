"""The colours of boxes on the screen, as chosen by training/trainer_view/box_colours.py; the same for two detectors."""

from __future__ import annotations

from PySide6.QtGui import QColor

from workbench.training.trainer_view import box_colours
from workbench.training.trainer_view.box_colours import IGNORED, INKS, MISSED
from workbench.ui.train.trainer_view.requests import AssignmentResult

__all__ = ["IGNORED", "INKS", "colour_indices", "colour_of", "matching_colour_indices", "missed_colour"]


def missed_colour() -> QColor:
    return QColor(MISSED)


def colour_indices(assignment: AssignmentResult) -> tuple[int, ...]:
    """For each box the index of its colour."""
    return box_colours.choose_colours(assignment.boxes, assignment.side)


def matching_colour_indices(
    assignment: AssignmentResult, other: AssignmentResult, of_other: tuple[int, ...]
) -> tuple[int, ...]:
    """Boxes that are also in another assignment get the colours that they have there."""
    twins = {box: assignment.same_box_in(box, other) for box in range(len(assignment.boxes))}
    given = {box: of_other[twin] for box, twin in twins.items() if twin >= 0}
    return box_colours.choose_colours(assignment.boxes, assignment.side, given)


def colour_of(assignment: AssignmentResult, colour_indices: tuple[int, ...], box: int) -> QColor:
    """The colour in which the box is painted."""
    if assignment.ignore[box]:
        return QColor(IGNORED)
    return missed_colour() if assignment.reasons[box] else QColor(INKS[colour_indices[box]])
