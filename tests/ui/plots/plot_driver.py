"""A plot on the screen."""

from __future__ import annotations

import numpy as np
from pytestqt.qtbot import QtBot

from workbench.ui.plots.plot import Plot

GRID = np.linspace(0.0, 10.0, 50)


def shown(qtbot: QtBot, plot: Plot) -> Plot:
    qtbot.addWidget(plot)
    plot.resize(400, 300)
    plot.show()
    qtbot.waitExposed(plot)
    return plot
