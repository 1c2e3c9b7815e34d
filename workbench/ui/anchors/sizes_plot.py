"""The plot of box sizes with draggable anchors; a region of it can be chosen.

Points, or a density if there are many, are coloured by the anchor that serves them, by label or by split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QHelpEvent, QPen
from PySide6.QtWidgets import QGraphicsRectItem, QWidget

from workbench import anchors
from workbench.ui import theme
from workbench.ui.anchors.anchor_rectangles import cluster_colour
from workbench.ui.anchors.cloud import Cloud
from workbench.ui.anchors.colour_key import ColourKey
from workbench.ui.anchors.edge_arrows import EdgeArrows
from workbench.ui.anchors.points import Colours, Points
from workbench.ui.anchors.size_lines import SizeLines
from workbench.ui.plots.plot import Plot

REACH = 12.0  # screen pixels from a point within which a click hits it
GRIP = 10.0  # and from the middle of an anchor
USUAL = 416.0
"""Range of the axes in pixels while there is nothing to show."""
RING = 13  # px
CURRENT = "on the current image"


def _rgb(colours: Sequence[str]) -> Colours:
    found = [QColor(colour) for colour in colours]
    return np.array([(c.red(), c.green(), c.blue()) for c in found], np.uint8).reshape(-1, 3)


class _Area(pg.ViewBox):  # type: ignore[misc]
    """With Shift, or if `chooses`, a drag draws a rectangle instead of moving the view."""

    brushed = Signal(object)  # QRectF in plot coordinates

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
    """`clicked(row)`: a box was clicked; `anchor_clicked(number)`: an anchor was, without being moved.

    `hovered(row, place on the screen)`: say which box this is. `brushed(rows)`: the boxes in a drawn rectangle.
    `dragged(number, width, height)` while an anchor is moved by hand, then `dropped()`.
    `outside_counted(count)`: this many anchors are outside the view, where arrows point to them.
    """

    clicked = Signal(int)
    anchor_clicked = Signal(int)
    hovered = Signal(int, QPoint)
    brushed = Signal(object)
    dragged = Signal(int, float, float)
    dropped = Signal()
    outside_counted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._area = _Area()
        super().__init__("width (px of the network input)", "height (px)", parent, legend=False, view_box=self._area)
        self._log = False
        self._cloud: Cloud | None = None
        self._groups: Mapping[str, NDArray[np.int64]] = {}
        self._palettes: dict[str, Colours] = {}
        self._keys: dict[str, Sequence[tuple[str, str]]] = {}
        self._colouring = "anchor"
        self._centres: NDArray[np.float64] = np.zeros((0, 2))
        self._px = 2048
        self._points, self._density = Points(), pg.ImageItem(axisOrder="row-major")
        self._rings = pg.ScatterPlotItem(size=RING, pxMode=True)
        self._ringed: NDArray[np.float64] = np.zeros((0, 2))
        self._key = ColourKey(self)
        self._lines, self._arrows = SizeLines(self._area), EdgeArrows(self._area)
        self._key.placed.connect(self._lines.avoid)
        self._handles: list[pg.TargetItem] = []
        self._is_setting = False
        self._density.setZValue(-10)
        self._rings.setZValue(10)
        for item in (self._density, self._points):
            self.addItem(item)
        self.addItem(self._rings, ignoreBounds=True)
        self._area.brushed.connect(self._brushed)
        self.scene().sigMouseClicked.connect(self._clicked)
        for changed in (self._area.sigRangeChanged, self._area.sigResized):
            changed.connect(self._count_outside)  # after the arrows are updated
        theme.theme().changed.connect(self._take_colours)
        self._area.setRange(QRectF(0, 0, USUAL, USUAL), padding=0)  # no negative sides, even before there are boxes

    # --- what is shown ---

    def set_cloud(
        self,
        cloud: Cloud,
        groups: Mapping[str, NDArray[np.int64]],
        palettes: Mapping[str, Sequence[str]],
        *,
        fit: bool = True,
    ) -> None:
        """Show these boxes. `groups`: by colouring, (n,) indices into its colours in `palettes`. `fit`: the axes."""
        self._cloud, self._groups = cloud, groups
        self._palettes = {name: _rgb(colours) for name, colours in palettes.items()}
        self._key.show_colours(self._keys.get(self._colouring, ()))
        if cloud.log != self._log:
            self._log = cloud.log
            for side in ("left", "bottom"):
                axis = self.getPlotItem().getAxis(side)
                axis.setLogMode(self._log, self._log)
                axis.logTickStrings = _plain_numbers
            fit = True
        self._area.show_region(None)
        self._lines.draw(self._cloud)
        self._paint_colours()
        self._draw_rings()
        self._place_handles()
        if fit:
            self.fit()

    def show_nothing(self) -> None:
        """Remove all boxes and anchors."""
        self._cloud, self._centres = None, np.zeros((0, 2))
        self._points.hide()
        self._density.hide()
        self._area.show_region(None)
        self._key.show_colours(())
        self.ring(np.zeros((0, 2)))
        self._lines.draw(self._cloud)
        self._place_handles()

    def ring(self, sizes: NDArray[np.float64]) -> None:
        """Draw rings around boxes with these (n, 2) widths and heights: those of the image selected elsewhere."""
        self._ringed = sizes
        self._key.show_ring(CURRENT if len(sizes) else "")
        self._draw_rings()

    def _draw_rings(self) -> None:
        places = np.log10(np.maximum(self._ringed, 1e-9)) if self._log else self._ringed
        self._rings.setData(pos=places, pen=pg.mkPen(theme.colours().text, width=1.5), brush=pg.mkBrush(None))

    @Slot()
    def fit(self) -> None:
        """Show all boxes and anchors."""
        if self._cloud is not None:
            places = self._places()
            low = np.minimum(self._cloud.low, places.min(axis=0, initial=np.inf))
            high = np.maximum(self._cloud.high, places.max(axis=0, initial=-np.inf))
            room = np.where((low < self._cloud.low) | (high > self._cloud.high), 0.04 * (high - low), 0.0)
            self._area.setRange(QRectF(QPointF(*(low - room).tolist()), QPointF(*(high + room).tolist())), padding=0)

    def fit_anchors(self) -> None:
        """Show all if an anchor is outside the view."""
        (left, right), (bottom, top) = self._area.viewRange()
        places = self._places()
        if ((places < (left, bottom)) | (places > (right, top))).any():
            self.fit()

    def _places(self) -> NDArray[np.float64]:
        """(k, 2) the anchors' places in the plot."""
        return np.log10(np.maximum(self._centres, 1e-6)) if self._log else self._centres

    def set_centres(self, centres: NDArray[np.float64]) -> None:
        """Show these anchors (k, 2)."""
        self._centres = np.asarray(centres, float).reshape(-1, 2)
        self._place_handles()
        if self._colouring == "anchor":
            self._paint_colours()

    def set_colouring(self, name: str) -> None:
        """ "anchor", or one of the groups."""
        self._colouring = name
        self._key.show_colours(self._keys.get(name, ()))
        self._paint_colours()

    def set_keys(self, keys: Mapping[str, Sequence[tuple[str, str]]]) -> None:
        """What the colours of each colouring mean, (name, colour) each."""
        self._keys = dict(keys)

    def set_limit(self, px: int) -> None:
        """The input side, which limits drags. If it changes, the shown anchors no longer apply."""
        if px != self._px:
            self.set_centres(np.zeros((0, 2)))
        self._px = px

    def set_chooses(self, on: bool) -> None:
        """Whether a drag chooses a region even without Shift."""
        self._area.chooses = on

    def show_region(self, area: QRectF | None) -> None:
        self._area.show_region(area)

    @Slot()
    def _take_colours(self) -> None:
        """Use the theme's colours, as Plot.restyle does."""
        self._lines.draw(self._cloud)
        self._paint_colours()
        self._draw_rings()
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

    # --- anchors that are dragged ---

    def _place_handles(self) -> None:
        while len(self._handles) < len(self._centres):
            handle = pg.TargetItem(size=14, symbol="crosshair", movable=True)
            handle.setZValue(20)
            handle.sigPositionChanged.connect(self._moved)
            handle.sigPositionChangeFinished.connect(self._dropped)
            self.addItem(handle, ignoreBounds=True)
            self._handles.append(handle)
        self._is_setting = True
        places = self._places()
        for number, handle in enumerate(self._handles):
            handle.setVisible(number < len(places))
            if number < len(places):
                ink = cluster_colour(number)
                handle.setPen(pg.mkPen(theme.colours().text, width=2))
                handle.setHoverPen(pg.mkPen(theme.colours().accent, width=3))
                handle.setBrush(pg.mkBrush(ink))
                w, h = self._centres[number].tolist()
                handle.setToolTip(f"Anchor of {w:.1f} × {h:.1f} px. Drag it; a click shows it in the table.")
                if not handle.moving:
                    handle.setPos(*places[number].tolist())
        self._is_setting = False
        self._arrows.show_anchors(places, self._centres)
        self._count_outside()

    @Slot()
    def _count_outside(self, *_: object) -> None:
        self.outside_counted.emit(len(self._arrows.numbers()))

    @Slot(object)
    def _moved(self, handle: pg.TargetItem) -> None:
        if self._is_setting:
            return
        number, place = self._handles.index(handle), np.array([handle.pos().x(), handle.pos().y()])
        width, height = np.clip(10**place if self._log else place, 1.0, self._px).tolist()
        self.dragged.emit(number, width, height)

    @Slot(object)
    def _dropped(self, _handle: pg.TargetItem) -> None:
        self._place_handles()  # it may have been dropped farther out than its anchor can go
        self.dropped.emit()

    # --- clicks ---

    @Slot(object)
    def _clicked(self, event: object) -> None:
        if self._cloud is None or event.button() != Qt.MouseButton.LeftButton:  # type: ignore[attr-defined]
            return
        number = self._anchor_at(event.scenePos())  # type: ignore[attr-defined]
        if number is not None:
            self.anchor_clicked.emit(number)
            return
        row = self._row_at(event.scenePos())  # type: ignore[attr-defined]
        if row is not None:
            self.clicked.emit(row)

    def _anchor_at(self, place: QPointF) -> int | None:
        """The anchor at a place of the scene, or the anchor whose arrow is there."""
        if not len(self._centres):
            return None
        arrow = self._arrows.at(place)
        if arrow is not None:
            return arrow
        at, unit = self._area.mapSceneToView(place), np.array(self._area.viewPixelSize())
        apart = np.hypot(*((self._places() - (at.x(), at.y())) / unit).T)
        return int(apart.argmin()) if apart.min() <= GRIP else None

    def _row_at(self, place: QPointF) -> int | None:
        """The box nearest to a place of the scene, if it is within reach."""
        if self._cloud is None:
            return None
        at, unit = self._area.mapSceneToView(place), self._area.viewPixelSize()
        row, apart = self._cloud.nearest((at.x(), at.y()), (float(unit[0]), float(unit[1])))
        return row if apart <= REACH else None

    def viewportEvent(self, event: QEvent) -> bool:
        """Over a point, emit `hovered`."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            place = self.mapToScene(event.pos())
            row = self._row_at(place) if self._anchor_at(place) is None else None
            if row is not None:
                self.hovered.emit(row, event.globalPos())
                return True
        return bool(super().viewportEvent(event))

    @Slot(object)
    def _brushed(self, area: QRectF) -> None:
        if self._cloud is not None:
            rows = self._cloud.inside((area.left(), area.top()), (area.right(), area.bottom()))
            self.brushed.emit(rows)


def _plain_numbers(values: Iterable[float], _scale: float, _spacing: float) -> list[str]:
    """Ticks of a logarithmic axis as 20 and 100, not as 2·10¹ and 10²; between powers, only 1, 2 and 5 have room."""
    return [f"{10**value:.4g}" if f"{10**value:e}"[0] in "125" else "" for value in values]
