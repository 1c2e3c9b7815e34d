"""A new box without the mouse: in the middle of the view, as large as the last one; arrow keys adjust it."""

from __future__ import annotations

from PySide6.QtCore import QPointF

from workbench.core.project import XYXY
from workbench.ui.annotate import geometry
from workbench.ui.annotate.canvas import Canvas

_SHARE = 5
"""Sides of the first box, as a share of the picture's."""


def box_in_view(canvas: Canvas) -> XYXY | None:
    """The box's place, in whole image pixels; None without a picture, or if the box would be too small."""
    if canvas.image_size.isEmpty() or canvas.sentence:
        return None
    width, height = canvas.image_size.width(), canvas.image_size.height()
    middle = canvas.view.to_image(QPointF(canvas.width() / 2, canvas.height() / 2))
    before = canvas.selected_boxes or tuple(canvas.layer.boxes[-1:])
    if before:
        half_x, half_y = before[-1].width / 2, before[-1].height / 2
    else:
        half_x, half_y = width / _SHARE / 2, height / _SHARE / 2
    x, y = min(max(middle.x(), half_x), width - half_x), min(max(middle.y(), half_y), height - half_y)
    xyxy = geometry.rect_between(
        round(x - half_x), round(y - half_y), round(x + half_x), round(y + half_y), width, height
    )
    return None if geometry.is_too_small(xyxy) else xyxy
