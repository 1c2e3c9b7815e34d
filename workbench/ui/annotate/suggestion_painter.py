"""Paints suggestions: dashed boxes in their labels' colours; the one that a key would take has solid lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from workbench.ui import theme
from workbench.ui.annotate.gestures import ResizeGesture
from workbench.ui.images.boxes_painter import name_plate

if TYPE_CHECKING:
    from workbench.inference.suggesting.suggest import Suggestion
    from workbench.ui.annotate.canvas import Canvas


def paint(painter: QPainter, canvas: Canvas) -> None:
    chosen = marked_suggestion(canvas)
    held = canvas.gesture.suggestion if isinstance(canvas.gesture, ResizeGesture) else None
    others = [one for one in canvas.suggestions if one != held]
    for suggestion in sorted(others, key=lambda one: one is chosen):  # the marked one on top
        _paint_one(painter, canvas, suggestion, suggestion is chosen)


def marked_suggestion(canvas: Canvas) -> Suggestion | None:
    """The suggestion that a key takes: the one under the pointer, else the most confident."""
    return suggestion_at_pointer(canvas) or (canvas.suggestions[0] if canvas.suggestions else None)


def suggestion_at_pointer(canvas: Canvas) -> Suggestion | None:
    """The smallest one under the pointer."""
    if canvas.pointer is None:
        return None
    under = [one for one in canvas.suggestions if canvas.view.rect(one.xyxy).contains(canvas.pointer)]
    return min(under, key=lambda one: (one.xyxy[2] - one.xyxy[0]) * (one.xyxy[3] - one.xyxy[1]), default=None)


def _paint_one(painter: QPainter, canvas: Canvas, suggestion: Suggestion, is_marked: bool) -> None:
    rect = canvas.view.rect(suggestion.xyxy)
    colour = canvas.layer.colour(suggestion.label)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(0, 0, 0, 200), 3))
    painter.drawRect(rect)
    style = Qt.PenStyle.SolidLine if is_marked else Qt.PenStyle.DashLine
    painter.setPen(QPen(colour, 2, style))
    painter.drawRect(rect)
    label = canvas.layer.labels.get(suggestion.label)
    if not is_marked or label is None:
        return
    painter.setFont(theme.font(theme.SMALL))
    metrics = painter.fontMetrics()
    text = f"{label.name}? {suggestion.score:.2f}"
    area = QRectF(rect.x(), rect.bottom() + 2, metrics.horizontalAdvance(text) + 8, metrics.height() + 2)
    if area.bottom() > canvas.height():
        area.moveBottom(rect.bottom())
    name_plate(painter, area, text, colour, QColor(theme.text_on(colour.name())))
