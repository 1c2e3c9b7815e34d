"""One plot of the Train page: as all plots, plus a logarithmic scale, saving, and enlargement to the whole area."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QToolButton, QWidget

from workbench.ui import preferences, theme
from workbench.ui.plots.plot import AIR, BOTTOM_RIGHT, TOP_RIGHT, Plot

CSV, PNG = "csv", "png"
LEAST = (160, 110)  # px, a plot's minimum width and height
_EDGE = 2  # px between the button and the edges of the plot


@dataclass(frozen=True, slots=True)
class PlotKind:
    """`axis`: the name of y with its unit. `log`: whether a logarithmic scale makes sense."""

    name: str
    title: str
    axis: str
    x: str = "step"
    log: bool = False
    legend: bool = False


KINDS = (
    PlotKind("loss", "Loss terms", "loss term", log=True, legend=True),
    PlotKind("ap", "Average precision", "AP", x="epoch", legend=True),
    PlotKind("rate", "Learning rate", "learning rate", log=True),
    PlotKind("speed", "Speed", "images/s"),
    PlotKind("norm", "Gradient norm", "gradient norm", log=True),
    PlotKind("use", "Device use", "device use (%)"),
    PlotKind("memory", "Memory", "memory (GB)"),
)
"""In the order in which they get space."""


class TrainPlot(Plot):
    """`save_requested(name, "png" or "csv")`, `alone_requested` (to enlarge it, or to end that) by its menu.

    A double click asks for the latter too. The logarithmic scale is kept for the next start.
    """

    save_requested = Signal(str, str)
    alone_requested = Signal()

    def __init__(self, kind: PlotKind, parent: QWidget | None = None) -> None:
        corner = BOTTOM_RIGHT if kind.name == "ap" else TOP_RIGHT
        super().__init__(
            kind.x, kind.axis, parent, legend=kind.legend, corner=corner, above=True, integer_x=True,
            dense=kind.x == "step",
        )  # fmt: skip
        if kind.name == "ap":
            # No AP is above 1, and while all values are 0, half of the axis would be below zero
            self.getPlotItem().vb.setLimits(yMin=0, yMax=1 + AIR)
        self.kind = kind
        self.setObjectName(f"train-plot-{kind.name}")
        self.setAccessibleName(kind.title)
        self.setMinimumSize(*LEAST)
        self._add_action("Only this plot, or all again", self.alone_requested)
        self._add_action("Save as picture…", self._ask_picture)
        self._add_action("Save as CSV…", self._ask_csv)
        self._button: QToolButton | None = None
        if kind.log:
            self._offer_log()

    def _add_action(self, text: str, slot: object) -> QAction:
        action = QAction(text, self)
        action.triggered.connect(slot)  # type: ignore[arg-type]
        self.addAction(action)
        return action

    def _offer_log(self) -> None:
        action = QAction("Log scale", self, checkable=True)
        action.setIconText("log")
        action.setToolTip(f"A logarithmic scale for the {self.kind.axis}.")
        action.toggled.connect(self._log_chosen)
        self.insertAction(self.actions()[0], action)
        self._button = QToolButton(self)  # drawn with a raised frame: else it looks like a word of the axis
        self._button.setDefaultAction(action)
        self._button.setObjectName(f"train-log-{self.kind.name}")
        self._button.setAccessibleName(f"Log scale of the {self.kind.axis}")
        self._button.setFont(theme.font(theme.SMALL))
        self._button.adjustSize()
        action.setChecked(preferences.flag(self._kept))

    @Slot()
    def _ask_picture(self) -> None:
        self.save_requested.emit(self.kind.name, PNG)

    @Slot()
    def _ask_csv(self) -> None:
        self.save_requested.emit(self.kind.name, CSV)

    @property
    def _kept(self) -> str:
        return f"train/log-{self.kind.name}"

    @Slot(bool)
    def _log_chosen(self, on: bool) -> None:
        self.set_log(on)
        if on != preferences.flag(self._kept):
            preferences.put(self._kept, on)

    def sizeHint(self) -> QSize:
        """Pyqtgraph returns the current size, which would keep one plot of a row larger than its neighbour."""
        return QSize(*LEAST)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        button = getattr(self, "_button", None)  # pyqtgraph resizes before it exists
        if button is not None:  # in the corner without an axis
            button.move(_EDGE, self.height() - button.height() - _EDGE)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        super().mouseDoubleClickEvent(event)
        legend = self.getPlotItem().legend
        if legend is not None and legend.sceneBoundingRect().contains(self.mapToScene(event.position().toPoint())):
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self.alone_requested.emit()
