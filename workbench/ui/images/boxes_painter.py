"""Paints boxes: a dark line under the coloured one makes them visible on any background; constant width on screen.

A thousand boxes take some 9 ms, because the rectangles go to Qt as one array per label and not one by one; many
thousands are written into an image by `outlines` instead.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shiboken6
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPen

from workbench.core import box_faults
from workbench.core.project import Box, Label
from workbench.ui import theme
from workbench.ui.images import outlines
from workbench.ui.images.view_transform import ViewTransform
from workbench.ui.widgets.elided import cut_apart

NAMES_UP_TO = 800
"""Visible boxes above which no names are drawn: they would hide the picture and cost 3 ms per thousand."""
THIN_FROM = 2000
"""Visible boxes above which lines are one device pixel wide, and painted by `outlines`: twenty times faster."""
UNDER = QColor(0, 0, 0, 150)
"""The dark line under a coloured one."""
LEAST_NAME = 8
"""Average characters of an elided name: shorter ones tell little, and would hide small objects."""
_STEP = 4  # px
_APART = 2.0  # px of a box's lines, which what is written above it leaves free
_DIMMED = 0.45
IGNORED = ", ignored"
"""Follows the name of a crowd, which training and evaluation ignore."""
HATCH = QColor(235, 235, 235, 120)


# A box's marks in order of priority: a fault, then what the user has marked. Okabe and Ito's colours
MARKS = {
    "Faulty": "#d55e00", "Crowd": "#b3b3b3", "Difficult": "#e69f00", "Truncated or occluded": "#56b4e9",
    "No mark": "#009e73",
}  # fmt: skip
_INKS = tuple(MARKS.values())


@dataclass(frozen=True, slots=True)
class BoxStyle:
    """What is written on boxes, whether their colour shows the label or the mark, and how wide their lines are."""

    names: bool = True
    sizes: bool = False
    by_mark: bool = False
    line: float = 2.0  # widget pixels; the dark line under it shows at both sides


class BoxesLayer:
    """The boxes of one image, prepared for painting and hit tests. n boxes."""

    def __init__(
        self,
        boxes: Sequence[Box] = (),
        labels: Mapping[int, Label] | None = None,
        size: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """`size` of the image in pixels; (0, 0) if unknown."""
        self.boxes = tuple(boxes)
        self.labels = dict(labels or {})
        self.xyxy = np.array([box.xyxy for box in boxes], np.float64).reshape(-1, 4)
        self.label_ids = np.array([box.label for box in boxes], np.int64)
        self.ids = tuple(box.id for box in boxes)
        self.style = BoxStyle()
        self.size = size
        self.row = {id: row for row, id in enumerate(self.ids)}

    def in_sight(self, view: ViewTransform, area: QRectF) -> np.ndarray:
        """Rows of the boxes that are visible in the widget area."""
        a, b = view.to_image(area.topLeft()), view.to_image(area.bottomRight())
        xyxy = self.xyxy
        return np.flatnonzero(
            (xyxy[:, 0] <= b.x()) & (xyxy[:, 2] >= a.x()) & (xyxy[:, 1] <= b.y()) & (xyxy[:, 3] >= a.y())
        )

    def paint(self, painter: QPainter, view: ViewTransform, area: QRectF, without: frozenset[int], dimmed: bool) -> int:
        """Paint the visible boxes, except those with ids in `without`; returns how many were painted."""
        rows = self.in_sight(view, area)
        if without:
            painted = np.ones(len(self.ids), bool)
            painted[[self.row[id] for id in without if id in self.row]] = False
            rows = rows[painted[rows]]
        if not len(rows):
            return 0
        painter.setOpacity(_DIMMED if dimmed else 1.0)
        if len(rows) > THIN_FROM:
            outlines.paint(painter, view, self.xyxy[rows], self._inks()[rows], area)
        else:
            self._paint_lines(painter, view, rows)
        painter.setOpacity(1.0)
        return len(rows)

    def _paint_lines(self, painter: QPainter, view: ViewTransform, rows: np.ndarray) -> None:
        rects = view.rects(self.xyxy[rows])
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(mitred_pen(UNDER, self.style.line + 2))
        draw_rects(painter, rects)
        if self._crowds[rows].any():  # hatched: nothing there is trained on or counted
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QBrush(HATCH, Qt.BrushStyle.BDiagPattern))
            draw_rects(painter, rects[self._crowds[rows]])
            painter.setBrush(Qt.BrushStyle.NoBrush)
        groups = self.marks[rows] if self.style.by_mark else self.label_ids[rows]
        for group in np.unique(groups).tolist():
            ink = QColor(_INKS[group]) if self.style.by_mark else self.colour(group)
            painter.setPen(mitred_pen(ink, self.style.line))
            draw_rects(painter, rects[groups == group])
        self.paint_words(painter, rects, rows)

    def _inks(self) -> np.ndarray:
        """(n,) colour of each box as outlines.ink() gives it."""
        if self.style.by_mark:
            return np.take(np.array([outlines.ink(QColor(ink)) for ink in _INKS], np.uint32), self.marks)
        return self._label_inks

    @functools.cached_property
    def _label_inks(self) -> np.ndarray:
        found, of = np.unique(self.label_ids, return_inverse=True)
        return np.array([outlines.ink(self.colour(label)) for label in found.tolist()], np.uint32)[of]

    @functools.cached_property
    def _crowds(self) -> np.ndarray:
        """(n,) bool"""
        return np.array([box.crowd for box in self.boxes], bool)

    @functools.cached_property
    def marks(self) -> np.ndarray:
        """(n,) index into MARKS of each box."""
        faulty = np.asarray(box_faults.faults(self.xyxy, np.array(self.size)).any(axis=1))
        flags = np.array([(b.crowd, b.difficult, b.truncated or b.occluded) for b in self.boxes], bool).reshape(-1, 3)
        return np.asarray(np.column_stack([faulty, flags, np.ones(len(faulty), bool)]).argmax(axis=1))

    def colour(self, label: int) -> QColor:
        found = self.labels.get(label)
        return QColor(found.colour if found else "#b3b3b3")

    @functools.cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(label.name for label in self.labels.values())

    def words_of(self, row: int) -> tuple[str, str]:
        """The label's name, and what follows it."""
        label, box = self.labels.get(int(self.label_ids[row])), self.boxes[row]
        size = f"{box.width:.0f} × {box.height:.0f}" if self.style.sizes else ""
        if not self.style.names:
            return "", size
        return label.name if label else "?", (IGNORED if box.crowd else "") + (f"  {size}" if size else "")

    def paint_words(self, painter: QPainter, rects: np.ndarray, rows: np.ndarray) -> None:
        """Write what the style says in the corner of each of these boxes, or above it; long names are elided.

        A box that is lower than a line has no words.

        `rects`: (n, 4) x, y, width, height in widget pixels; `rows`: (n,) of the boxes.
        """
        if len(rows) > NAMES_UP_TO or not (self.style.names or self.style.sizes):
            return
        font = theme.font(theme.SMALL)
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        height = metrics.height() + 2
        widths: dict[str, float] = {}
        for (x, y, wide, high), row in zip(rects.tolist(), rows.tolist(), strict=True):
            if high < height:
                continue
            name, rest = self.words_of(row)
            words = name + rest
            width = widths.get(words) or widths.setdefault(words, metrics.horizontalAdvance(words) + 8)
            if wide < width:
                words = elided_name(name, rest, metrics, wide - 8, self._names)
                width = widths.get(words) or widths.setdefault(words, metrics.horizontalAdvance(words) + 8)
            if words:
                above = y - height - _APART
                y = above if high < 2 * height and above >= 0 else y  # a low box's object would be behind its name
                ground = QColor(_INKS[self.marks[row]]) if self.style.by_mark else self.colour(self.label_ids[row])
                name_plate(painter, QRectF(x, y, width, height), words, ground, QColor(theme.text_on(ground.name())))


