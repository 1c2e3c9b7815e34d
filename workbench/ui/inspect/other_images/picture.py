"""A picture with its detections: dashed boxes in the labels' colours, with names if there is room."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen

from workbench.core.detections import Detections
from workbench.core.project import Label
from workbench.ui.images.box_names import FOUND, BoxGroup, Floats, found_by_label
from workbench.ui.images.boxes_painter import UNDER, draw_rects
from workbench.ui.images.named_boxes_view import NamedBoxesView

LINES, WIDE = (4, 2), (6, 3)  # px of a box's dark line and of the coloured one on it
_NONE = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))


class DetectionPicture(NamedBoxesView):
    """A picture with detections on top. Drag moves, the wheel zooms, a double click fits."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("looking-picture")
        self.setAccessibleName("Picture with what was found in it")
        self.detections = _NONE
        self._groups: list[BoxGroup] = []
        self._colours: dict[str, str] = {}

    def set_detections(self, found: Detections, labels: tuple[Label, ...]) -> None:
        """`found.labels` are indices into `labels`."""
        self.detections, self._colours = found, {label.name: label.colour for label in labels}
        names = [labels[label].name for label in found.labels.tolist()]
        self._groups = found_by_label(found.boxes, names, found.scores)
        self.renew()

    def clear(self) -> None:
        self.set_detections(_NONE, ())

    def visible_groups(self) -> list[BoxGroup]:
        return self._groups

    def ink(self, kind: str) -> QColor:
        return QColor(self._colours[kind.removeprefix(FOUND)])

    def paint_backdrop(self, painter: QPainter) -> None:
        if self.sentence:
            return
        self._paint_lines(painter, UNDER, self.detections.boxes, LINES[0])
        for group in self._groups:
            self._paint_lines(painter, self.ink(group.kind), group.boxes, LINES[1], Qt.PenStyle.DashLine)
        self.paint_names(painter, self.plates)

    def paint_overlay(self, painter: QPainter) -> None:
        """The smallest box under the pointer with wider lines, and the names of all that lie there."""
        for group, row in self.at_pointer[:1]:
            self._paint_lines(painter, UNDER, group.boxes[row : row + 1], WIDE[0])
            self._paint_lines(painter, self.ink(group.kind), group.boxes[row : row + 1], WIDE[1], Qt.PenStyle.DashLine)
        self.paint_names(painter, self.pointed)

    def _paint_lines(
        self, painter: QPainter, ink: QColor, boxes: Floats, width: float, style: Qt.PenStyle = Qt.PenStyle.SolidLine
    ) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(ink, width, style))
        draw_rects(painter, self.view.rects(np.asarray(boxes, np.float64)))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.fit()
