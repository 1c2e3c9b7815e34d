"""Arrows at the edge of the plot of box sizes: each points to an anchor outside the view."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QCursor, QPainter, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from workbench.core import formatting
from workbench.ui import theme
from workbench.ui.anchors.anchor_rectangles import cluster_colour

EDGE = 10.0  # px from the edge to an arrow's middle
APART = 19.0  # px between the middles of two arrows
REACH = 11.0  # px from its middle within which a click hits it
_SHAPE = QPolygonF([QPointF(9, 0), QPointF(-6, -7), QPointF(-3, 0), QPointF(-6, 7)])  # px; points to the right
_STEPS = sorted(range(-40, 41), key=abs)  # thirds of an arrow, in both directions

Doubles = NDArray[np.float64]


class _Arrow(QGraphicsItem):
    """One arrow, in pixels of the view."""

    def __init__(self, number: int, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self._number = number
        self.setZValue(1e5)
        self.setCursor(QCursor(Qt.CursorShape.PointingHandCursor))

    def boundingRect(self) -> QRectF:
        return QRectF(-REACH, -REACH, 2 * REACH, 2 * REACH)

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(pg.mkPen(theme.colours().text, width=1.5))
        painter.setBrush(cluster_colour(self._number))
        painter.drawPolygon(_SHAPE)


class EdgeArrows:
    """Follows the plot's range and size; `at` finds the anchor of an arrow."""

    def __init__(self, box: pg.ViewBox) -> None:
        self._box = box  # not the plot: two objects that refer to each other are freed late, and in any thread
        self._places: Doubles = np.zeros((0, 2))
        self._arrows: list[_Arrow] = []
        self._box.sigRangeChanged.connect(self._renew)
        self._box.sigResized.connect(self._renew)

    def show_anchors(self, places: Doubles, sizes: Doubles) -> None:
        """Set these anchors' (k, 2) places in the plot, and their sizes in px."""
        self._places = places
        while len(self._arrows) < len(places):
            self._arrows.append(_Arrow(len(self._arrows), self._box))
        for number, (width, height) in enumerate(sizes.tolist()):
            self._arrows[number].setToolTip(arrow_tooltip(number, width, height))
        self._renew()

    def numbers(self) -> list[int]:
        """The anchors that have an arrow now."""
        return [number for number, arrow in enumerate(self._arrows) if arrow.isVisible()]

    def place_of(self, number: int) -> QPointF:
        """The place of an anchor's arrow in the scene."""
        return self._arrows[number].scenePos()

    def at(self, place: QPointF) -> int | None:
        """The anchor whose arrow is at this place of the scene."""
        near = {number: math.dist(self.place_of(number).toTuple(), place.toTuple()) for number in self.numbers()}
        found = min(near, key=near.__getitem__, default=None)
        return found if found is not None and near[found] <= REACH else None

    def _renew(self, *_: object) -> None:
        (left, right), (low, high) = self._box.viewRange()
        size = np.array([self._box.width(), self._box.height()])
        x, y = self._places.T
        shares = (x - left) / max(right - left, 1e-12), (high - y) / max(high - low, 1e-12)
        goals = np.column_stack(shares) * size
        has_room = bool((size > 4 * EDGE).all())
        outside = np.flatnonzero(((goals < 0) | (goals > size)).any(axis=1) & has_room)
        for arrow in self._arrows:
            arrow.hide()
        for number, (x, y) in zip(outside.tolist(), spread(goals[outside], size), strict=True):
            arrow = self._arrows[number]
            arrow.setPos(x, y)
            arrow.setRotation(math.degrees(math.atan2(goals[number, 1] - y, goals[number, 0] - x)))
            arrow.show()


def arrow_tooltip(number: int, width: float, height: float) -> str:
    """An arrow's text about its anchor; numbers start at 0."""
    return (
        f"Anchor {number + 1}: {width:.0f} × {height:.0f} px, outside the view."
        " A click shows it in the table, “Show all” in the plot."
    )


def outside_sentence(count: int) -> str:
    """Words on this many anchors outside the view, "" for none."""
    return f"{formatting.count(count, 'anchor')} outside the view" if count else ""


def spread(goals: Doubles, size: Doubles) -> list[tuple[float, float]]:
    """For each goal (m, 2) outside a view of `size` (px), the nearest place at its edge, without overlaps."""
    inner = size - 2 * EDGE
    found: dict[int, tuple[float, float]] = {}
    places = np.clip(goals - EDGE, 0, inner)
    for row in np.argsort(-np.hypot(*(goals - EDGE - places).T), kind="stable").tolist():  # far ones get the corners
        begin = _along(places[row], inner)
        tries = (_corner(begin + step * APART / 3, inner) for step in _STEPS)
        free = (spot for spot in tries if all(math.dist(spot, other) >= APART - 1e-6 for other in found.values()))
        found[row] = next(free, _corner(begin, inner))
    return [(x + EDGE, y + EDGE) for _, (x, y) in sorted(found.items())]


def _along(place: Doubles, size: Doubles) -> float:
    """The position of a place along the edge: clockwise from the upper left corner."""
    (x, y), (wide, high) = place.tolist(), size.tolist()
    ways: Sequence[tuple[float, float]] = (
        (y, x), (wide - x, wide + y), (high - y, 2 * wide + high - x), (x, 2 * wide + 2 * high - y),
    )  # fmt: skip
    return min(ways)[1]  # for the nearest side


def _corner(along: float, size: Doubles) -> tuple[float, float]:
    """The place at this position along the edge."""
    wide, high = size.tolist()
    left = along % (2 * (wide + high))
    if left <= wide:
        return left, 0.0
    if left <= wide + high:
        return wide, left - wide
    if left <= 2 * wide + high:
        return 2 * wide + high - left, high
    return 0.0, 2 * (wide + high) - left
