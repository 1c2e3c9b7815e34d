"""What is under the pointer on the canvas: boxes, handles, and the cursor shape that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PySide6.QtCore import QPointF, Qt

from workbench.core.project import Box
from workbench.inference.suggesting.suggest import Suggestion
from workbench.ui.annotate import geometry
from workbench.ui.annotate.geometry import Handle

if TYPE_CHECKING:
    from workbench.ui.annotate.canvas import Canvas

REACH = 7.0
"""Reach of the selected box's handles and sides, in widget pixels."""
_EDGE = 5.0
"""The same for boxes that are not selected: shorter, since a press inside a box moves it."""
_ON = 3.0
"""Widget pixels beside a box that still hit it; the least reach of the selected box's handles."""


class Grip(NamedTuple):
    """A handle that a drag would take. For a suggestion, the box that it would become, with id 0."""

    box: Box
    handle: Handle
    suggestion: Suggestion | None = None


def image_point(canvas: Canvas, position: QPointF) -> tuple[float, float]:
    point = canvas.view.to_image(position)
    return point.x(), point.y()


def boxes_under(canvas: Canvas, position: QPointF) -> list[int]:
    """Ids of the boxes at a widget position, smallest first."""
    if canvas.hidden:
        return []
    rows = geometry.rows_under(canvas.layer.xyxy, *image_point(canvas, position), _ON / canvas.view.scale)
    return [canvas.layer.ids[row] for row in rows]


def fills_view(canvas: Canvas) -> bool:
    """Whether the sides of the one selected box are all out of sight: nobody could see that a drag moves it."""
    if len(canvas.selected) != 1:
        return False
    left, top, right, bottom = canvas.selected_boxes[0].xyxy
    x0, y0 = image_point(canvas, QPointF(0, 0))
    x1, y1 = image_point(canvas, QPointF(canvas.width(), canvas.height()))
    return left < x0 and top < y0 and right > x1 and bottom > y1


def grip_at(canvas: Canvas, position: QPointF) -> Grip | None:
    """The handle at a widget position: the one selected box's, else the nearest of all boxes, else of suggestions.

    While drawing, a drag draws wherever it begins: in a crowd many boxes begin at others' corners, and one that took
    such a corner would spoil a label unseen. Only the selected box's handles count, and the corners of suggestions, by
    which these are corrected and taken, and of the one taken last, which may be wrong at two of them. Inside the
    selection only its own handles count: it is moved.
    """
    if canvas.hidden:
        return None
    at, scale = image_point(canvas, position), canvas.view.scale
    if len(canvas.selected) == 1:
        box = canvas.selected_boxes[0]
        # Keep the middle of a small box free for moving it.
        reach = min(REACH / scale, max(_ON / scale, min(box.width, box.height) / 3))
        handle = geometry.handle_at(box.xyxy, *at, reach)
        if handle is not None:
            return Grip(box, handle)
    if set(boxes_under(canvas, position)) & set(canvas.selected):
        return None
    reach = _EDGE / scale
    if canvas.is_drawing:
        held = _suggested(canvas, at, reach) or _taken(canvas, at, reach)
        return held if held is not None and held.handle.x and held.handle.y else None
    found = geometry.nearest_handle(canvas.layer.xyxy, *at, reach)
    if found is not None:
        return Grip(canvas.layer.boxes[found[0]], found[1])
    return _suggested(canvas, at, reach)


def _suggested(canvas: Canvas, at: tuple[float, float], reach: float) -> Grip | None:
    suggested = np.array([one.xyxy for one in canvas.suggestions], float).reshape(-1, 4)
    found = geometry.nearest_handle(suggested, *at, reach)
    if found is None:
        return None
    one = canvas.suggestions[found[0]]
    return Grip(Box(0, 0, one.label, one.xyxy), found[1], one)


def _taken(canvas: Canvas, at: tuple[float, float], reach: float) -> Grip | None:
    row = canvas.layer.row.get(canvas.taken)
    handle = geometry.handle_at(canvas.layer.boxes[row].xyxy, *at, reach) if row is not None else None
    return Grip(canvas.layer.boxes[row], handle) if row is not None and handle is not None else None


def cursor_shape(canvas: Canvas, held: Grip | None, is_panning: bool) -> Qt.CursorShape:
    """The cursor's shape; `held` as `grip_at` returns it."""
    shapes = Qt.CursorShape
    if held is not None:
        x, y = held.handle.x, held.handle.y
        diagonal = shapes.SizeFDiagCursor if x == y else shapes.SizeBDiagCursor
        return shapes.SizeHorCursor if not y else shapes.SizeVerCursor if not x else diagonal
    if is_panning:
        return shapes.OpenHandCursor
    if canvas.is_drawing:
        return shapes.CrossCursor
    if canvas.hovered and canvas.hovered in canvas.selected:
        return shapes.OpenHandCursor if fills_view(canvas) else shapes.SizeAllCursor
    return shapes.ArrowCursor
