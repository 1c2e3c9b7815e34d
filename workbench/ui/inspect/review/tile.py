"""Paints an item of the review queue: the photograph around its box, label solid, prediction dashed, text below."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from workbench.core.folders.name_forms import forms
from workbench.inference.evaluating.review import ReviewItem
from workbench.ui import theme
from workbench.ui.colours import DARK
from workbench.ui.images.crop_painter import on_tile, paint_crop
from workbench.ui.images.crops import Crop
from workbench.ui.images.image_delegates import paint_background
from workbench.ui.inspect.review.queue_model import ARROW, TILE_DATA, TileData

TILE, PICTURE = QSize(176, 192), 132  # px: two fit side by side when the page has its usual shape; height
_Index = QModelIndex | QPersistentModelIndex
_MIDDLE = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)


class ReviewTileDelegate(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return TILE

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        data = index.data(TILE_DATA)
        if not isinstance(data, TileData):
            return
        area = QRectF(option.rect).adjusted(4, 4, -4, -4)  # type: ignore[attr-defined]
        painter.save()
        chosen = paint_background(painter, option, area)
        room = QRectF(area.x() + 6, area.y() + 6, area.width() - 12, PICTURE)
        _picture(painter, room, data)
        line = QRectF(room.x() + 2, room.bottom() + 2, room.width() - 4, 20)
        painter.setPen(theme.colour("on_accent" if chosen else "text"))
        painter.drawText(line, _MIDDLE, cut_words(data.words, painter.fontMetrics(), int(line.width())))
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.colour("on_accent" if chosen else "muted"))
        _kind_and_name(painter, line.translated(0, 20), data)
        painter.restore()


def line_colour(of: str) -> QColor:
    """Of a "label", "miss" or "prediction"; bright in both themes, as on the page's picture: so are photographs."""
    return QColor({"label": DARK.accent, "miss": DARK.miss, "prediction": DARK.false_alarm}[of])


def _picture(painter: QPainter, room: QRectF, data: TileData) -> None:
    crop = data.crop
    place = paint_crop(painter, room, crop, data.problem)
    if crop is None:
        return
    painter.setClipRect(place.adjusted(-2, -2, 2, 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    _others(painter, place, data)
    _own(painter, place, crop, data.item)
    painter.setClipping(False)


def _others(painter: QPainter, place: QRectF, data: TileData) -> None:
    """The other labelled boxes in view, faint: a false alarm may be a second detection of one of them."""
    assert data.crop is not None
    x0, y0, x1, y1 = data.crop.part
    boxes = data.others
    visible = boxes[(boxes[:, 0] < x1) & (boxes[:, 2] > x0) & (boxes[:, 1] < y1) & (boxes[:, 3] > y0)]
    if data.item.xyxy is not None:
        visible = visible[~np.all(visible == np.array(data.item.xyxy), axis=1)]
    for ink, width in ((QColor(0, 0, 0, 110), 2.5), (QColor(255, 255, 255, 190), 1.0)):
        painter.setPen(QPen(ink, width))
        for box in visible.tolist():
            painter.drawRect(on_tile(tuple(box), place, data.crop))


def _own(painter: QPainter, place: QRectF, crop: Crop, item: ReviewItem) -> None:
    lines = []
    if item.xyxy is not None:
        of = "miss" if item.prediction is None else "label"
        lines.append((on_tile(item.xyxy, place, crop), line_colour(of), Qt.PenStyle.SolidLine))
    if item.prediction is not None:
        lines.append((on_tile(item.prediction.xyxy, place, crop), line_colour("prediction"), Qt.PenStyle.DashLine))
    painter.setPen(QPen(QColor(0, 0, 0, 160), 4))
    for rect, _, _ in lines:
        painter.drawRect(rect)
    for rect, ink, style in lines:  # if both are in the same place the label shows between the dashes
        painter.setPen(QPen(ink, 2, style))
        painter.drawRect(rect)


def cut_words(words: str, metrics: QFontMetrics, width: int) -> str:
    """In "a → b 0.93" each name is elided separately, so that both are readable; a short one leaves the other more."""
    mine, arrow, theirs = words.partition(ARROW)
    middle = Qt.TextElideMode.ElideMiddle
    if not arrow or metrics.horizontalAdvance(words) <= width:
        return metrics.elidedText(words, middle, width)
    name, space, score = theirs.rpartition(" ")
    room = width - metrics.horizontalAdvance(f"{arrow}{space}{score}")
    wide, other = metrics.horizontalAdvance(mine), metrics.horizontalAdvance(name)
    left = min(wide, max(room // 2, room - other))
    return (
        f"{metrics.elidedText(mine, middle, left)}{arrow}"
        f"{metrics.elidedText(name, middle, max(room - left, 0))}{space}{score}"
    )


def _elided(painter: QPainter, room: QRectF, text: str, mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle) -> None:
    cut = painter.fontMetrics().elidedText(text, mode, int(room.width()))
    painter.drawText(room, _MIDDLE, cut)


def _kind_and_name(painter: QPainter, room: QRectF, data: TileData) -> None:
    """If there is not enough room for both, the end of the image's name, with its number."""
    wide = painter.fontMetrics().horizontalAdvance(f"{data.kind} · ")
    painter.drawText(room, _MIDDLE, f"{data.kind} · ")
    _elided(painter, room.adjusted(wide, 0, 0, 0), forms(data.name)[-1], Qt.TextElideMode.ElideLeft)
