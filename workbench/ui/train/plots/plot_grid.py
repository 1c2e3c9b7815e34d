"""Lays out a run's plots: as many as fit, or those that a person chose, or one enlarged; scrolls if necessary."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QScrollArea, QWidget

from workbench.ui import theme
from workbench.ui.train.plots.train_plot import KINDS, LEAST, TrainPlot

ROOMY = (360, 180)  # px, a plot that is easy to read
FEWEST = 4  # plots, however small the window is, unless pictures below them leave less than a roomy plot's height
SHAPE = 1.8  # width / height at which a plot shows a curve well
LEADING = ("loss", "ap")  # whether it learns: larger than the plots on how the machine does
SHARES = (3, 2)  # of the height: the row of leading plots, and each other row


class PlotGrid(QScrollArea):
    """`changed` when the visible plots change. A plot is created when first asked for: that takes 30 ms."""

    changed = Signal()
    save_requested = Signal(str, str)  # a plot's name, and "png" or "csv"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, widgetResizable=True)
        self._plots: dict[str, TrainPlot] = {}
        self._chosen: tuple[str, ...] = ()  # empty: as many as fit
        self._alone = ""
        self._placed: tuple[tuple[str, ...], int, bool] = ((), 0, False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.page = QWidget()
        self._grid = QGridLayout(self.page)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(theme.GRID)
        self.setWidget(self.page)
        self._place()

    def plot(self, name: str) -> TrainPlot:
        """The plot of this name, visible or not."""
        found = self._plots.get(name)
        if found is None:
            kind = next(kind for kind in KINDS if kind.name == name)
            found = self._plots[name] = TrainPlot(kind, self.page)
            found.hide()
            found.alone_requested.connect(self._alone_requested)
            found.save_requested.connect(self.save_requested)
        return found

    @property
    def made(self) -> tuple[TrainPlot, ...]:
        return tuple(self._plots.values())

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names that a person chose; empty: as many as fit."""
        return self._chosen

    @property
    def alone(self) -> str:
        """The name of the enlarged plot, "" if there is none."""
        return self._alone

    @property
    def shown(self) -> tuple[TrainPlot, ...]:
        return tuple(self.plot(name) for name in self._placed[0])

    def choose(self, names: Sequence[str]) -> None:
        """Show these, or as many as fit if empty."""
        self._chosen, self._alone = tuple(names), ""
        self._place()

    @Slot()
    def show_all(self) -> None:
        """End the enlargement of one plot."""
        self._alone = ""
        self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    @Slot()
    def _alone_requested(self) -> None:
        sender = self.sender()
        if isinstance(sender, TrainPlot):
            self._alone = "" if self._alone else sender.kind.name
            self._place()

    def _names(self) -> tuple[str, ...]:
        if self._alone:
            return (self._alone,)
        names = tuple(kind.name for kind in KINDS)
        if self._chosen:
            return tuple(name for name in names if name in self._chosen)
        if self.height() < ROOMY[1]:
            return LEADING  # in one row: two would be too low to read, and scrolled
        return names[: max((self.width() // ROOMY[0]) * (self.height() // ROOMY[1]), FEWEST)]

    def _place(self) -> None:
        names = self._names()
        columns = best_columns(len(names), self.width(), self.height())
        leads = columns > 1 and set(LEADING) < set(names)
        if leads:
            rest = self.height() * SHARES[1] // sum(SHARES)
            columns = best_columns(len(names) - len(LEADING), self.width(), rest)
        if (names, columns, leads) == self._placed:
            return
        before, self._placed = self._placed[0], (names, columns, leads)
        for name, plot in self._plots.items():
            self._grid.removeWidget(plot)
            plot.setVisible(name in names)
        lines: list[tuple[str, ...]] = [LEADING] if leads else []
        others = tuple(name for name in names if not (leads and name in LEADING))
        first = columns - (-len(others) % columns)
        lines += [others[:first], *(others[at : at + columns] for at in range(first, len(others), columns))]
        self._fill(lines, columns)
        if names != before:
            self.changed.emit()

    def _fill(self, lines: Sequence[tuple[str, ...]], columns: int) -> None:
        """Put these rows of plots below each other, all equally wide; a row's first plot takes the spare columns."""
        across = len(LEADING) * columns  # grid columns, divisible both for the leading plots and for the others
        for down, line in enumerate(lines):
            each, at = columns if line == LEADING else len(LEADING), 0
            for number, name in enumerate(line):
                wide = each if number else across - each * (len(line) - 1)
                self._grid.addWidget(self.plot(name), down, at, 1, wide)
                self.plot(name).show()
                at += wide
        for number in range(len(KINDS)):
            leads = number < len(lines) and lines[number][0] in LEADING
            self._grid.setRowStretch(number, SHARES[not leads] if number < len(lines) else 0)
        for number in range(len(LEADING) * len(KINDS)):
            self._grid.setColumnStretch(number, int(number < across))


def best_columns(count: int, width: int, height: int) -> int:
    """How many plots to put side by side, so that `count` of them have the best shape. The first fills spare places."""

    def badness(columns: int) -> float:
        shape = (width / columns) / max(height / math.ceil(count / columns), 1)
        first = (1 + -count % columns) * shape
        return (count - 1) * _off(shape) + _off(first)

    most = max(min(count, width // (LEAST[0] + theme.GRID)), 1)
    return min(range(1, most + 1), key=badness)


def _off(shape: float) -> float:
    """How far a plot is from the best shape; twice the deviation is four times as bad."""
    return math.log(max(shape, 1e-3) / SHAPE) ** 2
