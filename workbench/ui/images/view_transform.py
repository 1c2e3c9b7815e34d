"""Where an image is in a widget: zoom and position as a value, and conversion of widget and image pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF

LARGEST = 64.0
"""Widget pixels per image pixel at most."""
SMALLEST = 16.0
"""An image is never shown smaller than this many widget pixels (its longer side)."""
_LEAST = 48.0  # widget pixels of an image that stay visible


@dataclass(frozen=True, slots=True)
class ViewTransform:
    """`scale` is widget pixels per image pixel; (x, y) is the image's top left corner in the widget."""

    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0

    def to_image(self, point: QPointF) -> QPointF:
        return QPointF((point.x() - self.x) / self.scale, (point.y() - self.y) / self.scale)

    def to_widget(self, point: QPointF) -> QPointF:
        return QPointF(point.x() * self.scale + self.x, point.y() * self.scale + self.y)

    def rect(self, xyxy: tuple[float, float, float, float]) -> QRectF:
        """A box of the image as a rectangle in the widget."""
        x0, y0, x1, y1 = xyxy
        s = self.scale
        return QRectF(x0 * s + self.x, y0 * s + self.y, (x1 - x0) * s, (y1 - y0) * s)

    def rects(self, xyxy: np.ndarray) -> np.ndarray:
        """(n, 4) boxes of the image as (n, 4) float64 x, y, width, height in the widget: the layout of QRectF."""
        made = np.empty((len(xyxy), 4), np.float64)
        made[:, :2] = xyxy[:, :2] * self.scale + (self.x, self.y)
        made[:, 2:] = (xyxy[:, 2:] - xyxy[:, :2]) * self.scale
        return made

    def moved(self, by: QPointF) -> ViewTransform:
        return replace(self, x=self.x + by.x(), y=self.y + by.y())

    def zoomed(self, factor: float, at: QPointF, image: QSizeF) -> ViewTransform:
        """Zoomed so that the image point under the widget point `at` stays there."""
        least = SMALLEST / max(image.width(), image.height(), 1.0)
        scale = min(LARGEST, max(least, self.scale * factor))
        ratio = scale / self.scale
        return ViewTransform(scale, at.x() - (at.x() - self.x) * ratio, at.y() - (at.y() - self.y) * ratio)


def fitted(image: QSizeF, widget: QSizeF, margin: float = 8.0) -> ViewTransform:
    """The whole image, centred in the widget."""
    if image.isEmpty() or widget.isEmpty():
        return ViewTransform()
    room_x, room_y = max(1.0, widget.width() - 2 * margin), max(1.0, widget.height() - 2 * margin)
    scale = min(LARGEST, room_x / image.width(), room_y / image.height())
    x = (widget.width() - image.width() * scale) / 2
    y = (widget.height() - image.height() * scale) / 2
    return ViewTransform(scale, x, y)


def kept_inside(view: ViewTransform, image: QSizeF, widget: QSizeF) -> ViewTransform:
    """`view` moved back until some of the image is visible."""
    width, height = image.width() * view.scale, image.height() * view.scale
    x = min(max(view.x, min(_LEAST, width) - width), widget.width() - min(_LEAST, width))
    y = min(max(view.y, min(_LEAST, height) - height), widget.height() - min(_LEAST, height))
    return ViewTransform(view.scale, x, y)
