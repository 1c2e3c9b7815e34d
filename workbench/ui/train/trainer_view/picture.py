"""The picture as the network gets it: boxes solid, each in its own colour, and their positives in the same.

Positives are filled cells and dashed anchors (points as dots), each with a line to its box; cells with ignored priors
and no positive are hatched; sampled negatives have crosses. A box that nothing is trained on is red. legend.py
explains this beside it. k = boxes, N = priors, P = positives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shiboken6
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QMouseEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from workbench.core.formatting import count
from workbench.ui import theme
from workbench.ui.images.boxes_painter import UNDER, draw_rects, mitred_pen
from workbench.ui.images.picture_view import PictureView
from workbench.ui.train.trainer_view.colours import INKS, colour_indices, colour_of
from workbench.ui.train.trainer_view.marks import Marks, marks
from workbench.ui.train.trainer_view.requests import AssignmentResult, Floats

MANY = 100
"""With more positives, only their centres are shown until a box is chosen: else they would hide the picture."""
CROSS = 2.5
"""Half the width of a cross, widget pixels."""
_STAMP = 12
"""Side of a cross including its dark border, widget pixels."""
_CLICK = 4.0
"""Pixels that the mouse may move during a click."""
_LEGIBLE = 3.0
"""Widget pixels of a cell's side below which it is filled instead of hatched."""
_DOT, _RING = 3.2, 5.5
_DIM = 175
"""Alpha (of 255) of the cover over a picture that is out of date."""


