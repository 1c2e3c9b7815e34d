"""How an image looks in a list (a row) and in the gallery (a tile): picture, loss, name, state, split, boxes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from workbench.core.formatting import count
from workbench.core.project import FINISHED, Image, Split, State
from workbench.ui import theme
from workbench.ui.images.images_model import LISTED_IMAGE, ListedImage, MarkedBox
from workbench.ui.images.loss_scale import STRIP, paint_strip
from workbench.ui.widgets.file_names import cut_name, in_two_lines

_Index = QModelIndex | QPersistentModelIndex
STATE_ICONS = {
    State.UNLABELLED: ("mdi6.circle-outline", "muted"),
    State.IN_WORK: ("mdi6.circle-half-full", "warning"),
    State.DONE: ("mdi6.check-circle-outline", "accent"),
    State.VERIFIED: ("mdi6.check-decagram", "ok"),
}
_PICTURE = 128  # px, height of a tile's picture
_MIDDLE = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)


def row_height() -> int:
    """Pixels of an ImageRow: two lines of a name and one of numbers, in the application's font."""
    return 2 + 2 * _line(QFontMetrics(theme.font())) + max(20, QFontMetrics(theme.font(theme.SMALL)).height() + 4)


def tile_size() -> QSize:
    """Pixels of an ImageTile in the application's font: below the picture a name, and a line of numbers and split."""
    small = QFontMetrics(theme.font(theme.SMALL))
    words = small.horizontalAdvance("1,234 boxes") + small.horizontalAdvance(Split.VALIDATION.words)
    return QSize(max(184, words + 52), _PICTURE + 20 + _high(QFontMetrics(theme.font())) + _high(small))


def _high(metrics: QFontMetrics) -> int:
    """Of a line of a tile."""
    return max(20, metrics.height())


def _line(metrics: QFontMetrics) -> int:
    return max(17, metrics.lineSpacing())


class ImageRow(QStyledItemDelegate):
    """A thumbnail on the left; on its right the name in one or two lines, then state and number of boxes."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(120, row_height())

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        shown: ListedImage = index.data(LISTED_IMAGE)
        area = QRectF(option.rect)  # type: ignore[attr-defined]
        painter.save()
        chosen = paint_background(painter, option, area)
        _picture(painter, QRectF(area.x() + 8, area.y() + 4, 64, row_height() - 8), shown)
        paint_strip(painter, QRectF(area.x() + 8, area.bottom() - 4, 64, STRIP - 2), shown.loss)
        left = area.x() + 80
        wide = area.right() - left - 8
        lines = [line for line in in_two_lines(shown.image.name, painter.fontMetrics(), int(wide)) if line]
        high = _line(painter.fontMetrics())
        top, below = (8, 12 + high) if len(lines) == 1 else (2, 2 + 2 * high)
        painter.setPen(theme.colour("on_accent" if chosen else "text"))
        for number, line in enumerate(lines):
            painter.drawText(QRectF(left, area.y() + top + high * number, wide, high + 3), _MIDDLE, line)
        _state(painter, QPointF(left, area.y() + below + 2), shown.image, chosen)
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.colour("on_accent" if chosen else "muted"))
        words = QRectF(left + 20, area.y() + below, wide - 20, max(18, painter.fontMetrics().height()))
        painter.drawText(words, _MIDDLE, _numbers(shown))
        if shown.image.note:
            _note(painter, QPointF(area.right() - 22, area.y() + below + 2), chosen)
        painter.restore()


class ImageTile(QStyledItemDelegate):
    """A large thumbnail, the name below it, then state, number of boxes and split."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return tile_size()

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        shown: ListedImage = index.data(LISTED_IMAGE)
        area = QRectF(option.rect).adjusted(4, 4, -4, -4)  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen = paint_background(painter, option, area)
        room = QRectF(area.x() + 6, area.y() + 6, area.width() - 12, _PICTURE)
        _picture(painter, room, shown)
        paint_strip(painter, QRectF(room.x(), room.bottom(), room.width(), STRIP), shown.loss)
        painter.setPen(theme.colour("on_accent" if chosen else "text"))
        words = QRectF(area.x() + 8, room.bottom() + 3, area.width() - 16, _high(painter.fontMetrics()))
        if shown.image.note:
            _note(painter, QPointF(words.right() - 14, words.center().y() - 7), chosen)
        line = words.adjusted(0, 0, -18 if shown.image.note else 0, 0)
        painter.drawText(line, _MIDDLE, cut_name(shown.image.name, painter.fontMetrics(), int(line.width())))
        painter.setFont(theme.font(theme.SMALL))
        metrics = painter.fontMetrics()
        below = QRectF(words.x(), words.bottom() + 1, words.width(), _high(metrics))
        _state(painter, QPointF(below.x(), below.center().y() - 8), shown.image, chosen)
        painter.setPen(theme.colour("on_accent" if chosen else "muted"))
        split = "" if shown.image.split is Split.NONE else shown.image.split.words
        painter.drawText(below, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), split)
        line = below.adjusted(20, 0, -metrics.horizontalAdvance(split) - theme.GRID if split else 0, 0)
        cut = metrics.elidedText(_numbers(shown), Qt.TextElideMode.ElideRight, int(line.width()))
        painter.drawText(line, _MIDDLE, cut)
        painter.restore()


