"""The plots of a run and a history for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtWidgets import QLabel, QMenu, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import find
from workbench.training.events import Evaluated, Event, Progress
from workbench.ui import theme
from workbench.ui.train.plots.curves import Curves
from workbench.ui.train.runs.history import RunHistory, history_of

FOUR, ALL = ["loss", "ap", "rate", "speed"], ["loss", "ap", "rate", "speed", "norm", "use", "memory"]


def progress(step: int, norm: float = 1.0, use: float = 0.5) -> Progress:
    terms = {"box": 4.0 / step, "label": 2.0 / step}
    return Progress(step, 100, 1, 4, terms, 6.0 / step, 0.001 * step, 50.0, 9.0, 2_000_000_000, norm, use)


def evaluated(
    epoch: int, per_label: dict[str, float], per_label_ap: dict[str, float] | None = None, images: int = 10
) -> Evaluated:
    return Evaluated(epoch, 10 * epoch, 0.3, 0.5, 0.2, per_label, images, 0.1, True, per_label_ap or {})


def history(*more: Event) -> RunHistory:
    return history_of([*(progress(step) for step in range(1, 5)), *more])


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Callable[..., Curves]]:
    theme.apply("light")
    kept: list[Curves] = []  # one that Python collects while it is painted ends the process; qtbot forgets none

    def made(width: int = 860, height: int = 420) -> Curves:
        curves = Curves()
        curves.resize(width, height)
        curves.show()
        qtbot.waitExposed(curves)
        kept.append(curves)
        return curves

    yield made
    kept.clear()


Make = Callable[..., Curves]


def names(curves: Curves) -> list[str]:
    return [plot.kind.name for plot in curves.grid.shown]


def note(plot: QWidget) -> str:
    return find(plot, QLabel, "plot-note").text()


def choose(curves: Curves, title: str) -> None:
    menu = find(curves, QMenu, "train-plots-menu")
    next(action for action in menu.actions() if action.text() == title).trigger()
