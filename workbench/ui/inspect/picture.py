"""The picture on the Inspect page: labels solid, detections dashed, misses and false alarms in fixed colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QMouseEvent, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QCheckBox, QGridLayout, QWidget

from workbench.ui import theme
from workbench.ui.colours import DARK
from workbench.ui.images.box_names import NAMELESS, BoxGroup, Floats
from workbench.ui.images.boxes_painter import draw_rects
from workbench.ui.images.named_boxes_view import NamedBoxesView


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A legend entry: some kinds of boxes, how they are drawn, and a sentence about them."""

    name: str
    words: str
    help: str
    kinds: tuple[str, ...]


LABEL = LegendEntry("label", "your label", "A labelled box that a detection was found for.", ("label",))
ONE_RUN = (
    LABEL,
    LegendEntry("hit", "right detection", "A detection that overlaps a box of its label by at least half.", ("hit",)),
    LegendEntry("false_alarm", "false alarm", "A detection without a labelled box.", ("false_alarm",)),
    LegendEntry("miss", "missed", "A labelled box that was not found.", ("miss",)),
)  # fmt: skip
WRONG = "✗"
"""Prefix of a wrong detection's name, when colours tell the two runs apart."""
TWO_RUNS = (
    LegendEntry("truth", "labelled box", "A labelled box, found or not.", ("truth",)),
    LegendEntry("first", "older run", f"What it detects; {WRONG}: wrongly.", ("first", "first_wrong")),
    LegendEntry("second", "newer run", f"What it detects; {WRONG}: wrongly.", ("second", "second_wrong")),
)  # fmt: skip
DASHED = ("hit", "false_alarm", "second", "second_wrong")
OPEN = ("second", "second_wrong")  # drawn with gaps: the older run's box may be in the same place
DASH = 8.0  # px of the dashes and the gaps
RUNS = {"first": "#e3c552", "second": "#c9a6ff"}  # as bright as the other colours, and different from them
LINES, THIN, WIDE = (4, 2), (2, 2), (6, 3)  # px of a box's dark line and of the coloured one on it
CROWDED = 60  # boxes, beyond which lines are thin: they would hide what they surround
SAMPLE = QSize(16, 10)  # px, a box in the legend
MARGIN = 5  # px between a box and the frame that marks it


