"""The left of the Anchors page: the boxes and the anchors among them, and the curves of how good those are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QToolTip, QVBoxLayout, QWidget

from workbench.anchors import Step
from workbench.core import words
from workbench.core.project import Split
from workbench.ui import theme
from workbench.ui.anchors.bars import Bars
from workbench.ui.anchors.controls import PlotBar
from workbench.ui.anchors.sizes_plot import SizesPlot
from workbench.ui.anchors.work import MOST_ANCHORS, SPLITS, Chosen, Taken
from workbench.ui.widgets.plot import BOTTOM_RIGHT, Plot

SPLIT_NAMES = {Split.NONE: "no split", Split.TRAIN: "train", Split.VALIDATION: "validation", Split.TEST: "test"}
CURVES = ("mean IoU", "IoU above 0.5", "sides within 4 ×")
TOP = 101.0  # percent: the line of 100 is seen whole


class Plots(QWidget):
    """`boxes_asked(Chosen)`: the one that was clicked is to be seen; `region_asked(Chosen)`: those of the region.

    `dragged(number, width, height)`, `dropped()` and `anchor_clicked(number)` as SizesPlot has them.
    """

    boxes_asked = Signal(object)
    region_asked = Signal(object)
    anchor_clicked = Signal(int)
    dragged = Signal(int, float, float)
    dropped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._taken: Taken | None = None
        self._region: Chosen | None = None
        self.sizes = SizesPlot()
        self.sizes.setObjectName("anchors-plot")
        self.sizes.setAccessibleName("Boxes by width and height, and the anchors")
        self.sizes.clicked.connect(self._clicked)
        self.sizes.anchor_clicked.connect(self.anchor_clicked)
        self.sizes.pointed.connect(self._tell_of)
        self.sizes.brushed.connect(self._brushed)
        self.sizes.dragged.connect(self.dragged)
        self.sizes.dropped.connect(self.dropped)
        self._bars = Bars(self.sizes, 0), Bars(self.sizes, 1)
        self._curves = Plot("step", "%", corner=BOTTOM_RIGHT, whole_x=True)
        self._curves.setObjectName("anchors-curves")
        self._by_count = Plot("number of anchors", "%", corner=BOTTOM_RIGHT, whole_x=True)
        self._by_count.setObjectName("anchors-by-count")
        self._mark = pg.InfiniteLine(angle=90)
        self._by_count.addItem(self._mark, ignoreBounds=True)
        self._stage = pg.InfiniteLine(angle=90)
        self._curves.addItem(self._stage, ignoreBounds=True)
        for plot in (self._curves, self._by_count):
            plot.getPlotItem().vb.setLimits(yMin=0, yMax=TOP)
        self._by_count.setXRange(1, MOST_ANCHORS, padding=0.03)
        self.bar = PlotBar()
        self.bar.coloured.connect(self.sizes.set_colouring)
        self.bar.log_set.connect(self._draw)
        self.bar.choosing.connect(self.sizes.set_chooses)
        self.bar.gallery_asked.connect(self._ask_for_images)
        self.bar.region_dropped.connect(self._drop_region)
        self.bar.all_asked.connect(self.sizes.fit)
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

    def begin(self, k: int, px: int) -> None:
        """A fit of `k` anchors begins: no curves yet."""
        self._curves.forget()
        self._by_count.forget()
        for line in (self._mark, self._stage):
            line.setPen(pg.mkPen(theme.colour("muted"), width=1, style=Qt.PenStyle.DashLine))
        self._mark.setValue(k)
        self._stage.hide()
        self._curves.note("")
        self.sizes.set_limit(px)

    def forget(self) -> None:
        """Nothing to show."""
        self._taken = None
        self._drop_region()
        self._curves.forget()
        self._by_count.forget()
        self._stage.hide()
        self.sizes.show_nothing()
        for bars in self._bars:
            bars.show_cloud(None)
        self.bar.about.setText("")

    def begin_stage(self, step: int) -> None:
        """From this step on the anchors are refined."""
        self._stage.setValue(step)
        self._stage.show()
        self._curves.note(f"refined from step {step} on")

    def show_boxes(self, taken: Taken, *, fit: bool) -> None:
        """`fit`: the axes to them; else what a person looks at stays."""
        self._taken = taken
        self._drop_region()
        self._draw(fit=fit)

    def show_centres(self, centres: NDArray[np.float64], *, fit: bool = False) -> None:
        """`fit`: all are to be seen."""
        self.sizes.set_centres(centres)
        if fit:
            self.sizes.fit_anchors()

    def show_steps(self, steps: Sequence[Step]) -> None:
        """The curves of a fit so far."""
        for name, values in _percents(steps):
            self._curves.curve(name, range(len(steps)), values)

    def add_count(self, step: Step) -> None:
        """What as many anchors as `step` has would do."""
        for name, (value,) in _percents([step]):
            known = self._by_count.data(name) if name in self._by_count.names() else ((), ())
            self._by_count.curve(name, [*known[0], len(step.centres)], [*known[1], value])

    def show_counts(self, steps: Sequence[Step]) -> None:
        """The same for all numbers."""
        for name, values in _percents(steps):
            self._by_count.curve(name, [len(one.centres) for one in steps], values)

    @Slot()
    def _draw(self, _log: bool = False, *, fit: bool = True) -> None:
        """The boxes, with the axes as chosen."""
        if self._taken is None:
            return
        boxes, cloud = self._taken.boxes, self._taken.clouds[self.bar.log.isChecked()]
        keys = {
            "label": [(label.name, label.colour) for label in boxes.names],
            "split": [(SPLIT_NAMES[split], theme.series(number)) for number, split in enumerate(SPLITS)],
        }
        palettes = {name: [colour for _, colour in key] for name, key in keys.items()}
        there = {name: np.flatnonzero(np.bincount(numbers)).tolist() for name, numbers in boxes.groups.items()}
        self.sizes.set_keys({name: [key[number] for number in there[name]] for name, key in keys.items()})
        self.sizes.set_cloud(cloud, boxes.groups, palettes, fit=fit)
        for bars in self._bars:
            bars.show_cloud(cloud)

    # --- a region ---

    @Slot(object)
    def _brushed(self, rows: NDArray[np.int64]) -> None:
        assert self._taken is not None
        boxes = self._taken.boxes
        self._region = boxes.chosen(rows, "in a region of the Anchors page")
        count, images = len(self._region.ids), len(np.unique(self._region.images))
        told = f"{words.count(count, 'box')} of {words.count(images, 'image')} in the region."
        self.bar.show_region(told if count else "No box is in the region.", is_empty=not count)

    @Slot()
    def _drop_region(self) -> None:
        self._region = None
        self.sizes.show_region(None)
        self.bar.show_region("")
        if self._taken is not None:
            told = f"{words.count(self._taken.count, 'box')} of {words.count(self._taken.images, 'image')}."
            why = " No training image has a box, so these are all." if self._taken.fell_back else ""
            self.bar.about.setText(f"{told}{why} Click one to see it on its image.")

    @Slot()
    def _ask_for_images(self) -> None:
        if self._region is not None and len(self._region.ids):
            self.region_asked.emit(self._region)

    # --- a single box ---

    @Slot(int)
    def _clicked(self, row: int) -> None:
        assert self._taken is not None
        self.boxes_asked.emit(self._taken.boxes.chosen(np.array([row]), ""))

    @Slot(int, QPoint)
    def _tell_of(self, row: int, place: QPoint) -> None:
        assert self._taken is not None
        boxes = self._taken.boxes
        (w, h), name = boxes.sizes[row].tolist(), boxes.names[int(boxes.labels[row])].name
        QToolTip.showText(place, f"{name}, {w:.1f} × {h:.1f} px. A click shows it on its image.", self.sizes)


def _percents(steps: Sequence[Step]) -> list[tuple[str, list[float]]]:
    """Each curve's name and values."""
    values = [(one.mean_iou, one.recall, one.ratio_recall) for one in steps]
    return [(name, [100 * one[place] for one in values]) for place, name in enumerate(CURVES)]
