"""The picture as the network gets it: boxes solid in colours of their own, and what answers for them in the same.

Positives are cells filled and anchors dashed (points as dots), each with a line to its box; what is ignored is hatched;
negatives that were chosen have crosses. A box that nothing learns is red. k = boxes, N = priors, P = positives.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from workbench.core.project import LABEL_COLOURS
from workbench.ui.annotate.boxes_painter import draw_rects, line
from workbench.ui.train.seen.work import Look
from workbench.ui.widgets.picture_view import PictureView

_CLICK = 4.0
"""Pixels that the mouse may move in a click."""
_CROSS = 2.5
"""Half the width of a cross, widget pixels."""
_LEGIBLE = 3.0
"""Widget pixels of a cell's side below which it is not hatched but filled."""
_UNDER = QColor(0, 0, 0, 150)


def box_colour(box: int) -> QColor:
    """A box's own, so that neighbours of one label are told apart. None of them is red."""
    chosen = [colour for colour in LABEL_COLOURS if colour not in ("#d55e00", "#f0027f", "#b3b3b3")]
    return QColor(chosen[box % len(chosen)])


def missed_colour() -> QColor:
    """The bright red in both themes: a photograph is no lighter in the light theme."""
    return QColor("#ff4d4d")


class SeenPicture(PictureView):
    """`box_chosen(row)` for a click on a box, -1 beside all. Drag moves, the wheel zooms, a double click fits."""

    box_chosen = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName("The image as the network gets it")
        self.look: Look | None = None
        self.hidden: frozenset[int] = frozenset()  # levels
        self.shows_ignored = self.shows_negatives = True
        self.chosen = -1
        self._pressed: QPointF | None = None

    def show_look(self, look: Look) -> None:
        """Keeps the view where the size is the same, so that steps can be compared."""
        self.look = look
        self.chosen = -1
        size = QSizeF(look.side, look.side)
        self.show_picture(look.picture, size, keep_view=True)
        self.setAccessibleDescription(f"{look.about}. {len(look.boxes)} boxes, {look.positives} positives.")

    def choose(self, box: int) -> None:
        """Show only what answers for this box; -1: everything."""
        self.chosen = box
        if self.look is not None and 0 <= box < len(self.look.boxes):
            x0, y0, x1, y1 = self.look.boxes[box].tolist()
            self.look_at((x0, y0, x1, y1))
        self.renew()

    # --- painting ---

    def paint_backdrop(self, painter: QPainter) -> None:
        look = self.look
        if look is None or self.sentence:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.shows_ignored and look.ignored is not None:
            self._hatch(painter, look, look.ignored)
        if self.shows_negatives and look.negative is not None and look.passed_over:
            self._paint_negatives(painter, look, look.negative)
        self._paint_positives(painter, look)
        self._paint_boxes(painter, look)

    def _visible(self, look: Look) -> NDArray[np.bool_]:
        """(N,) priors of levels that are shown."""
        return ~np.isin(look.level, list(self.hidden))

    def _hatch(self, painter: QPainter, look: Look, ignored: NDArray[np.bool_]) -> None:
        rects = self.view.rects(np.unique(look.cells[ignored & self._visible(look)], axis=0))
        painter.setPen(Qt.PenStyle.NoPen)
        for rect in rects.tolist():
            fine = rect[2] < 2 * _LEGIBLE
            painter.setBrush(QBrush(QColor(0, 0, 0, 90), Qt.BrushStyle.SolidPattern))
            painter.drawRect(QRectF(*rect))
            if not fine:
                painter.setBrush(QBrush(QColor(210, 210, 210, 170), Qt.BrushStyle.BDiagPattern))
                painter.drawRect(QRectF(*rect))

    def _paint_negatives(self, painter: QPainter, look: Look, negative: NDArray[np.bool_]) -> None:
        """A cross in the middle of each cell that has some: their anchors would cover the picture."""
        rects = self.view.rects(np.unique(look.cells[negative & self._visible(look)], axis=0))
        x, y = (rects[:, :2] + rects[:, 2:] / 2).T
        for ink, width in ((_UNDER, 3.0), (QColor("#ffffff"), 1.2)):
            painter.setPen(QPen(ink, width))
            for across in (_CROSS, -_CROSS):
                painter.drawLines([QLineF(a - _CROSS, b - across, a + _CROSS, b + across) for a, b in zip(x, y)])

    def _paint_positives(self, painter: QPainter, look: Look) -> None:
        shown = self._visible(look)[look.prior]
        if self.chosen >= 0:
            shown &= look.box == self.chosen
        for box in np.unique(look.box[shown]).tolist():
            priors = look.prior[shown & (look.box == box)]
            self._paint_of_box(painter, look, box, priors)

    def _paint_of_box(self, painter: QPainter, look: Look, box: int, priors: NDArray[np.int64]) -> None:
        ink = box_colour(box)
        soft = QColor(ink)
        soft.setAlpha(70)
        middles = self.view.rects(look.cells[priors])
        middles = middles[:, :2] + middles[:, 2:] / 2
        x0, y0, x1, y1 = look.boxes[box].tolist()
        target = self.view.to_widget(QPointF((x0 + x1) / 2, (y0 + y1) / 2))
        if look.kind != "point":
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(soft)
            draw_rects(painter, self.view.rects(np.unique(look.cells[priors], axis=0)))
        if look.kind == "anchor":
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(ink, 1.2, Qt.PenStyle.DashLine))
            draw_rects(painter, self.view.rects(look.priors[priors]))
        painter.setPen(QPen(ink, 1.0))
        painter.drawLines([QLineF(QPointF(x, y), target) for x, y in middles.tolist()])
        painter.setPen(QPen(_UNDER, 1.0))
        painter.setBrush(ink)
        for x, y in middles.tolist():
            painter.drawEllipse(QPointF(x, y), 3.2, 3.2)

    def _paint_boxes(self, painter: QPainter, look: Look) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        rects = self.view.rects(look.boxes)
        painter.setPen(line(_UNDER, 4))
        draw_rects(painter, rects)
        for box, rect in enumerate(rects.tolist()):
            dimmed = self.chosen >= 0 and box != self.chosen
            painter.setOpacity(0.4 if dimmed else 1.0)
            pen = line(box_colour(box), 2)
            if look.ignore[box]:
                pen = QPen(QColor("#d0d0d0"), 2, Qt.PenStyle.DashLine)
            elif look.reasons[box]:
                pen = line(missed_colour(), 3)
            painter.setPen(pen)
            painter.drawRect(QRectF(*rect))
        painter.setOpacity(1.0)

    # --- the mouse ---

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = event.position()
        self.begin_pan(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.pan(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.end_pan()
        pressed, self._pressed = self._pressed, None
        if pressed is not None and (event.position() - pressed).manhattanLength() <= _CLICK:
            self.box_chosen.emit(self.box_at(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.fit()

    def box_at(self, point: QPointF) -> int:
        """The smallest box under a widget point, -1 for none."""
        if self.look is None:
            return -1
        at = self.view.to_image(point)
        boxes = self.look.boxes
        inside = (boxes[:, 0] <= at.x()) & (at.x() < boxes[:, 2]) & (boxes[:, 1] <= at.y()) & (at.y() < boxes[:, 3])
        if not inside.any():
            return -1
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        return int(np.where(inside, area, np.inf).argmin())


def swatch_colour(look: Look, box: int) -> QColor:
    """As the box is painted, for lists."""
    if look.ignore[box]:
        return QColor("#b3b3b3")
    return missed_colour() if look.reasons[box] else box_colour(box)


__all__ = ["SeenPicture", "box_colour", "missed_colour", "swatch_colour"]
