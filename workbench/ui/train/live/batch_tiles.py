"""The images of a batch as tiles: a model that fills as they arrive, and a delegate that paints one."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from workbench.core.formatting import count
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.images.boxes_painter import UNDER, draw_rects, mitred_pen
from workbench.ui.images.view_transform import ViewTransform
from workbench.ui.train.live.batch_work import Tile

TILE = Qt.ItemDataRole.UserRole  # a Tile, a WorkbenchError, or None while it is being made
SIZE = QSize(216, 236)
_PICTURE = 200
_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()


class BatchModel(QAbstractListModel):
    """Rows are positions in the batch."""

    def __init__(self) -> None:
        super().__init__()
        self._tiles: list[Tile | WorkbenchError | None] = []

    def begin(self, count: int) -> None:
        """Start another batch, of this many images."""
        self.beginResetModel()
        self._tiles = [None] * count
        self.endResetModel()

    def put(self, place: int, tile: Tile | WorkbenchError) -> None:
        self._tiles[place] = tile
        self.dataChanged.emit(self.index(place), self.index(place))

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The finished ones."""
        return tuple(tile for tile in self._tiles if isinstance(tile, Tile))

    @property
    def done(self) -> int:
        return sum(tile is not None for tile in self._tiles)

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self._tiles)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        tile = self._tiles[index.row()] if index.isValid() else None
        if role == TILE:
            return tile
        if role == Qt.ItemDataRole.DisplayRole:
            return tile.name if isinstance(tile, Tile) else ""
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(tile)
        return None


def _tip(tile: Tile | WorkbenchError | None) -> str:
    if isinstance(tile, WorkbenchError):
        return tile.sentence
    if tile is None:
        return ""
    ignored = int(tile.ignore.sum())
    lines = [tile.name, count(len(tile.boxes), "box") + (f", {ignored:,} of them not learnt" if ignored else "")]
    lines += [f"with {name}" for name in tile.others]
    return "\n".join([*lines, "Double click: open it on the Label page"])


class BatchTileDelegate(QStyledItemDelegate):
    """The picture with its boxes in label colours, ignored ones dashed; the name below."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return SIZE

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        tile = index.data(TILE)
        area = QRectF(option.rect).adjusted(4, 4, -4, -4)  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        painter.save()
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        if chosen:
            painter.fillRect(area, theme.colour("accent"))
        room = QRectF(area.x() + 4, area.y() + 4, _PICTURE, _PICTURE)
        if isinstance(tile, Tile):
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(room, tile.picture)
            _paint_boxes(painter, room, tile)
        else:
            painter.fillRect(room, theme.colour("hover"))
        painter.setPen(theme.colour("on_accent" if chosen else "text"))
        words = QRectF(area.x() + 4, room.bottom() + 2, _PICTURE, 20)
        if isinstance(tile, WorkbenchError):
            painter.setPen(theme.colour("error"))
            painter.drawText(room.adjusted(8, 8, -8, -8), int(Qt.TextFlag.TextWordWrap), tile.sentence)
        name = painter.fontMetrics().elidedText(index.data(), Qt.TextElideMode.ElideMiddle, _PICTURE)
        painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter), name)
        painter.restore()


def _paint_boxes(painter: QPainter, room: QRectF, tile: Tile) -> None:
    rects = ViewTransform(room.width() / tile.side, room.x(), room.y()).rects(tile.boxes)
    painter.setClipRect(room)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(mitred_pen(UNDER, 3))
    draw_rects(painter, rects)
    inks = np.array(tile.colours, object)
    for ink in dict.fromkeys(tile.colours):
        for ignored, style in ((False, Qt.PenStyle.SolidLine), (True, Qt.PenStyle.DashLine)):
            painter.setPen(QPen(QColor(ink), 1.5, style))
            draw_rects(painter, rects[(inks == ink) & (tile.ignore == ignored)])
    painter.setClipping(False)
