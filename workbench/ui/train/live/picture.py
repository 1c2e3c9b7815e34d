"""One image of a run: labelled boxes as thin lines, detections as dashed ones with scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QToolTip, QWidget

from workbench.core.formatting import count
from workbench.ui import theme
from workbench.ui.images.box_names import FOUND, BoxGroup, found_by_label
from workbench.ui.images.boxes_painter import UNDER, draw_rects, mitred_pen, name_plate
from workbench.ui.images.named_boxes_view import NamedBoxesView
from workbench.ui.images.pictures import Picture
from workbench.ui.images.view_transform import ViewTransform, fitted

UNKNOWN = "#b3b3b3"
"""The colour of a label that the project no longer has."""
DASHES = (3.0, 2.0)
"""In line widths: longer gaps than Qt's, which can't be seen on a box of 30 pixels."""
MARGIN = 2.0
"""Widget pixels around a fitted picture: there is little room."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureContent:
    """Boxes are (n, 4) xyxy image pixels; labels are names, one per box."""

    image: int
    name: str
    found: NDArray[np.floating]
    scores: NDArray[np.floating]  # descending
    found_labels: tuple[str, ...]
    truth: NDArray[np.floating]
    truth_labels: tuple[str, ...]


class LivePicture(NamedBoxesView):
    """Drag moves, the wheel zooms, the view is kept between epochs; `opened(image)` for a double click or Enter.

    The detections under the pointer are named beside it: few names have room in a small tile.
    """

    opened = Signal(int)

    def __init__(self, number: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"live-picture-{number}")
        self.setMinimumSize(48, 36)
        self.shown: PictureContent | None = None
        self._colours: Mapping[str, str] = {}
        self._least, self._shows_truth = 0.0, True

    def show_found(self, shown: PictureContent, colours: Mapping[str, str], least: float, shows_truth: bool) -> None:
        """Colours by label; detections with scores below `least` are hidden."""
        self.shown, self._colours, self._least, self._shows_truth = shown, colours, least, shows_truth
        words = f"{shown.name}: {self.count:,} found, {count(len(shown.truth), 'box')} labelled"
        self.setAccessibleName(words)
        self.setToolTip(f"{words}\nDouble click: open it on the Label page. Wheel: zoom. Drag: move.")
        self.renew()

    @property
    def count(self) -> int:
        """The number of visible detections."""
        return int((self.shown.scores >= self._least).sum()) if self.shown else 0

    def put(self, picture: Picture) -> None:
        self.show_picture(picture, QSizeF(picture.width, picture.height), keep_view=True)

    def fit(self) -> None:
        super().fit()
        self.view = self._whole

    @property
    def _whole(self) -> ViewTransform:
        return fitted(self.image_size, QSizeF(self.size()), MARGIN)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Never zoom out beyond the whole picture."""
        super().wheelEvent(event)
        if self.view.scale <= self._whole.scale:
            self.fit()

    # --- painting ---

    def paint_backdrop(self, painter: QPainter) -> None:
        if self.shown is None or self.sentence or self.image_size.isEmpty():
            return
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._shows_truth:
            self._paint(painter, self.shown.truth, self.shown.truth_labels, 1)
        count = self.count
        boxes, labels = self.shown.found[:count], self.shown.found_labels[:count]
        self._paint(painter, boxes, labels, 2, DASHES)
        self.paint_names(painter, self.plates)
        if not count:
            self._paint_remark(painter)

    def paint_overlay(self, painter: QPainter) -> None:
        self.paint_names(painter, self.pointed)

    def _paint(
        self, painter: QPainter, boxes: NDArray[np.floating], labels: Sequence[str], width: int,
        dashes: Sequence[float] = (),
    ) -> None:  # fmt: skip
        rects = self.view.rects(boxes)
        painter.setPen(mitred_pen(UNDER, width + 1))
        draw_rects(painter, rects)
        for label in dict.fromkeys(labels):
            pen = mitred_pen(self._colour(label), width)
            if dashes:
                pen.setDashPattern(dashes)
            painter.setPen(pen)
            draw_rects(painter, rects[[one == label for one in labels]])

    def visible_groups(self) -> list[BoxGroup]:
        if self.shown is None:
            return []
        shown, count = self.shown, self.count
        return found_by_label(shown.found[:count], shown.found_labels[:count], shown.scores[:count])

    def ink(self, kind: str) -> QColor:
        return self._colour(kind.removeprefix(FOUND))

    @property
    def remark(self) -> str:
        """The text shown when there is nothing to show."""
        if self.shown is None or self.count:
            return ""
        return f"best {self.shown.scores[0]:.2f}" if len(self.shown.scores) else "nothing found"

    def _paint_remark(self, painter: QPainter) -> None:
        painter.setFont(theme.font(theme.SMALL))
        metrics = QFontMetricsF(painter.font())
        width, height = metrics.horizontalAdvance(self.remark) + 8, metrics.height()
        area = QRectF((self.width() - width) / 2, self.height() - height - MARGIN, width, height)
        name_plate(painter, area, self.remark, theme.colour("surface"), theme.colour("text"))

    def _colour(self, label: str) -> QColor:
        return QColor(self._colours.get(label, UNKNOWN))

    # --- mouse and keys ---

    def event(self, event: QEvent) -> bool:
        """No tooltip over the names at the pointer."""
        if event.type() == QEvent.Type.ToolTip and self.pointed:
            QToolTip.hideText()
            return True
        return super().event(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._open()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open()
        else:
            super().keyPressEvent(event)

    def _open(self) -> None:
        if self.shown is not None:
            self.opened.emit(self.shown.image)
