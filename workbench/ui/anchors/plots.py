"""The left of the Anchors page: the boxes and the anchors among them, and the curves of how good those are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from workbench.anchors import Step
from workbench.core import words
from workbench.ui import theme
from workbench.ui.anchors.controls import PlotBar
from workbench.ui.anchors.sizes_plot import Bars, SizesPlot
from workbench.ui.anchors.work import SPLITS, Taken
from workbench.ui.widgets.plot import BOTTOM_RIGHT, Plot

CURVES = ("mean IoU", "IoU above 0.5", "sides within 4 ×")


class Plots(QWidget):
    """`box_clicked(row)`, and `images_chosen(ids)`: those with boxes in a region that are to be listed.

    `dragged(number, width, height)` and `dropped()` as SizesPlot has them.
    """

    box_clicked = Signal(int)
    images_chosen = Signal(object)
    dragged = Signal(int, float, float)
    dropped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._taken: Taken | None = None
        self._region: NDArray[np.int64] = np.zeros(0, np.int64)
        self.sizes = SizesPlot()
        self.sizes.setObjectName("anchors-plot")
        self.sizes.setAccessibleName("Boxes by width and height, and the anchors")
        self.sizes.clicked.connect(self.box_clicked)
        self.sizes.brushed.connect(self._brushed)
        self.sizes.dragged.connect(self.dragged)
        self.sizes.dropped.connect(self.dropped)
        self._bars = Bars(self.sizes, 0), Bars(self.sizes, 1)
        self._curves = Plot("step", "share of 1", corner=BOTTOM_RIGHT, whole_x=True)
        self._curves.setObjectName("anchors-curves")
        self._by_count = Plot("number of anchors", "share of 1", corner=BOTTOM_RIGHT, whole_x=True)
        self._by_count.setObjectName("anchors-by-count")
        self._mark = pg.InfiniteLine(angle=90)
        self._by_count.addItem(self._mark, ignoreBounds=True)
        self.bar = PlotBar()
        self.bar.coloured.connect(self.sizes.set_colouring)
        self.bar.log_set.connect(self._draw)
        self.bar.choosing.connect(self.sizes.set_chooses)
        self.bar.gallery_asked.connect(self._ask_for_images)
        self.bar.region_dropped.connect(self._drop_region)
        self._lay_out()

    def _lay_out(self) -> None:
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(self._bars[0])
        left.addWidget(self.sizes, 1)
        right.addSpacing(self._bars[0].height())
        right.addWidget(self._bars[1], 1)
        beside = QHBoxLayout()
        beside.addLayout(left, 1)
        beside.addLayout(right)
        for layout in (left, right, beside):
            layout.setSpacing(0)
        below = QHBoxLayout()
        below.addWidget(self._curves)
        below.addWidget(self._by_count)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.bar)
        column.addLayout(beside, 3)
        column.addLayout(below, 2)

    # --- what is shown ---

    def begin(self, k: int) -> None:
        """A fit of `k` anchors begins: no curves yet."""
        self._curves.forget()
        self._by_count.forget()
        self._mark.setPen(pg.mkPen(theme.colour("muted"), width=1, style=Qt.PenStyle.DashLine))
        self._mark.setValue(k)

    def show_boxes(self, taken: Taken, *, fit: bool) -> None:
        """`fit`: the axes to them; else what a person looks at stays."""
        self._taken = taken
        self._drop_region()
        self._draw(fit=fit)

    def show_centres(self, centres: NDArray[np.float64]) -> None:
        self.sizes.set_centres(centres)

    def show_steps(self, steps: Sequence[Step]) -> None:
        """The curves of a fit so far."""
        values = zip(*((one.mean_iou, one.recall, one.ratio_recall) for one in steps), strict=True)
        for name, curve in zip(CURVES, values, strict=True):
            self._curves.curve(name, range(len(steps)), curve)

    def add_count(self, step: Step) -> None:
        """What as many anchors as `step` has would do."""
        for name, value in zip(CURVES, (step.mean_iou, step.recall, step.ratio_recall), strict=True):
            known = self._by_count.data(name) if name in self._by_count.names() else ((), ())
            self._by_count.curve(name, [*known[0], len(step.centres)], [*known[1], value])

    @Slot()
    def _draw(self, _log: bool = False, *, fit: bool = True) -> None:
        """The boxes, with the axes as chosen."""
        if self._taken is None:
            return
        boxes, cloud = self._taken.boxes, self._taken.clouds[self.bar.log.isChecked()]
        palettes = {
            "label": [label.colour for label in boxes.names],
            "split": [theme.series(number) for number in range(len(SPLITS))],
        }
        self.sizes.set_cloud(cloud, boxes.groups, palettes, fit=fit)
        for bars in self._bars:
            bars.show_cloud(cloud)

    # --- a region ---

    @Slot(object)
    def _brushed(self, rows: NDArray[np.int64]) -> None:
        assert self._taken is not None
        self._region, boxes = rows, self._taken.boxes
        count, images = len(np.unique(boxes.ids[rows])), len(np.unique(boxes.images[rows]))
        self.bar.show_region(f"{words.count(count, 'box')} of {words.count(images, 'image')} in the region.")

    @Slot()
    def _drop_region(self) -> None:
        self._region = np.zeros(0, np.int64)
        self.sizes.show_region(None)
        self.bar.show_region("")
        if self._taken is not None:
            told = f"{words.count(self._taken.count, 'box')} of {words.count(self._taken.images, 'image')}."
            self.bar.about.setText(f"{told} Click one to see it on its image.")

    @Slot()
    def _ask_for_images(self) -> None:
        if self._taken is not None and len(self._region):
            self.images_chosen.emit(frozenset(np.unique(self._taken.boxes.images[self._region]).tolist()))
