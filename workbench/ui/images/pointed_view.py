"""A picture that knows what the pointer is over while it moves nothing: for names beside it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QWidget

from workbench.ui.images.picture_view import PictureView


class PointedView(PictureView):
    """`pointer`: in widget pixels, None while it is elsewhere or a button is pressed. Painted anew as it moves."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pointer: QPointF | None = None

    def _point(self, at: QPointF | None) -> None:
        self.pointer = at
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._point(None if event.buttons() else event.position())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self._point(None)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._point(None)