class AssignmentPicture(PictureView):
    """`box_chosen(row)` for a click on a box, -1 for one beside all. Drag moves, the wheel zooms, a double click fits.

    `wait` dims the picture, which shows another image or detector than requested.
    """

    box_chosen = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName("The image as the network gets it")
        self.assignment: AssignmentResult | None = None
        self.colour_indices: tuple[int, ...] = ()
        self.hidden: frozenset[int] = frozenset()  # levels
        self.shows_ignored = self.shows_negatives = True
        self.chosen = -1
        self.waits = False
        self._marks: Marks | None = None
        self._pressed: QPointF | None = None

    def show_assignment(self, assignment: AssignmentResult, colours: tuple[int, ...] | None = None) -> None:
        """Keeps the view if the size is the same, so that steps can be compared. `colours` as from `colour_indices`."""
        self.assignment, self.colour_indices = assignment, colour_indices(assignment) if colours is None else colours
        self.chosen, self.waits = -1, False
        size = QSizeF(assignment.side, assignment.side)
        self.show_picture(assignment.picture, size, keep_view=True)
        self.setAccessibleDescription(
            f"{assignment.about}. {count(len(assignment.boxes), 'box')}, {count(assignment.positives, 'positive')}."
        )

    def wait(self) -> None:
        """Something else was requested."""
        self.waits = True
        if self.assignment is None:
            self.say("Looking …", "muted")
        self.update()

    def refuse(self, sentence: str) -> None:
        """Show nothing, and say why."""
        self.assignment, self.waits, self._marks = None, False, None
        self.say(sentence)

    def choose(self, box: int) -> None:
        """Show only what answers for this box; -1: everything."""
        self.chosen = box
        if self.assignment is not None and 0 <= box < len(self.assignment.boxes):
            x0, y0, x1, y1 = self.assignment.boxes[box].tolist()
            self.look_at((x0, y0, x1, y1))
        self.renew()

    # --- painting ---

    def paint_backdrop(self, painter: QPainter) -> None:
        assignment = self.assignment
        if assignment is None or self.sentence:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        found = self._marks_of(assignment)
        if self.shows_ignored:
            painter.setPen(Qt.PenStyle.NoPen)
            hatch(painter, self._in_sight(found.hatched))
        if self.shows_negatives:
            self._paint_crosses(painter, found.crossed)
        self._paint_positives(painter, assignment, found)
        self._paint_boxes(painter, assignment)

    def paint_overlay(self, painter: QPainter) -> None:
        if self.waits and not self.sentence:
            painter.fillRect(self.rect(), theme.colour("canvas", _DIM))
            painter.setPen(theme.colour("text"))
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), "Looking …")

    def _marks_of(self, assignment: AssignmentResult) -> Marks:
        """Computed when the assignment or the levels change, not for each repaint."""
        if self._marks is None or not self._marks.belong_to(assignment, self.hidden):
            self._marks = marks(assignment, self.hidden)
        return self._marks

    def _paint_crosses(self, painter: QPainter, cells: Floats) -> None:
        """One at the centre of each cell that has some: their anchors would cover the picture."""
        rects = self._in_sight(cells)
        cross(painter, rects[:, :2] + rects[:, 2:] / 2)

    def _in_sight(self, cells: Floats) -> Floats:
        """(n, 4) x, y, width, height of those visible in the widget, with a margin for a cross."""
        rects = self.view.rects(cells)
        low, high = rects[:, :2] - CROSS, rects[:, :2] + rects[:, 2:] + CROSS
        return np.asarray(rects[np.all((high >= 0) & (low <= (self.width(), self.height())), axis=1)])

    def _paint_positives(self, painter: QPainter, assignment: AssignmentResult, found: Marks) -> None:
        shown = found.visible[assignment.prior]
        if self.chosen >= 0:
            shown &= assignment.box == self.chosen
        few = int(shown.sum()) <= MANY or self.chosen >= 0
        for box in np.unique(assignment.box[shown]).tolist():
            self._paint_of_box(painter, assignment, box, assignment.prior[shown & (assignment.box == box)], few)
        rings = np.intersect1d(assignment.prior[shown], found.shared)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for x, y in self._middles(assignment, rings).tolist():
            ring(painter, QPointF(x, y))

    def _middles(self, assignment: AssignmentResult, priors: NDArray[np.int64]) -> Floats:
        cells = self.view.rects(assignment.cells[priors])
        return np.asarray(cells[:, :2] + cells[:, 2:] / 2)

    def _paint_of_box(
        self, painter: QPainter, assignment: AssignmentResult, box: int, priors: NDArray[np.int64], few: bool
    ) -> None:  # fmt: skip
        ink = QColor(INKS[self.colour_indices[box]])
        soft = QColor(ink)
        soft.setAlpha(70)
        middles = self._middles(assignment, priors).tolist()
        x0, y0, x1, y1 = assignment.boxes[box].tolist()
        target = self.view.to_widget(QPointF((x0 + x1) / 2, (y0 + y1) / 2))
        if assignment.kind != "point" and few:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(soft)
            draw_rects(painter, self.view.rects(np.unique(assignment.cells[priors], axis=0)))
        if assignment.kind == "anchor" and few:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(ink, 1.2, Qt.PenStyle.DashLine))
            draw_rects(painter, self.view.rects(assignment.priors[priors]))
        if few:
            painter.setPen(QPen(ink, 1.0))
            painter.drawLines([QLineF(QPointF(x, y), target) for x, y in middles])
        for x, y in middles:
            dot(painter, QPointF(x, y), ink, _DOT if few else 0.7 * _DOT)

    def _paint_boxes(self, painter: QPainter, assignment: AssignmentResult) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        rects = self.view.rects(assignment.boxes)
        painter.setPen(mitred_pen(UNDER, 4))
        draw_rects(painter, rects)
        for box, rect in enumerate(rects.tolist()):
            dimmed = self.chosen >= 0 and box != self.chosen
            painter.setOpacity(0.4 if dimmed else 1.0)
            painter.setPen(
                box_pen(
                    colour_of(assignment, self.colour_indices, box),
                    bool(assignment.ignore[box]),
                    bool(assignment.reasons[box]),
                )
            )
            painter.drawRect(QRectF(*rect))
        painter.setOpacity(1.0)

    # --- the mouse ---

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = event.position()
        self.begin_pan(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.end_pan()
        pressed, self._pressed = self._pressed, None
        if pressed is not None and (event.position() - pressed).manhattanLength() <= _CLICK:
            self.box_chosen.emit(self.box_at(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.fit()

    def box_at(self, point: QPointF) -> int:
        """The smallest box at a widget point, -1 for none."""
        if self.assignment is None:
            return -1
        at = self.view.to_image(point)
        boxes = self.assignment.boxes
        inside = (boxes[:, 0] <= at.x()) & (at.x() < boxes[:, 2]) & (boxes[:, 1] <= at.y()) & (at.y() < boxes[:, 3])
        if not inside.any():
            return -1
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        return int(np.where(inside, area, np.inf).argmin())


# --- the signs, which the legend paints, too ---


def box_pen(colour: QColor, ignored: bool, missed: bool) -> QPen:
    if ignored:
        return QPen(colour, 2, Qt.PenStyle.DashLine)
    return mitred_pen(colour, 3 if missed else 2)


def hatch(painter: QPainter, rects: Floats) -> None:
    """(n, 4) x, y, width, height. Dark, with bright lines if there is room for them."""
    painter.setBrush(QColor(0, 0, 0, 90))
    draw_rects(painter, rects)
    painter.setBrush(QBrush(QColor(210, 210, 210, 170), Qt.BrushStyle.BDiagPattern))
    draw_rects(painter, rects[rects[:, 2] >= 2 * _LEGIBLE])


def cross(painter: QPainter, middles: Floats) -> None:
    """(n, 2) x, y. One is drawn, then stamped everywhere: 13,000 of them take 4 ms, drawn one by one 165."""
    stamp = _cross(painter.device().devicePixelRatio())
    wide, high, scale = stamp.width(), stamp.height(), 1 / stamp.devicePixelRatio()
    fragments = np.zeros((len(middles), 10))  # x, y, the stamp's left, top, width, height, scales, turn, opacity
    fragments[:, :2] = middles
    fragments[:, 4:] = (wide, high, scale, scale, 0.0, 1.0)
    if len(fragments):  # Qt reads the array's memory
        first: Any = shiboken6.wrapInstance(fragments.ctypes.data, QPainter.PixmapFragment)
        painter.drawPixmapFragments(first, len(fragments), stamp)


def _cross(ratio: float) -> QPixmap:
    made = QPixmap(QSize(_STAMP, _STAMP) * ratio)
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(_STAMP / 2, _STAMP / 2)
    for ink, width in ((UNDER, 3.0), (QColor("#ffffff"), 1.2)):
        painter.setPen(QPen(ink, width))
        painter.drawLines([QLineF(-CROSS, -across, CROSS, across) for across in (CROSS, -CROSS)])
    painter.end()
    return made


def dot(painter: QPainter, middle: QPointF, ink: QColor, radius: float = _DOT) -> None:
    painter.setPen(QPen(UNDER, 1.0))
    painter.setBrush(ink)
    painter.drawEllipse(middle, radius, radius)


def ring(painter: QPainter, middle: QPointF) -> None:
    """Around the centre of a prior trained on several boxes."""
    for ink, width in ((UNDER, 3.4), (QColor("#ffffff"), 1.6)):
        painter.setPen(QPen(ink, width))
        painter.drawEllipse(middle, _RING, _RING)
