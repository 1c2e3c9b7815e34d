"""The four plots of a run: loss terms, average precision, learning rate, and speed."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QWidget

from workbench.ui import theme
from workbench.ui.train.story import Story
from workbench.ui.widgets.legend import Place
from workbench.ui.widgets.plot import BOTTOM_RIGHT, TOP_RIGHT, Plot


class Curves(QWidget):
    """`show_story` draws all; cheap enough for ten times a second."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.loss = _plot("train-plot-loss", "step", "loss term")
        self.ap = _plot("train-plot-ap", "epoch", "AP", corner=BOTTOM_RIGHT)
        self.rate = _plot("train-plot-rate", "step", "learning rate", legend=False)
        self.speed = _plot("train-plot-speed", "step", "images/s", legend=False)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(theme.GRID)
        for number, plot in enumerate((self.loss, self.ap, self.rate, self.speed)):
            grid.addWidget(plot, number // 2, number % 2)
        grid.setRowStretch(0, 3)
        grid.setRowStretch(1, 2)

    def clear(self) -> None:
        for plot in (self.loss, self.ap, self.rate, self.speed):
            plot.forget()

    def show_story(self, story: Story) -> None:
        for name, values in story.terms.items():
            self.loss.curve(name, story.step, values)
        if story.step:
            self.rate.curve("learning rate", story.step, story.learning_rate)
            self.speed.curve("images a second", story.step, story.speed)
        if story.evaluations:
            epochs = [event.epoch for event in story.evaluations]
            self.ap.curve("AP50", epochs, [event.ap50 for event in story.evaluations])
            self.ap.curve("AP", epochs, [event.ap for event in story.evaluations])


def _plot(name: str, x: str, y: str, *, legend: bool = True, corner: Place = TOP_RIGHT) -> Plot:
    plot = Plot(x, y, legend=legend, corner=corner, whole_x=True)
    plot.setObjectName(name)
    plot.setMinimumSize(160, 110)
    return plot