class InspectPicture(NamedBoxesView):
    """A picture with groups of boxes on top. Drag moves, the wheel zooms, a double click fits."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("inspect-picture")
        self.setAccessibleName("The image with its labels and detections")
        self._groups: tuple[BoxGroup, ...] = ()
        self._marked: Floats = np.zeros((0, 4))
        self._hidden: frozenset[str] = frozenset()

    @property
    def marked(self) -> Floats:
        return self._marked

    def set_marked(self, boxes: Floats) -> None:
        """Frame these boxes again, (n, 4) xyxy image pixels: they are what a person asked to see."""
        self._marked = boxes
        self.renew()

    @property
    def groups(self) -> tuple[BoxGroup, ...]:
        return self._groups

    def set_groups(self, groups: tuple[BoxGroup, ...]) -> None:
        self._groups = groups
        self.renew()

    def set_hidden(self, kinds: frozenset[str]) -> None:
        """Do not draw these kinds."""
        self._hidden = kinds
        self.renew()

    def paint_backdrop(self, painter: QPainter) -> None:
        if self.sentence:
            return
        visible = self.visible_groups()
        crowded = sum(len(group.boxes) for group in visible) > CROWDED
        for group in visible:
            self._paint_boxes(painter, group.kind, group.boxes, *(THIN if crowded else LINES))
        self.paint_names(painter, self.plates)
        if len(self._marked):
            self._paint_marks(painter)

    def visible_groups(self) -> list[BoxGroup]:
        return [group for group in self._groups if len(group.boxes) and group.kind not in self._hidden]

    def ink(self, kind: str) -> QColor:
        return colour(kind)

    def paint_overlay(self, painter: QPainter) -> None:
        """The smallest box under the pointer with wider lines, and the names of all that lie there."""
        for group, row in self.at_pointer[:1]:
            self._paint_boxes(painter, group.kind, group.boxes[row : row + 1], *WIDE)
        self.paint_names(painter, self.pointed)

    def _paint_marks(self, painter: QPainter) -> None:
        rects = self.view.rects(np.asarray(self._marked, np.float64))  # (n, 4) x, y, width, height
        rects = rects + np.array([-MARGIN, -MARGIN, 2 * MARGIN, 2 * MARGIN])
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for ink, width in ((QColor(0, 0, 0, 170), 5), (QColor(DARK.text), 2)):
            painter.setPen(QPen(ink, width))
            draw_rects(painter, rects)

    def _paint_boxes(self, painter: QPainter, kind: str, boxes: Floats, below: float, above: float) -> None:
        """`below`, `above`: px of the dark line and of the coloured one on it."""
        rects = self.view.rects(np.asarray(boxes, np.float64))
        style = Qt.PenStyle.DashLine if kind in DASHED else Qt.PenStyle.SolidLine
        under, over = QPen(QColor(0, 0, 0, 150), below), QPen(colour(kind), above, style)
        if kind in OPEN:
            for pen in (under, over):
                pen.setDashPattern([DASH / pen.widthF()] * 2)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in (under, over):
            painter.setPen(pen)
            draw_rects(painter, rects)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.fit()


class BoxLegend(QWidget):
    """A switch for each kind of box, in its colour: in one row, or in two if there is no room for one."""

    def __init__(self, picture: InspectPicture, entries: tuple[LegendEntry, ...]) -> None:
        super().__init__()
        self._picture = picture
        self._switches: dict[LegendEntry, QCheckBox] = {}
        self._columns = (len(entries) + 1) // 2  # in two rows
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(theme.GRID, 0, 0, 0)
        self._grid.setHorizontalSpacing(2 * theme.GRID)
        self._grid.setVerticalSpacing(theme.GRID // 2)
        for entry in entries:
            switch = QCheckBox(entry.words)
            switch.setObjectName(f"inspect-show-{entry.name}")
            switch.setToolTip(entry.help)
            switch.setChecked(True)
            switch.toggled.connect(self.apply)
            self._switches[entry] = switch
        self._place()
        theme.theme().changed.connect(self._draw)
        self._draw()

    def minimumSizeHint(self) -> QSize:
        """Narrow enough for two rows: a single row would keep the whole pane wide."""
        wide = max(switch.sizeHint().width() for switch in self._switches.values())
        height = super().minimumSizeHint().height()
        apart = (self._columns - 1) * self._grid.horizontalSpacing()
        return QSize(theme.GRID + self._columns * wide + apart, height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._place()

    def _place(self) -> None:
        hints = [switch.sizeHint().width() for switch in self._switches.values()]
        apart = (len(hints) - 1) * self._grid.horizontalSpacing()
        in_a_row = theme.GRID + sum(hints) + apart <= self.width()
        columns = len(hints) if in_a_row else self._columns
        for number, switch in enumerate(self._switches.values()):
            self._grid.addWidget(switch, number // columns, number % columns, Qt.AlignmentFlag.AlignLeft)
        self._grid.setColumnStretch(len(hints), 1)

    def apply(self) -> None:
        """Hide in the picture what is switched off here."""
        off = [entry for entry, switch in self._switches.items() if not switch.isChecked()]
        self._picture.set_hidden(frozenset(kind for entry in off for kind in entry.kinds))

    def _draw(self) -> None:
        for entry, switch in self._switches.items():
            kind = entry.kinds[0]
            switch.setIcon(QIcon(sample(sample_ink(kind), is_dashed=kind in DASHED)))
            switch.setIconSize(SAMPLE)


def sample(ink: QColor, *, is_dashed: bool) -> QPixmap:
    """A small box in these lines, for a legend."""
    ratio = theme.device_pixel_ratio()  # else it is too wide on a high-DPI screen
    made = QPixmap(SAMPLE * ratio)
    made.setDevicePixelRatio(ratio)
    made.fill(QColor(0, 0, 0, 0))
    painter = QPainter(made)
    pen = QPen(ink, 1.5)
    if is_dashed:
        pen.setDashPattern([3, 2])
    painter.setPen(pen)
    painter.drawRect(QRectF(1, 1, SAMPLE.width() - 2, SAMPLE.height() - 2))
    painter.end()
    return made


def sample_ink(kind: str) -> QColor:
    """The colour for the legend, on the window's background: those of the runs are darker on a light one."""
    ink = colour(kind)
    return ink.darker(160) if kind in RUNS and not theme.theme().dark else ink


def colour(kind: str) -> QColor:
    """Fixed colours, the same bright ones in both themes: a photograph is no lighter in the light theme."""
    run = kind.removesuffix("_wrong")
    if run in RUNS:
        return QColor(RUNS[run])
    return QColor(getattr(DARK, "accent" if kind in NAMELESS else kind))
