"""A picture with boxes as they would come in, solid, and those of the project that differ, dashed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen, QWheelEvent
from PySide6.QtWidgets import QWidget

from workbench.core.project import Box, Label
from workbench.ui.images.boxes_painter import UNDER, BoxesLayer, BoxStyle, draw_rects
from workbench.ui.images.picture_view import PictureView

_CLICK = 4.0
"""Pixels that the mouse may move in a click."""


class SamplePicture(PictureView):
    """Small ones are opened by a click; the large one is zoomed and moved."""

    opened = Signal()

    def __init__(self, name: str, *, large: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setMinimumSize(80, 60)
        self._is_large = large
        self._pressed: QPointF | None = None
        self._boxes = BoxesLayer()
        self._project_boxes = BoxesLayer()
        self._differing = np.zeros((0, 4))

    @property
    def boxes(self) -> tuple[Box, ...]:
        return self._boxes.boxes

    @property
    def project_boxes(self) -> tuple[Box, ...]:
        return self._project_boxes.boxes

    def show_sample(
        self,
        boxes: Sequence[Box],
        project_boxes: Sequence[Box],
        labels: Sequence[Label],
        size: tuple[int, int],
        differing: frozenset[int] = frozenset(),
    ) -> None:
        """Boxes at once; the picture comes later. Those of the ids `differing` are not so here, and stand out."""
        known = {label.id: label for label in labels}
        self._boxes, self._project_boxes = BoxesLayer(boxes, known, size), BoxesLayer(project_boxes, known, size)
        self._boxes.style = BoxStyle(names=self._is_large)  # small, they would hide the boxes
        self._differing = np.array([box.xyxy for box in boxes if box.id in differing], float).reshape(-1, 4)
        self.show_picture(None, QSizeF(*size))

    def paint_backdrop(self, painter: QPainter) -> None:
        if self.sentence:
            return
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(255, 255, 255, 220), 8))
        draw_rects(painter, self.view.rects(self._differing))
        self._boxes.paint(painter, self.view, QRectF(self.rect()), frozenset(), dimmed=False)
        rects = self.view.rects(self._project_boxes.xyxy)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(UNDER, 4))
        draw_rects(painter, rects)
        for label in np.unique(self._project_boxes.label_ids).tolist():
            painter.setPen(QPen(self._project_boxes.colour(label), 2, Qt.PenStyle.DashLine))
            draw_rects(painter, rects[self._project_boxes.label_ids == label])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._is_large:
            self.begin_pan(event)
        self._pressed = event.position()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.end_pan()
        pressed, self._pressed = self._pressed, None
        is_click = pressed is not None and (event.position() - pressed).manhattanLength() <= _CLICK
        if is_click and not self._is_large and event.button() == Qt.MouseButton.LeftButton:
            self.opened.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._is_large:
            self.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._is_large:
            super().wheelEvent(event)
        else:
            event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._is_large and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.opened.emit()
        else:
            super().keyPressEvent(event)
