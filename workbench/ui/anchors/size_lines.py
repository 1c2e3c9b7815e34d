"""The faint lines in the plot of box sizes: of equal area (dashed) and equal shape (dotted), each with its name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetricsF

from workbench.ui import theme
from workbench.ui.anchors.cloud import Cloud

AREAS = (32.0, 96.0)  # px: where COCO's medium and large objects begin
ASPECTS = {0.25: "4 × as high", 0.5: "2 × as high", 1.0: "square", 2.0: "2 × as wide", 4.0: "4 × as wide"}
POINTS = 256  # per line
_TRIES = (0.0, 0.12, 0.24, 0.36)  # positions along the visible part of a line to try for its name

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """`x`, `y` (m,) in plot coordinates. `first`: its name is near its first visible point, else its last."""

    x: Doubles
    y: Doubles
    drawn: pg.PlotCurveItem
    words: pg.TextItem
    name: str
    first: bool


class SizeLines:
    """Lines across all boxes; at any zoom their names are in view and don't overlap."""

    def __init__(self, box: pg.ViewBox) -> None:
        self._box = box  # not the plot: two objects that refer to each other are freed late, and in any thread
        self._lines: list[_Line] = []
        self._covered = QRectF()
        self._box.sigRangeChanged.connect(self.place_names)
        self._box.sigResized.connect(self.place_names)

    def draw(self, cloud: Cloud | None) -> None:
        """Draw them for these boxes in the theme's colours; none without boxes."""
        for line in self._lines:
            self._box.removeItem(line.drawn)
            self._box.removeItem(line.words)
        self._lines = []
        if cloud is None or not len(cloud):
            return
        high = 10**cloud.high if cloud.log else cloud.high
        low = 10**cloud.low if cloud.log else np.full(2, float(high.max()) / 200)
        w = np.geomspace(max(float(low[0]), 1e-3), float(high[0]), POINTS)
        for side in AREAS:
            self._add(cloud, w, side * side / w, Qt.PenStyle.DashLine, f"{side:.0f} × {side:.0f} px", first=True)
        for aspect, name in ASPECTS.items():
            style = Qt.PenStyle.SolidLine if aspect == 1 else Qt.PenStyle.DotLine
            self._add(cloud, w, w / aspect, style, name, first=False)
        self.place_names()

    def _add(self, cloud: Cloud, w: Doubles, h: Doubles, style: Qt.PenStyle, name: str, *, first: bool) -> None:
        x, y = (np.log10(w), np.log10(h)) if cloud.log else (w, h)
        visible = (y >= cloud.low[1]) & (y <= cloud.high[1])
        if visible.sum() < 2:
            return
        x, y = x[visible], y[visible]
        drawn = pg.PlotCurveItem(x, y, pen=pg.mkPen(theme.colour("border"), width=1, style=style))
        words = pg.TextItem(name, color=theme.colour("muted"), anchor=(0, 0) if first else (1, 0))
        words.setFont(theme.font(theme.SMALL))
        for item in (drawn, words):
            item.setZValue(-20)
            self._box.addItem(item, ignoreBounds=True)
        self._lines.append(_Line(x, y, drawn, words, name, first))

    def avoid(self, covered: QRectF) -> None:
        """Keep the names out of this part of the view (in its px), where something else is written."""
        self._covered = covered
        self.place_names()

    def place_names(self, *_: object) -> None:
        """Place each near the end of its line's visible part; hide one that has no room."""
        (left, right), (low, high) = self._box.viewRange()
        wide, tall = float(self._box.width()), float(self._box.height())
        metrics = QFontMetricsF(theme.font(theme.SMALL))
        taken = [self._covered]
        for line in self._lines:
            across = (line.x - left) / max(right - left, 1e-12) * wide
            down = (high - line.y) / max(high - low, 1e-12) * tall
            size = metrics.horizontalAdvance(line.name) + 8, metrics.height() + 8
            place = _room_for(across, down, size, QRectF(-2, -2, wide + 4, tall + 4), taken, first=line.first)
            line.words.setVisible(place is not None)
            if place is not None:
                line.words.setPos(float(line.x[place]), float(line.y[place]))

    def names(self) -> list[tuple[str, QRectF]]:
        """The visible names and their rectangles in the scene."""
        return [(one.name, one.words.mapRectToScene(one.words.boundingRect())) for one in self._lines
                if one.words.isVisible()]  # fmt: skip


def _room_for(
    across: Doubles, down: Doubles, size: tuple[float, float], field: QRectF, taken: list[QRectF], *, first: bool
) -> int | None:
    """The point of a line (in px of the view) at which its name is inside `field` and covers none of `taken`."""
    inside = (across >= 0) & (across <= field.right()) & (down >= 0) & (down <= field.bottom())
    rows = np.flatnonzero(inside)
    if not len(rows):
        return None
    for share in _TRIES:
        place = int(rows[round((share if first else 1 - share) * (len(rows) - 1))])
        x = float(across[place])
        spot = QRectF(x if first else x - size[0], float(down[place]), *size)
        if field.contains(spot) and not any(spot.intersects(other) for other in taken):
            taken.append(spot)
            return place
    return None
