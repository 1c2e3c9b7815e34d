"""Paints what moves on the canvas: selected boxes with their handles, the draft, the rubber band, the cross-hair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from workbench.core import box_faults
from workbench.core.project import XYXY, Label
from workbench.ui import theme
from workbench.ui.annotate import suggestion_painter
from workbench.ui.annotate.geometry import HANDLES
from workbench.ui.annotate.gestures import POINTS, DrawGesture, MoveGesture, PointsGesture, ResizeGesture, SelectGesture
from workbench.ui.images.boxes_painter import (
    NAMES_UP_TO,
    draw_outlined_rect,
    draw_rects,
    mitred_pen,
    name_plate,
    paint_tag,
)

if TYPE_CHECKING:
    from workbench.ui.annotate.canvas import Canvas

_GRIP, _LEAST_GRIP = 8.0, 4.0
"""Side of a handle in widget pixels: as a rule, and at a tiny box."""
_ROOM = 24.0
"""Widget pixels by which handles, lines and names above extend beyond a box."""
_LONG_NAME = 240.0
"""Widget pixels above which the name of a narrow box is elided: it would cover the objects beside the box."""


def paint(painter: QPainter, canvas: Canvas) -> None:
    if not canvas.hidden:
        suggestion_painter.paint(painter, canvas)
        _paint_hovered(painter, canvas)
        _paint_selected(painter, canvas)
    gesture = canvas.gesture
    if isinstance(gesture, DrawGesture):
        _paint_draft(painter, canvas, gesture.xyxy, canvas.new_label)
        if isinstance(gesture, PointsGesture):
            _paint_points(painter, canvas, gesture.points)
    elif canvas.draft is not None:
        _paint_draft(painter, canvas, canvas.draft, canvas.new_label)
    elif isinstance(gesture, ResizeGesture) and gesture.suggestion is not None:
        _paint_draft(painter, canvas, gesture.xyxy, canvas.layer.labels.get(gesture.box.label))
    elif isinstance(gesture, SelectGesture):
        _paint_band(painter, canvas.view.rect(gesture.xyxy))
    elif isinstance(gesture, ResizeGesture) and canvas.pointer is not None:
        _tag_size(painter, canvas, gesture.xyxy)
    if canvas.is_drawing and canvas.pointer is not None and canvas.draft is None:
        _paint_cross(painter, canvas)


def selection_area(canvas: Canvas) -> QRectF:
    """The widget area of the selected boxes, and of the name beside a single one, as they are being moved."""
    rows = [canvas.layer.row[id] for id in canvas.affected]
    if not rows:
        return QRectF()
    xyxy = canvas.layer.xyxy[rows]
    dx, dy = canvas.gesture.by if isinstance(canvas.gesture, MoveGesture) else (0.0, 0.0)
    (x0, y0), (x1, y1) = xyxy[:, :2].min(0).tolist(), xyxy[:, 2:].max(0).tolist()
    rect = canvas.view.rect((x0 + dx, y0 + dy, x1 + dx, y1 + dy))
    area = rect.adjusted(-_ROOM, -_ROOM, _ROOM, _ROOM)
    return area if len(rows) > 1 else area.united(_name_place(canvas, rect, int(canvas.layer.label_ids[rows[0]]))[0])


def _paint_hovered(painter: QPainter, canvas: Canvas) -> None:
    row = canvas.layer.row.get(canvas.hovered)
    if row is None or canvas.hovered in canvas.selected or canvas.gesture is not None:
        return
    box = canvas.layer.boxes[row]
    fill = canvas.layer.colour(box.label)
    fill.setAlpha(45)
    rect = canvas.view.rect(box.xyxy)
    painter.fillRect(rect, fill)
    draw_outlined_rect(painter, rect, canvas.layer.colour(box.label), canvas.layer.style.line)
    if box.label in canvas.layer.labels and not _is_named(canvas, rect, "".join(canvas.layer.words_of(row))):
        _paint_name(painter, canvas, rect, box.label)


def _is_named(canvas: Canvas, rect: QRectF, words: str) -> bool:
    """Whether all of `words` is to be read on this box: not if it is small, begins out of sight, or is one of many."""
    metrics, seen = QFontMetricsF(theme.font(theme.SMALL)), QRectF(canvas.rect())
    fits = rect.height() >= metrics.height() + 2 and rect.width() >= metrics.horizontalAdvance(words) + 8
    if not (canvas.layer.style.names and fits and seen.contains(rect.topLeft())):
        return False
    return len(canvas.layer.in_sight(canvas.view, seen)) <= NAMES_UP_TO


def _paint_selected(painter: QPainter, canvas: Canvas) -> None:
    rows = [canvas.layer.row[id] for id in canvas.affected]
    if not rows:
        return
    xyxy = canvas.layer.xyxy[rows]
    if isinstance(canvas.gesture, MoveGesture):
        xyxy = xyxy + np.array(canvas.gesture.shifts)
    elif isinstance(canvas.gesture, ResizeGesture):
        xyxy = np.array([canvas.gesture.xyxy])
    rects = canvas.view.rects(xyxy)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    line = canvas.layer.style.line + 1
    painter.setPen(mitred_pen(QColor(0, 0, 0, 200), line + 2))
    draw_rects(painter, rects)
    label_ids = canvas.layer.label_ids[rows]
    for id in np.unique(label_ids):
        painter.setPen(mitred_pen(canvas.layer.colour(int(id)), line))
        draw_rects(painter, rects[label_ids == id])
    if len(rows) > 1:
        canvas.layer.paint_words(painter, rects, np.array(rows))
    else:
        rect = QRectF(*rects[0].tolist())
        _paint_name(painter, canvas, rect, int(label_ids[0]))
        if canvas.selected:  # the box just drawn has no handles: a drag there draws
            _paint_handles(painter, rect)


def _name_place(canvas: Canvas, rect: QRectF, label_id: int) -> tuple[QRectF, str]:
    """Where the name of a single selected box is written, and what: even if the box is narrow, and always in sight."""
    label = canvas.layer.labels.get(label_id)
    if label is None or not rect.intersects(QRectF(canvas.rect())):
        return QRectF(), ""
    metrics = QFontMetricsF(theme.font(theme.SMALL))
    name = metrics.elidedText(label.name, Qt.TextElideMode.ElideMiddle, max(rect.width(), _LONG_NAME))
    width, height = metrics.horizontalAdvance(name) + 8, metrics.height() + 2
    x = max(0.0, min(rect.x() - 2, canvas.width() - width))
    y = rect.y() - height - 4 if rect.y() - height - 4 > 0 else max(0.0, rect.y())
    return QRectF(x, y, width, height), name


def _paint_name(painter: QPainter, canvas: Canvas, rect: QRectF, label_id: int) -> None:
    area, name = _name_place(canvas, rect, label_id)
    if name:
        colour = canvas.layer.colour(label_id)
        painter.setFont(theme.font(theme.SMALL))
        name_plate(painter, area, name, colour, QColor(theme.text_on(colour.name())))


def _paint_handles(painter: QPainter, rect: QRectF) -> None:
    painter.setPen(QPen(QColor(0, 0, 0, 220), 1))
    painter.setBrush(QColor("#ffffff"))
    corners = (rect.x(), rect.y(), rect.right(), rect.bottom())
    side = max(_LEAST_GRIP, min(_GRIP, rect.width() / 3, rect.height() / 3))  # a small object stays in sight
    for handle in HANDLES:
        if (handle.x and handle.y) or (rect.width() > 5 * _GRIP and rect.height() > 5 * _GRIP):
            x, y = handle.place(corners)
            painter.drawRect(QRectF(x - side / 2, y - side / 2, side, side))


def _paint_draft(painter: QPainter, canvas: Canvas, xyxy: XYXY, label: Label | None) -> None:
    colour = QColor(label.colour) if label else theme.colour("accent")
    rect = canvas.view.rect(xyxy)
    fill = QColor(colour)
    fill.setAlpha(45)
    painter.fillRect(rect, fill)
    draw_outlined_rect(painter, rect, colour, canvas.layer.style.line)
    if canvas.pointer is not None:
        _tag_size(painter, canvas, xyxy)


def _paint_points(painter: QPainter, canvas: Canvas, points: Sequence[tuple[float, float]]) -> None:
    painter.setPen(QPen(QColor(0, 0, 0, 220), 1))
    painter.setBrush(QColor("#ffffff"))
    for x, y in points:
        painter.drawEllipse(canvas.view.to_widget(QPointF(x, y)), _GRIP / 2, _GRIP / 2)


def _tag_size(painter: QPainter, canvas: Canvas, xyxy: XYXY) -> None:
    assert canvas.pointer is not None
    text = f"{xyxy[2] - xyxy[0]:.0f} × {xyxy[3] - xyxy[1]:.0f}"
    size = canvas.image_size
    if isinstance(canvas.gesture, PointsGesture) and canvas.gesture.points:
        text = f"point {len(canvas.gesture.points) + 1} of {POINTS}"
    elif box_faults.faults(np.array(xyxy), np.array([size.width(), size.height()])).any():
        text += "  \N{WARNING SIGN} small"
    paint_tag(painter, canvas.pointer, text, theme.font(theme.SMALL), QRectF(canvas.rect()))


def _paint_band(painter: QPainter, rect: QRectF) -> None:
    painter.fillRect(rect, theme.colour("accent", 40))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme.colour("accent"), 1))
    painter.drawRect(rect)


def _paint_cross(painter: QPainter, canvas: Canvas) -> None:
    at = canvas.pointer
    assert at is not None
    size = canvas.image_size
    whole = canvas.view.rect((0.0, 0.0, size.width(), size.height())).intersected(QRectF(canvas.rect()))
    if not whole.contains(at):
        return
    lines = (
        QLineF(QPointF(whole.left(), at.y()), QPointF(whole.right(), at.y())),
        QLineF(QPointF(at.x(), whole.top()), QPointF(at.x(), whole.bottom())),
    )
    for pen in (QPen(QColor(0, 0, 0, 160), 1), QPen(QColor(255, 255, 255, 220), 1, Qt.PenStyle.DashLine)):
        painter.setPen(pen)
        for one in lines:
            painter.drawLine(one)
    if not isinstance(canvas.gesture, DrawGesture):
        point = canvas.view.to_image(at)
        paint_tag(painter, at, f"{int(point.x())}, {int(point.y())}", theme.font(theme.SMALL), QRectF(canvas.rect()))
