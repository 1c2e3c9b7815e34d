"""The plot of box sizes with the anchors in it, which can be dragged; a region of it can be chosen.

Points, or a density when there are many, are coloured by the anchor that serves them, by label or by split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QGraphicsPathItem, QGraphicsRectItem, QStyleOptionGraphicsItem, QWidget

from workbench import anchors
from workbench.core.project import LABEL_COLOURS
from workbench.ui import theme
from workbench.ui.anchors.cloud import Cloud
from workbench.ui.widgets.plot import Plot

BAR_ROOM = 48  # px
REACH = 12.0  # screen pixels from a point that still mean it
AREAS = (32.0, 96.0)  # px: COCO's small and large objects begin there
ASPECTS = {0.25: "1 : 4", 0.5: "1 : 2", 1.0: "1 : 1", 2.0: "2 : 1", 4.0: "4 : 1"}  # width by height
_SIZE = 5  # px of a point
_ROUND = 4_000  # points from which they are square, which paints four times as fast

Colours = NDArray[np.uint8]


def cluster_colour(number: int) -> QColor:
    return QColor(LABEL_COLOURS[number % len(LABEL_COLOURS)])


def _rgb(colours: Sequence[str]) -> Colours:
    found = [QColor(colour) for colour in colours]
    return np.array([(c.red(), c.green(), c.blue()) for c in found], np.uint8).reshape(-1, 3)


class _Points(pg.GraphicsObject):  # type: ignore[misc]
    """Up to some ten thousand points, a colour for each group of them: painted as one polygon a group."""

    def __init__(self) -> None:
        super().__init__()
        self._groups: list[tuple[QColor, NDArray[np.float64], NDArray[np.float64]]] = []
        self._cap = Qt.PenCapStyle.RoundCap
        self._area = QRectF()

    def set_points(self, places: NDArray[np.float64], colours: Colours) -> None:
        self.prepareGeometryChange()
        self._groups = []
        if len(places):
            low, high = places.min(axis=0), places.max(axis=0)
            self._area = QRectF(low[0], low[1], max(high[0] - low[0], 1e-9), max(high[1] - low[1], 1e-9))
            codes = colours.astype(np.int64) @ (65_536, 256, 1)
            for code in np.unique(codes).tolist():
                made = QColor(code >> 16, code >> 8 & 255, code & 255, 150)
                x, y = places[codes == code].T
                self._groups.append((made, np.ascontiguousarray(x), np.ascontiguousarray(y)))
        self._cap = Qt.PenCapStyle.RoundCap if len(places) < _ROUND else Qt.PenCapStyle.SquareCap
        self.update()

    def boundingRect(self) -> QRectF:
        return self._area

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        for colour, x, y in self._groups:
            pen = QPen(colour, _SIZE)
            pen.setCosmetic(True)
            pen.setCapStyle(self._cap)
            painter.setPen(pen)
            painter.drawPointsNp(x, y)  # type: ignore[arg-type]  # arrays are what it is for


class _Area(pg.ViewBox):  # type: ignore[misc]
    """A drag with Shift, or while `chooses`, draws a rectangle instead of moving the picture."""

    brushed = Signal(object)  # QRectF in the plot's places

    def __init__(self) -> None:
        super().__init__()
        self.chooses = False
        self._rect = QGraphicsRectItem()
        self._rect.setZValue(1e6)
        self._rect.hide()
        self.addItem(self._rect, ignoreBounds=True)

    def mouseDragEvent(self, event: object, axis: int | None = None) -> None:
        shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier  # type: ignore[attr-defined]
        if not (self.chooses or shift) or event.button() != Qt.MouseButton.LeftButton:  # type: ignore[attr-defined]
            super().mouseDragEvent(event, axis)
            return
        event.accept()  # type: ignore[attr-defined]
        corners = (self.mapToView(event.buttonDownPos()), self.mapToView(event.pos()))  # type: ignore[attr-defined]
        area = QRectF(*corners).normalized()
        self.show_region(area)
        if event.isFinish():  # type: ignore[attr-defined]
            self.brushed.emit(area)

    def show_region(self, area: QRectF | None) -> None:
        if area is not None:
            pen = QPen(theme.colour("accent"), 2)
            pen.setCosmetic(True)
            brush = theme.colour("accent")
            brush.setAlpha(40)
            self._rect.setPen(pen)
            self._rect.setBrush(brush)
            self._rect.setRect(area)
        self._rect.setVisible(area is not None)


class SizesPlot(Plot):
    """`clicked(row)`: of the box that was clicked. `brushed(rows)`: of those in a rectangle that was drawn.

    `dragged(number, width, height)` while an anchor is moved by hand, `dropped()` after it.
    """

    clicked = Signal(int)
    brushed = Signal(object)
    dragged = Signal(int, float, float)
    dropped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        self._area = _Area()
        super().__init__("width (px of the network input)", "height (px)", parent, legend=False, view_box=self._area)
        self._log = False
        self._cloud: Cloud | None = None
        self._groups: Mapping[str, NDArray[np.int64]] = {}
        self._palettes: dict[str, Colours] = {}
        self._colouring = "anchor"
        self._centres: NDArray[np.float64] = np.zeros((0, 2))
        self._points, self._density = _Points(), pg.ImageItem(axisOrder="row-major")
        self._lines: list[pg.GraphicsObject] = []
        self._handles: list[pg.TargetItem] = []
        self._is_setting = False
        self._density.setZValue(-10)
        for item in (self._density, self._points):
            self.addItem(item)
        self._area.brushed.connect(self._brushed)
        self.scene().sigMouseClicked.connect(self._clicked)

    # --- what is shown ---

    def set_cloud(
        self,
        cloud: Cloud,
        groups: Mapping[str, NDArray[np.int64]],
        palettes: Mapping[str, Sequence[str]],
        *,
        fit: bool = True,
    ) -> None:
        """Show these boxes. `groups`: by colouring, (n,) numbers of its colours in `palettes`. `fit`: the axes."""
        self._cloud, self._groups = cloud, groups
        self._palettes = {name: _rgb(colours) for name, colours in palettes.items()}
        if cloud.log != self._log:
            self._log = cloud.log
            for side in ("left", "bottom"):
                axis = self.getPlotItem().getAxis(side)
                axis.setLogMode(self._log, self._log)
                axis.logTickStrings = _plain_numbers
            fit = True
        self._area.show_region(None)
        self._draw_lines()
        self._paint_colours()
        self._place_handles()
        if fit:
            self.fit()

    def fit(self) -> None:
        if self._cloud is not None:
            low, high = self._cloud.low.tolist(), self._cloud.high.tolist()
            self._area.setRange(QRectF(QPointF(*low), QPointF(*high)), padding=0)

    def set_centres(self, centres: NDArray[np.float64]) -> None:
        """Show these anchors (k, 2)."""
        self._centres = np.asarray(centres, float).reshape(-1, 2)
        self._place_handles()
        if self._colouring == "anchor":
            self._paint_colours()

    def set_colouring(self, name: str) -> None:
        """ "anchor", or one of the groups."""
        self._colouring = name
        self._paint_colours()

    def set_chooses(self, on: bool) -> None:
        """Whether a drag chooses a region, also without Shift."""
        self._area.chooses = on

    def show_region(self, area: QRectF | None) -> None:
        self._area.show_region(area)

    @Slot()
    def restyle(self) -> None:
        super().restyle()
        if hasattr(self, "_handles") and self._cloud is not None:
            self._draw_lines()
            self._paint_colours()
            self._place_handles()

    def _paint_colours(self) -> None:
        cloud = self._cloud
        if cloud is None:
            return
        sizes = cloud.middles if cloud.cells is not None else self._sizes()
        if self._colouring == "anchor":
            palette = _rgb([cluster_colour(number).name() for number in range(max(len(self._centres), 1))])
            if not len(self._centres):
                palette = _rgb([theme.colours().muted])
            rows = anchors.assign(sizes, self._centres) if len(self._centres) else np.zeros(len(sizes), np.int64)
        else:
            palette = self._palettes[self._colouring]
            rows = cloud.majorities[self._colouring] if cloud.cells is not None else self._groups[self._colouring]
        if cloud.cells is None:
            self._points.set_points(cloud.places, palette[rows])
        else:
            self._density.setImage(cloud.picture(palette[rows]), autoLevels=False, levels=(0, 255))
            low, high = cloud.low.tolist(), cloud.high.tolist()
            self._density.setRect(QRectF(QPointF(*low), QPointF(*high)))
        self._points.setVisible(cloud.cells is None)
        self._density.setVisible(cloud.cells is not None)

    def _sizes(self) -> NDArray[np.float64]:
        assert self._cloud is not None
        return np.asarray(10**self._cloud.places if self._log else self._cloud.places)

    # --- lines of one area and of one shape ---

    def _draw_lines(self) -> None:
        for line in self._lines:
            self.removeItem(line)
        self._lines = []
        if self._cloud is None or not len(self._cloud):
            return
        high = 10**self._cloud.high if self._log else self._cloud.high
        low = 10**self._cloud.low if self._log else np.full(2, float(high.max()) / 200)
        w = np.geomspace(max(float(low[0]), 1e-3), float(high[0]), 64)
        for side in AREAS:
            self._line(w, side * side / w, Qt.PenStyle.DashLine, f"{side:.0f} × {side:.0f} px", first=True)
        for aspect, name in ASPECTS.items():
            style = Qt.PenStyle.SolidLine if aspect == 1 else Qt.PenStyle.DotLine
            self._line(w, w / aspect, style, name, first=False)

    def _line(
        self, w: NDArray[np.float64], h: NDArray[np.float64], style: Qt.PenStyle, name: str, *, first: bool
    ) -> None:
        """Its name stands at its first or last point that is seen."""
        assert self._cloud is not None
        x, y = (np.log10(w), np.log10(h)) if self._log else (w, h)
        seen = (y >= self._cloud.low[1]) & (y <= self._cloud.high[1])
        if seen.sum() < 2:
            return
        line = pg.PlotCurveItem(x[seen], y[seen], pen=pg.mkPen(theme.colour("border"), width=1, style=style))
        line.setZValue(-20)
        words = pg.TextItem(name, color=theme.colour("muted"), anchor=(0, 0) if first else (1, 0))
        words.setFont(theme.font(theme.SMALL))
        place = np.flatnonzero(seen)[0 if first else -1]
        words.setPos(float(x[place]), float(y[place]))
        words.setZValue(-20)
        for item in (line, words):
            self.addItem(item, ignoreBounds=True)
            self._lines.append(item)

    # --- anchors that are dragged ---

    def _place_handles(self) -> None:
        while len(self._handles) < len(self._centres):
            number = len(self._handles)
            handle = pg.TargetItem(size=14, symbol="crosshair", movable=True)
            handle.setZValue(20)
            handle.sigPositionChanged.connect(lambda _=None, number=number: self._moved(number))
            handle.sigPositionChangeFinished.connect(lambda _=None: self.dropped.emit())
            self.addItem(handle, ignoreBounds=True)
            self._handles.append(handle)
        self._is_setting = True
        places = np.log10(np.maximum(self._centres, 1e-6)) if self._log else self._centres
        for number, handle in enumerate(self._handles):
            handle.setVisible(number < len(places))
            if number < len(places):
                ink = cluster_colour(number)
                handle.setPen(pg.mkPen(theme.colours().text, width=2))
                handle.setHoverPen(pg.mkPen(theme.colours().accent, width=3))
                handle.setBrush(pg.mkBrush(ink))
                if not handle.moving:
                    handle.setPos(*places[number].tolist())
        self._is_setting = False

    def _moved(self, number: int) -> None:
        if self._is_setting:
            return
        place = np.array([self._handles[number].pos().x(), self._handles[number].pos().y()])
        width, height = np.clip(10**place if self._log else place, 1.0, 1e5).tolist()
        self.dragged.emit(number, width, height)

    # --- clicks ---

    @Slot(object)
    def _clicked(self, event: object) -> None:
        if self._cloud is None or event.button() != Qt.MouseButton.LeftButton:  # type: ignore[attr-defined]
            return
        at = self._area.mapSceneToView(event.scenePos())  # type: ignore[attr-defined]
        unit = self._area.viewPixelSize()
        row, apart = self._cloud.nearest((at.x(), at.y()), (float(unit[0]), float(unit[1])))
        if apart <= REACH:
            self.clicked.emit(row)

    @Slot(object)
    def _brushed(self, area: QRectF) -> None:
        if self._cloud is not None:
            rows = self._cloud.inside((area.left(), area.top()), (area.right(), area.bottom()))
            self.brushed.emit(rows)


def _plain_numbers(values: Iterable[float], _scale: float, _spacing: float) -> list[str]:
    """Ticks of a logarithmic axis as 20 and 100, not as 2·10¹ and 10²; of those between, 1, 2 and 5 have room."""
    return [f"{10**value:.4g}" if f"{10**value:e}"[0] in "125" else "" for value in values]


class Bars(pg.PlotWidget):  # type: ignore[misc]
    """The histogram beside an axis of the plot, whose range it follows: 0 above it, 1 at its right."""

    def __init__(self, of: SizesPlot, axis: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axis = axis
        self._path = QGraphicsPathItem()
        self.getPlotItem().vb.addItem(self._path, ignoreBounds=True)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        (self.setXLink if axis == 0 else self.setYLink)(of)
        (self.setFixedHeight if axis == 0 else self.setFixedWidth)(BAR_ROOM)
        if axis == 0:  # as wide at the left as the plot's own axis, so that bars stand above their boxes
            self.getPlotItem().getAxis("left").setStyle(showValues=False, tickLength=0)
            of.getPlotItem().getAxis("left").geometryChanged.connect(lambda: self._align(of))
        self.setAccessibleName("Boxes by width" if axis == 0 else "Boxes by height")
        theme.theme().changed.connect(self.restyle)
        self.restyle()

    def _align(self, of: SizesPlot) -> None:
        self.getPlotItem().getAxis("left").setWidth(of.getPlotItem().getAxis("left").width())

    @Slot()
    def restyle(self) -> None:
        theme.style_plot(self)
        self.getPlotItem().showGrid(False, False)
        self.getPlotItem().hideAxis("bottom")
        if self._axis:
            self.getPlotItem().hideAxis("left")
        else:
            self.getPlotItem().getAxis("left").setPen(None)
        ink = theme.colour("muted")
        ink.setAlpha(140)
        self._path.setBrush(ink)
        self._path.setPen(QPen(Qt.PenStyle.NoPen))

    def show_cloud(self, cloud: Cloud) -> None:
        edges, counts = cloud.edges[self._axis], cloud.bars[self._axis]
        along, up = np.repeat(edges, 2), np.concatenate([[0.0], np.repeat(counts, 2), [0.0]])
        x, y = (along, up) if self._axis == 0 else (up, along)
        self._path.setPath(pg.arrayToQPath(x, y))
        most = max(float(counts.max(initial=0)), 1.0)
        (self.setYRange if self._axis == 0 else self.setXRange)(0, most, padding=0)


class ToScale(QWidget):
    """The anchors as rectangles round one centre, in the network's square."""

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
