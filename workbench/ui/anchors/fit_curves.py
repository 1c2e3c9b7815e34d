"""Below the boxes: how good the fit was at each step, and how good other numbers of anchors would be.

If another set than the fit is shown, the title says so and a dashed line marks its mean IoU.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from workbench import anchors
from workbench.anchors import Step
from workbench.ui import theme
from workbench.ui.anchors.computation import MOST_ANCHORS
from workbench.ui.anchors.fitting_label import FittingLabel
from workbench.ui.plots.plot import BOTTOM_RIGHT, Plot

CURVES = ("mean IoU", "IoU above 0.5", "sides within 4 ×")
SHOWN = "mean IoU, as shown"
"""The other set's line."""
TOP = 101.0  # percent: the line at 100 is not cut off


class FitCurves(QWidget):
    """Two plots side by side, each with a title. `count_chosen(k)`: a click in the right one."""

    count_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._refined_from: int | None = None
        self._other: tuple[str, float] | None = None  # name and mean IoU of the shown set, unless it is the fit
        self.steps = Plot("step", "%", corner=BOTTOM_RIGHT, above=True, integer_x=True)
        self.steps.setObjectName("anchors-curves")
        self.steps.setAccessibleName("The fit, step by step")
        self.by_count = Plot("number of anchors", "%", corner=BOTTOM_RIGHT, above=True, integer_x=True)
        self.by_count.setObjectName("anchors-by-count")
        self.by_count.setAccessibleName("Fit by number of anchors")
        self.mark, self.stage = pg.InfiniteLine(angle=90), pg.InfiniteLine(angle=90)
        self.by_count.addItem(self.mark, ignoreBounds=True)
        self.by_count.scene().sigMouseClicked.connect(self._clicked)
        self.steps.addItem(self.stage, ignoreBounds=True)
        self.stage.hide()
        for plot in (self.steps, self.by_count):
            plot.getPlotItem().vb.setLimits(yMin=0, yMax=TOP)
        self.by_count.setXRange(1, MOST_ANCHORS, padding=0.03)
        self.title = FittingLabel()
        self.title.setObjectName("anchors-curves-title")
        counts = QLabel("Other numbers of anchors: a click chooses one")
        counts.setObjectName("anchors-counts-title")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(0)
        for column, (title, plot) in enumerate(((self.title, self.steps), (counts, self.by_count))):
            title.setProperty("role", "muted")
            title.setFont(theme.font(theme.SMALL))
            grid.addWidget(title, 0, column)
            grid.addWidget(plot, 1, column)
            grid.setColumnStretch(column, 1)
        grid.setRowStretch(1, 1)
        theme.theme().changed.connect(self._restyle)
        self._restyle()

    # --- what is shown ---

    def begin(self, k: int) -> None:
        """A fit of `k` anchors starts: no curves yet."""
        self.forget()
        self.mark.setValue(k)

    def forget(self) -> None:
        """Show nothing."""
        self.steps.forget()
        self.by_count.forget()
        self.stage.hide()
        self._refined_from = self._other = None
        self._say()

    def begin_stage(self, step: int) -> None:
        """The anchors are refined from this step on."""
        self._refined_from = step
        self.stage.setValue(step)
        self.stage.show()
        self._say()

    def show_steps(self, steps: Sequence[Step]) -> None:
        """Show the curves of the fit so far."""
        for name, values in _percents(steps):
            self.steps.curve(name, range(len(steps)), values)
        self._draw_other()

    def show_other(self, name: str, mean_iou: float) -> None:
        """The shown set's name; "" if it is from the fit."""
        other = (name, 100 * mean_iou) if name else None
        if other != self._other:
            self._other = other
            self._draw_other()
            self._say()

    def add_count(self, step: Step) -> None:
        """Add the result for the number of anchors that `step` has."""
        for name, (value,) in _percents([step]):
            known = self.by_count.data(name) if name in self.by_count.names() else ((), ())
            self.by_count.curve(name, [*known[0], len(step.centres)], [*known[1], value])

    def show_counts(self, steps: Sequence[Step]) -> None:
        """Show the results for all numbers of anchors."""
        for name, values in _percents(steps):
            self.by_count.curve(name, [len(one.centres) for one in steps], values)

    def _draw_other(self) -> None:
        """Draw the line as long as the curves."""
        if self._other is None or CURVES[0] not in self.steps.names():
            self.steps.forget([SHOWN])
            return
        last = max(float(self.steps.data(CURVES[0])[0].max(initial=0)), 1.0)
        self.steps.curve(SHOWN, [0, last], [self._other[1]] * 2, 0, style=Qt.PenStyle.DashLine)

    def _say(self) -> None:
        words = "The fit, step by step"
        refined = "" if self._refined_from is None else f", refined from {self._refined_from} on"
        if self._other is None:
            self.title.say(words + refined, words)
        else:
            name, value = self._other
            dashed = f"{name}, {anchors.percent(value / 100)}"
            self.title.say(
                f"{words}{refined}, not what is shown. Dashed: mean IoU of {dashed}",
                f"{words}. Dashed: {dashed}",
                f"Fit; dashed: {dashed}",
            )

    @Slot(object)
    def _clicked(self, event: object) -> None:
        assert isinstance(event, MouseClickEvent)
        vb = self.by_count.getPlotItem().vb
        if event.isAccepted() or event.button() != Qt.MouseButton.LeftButton or not self.by_count.names():
            return  # a click on a name in the legend hides its curve
        if vb.sceneBoundingRect().contains(event.scenePos()):
            self.count_chosen.emit(min(max(round(vb.mapSceneToView(event.scenePos()).x()), 1), MOST_ANCHORS))

    # --- the look ---

    @Slot()
    def _restyle(self) -> None:
        for line in (self.mark, self.stage):
            line.setPen(pg.mkPen(theme.colour("muted"), width=1, style=Qt.PenStyle.DashLine))


def _percents(steps: Sequence[Step]) -> list[tuple[str, list[float]]]:
    """Each curve's name and values."""
    values = [(one.mean_iou, one.recall, one.ratio_recall) for one in steps]
    return [(name, [100 * one[place] for one in values]) for place, name in enumerate(CURVES)]
