"""Boxes as tiles: a list model of them with crops of their photographs, and how a tile is painted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from workbench.core.project import XYXY
from workbench.core.storage.box_rows import NO_ROWS, BoxRows
from workbench.ui import theme
from workbench.ui.images.crop_painter import on_tile, paint_crop
from workbench.ui.images.crops import Crop, CropRequest, Crops, part_around
from workbench.ui.images.image_delegates import paint_background, paint_outline
from workbench.ui.session import Session

BOX_TILE = Qt.ItemDataRole.UserRole  # BoxTile: all that a tile paints
_PICTURE = 116  # px, height
_MIDDLE = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()


@dataclass(frozen=True, slots=True, eq=False)
class BoxTile:
    """A box with what is shown of it; `crop` None: not read yet, or there is a `problem`."""

    xyxy: XYXY
    label: str
    colour: str
    image: str  # its name
    crop: Crop | None
    problem: str

    @property
    def size(self) -> str:
        return f"{self.xyxy[2] - self.xyxy[0]:.0f} × {self.xyxy[3] - self.xyxy[1]:.0f} px"


def tile_size() -> QSize:
    """Pixels of a tile in the application's font: below the picture a line for the label and one for the size."""
    small = QFontMetrics(theme.font(theme.SMALL))
    width = max(136, small.horizontalAdvance("1234 × 1234 px") + 18)
    return QSize(width, _PICTURE + 12 + _high(QFontMetrics(theme.font())) + _high(small))


def _high(metrics: QFontMetrics) -> int:
    """Of a line of a tile."""
    return max(18, metrics.height())


class BoxTilesModel(QAbstractListModel):
    """Rows are boxes; changed by resets. Only what is painted is looked up: a project may have a million boxes."""

    def __init__(self, session: Session, crops: Crops, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._crops = session, crops
        self._boxes = NO_ROWS

    def set_boxes(self, boxes: BoxRows) -> None:
        self.beginResetModel()
        self._boxes = boxes
        self.endResetModel()

    def ids(self, rows: Iterable[range]) -> tuple[int, ...]:
        """The boxes of these rows."""
        return tuple(id for part in rows for id in self._boxes.ids[part.start : part.stop].tolist())

    def rows_of(self, ids: tuple[int, ...]) -> list[int]:
        """The rows of those of these boxes that are listed, ascending."""
        return np.flatnonzero(np.isin(self._boxes.ids, ids)).tolist() if ids else []

    def image(self, row: int) -> int:
        """The id of the image that the box of a row is in; 0 for no row."""
        return int(self._boxes.images[row]) if 0 <= row < len(self._boxes) else 0

    # --- Qt ---

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self._boxes)

    def data(self, index: _Index, role: int = 0) -> Any:
        if role not in (BOX_TILE, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return None
        tile = self._tile(index.row())
        if tile is None or role == BOX_TILE:
            return tile
        return "\n".join(line for line in (f"{tile.label}, {tile.size}", tile.image, tile.problem) if line)

    def _tile(self, row: int) -> BoxTile | None:
        document, id = self._session.document, self.image(row)
        if document is None or not document.images().has(id):  # it was removed just now
            return None
        label = next((one for one in document.labels() if one.id == self._boxes.labels[row]), None)
        if label is None:
            return None
        image = document.image(id)
        file, xyxy = document.file(image), tuple(self._boxes.xyxy[row].tolist())
        crop = self._crops.get(CropRequest(file, document.window(), part_around(xyxy, image.width, image.height)))
        return BoxTile(xyxy, label.name, label.colour, image.name, crop, self._crops.problem(file))


class BoxTileDelegate(QStyledItemDelegate):
    """The photograph around the box, below it its label and size."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return tile_size()

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        tile = index.data(BOX_TILE)
        if not isinstance(tile, BoxTile):
            return
        area = QRectF(option.rect).adjusted(3, 3, -3, -3)  # type: ignore[attr-defined]
        painter.save()
        chosen = paint_background(painter, option, area)
        room = QRectF(area.x() + 4, area.y() + 4, area.width() - 8, _PICTURE)
        place = paint_crop(painter, room, tile.crop, tile.problem)
        if tile.crop is not None:
            paint_outline(painter, on_tile(tile.xyxy, place, tile.crop), tile.colour)
        line = QRectF(room.x() + 2, room.bottom() + 1, room.width() - 4, _high(painter.fontMetrics()))
        painter.setPen(theme.colour("on_accent" if chosen else "text"))
        middle = Qt.TextElideMode.ElideMiddle
        painter.drawText(line, _MIDDLE, painter.fontMetrics().elidedText(tile.label, middle, int(line.width())))
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.colour("on_accent" if chosen else "muted"))
        below = QRectF(line.x(), line.bottom() - 1, line.width(), _high(painter.fontMetrics()))
        painter.drawText(below, _MIDDLE, tile.size)
        painter.restore()
