"""The plots of a run during and after training: loss, AP, learning rate, speed, gradient norm, device use."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from workbench.core.project import LABEL_COLOURS
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.train.plots import label_curves, plot_files
from workbench.ui.train.plots.plot_bar import PlotBar
from workbench.ui.train.plots.plot_grid import PlotGrid
from workbench.ui.train.plots.series import Floats
from workbench.ui.train.plots.smoothing import smoothed
from workbench.ui.train.plots.train_plot import CSV, TrainPlot
from workbench.ui.train.runs.evaluation_size import few_images_note
from workbench.ui.train.runs.history import RunHistory

VISIBLE_POINTS = 400  # beyond this many points one more can't be seen: less than a pixel's width
AT_LEAST = 1.0  # seconds after which it is drawn anyway
NO_RUN = "Curves appear here once a run is chosen or started."
_ONLY = {"rate": "learning rate", "speed": "images a second", "norm": "gradient norm", "use": "device use",
         "memory": "memory"}  # fmt: skip
"""The name of the curve in plots with only one."""
_SMOOTH = ("speed", "norm", "use")


class Curves(QWidget):
    """`show_history` draws what is visible; of a growing run one plot per call: cheap enough for ten calls a second.

    `message` reports a file that was written, `failed(WorkbenchError)` one that was not.
    """

    message = Signal(str)
    failed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._history = "", RunHistory()
        self._colours: Mapping[str, str] = {}
        self._drawn_rows, self._drawn_at = 0, 0.0
        self._due: list[TrainPlot] = []  # still to be drawn, one per call
        self._drawn_ap: tuple[int, bool] | None = None  # evaluations, and whether there are steps; None: none yet
        self.bar, self.grid = PlotBar(), PlotGrid()
        self.loss, self.ap, self.rate, self.speed = map(self.grid.plot, ("loss", "ap", "rate", "speed"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID // 2)
        column.addWidget(self.bar)
        column.addWidget(self.grid, 1)
        self._connect()
        self.grid.choose(self.bar.kept_plots)
        self._plots_changed()

    def _connect(self) -> None:
        self.bar.plots_chosen.connect(self._choose)
        self.bar.all_requested.connect(self.grid.show_all)
        self.bar.labels_chosen.connect(self._draw_ap)
        self.bar.smoothing_changed.connect(self.draw)
        self.bar.save_requested.connect(self._save)
        self.grid.changed.connect(self._plots_changed)
        self.grid.save_requested.connect(self._save)
        theme.theme().changed.connect(self._draw_ap)  # its colours are blended for the background

    # --- what is shown ---

    def set_label_colours(self, colours: Mapping[str, str]) -> None:
        """The project's colours by label."""
        if colours != self._colours:
            self._colours = dict(colours)
            self._draw_ap()

    def clear(self) -> None:
        self._name, self._history, self._drawn_ap, self._due = "", RunHistory(), None, []
        for plot in self.grid.made:
            plot.start_over()
            plot.note("")

    def show_history(self, history: RunHistory, name: str = "", *, now: bool = True) -> None:
        """Draw run `name`. Without `now`: only if the difference would be visible."""
        if history is not self._history:
            self._drawn_ap = None
        self._name, self._history = name, history
        if now:
            self.draw()
        elif not self._due and self._is_worth():
            self._due = list(self.grid.shown)
            self._drawn_rows, self._drawn_at = len(history.series), time.monotonic()
        if self._due:
            self._draw_plot(self._due.pop(0))

    def _is_worth(self) -> bool:
        grown = len(self._history.series) - self._drawn_rows
        return (
            grown > self._drawn_rows // VISIBLE_POINTS
            or (self.ap in self.grid.shown and self._drawn_ap != self._ap_state)
            or (grown != 0 and time.monotonic() - self._drawn_at > AT_LEAST)  # fewer, once they were merged in pairs
        )

    @property
    def is_behind(self) -> bool:
        """Whether more calls are needed until all plots have the newest points."""
        return bool(self._due) or len(self._history.series) != self._drawn_rows

    @property
    def _ap_state(self) -> tuple[int, bool]:
        return len(self._history.evaluations), len(self._history.series) > 0

    @Slot()
    def draw(self) -> None:
        """All visible plots, at once."""
        self._due = []
        for plot in self.grid.shown:
            self._draw_plot(plot)
        if not self._name:
            self.grid.shown[0].note(NO_RUN)
        self._drawn_rows, self._drawn_at = len(self._history.series), time.monotonic()

    def _draw_plot(self, plot: TrainPlot) -> None:
        name, step = plot.kind.name, self._history.step
        if name == "loss":
            self._draw_loss(step)
        elif name != "ap":
            self._draw_only(name, step)
        elif self._drawn_ap != self._ap_state:
            self._draw_ap()
            self._drawn_ap = self._ap_state
        plot.settle()

    def _draw_loss(self, step: Floats) -> None:
        terms = self._history.terms
        for number, (name, values) in enumerate(terms.items()):
            self._curve(self.loss, name, step, values, number)
        if len(terms) > 1:
            self._curve(self.loss, "sum", step, self._history.column("loss"), "text")

    def _draw_only(self, name: str, step: Floats) -> None:
        plot, values = self.grid.plot(name), self._history.column(name)
        known = not np.isnan(values).all()
        plot.note("" if known or not len(step) else "not known of this run")
        if not known:
            plot.forget()
        elif name in _SMOOTH:
            self._curve(plot, _ONLY[name], step, values, 0)
        else:
            plot.curve(_ONLY[name], step, values)

    def _curve(self, plot: TrainPlot, name: str, step: Floats, values: Floats, colour: int | str) -> None:
        weight = self.bar.smoothing
        if weight:
            plot.curve(name, step, smoothed(values, weight), colour, raw=values)
        else:
            plot.curve(name, step, values, colour)

    @Slot()
    def _draw_ap(self) -> None:
        found = self._history.evaluations
        epochs = [event.epoch for event in found]
        names = {name for event in found for name in event.per_label}
        self.bar.offer_find(len(names))
        few = few_images_note(found[-1].images) if found else ""
        self.ap.name_y("AP50" if self.bar.what == label_curves.AP50 else "AP")
        if self.bar.what == label_curves.ALL:
            self.ap.forget(set(self.ap.names()) - ({"AP50", "AP"} if found else set()))
            if found:
                self.ap.curve("AP50", epochs, [event.ap50 for event in found], 0)
                self.ap.curve("AP", epochs, [event.ap for event in found], 1)
            self.ap.note(few if found or not len(self._history.series) else "not evaluated yet")
            return
        curves, words = label_curves.label_curves(found, self.bar.what, self.bar.search_text)
        self.ap.forget()  # so that the legend starts with the lowest
        for curve in curves:
            own = self._colours.get(curve.name, LABEL_COLOURS[curve.number % len(LABEL_COLOURS)])
            self.ap.curve(curve.name, epochs, curve.values, theme.readable_colour(own))
        self.ap.note("\n".join(line for line in (words, few if curves else "") if line))

    # --- which plots ---

    @Slot(object)
    def _choose(self, names: tuple[str, ...]) -> None:
        self.grid.choose(names)
        self._plots_changed()

    @Slot()
    def _plots_changed(self) -> None:
        self.bar.show_plots([plot.kind for plot in self.grid.shown], self.grid.alone, not self.grid.chosen)
        self._drawn_ap = None
        self.draw()

    # --- saving ---

    @Slot(str, str)
    def _save(self, plot: str, suffix: str) -> None:
        """Ask for a file, and save what is visible now."""
        title = self.grid.plot(plot).kind.title if plot else "plots"
        run = self._name or "run"
        if suffix == CSV:
            data: bytes | str = self.grid.plot(plot).to_csv()
        else:
            data = plot_files.picture(
                self.grid.plot(plot) if plot else self.grid.page, f"{run}: {title}" if plot else run
            )
        dialog = plot_files.ask(self, f"{run} {title.lower()}", suffix)
        dialog.fileSelected.connect(partial(self._write, data))
        dialog.open()

    def _write(self, data: bytes | str, file: str) -> None:
        try:
            plot_files.save(Path(file), data)
        except WorkbenchError as error:
            self.failed.emit(error)
        else:
            self.message.emit(f"Saved {Path(file).name} in {Path(file).parent}.")