def paint_background(painter: QPainter, option: QStyleOptionViewItem, area: QRectF) -> bool:
    """Paint the background; returns True if the item is selected."""
    state = option.state  # type: ignore[attr-defined]
    chosen = bool(state & QStyle.StateFlag.State_Selected)
    if chosen or state & QStyle.StateFlag.State_MouseOver:
        painter.fillRect(area, theme.colour("accent" if chosen else "hover"))
    if state & QStyle.StateFlag.State_HasFocus and not chosen:
        painter.setPen(theme.colour("accent"))
        painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))
    return chosen


def _picture(painter: QPainter, room: QRectF, shown: ListedImage) -> None:
    """The thumbnail in the middle of `room`, with its aspect ratio and a line round it."""
    thumbnail = shown.thumbnail
    if thumbnail is None:
        painter.fillRect(room, theme.colour("hover"))
        if shown.problem:
            sign = theme.glyph("mdi6.image-broken-variant", theme.colours().error, 24, _ratio(painter))
            painter.drawPixmap(QPointF(room.center().x() - 12, room.center().y() - 12), sign)
        return
    scale = min(room.width() / thumbnail.width(), room.height() / thumbnail.height())
    width, height = thumbnail.width() * scale, thumbnail.height() * scale
    place = QRectF(room.center().x() - width / 2, room.center().y() - height / 2, width, height)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(place, thumbnail)
    painter.setPen(QPen(theme.colour("border"), 1))  # a white page ends somewhere on white, a night picture on black
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(place.adjusted(0.5, 0.5, -0.5, -0.5))
    _marks(painter, place, shown.marked)


def _marks(painter: QPainter, place: QRectF, marked: Sequence[MarkedBox]) -> None:
    """The boxes that the list is restricted to."""
    painter.save()
    for x, y, right, bottom, colour in marked:
        box = QRectF(
            place.x() + x * place.width(), place.y() + y * place.height(),
            (right - x) * place.width(), (bottom - y) * place.height(),
        )  # fmt: skip
        paint_outline(painter, box, colour)
    painter.restore()


def paint_outline(painter: QPainter, box: QRectF, colour: str) -> None:
    """A box on a small picture, in its label's colour on a dark line."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for ink, width in ((QColor(0, 0, 0, 200), 3.0), (QColor(colour), 1.5)):
        painter.setPen(QPen(ink, width))
        painter.drawRect(box)


def _state(painter: QPainter, at: QPointF, image: Image, chosen: bool) -> None:
    name, colour = STATE_ICONS[image.state]
    ink = getattr(theme.colours(), "on_accent" if chosen else colour)
    painter.drawPixmap(at, theme.glyph(name, ink, 14, _ratio(painter)))


def _note(painter: QPainter, at: QPointF, chosen: bool) -> None:
    """A sign that there is a note, which the tooltip tells."""
    ink = getattr(theme.colours(), "on_accent" if chosen else "muted")
    painter.drawPixmap(at, theme.glyph("mdi6.note-text-outline", ink, 14, _ratio(painter)))


def _ratio(painter: QPainter) -> float:
    device = painter.device()
    return float(device.devicePixelRatio()) if device else 1.0


def _numbers(shown: ListedImage) -> str:
    if shown.problem:
        return "can't be read"
    if shown.marked:
        return f"{len(shown.marked):,} of {count(shown.boxes, 'box')}"
    if shown.boxes:
        return count(shown.boxes, "box")
    return "empty" if shown.image.state in FINISHED else "no boxes"
