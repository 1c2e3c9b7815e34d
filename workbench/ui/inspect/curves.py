"""The curves of the split, one chart at a time, for all labels or one; clicking a point opens its images."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QStackedLayout, QVBoxLayout

from workbench.ui import theme
from workbench.ui.inspect.charts import CHARTS, ChartDrawing
from workbench.ui.inspect.state import InspectState
from workbench.ui.inspect.tab import InspectTab
from workbench.ui.plots.plot import BOTTOM_LEFT, Plot
from workbench.ui.widgets.elided import ElidedCombo

NEAR = 16  # px, the largest distance of a click from its point
ALL = "all labels"


class CurvesTab(InspectTab):
    """`confidence_wanted(label, confidence)` for "Use"; label -1 means the slider."""

    confidence_wanted = Signal(int, float)
    icon = "mdi6.chart-line"

    def __init__(self) -> None:
        super().__init__("Curves", self._work_out)
        self.drawing: ChartDrawing | None = None
        self.drawn = (-1, -1)  # chart and label that are drawn
        self._plots: dict[str, Plot] = {}
        self._chart = ElidedCombo("inspect-chart", "Chart", "The curves to draw.", 8)
        for chart in CHARTS:
            self._chart.addItem(chart.title)
        self._label = ElidedCombo("inspect-chart-label", "Label", "The label whose curves are drawn.", 8)
        self._use = QPushButton("Use")
        self._use.setObjectName("inspect-use")
        self._use.clicked.connect(self._use_best)
        self._words = QLabel(wordWrap=True)
        self._words.setObjectName("inspect-chart-words")
        self._words.setProperty("role", "muted")
        self._words.setFont(theme.font(theme.SMALL))
        self._stack = QStackedLayout()
        top = QGridLayout()
        top.setHorizontalSpacing(theme.GRID)
        top.addWidget(self._chart, 0, 0)
        top.addWidget(self._label, 0, 1)
        top.setColumnStretch(0, 3)
        top.setColumnStretch(1, 2)
        below = QGridLayout()
        below.addWidget(self._words, 0, 0)
        below.addWidget(self._use, 0, 1, Qt.AlignmentFlag.AlignTop)
        below.setColumnStretch(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.GRID, 0, 0)
        column.setSpacing(theme.GRID)
        column.addLayout(top)
        column.addLayout(self._stack, 1)
        column.addLayout(below)
        self._chart.currentIndexChanged.connect(self._chart_chosen)
        self._label.currentIndexChanged.connect(self._chart_chosen)
        theme.theme().changed.connect(self._restyle)
        self._place = (0, -1)  # chart and label, for the thread
        self._names: tuple[str, ...] = ()
        self.clear()

    @property
    def plot(self) -> Plot:
        """The visible plot; each one is created when first asked for."""
        chart = CHARTS[self._place[0]]
        if chart.name not in self._plots:
            plot = Plot(chart.x, chart.y, corner=BOTTOM_LEFT, above=True)
            plot.setObjectName(f"inspect-plot-{chart.name}")
            plot.setMinimumHeight(100)
            plot.setYRange(0, 1)
            if chart.name != "sizes":
                plot.setXRange(0.5 if chart.name == "overlaps" else 0, 1)
            plot.scene().sigMouseClicked.connect(self._clicked)
            self._plots[chart.name] = plot
            self._stack.addWidget(plot)
        return self._plots[chart.name]

    def set_state(self, state: InspectState | None) -> None:
        names = state.evaluation.names if state is not None else ()
        if names != self._names:
            self._names = names
            self._label.blockSignals(True)
            self._label.clear()
            self._label.addItems([ALL, *names])
            self._label.blockSignals(False)
            self._place = (self._place[0], -1)
        super().set_state(state)

    def clear(self) -> None:
        self.drawing, self.drawn = None, (-1, -1)
        for plot in self._plots.values():
            plot.forget()
        self._words.setText("")
        self._use.hide()

    @Slot()
    def _chart_chosen(self) -> None:
        self._place = (self._chart.currentIndex(), self._label.currentIndex() - 1)
        self._stack.setCurrentWidget(self.plot)
        self.plot.forget()
        self.renew()

    @Slot()
    def _restyle(self) -> None:
        """The labels' colours are blended for the background."""
        if self.drawing is not None:
            self._chart_chosen()

    def _work_out(self, state: InspectState) -> tuple[tuple[int, int], ChartDrawing]:
        """Runs in the thread."""
        place = self._place
        label = min(place[1], len(state.evaluation.truth.labels) - 1)
        return place, CHARTS[place[0]].draw(state, label)

    def draw(self, state: InspectState, result: object) -> None:
        assert isinstance(result, tuple)
        place, drawing = result
        if place != self._place:  # another chart was chosen meanwhile, and requested
            return
        self.drawing, self.drawn = drawing, place
        plot = self.plot
        self._stack.setCurrentWidget(plot)
        plot.forget({*plot.names()} - {line.name for line in drawing.lines})
        for line in drawing.lines:
            plot.curve(line.name, line.x, line.y, _ink(line.colour), points=line.points)
        self._words.setText(drawing.words)
        self._use.setVisible(not math.isnan(drawing.best))
        if not math.isnan(drawing.best):
            whose = "the slider" if place[1] < 0 else f"the confidence of {state.evaluation.names[place[1]]}"
            self._use.setToolTip(f"Set {whose} to {drawing.best:.2f}.")

    def fail(self, sentence: str) -> None:
        self._words.setText(sentence)

    @Slot()
    def _use_best(self) -> None:
        if self.drawing is not None and not math.isnan(self.drawing.best):
            self.confidence_wanted.emit(self.drawn[1], self.drawing.best)

    @Slot(object)
    def _clicked(self, event: object) -> None:
        if event.button() == Qt.MouseButton.LeftButton:  # type: ignore[attr-defined]
            self.open_at(event.scenePos())  # type: ignore[attr-defined]

    def open_at(self, place: QPointF) -> None:
        """Open what is behind the curve point nearest to this position in the plot's scene, if one is near."""
        box, shown = self.plot.getPlotItem().vb, self._shown()
        if self.plot.getPlotItem().legend.sceneBoundingRect().contains(place):
            return
        nearest, opens, point = float(NEAR), None, -1
        for line in self.drawing.lines if self.drawing is not None else ():
            known = np.flatnonzero(~np.isnan(line.y)) if line.opens is not None and line.name in shown else ()
            for index in map(int, known):
                at = box.mapViewToScene(QPointF(float(line.x[index]), float(line.y[index])))
                apart = math.hypot(at.x() - place.x(), at.y() - place.y())
                if apart < nearest:
                    nearest, opens, point = apart, line.opens, index
        if opens is not None:
            self.opened.emit(opens(point))

    def _shown(self) -> set[str]:
        """Names of the curves not hidden in the legend."""
        return {item.name() for item in self.plot.getPlotItem().listDataItems() if item.isVisible()}


def _ink(colour: int | str) -> int | str:
    return theme.readable_colour(colour) if isinstance(colour, str) and colour.startswith("#") else colour
