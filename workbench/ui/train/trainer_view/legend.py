"""A legend of the signs in the picture, painted as they are there: in as many rows as necessary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from workbench.ui import theme
from workbench.ui.train.trainer_view.colours import IGNORED, INKS, missed_colour
from workbench.ui.train.trainer_view.picture import box_pen, cross, dot, hatch, ring
from workbench.ui.train.trainer_view.requests import AssignmentResult

_SAMPLE = QSize(26, 16)
_GAP = 4  # px between a sample and its text


def entries(assignments: Sequence[AssignmentResult]) -> tuple[tuple[str, str], ...]:
    """Signs and their texts, for the signs that occur in these assignments."""
    kinds = {assignment.kind for assignment in assignments}
    noun = next(iter(kinds)) if len(kinds) == 1 else "one"
    found = [("box", "box, each in its own colour, not its label's")]
    if any(assignment.missed.any() for assignment in assignments):
        found.append(("missed", "box that is not learnt"))
    if any(assignment.ignore.any() for assignment in assignments):
        found.append(("ignored box", "box that is ignored"))
    if "anchor" in kinds:
        found.append(("anchor", "anchor assigned to the box of the same colour"))
    if kinds - {"point"}:
        found.append(("cell", "its cell" if "anchor" in kinds else "cell assigned to the box of the same colour"))
    if "point" in kinds:
        found.append(("dot", "point assigned to the box of the same colour"))
    if any(len(assignment.shared) for assignment in assignments):
        found.append(("ring", f"{noun} assigned to several boxes"))
    if any(assignment.ignored is not None and assignment.ignored.any() for assignment in assignments):
        found.append(("hatch", "ignored: neither object nor background"))
    if any(assignment.negative is not None and assignment.unused_negatives for assignment in assignments):
        found.append(("cross", "negative that the loss uses; the others are left out"))
    return tuple(found)


class SymbolLegend(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("seen-legend")
        self.setAccessibleName("Legend")
        self.setFont(theme.font(theme.SMALL))
        self.entries: tuple[tuple[str, str], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_assignments(self, assignments: Sequence[AssignmentResult]) -> None:
        self.entries = entries(assignments) if assignments else ()
        self.setAccessibleDescription("; ".join(words for _, words in self.entries))
        self.setFixedHeight(self.heightForWidth(self.width()))
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.setFixedHeight(self.heightForWidth(self.width()))  # tabs ignore heightForWidth

    def heightForWidth(self, width: int) -> int:
        rects = self._places(width)
        return int(rects[-1].bottom()) + 1 if rects else 0

    def _places(self, width: int) -> list[QRectF]:
        """The place of each entry, row by row."""
        metrics, height = self.fontMetrics(), max(_SAMPLE.height(), self.fontMetrics().height())
        x, y, places = 0, 0, []
        for _, words in self.entries:
            wide = _SAMPLE.width() + _GAP + metrics.horizontalAdvance(words)
            if x and x + wide > width:
                x, y = 0, y + height + 2
            places.append(QRectF(x, y, wide, height))
            x += wide + 2 * theme.GRID
        return places

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for (sign, words), place in zip(self.entries, self._places(self.width()), strict=True):
            sample = QRectF(place.x(), place.center().y() - _SAMPLE.height() / 2, _SAMPLE.width(), _SAMPLE.height())
            painter.fillRect(sample, QColor("#6b7280"))
            _paint(painter, sign, sample)
            painter.setPen(theme.colour("muted"))
            text = place.adjusted(_SAMPLE.width() + _GAP, 0, 2, 0)
            painter.drawText(text, int(Qt.AlignmentFlag.AlignVCenter), words)
        painter.end()


def _paint(painter: QPainter, sign: str, sample: QRectF) -> None:
    ink, inner = QColor(INKS[0]), sample.adjusted(4, 3, -4, -3)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if sign in ("box", "missed", "ignored box"):
        ignored, missed = sign == "ignored box", sign == "missed"
        painter.setPen(box_pen(QColor(IGNORED) if ignored else missed_colour() if missed else ink, ignored, missed))
        painter.drawRect(inner)
    elif sign == "anchor":
        painter.setPen(QPen(ink, 1.2, Qt.PenStyle.DashLine))
        painter.drawRect(inner)
    elif sign == "cell":
        ink.setAlpha(110)
        painter.fillRect(inner, ink)
        _dot_and_line(painter, inner)
    elif sign == "dot":
        _dot_and_line(painter, inner)
    elif sign == "ring":
        dot(painter, sample.center(), ink)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        ring(painter, sample.center())
    elif sign == "hatch":
        painter.setPen(Qt.PenStyle.NoPen)
        hatch(painter, np.array([sample.getRect()], float))
    else:
        middle = sample.center()
        cross(painter, np.array([[middle.x(), middle.y()]]))


def _dot_and_line(painter: QPainter, inner: QRectF) -> None:
    ink = QColor(INKS[0])
    painter.setPen(QPen(ink, 1.0))
    painter.drawLine(QLineF(inner.center(), inner.topRight()))
    dot(painter, QPointF(inner.center()), ink)
