"""The left of the Anchors page: the boxes with the anchors among them, and curves of how good the anchors are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QToolTip, QVBoxLayout, QWidget

from workbench.core import formatting
from workbench.ui import theme
from workbench.ui.anchors.computation import SPLITS, ChosenBoxes, PreparedBoxes
from workbench.ui.anchors.edge_arrows import outside_sentence
from workbench.ui.anchors.fit_curves import FitCurves
from workbench.ui.anchors.histograms import Histogram
from workbench.ui.anchors.plot_bar import PlotBar
from workbench.ui.anchors.sizes_plot import SizesPlot


class Plots(QWidget):
    """`boxes_requested(ChosenBoxes)`: show the clicked box; `region_requested(ChosenBoxes)`: show all in the region."""

    boxes_requested = Signal(object)
    region_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._prepared: PreparedBoxes | None = None
        self._image = 0  # the selected one
        self._region: ChosenBoxes | None = None
        self._outside = 0  # anchors outside the view
        self.sizes = SizesPlot()
        self.sizes.setObjectName("anchors-plot")
        self.sizes.setAccessibleName("Boxes by width and height, and the anchors")
        self.sizes.clicked.connect(self._clicked)
        self.sizes.hovered.connect(self._tell_of)
        self.sizes.brushed.connect(self._brushed)
        self.sizes.outside_counted.connect(self._count_outside)
        self._histograms = Histogram(self.sizes, 0), Histogram(self.sizes, 1)
        self.curves = FitCurves()
        self.bar = PlotBar()
        self.bar.colours.currentIndexChanged.connect(self._choose_colours)
        self.bar.log.toggled.connect(self._draw)
        self.bar.choose.toggled.connect(self.sizes.set_chooses)
        self.bar.gallery.clicked.connect(self._ask_for_images)
        self.bar.drop.clicked.connect(self._drop_region)
        self.bar.whole.clicked.connect(self.sizes.fit)
        self._lay_out()

    def _lay_out(self) -> None:
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(self._histograms[0])
        left.addWidget(self.sizes, 1)
        right.addSpacing(self._histograms[0].height())
        right.addWidget(self._histograms[1], 1)
        beside = QHBoxLayout()
        beside.addLayout(left, 1)
        beside.addLayout(right)
        for layout in (left, right, beside):
            layout.setSpacing(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.bar)
        column.addLayout(beside, 3)
        column.addWidget(self.curves, 2)

    # --- what is shown ---

    def begin(self, k: int, px: int) -> None:
        """A fit of `k` anchors starts: no curves yet."""
        self.curves.begin(k)
        self.sizes.set_limit(px)

    def forget(self) -> None:
        """Show nothing."""
        self._prepared = None
        self._drop_region()
        self.curves.forget()
        self.sizes.show_nothing()
        for histogram in self._histograms:
            histogram.show_cloud(None)
        self.bar.tell("")

    def show_boxes(self, prepared: PreparedBoxes, *, fit: bool) -> None:
        """`fit`: fit the axes to them; otherwise the view stays."""
        self._prepared = prepared
        self._drop_region()
        self._draw(fit=fit)

    @Slot(int)
    def show_image(self, id: int) -> None:
        """Mark the boxes of the image with this id."""
        self._image = id
        if self._prepared is not None:
            boxes = self._prepared.boxes
            self.sizes.ring(boxes.sizes[boxes.images == id])

    def show_centres(self, centres: NDArray[np.float64], *, fit: bool = False) -> None:
        """`fit`: bring all of them into view."""
        self.sizes.set_centres(centres)
        if fit:
            self.sizes.fit_anchors()

    @Slot()
    def _draw(self, _log: bool = False, *, fit: bool = True) -> None:
        """Draw the boxes with the chosen axes."""
        if self._prepared is None:
            return
        boxes, cloud = self._prepared.boxes, self._prepared.clouds[self.bar.log.isChecked()]
        keys = {
            "label": [(label.name, label.colour) for label in boxes.names],
            "split": [(split.words, theme.series_colour(number)) for number, split in enumerate(SPLITS)],
        }
        palettes = {name: [colour for _, colour in key] for name, key in keys.items()}
        there = {name: np.flatnonzero(np.bincount(numbers)).tolist() for name, numbers in boxes.groups.items()}
        self.sizes.set_keys({name: [key[number] for number in there[name]] for name, key in keys.items()})
        self.sizes.set_cloud(cloud, boxes.groups, palettes, fit=fit)
        self.show_image(self._image)
        for histogram in self._histograms:
            histogram.show_cloud(cloud)

    @Slot()
    def _choose_colours(self) -> None:
        self.sizes.set_colouring(str(self.bar.colours.currentData()))

    # --- a region ---

    @Slot(object)
    def _brushed(self, rows: NDArray[np.int64]) -> None:
        assert self._prepared is not None
        boxes = self._prepared.boxes
        self._region = boxes.chosen(rows, "in a region of the Anchors page")
        count, images = len(self._region.ids), len(np.unique(self._region.images))
        text = f"{formatting.count(count, 'box')} of {formatting.count(images, 'image')} in the region."
        self.bar.show_region(text if count else "No box is in the region.", is_empty=not count)

    @Slot()
    def _drop_region(self) -> None:
        self._region = None
        self.sizes.show_region(None)
        self.bar.show_region("")
        self._tell()

    @Slot(int)
    def _count_outside(self, count: int) -> None:
        if count != self._outside:
            self._outside = count
            self._tell()

    def _tell(self) -> None:
        """Say what is shown; first what is outside the view, then what can be done."""
        if self._prepared is None:
            return
        text = f"{formatting.count(self._prepared.count, 'box')} of {formatting.count(self._prepared.images, 'image')}."
        whole = f"{text} No training image has a box: these are all." if self._prepared.fell_back else text
        short = f"{text} None is to train on." if self._prepared.fell_back else text
        if self._outside:
            outside = f"{outside_sentence(self._outside)}."
            self.bar.tell(f"{whole} {outside}", f"{short} {outside}", outside)
        else:
            self.bar.tell(f"{whole} Click one to see it on its image.", whole, short, text)

    @Slot()
    def _ask_for_images(self) -> None:
        if self._region is not None and len(self._region.ids):
            self.region_requested.emit(self._region)

    # --- a single box ---

    @Slot(int)
    def _clicked(self, row: int) -> None:
        assert self._prepared is not None
        self.boxes_requested.emit(self._prepared.boxes.chosen(np.array([row]), ""))

    @Slot(int, QPoint)
    def _tell_of(self, row: int, place: QPoint) -> None:
        assert self._prepared is not None
        boxes = self._prepared.boxes
        (w, h), name = boxes.sizes[row].tolist(), boxes.names[int(boxes.labels[row])].name
        QToolTip.showText(place, f"{name}, {w:.1f} × {h:.1f} px. A click shows it on its image.", self.sizes)
