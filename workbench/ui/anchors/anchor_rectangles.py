"""The anchors as concentric rectangles in the network's input square, and their colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from workbench import anchors
from workbench.ui import theme


def cluster_colour(number: int) -> QColor:
    return QColor(anchors.anchor_colour(number))


class AnchorRectangles(QWidget):
    """The anchors as concentric rectangles in the network's input square."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._centres: NDArray[np.float64] = np.zeros((0, 2))
        self._px = 416
        self.setToolTip("The anchors to scale in the network's square input.")

    def sizeHint(self) -> QSize:
        return QSize(120, 120)

    def minimumSizeHint(self) -> QSize:
        return QSize(96, 96)

    def show_anchors(self, centres: NDArray[np.float64], px: int) -> None:
        self._centres, self._px = centres, px
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = min(self.width(), self.height()) - 2.0
        middle = QPointF(self.width() / 2, self.height() / 2)
        painter.setPen(QPen(theme.colour("border"), 1))
        painter.setBrush(theme.colour("surface"))
        painter.drawRect(QRectF(middle.x() - side / 2, middle.y() - side / 2, side, side))
        painter.setBrush(QColor(0, 0, 0, 0))
        for number, (width, height) in enumerate(self._centres * side / self._px):
            painter.setPen(QPen(cluster_colour(number), 2))
            painter.drawRect(QRectF(middle.x() - width / 2, middle.y() - height / 2, width, height))
        painter.end()
