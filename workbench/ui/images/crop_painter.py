"""Paints a crop of a photograph into a tile, and maps boxes of the photograph to it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter

from workbench.core.project import XYXY
from workbench.ui import theme
from workbench.ui.images.crops import Crop


def paint_crop(painter: QPainter, room: QRectF, crop: Crop | None, problem: str) -> QRectF:
    """Paint it in the middle of `room`; returns its place there.

    Without a crop the room is filled, with a sign if there is a `problem`; the returned place is the room.
    """
    if crop is None:
        painter.fillRect(room, theme.colour("hover"))
        if problem:
            ratio = float(painter.device().devicePixelRatio())
            sign = theme.glyph("mdi6.image-broken-variant", theme.colours().error, 24, ratio)
            painter.drawPixmap(QPointF(room.center().x() - 12, room.center().y() - 24), sign)
            painter.setPen(theme.colour("text"))
            painter.drawText(room.adjusted(0, 24, 0, 0), int(Qt.AlignmentFlag.AlignCenter), "can't be read")
        return room
    place = fitted(room, crop)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(place, crop.picture)
    return place


def fitted(room: QRectF, crop: Crop) -> QRectF:
    """The crop centred in `room`, with its own aspect ratio."""
    wide, high = crop.part[2] - crop.part[0], crop.part[3] - crop.part[1]
    scale = min(room.width() / wide, room.height() / high)
    width, height = wide * scale, high * scale
    return QRectF(room.center().x() - width / 2, room.center().y() - height / 2, width, height)


def on_tile(box: XYXY, place: QRectF, crop: Crop) -> QRectF:
    """A box of the photograph, mapped to the crop painted in `place`."""
    x0, y0, x1, y1 = crop.part
    x, y = place.width() / (x1 - x0), place.height() / (y1 - y0)
    return QRectF(
        place.x() + (box[0] - x0) * x, place.y() + (box[1] - y0) * y, (box[2] - box[0]) * x, (box[3] - box[1]) * y
    )
