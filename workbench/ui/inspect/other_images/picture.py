"""A picture with its detections: dashed boxes in the labels' colours, with names if there is room."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPen

from workbench.core.detections import Detections
from workbench.core.project import Label
from workbench.ui import theme
from workbench.ui.images.box_names import free_place
from workbench.ui.images.boxes_painter import UNDER, draw_rects, elided_name, name_plate
from workbench.ui.images.picture_view import PictureView

_NONE = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))


class DetectionPicture(PictureView):
    """A PictureView with detections on top. Drag moves, the wheel zooms, a double click fits."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("looking-picture")
        self.setAccessibleName("Picture with what was found in it")
        self.detections = _NONE
        self._labels: tuple[Label, ...] = ()

    def set_detections(self, found: Detections, labels: tuple[Label, ...]) -> None:
        """`found.labels` are indices into `labels`."""
        self.detections, self._labels = found, labels
        self.renew()

    def clear(self) -> None:
        self.set_detections(_NONE, ())

    def paint_backdrop(self, painter: QPainter) -> None:
        if self.sentence or not len(self.detections):
            return
        found = self.detections
        rects = self.view.rects(np.asarray(found.boxes, np.float64))  # (n, 4) x, y, width, height
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(UNDER, 4))
        draw_rects(painter, rects)
        for label in np.unique(found.labels).tolist():
            painter.setPen(QPen(QColor(self._labels[label].colour), 2, Qt.PenStyle.DashLine))
            draw_rects(painter, rects[found.labels == label])
        painter.setFont(theme.font(theme.SMALL))
        self._paint_names(painter, rects)

    def _paint_names(self, painter: QPainter, rects: np.ndarray) -> None:
        """Of boxes in sight, those with higher scores first, none over another: of two detections of one object each
        has its name.
        """
        metrics = QFontMetricsF(painter.font())
        height, taken = metrics.height() + 2, np.zeros((0, 4))
        found, (x0, y0, wide, tall) = self.detections, rects.T
        in_sight = (x0 < self.width()) & (x0 + wide > 0) & (y0 < self.height()) & (y0 + tall > 0)
        for row in np.flatnonzero(in_sight).tolist():
            x, y, width, tall = rects[row].tolist()
            label = self._labels[int(found.labels[row])]
            score = f" {found.scores[row]:.2f}"
            name = label.name + score
            if width < metrics.horizontalAdvance(name) + 8:
                name = elided_name(label.name, score, metrics, width - 8)
            if name and tall >= height:
                wide = metrics.horizontalAdvance(name) + 8
                place = free_place(QRectF(x, y, wide, height), height, QRectF(x, y, width, tall), taken)
                if place is None:
                    continue
                taken = np.vstack([taken, [place.left(), place.top(), place.right(), place.bottom()]])
                ground = QColor(label.colour)
                name_plate(painter, place, name, ground, QColor(theme.text_on(ground.name())))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.fit()