def elided_name(name: str, rest: str, metrics: QFontMetricsF, room: float, others: frozenset[str] = frozenset()) -> str:
    """A name that is too long for `room` px, elided apart from `others`, and all of `rest`; "" if too little is left.

    Left out, long names would be on hardly any box. `metrics` are those of the small font.
    """
    left = room - metrics.horizontalAdvance(rest)
    if left < LEAST_NAME * metrics.averageCharWidth():
        return ""
    return _elided(name, others, int(left) // _STEP * _STEP, theme.font(theme.SMALL).key()) + rest


@functools.lru_cache(8192)
def _elided(name: str, others: frozenset[str], room: int, _font: str) -> str:
    """Kept, and in steps: Qt needs 0.1 ms to elide, and there may be hundreds of boxes in each picture of a zoom."""
    return cut_apart(name, others, QFontMetricsF(theme.font(theme.SMALL)), room)


def name_plate(painter: QPainter, area: QRectF, name: str, ground: QColor, ink: QColor) -> None:
    painter.fillRect(area, ground)
    painter.setPen(ink)
    painter.drawText(area.adjusted(4, 0, -4, 0), int(Qt.AlignmentFlag.AlignVCenter), name)


def mitred_pen(colour: QColor, width: float) -> QPen:
    """A pen with mitred corners: a box ends where it ends."""
    return QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap, Qt.PenJoinStyle.MiterJoin)


def draw_rects(painter: QPainter, rects: np.ndarray) -> None:
    """Draw (n, 4) float64 x, y, width, height. Qt reads the array's memory as an array of QRectF."""
    rects = np.ascontiguousarray(rects, np.float64)
    if len(rects):
        first: Any = shiboken6.wrapInstance(rects.ctypes.data, QRectF)
        painter.drawRects(first, len(rects))


def draw_outlined_rect(painter: QPainter, rect: QRectF, colour: QColor, line: float = 2.0) -> None:
    """Draw one rectangle, of lines as wide as `line` widget pixels, with the dark line under it."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(mitred_pen(UNDER, line + 2))
    painter.drawRect(rect)
    painter.setPen(mitred_pen(colour, line))
    painter.drawRect(rect)


def paint_tag(painter: QPainter, at: QPointF, text: str, font: QFont, inside: QRectF) -> None:
    """A small dark plate with text beside a point, kept inside an area: coordinates, sizes."""
    metrics = QFontMetricsF(font)
    width, height = metrics.horizontalAdvance(text) + 10, metrics.height() + 4
    x = at.x() + 14 if at.x() + 14 + width < inside.right() else at.x() - 14 - width
    y = at.y() + 14 if at.y() + 14 + height < inside.bottom() else at.y() - 14 - height
    area = QRectF(x, y, width, height)
    painter.fillRect(area, QColor(0, 0, 0, 190))
    painter.setFont(font)
    painter.setPen(QColor("#ffffff"))
    painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), text)
