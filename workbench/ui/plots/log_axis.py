"""The left axis of a plot: if logarithmic, it has plain numbers as labels, and some in every range."""

from __future__ import annotations

import math

import numpy as np

from workbench.ui.plots.quick_axis import QuickAxis

APART = 24.0  # px between two labels
CLOSE = 16.0  # px between two labels, at least
_NICE = (1.0, 2.0, 5.0, 10.0)
_MANY = 0.1  # the "spacing" of ticks without a label


class LogAxis(QuickAxis):
    """Pyqtgraph's labels nothing between 1.1 and 1.9 and writes 0.002 as 2·10⁻³."""

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        if not self.logMode:
            found: list[tuple[float, list[float]]] = super().tickValues(minVal, maxVal, size)
            return found
        low, high = sorted((minVal, maxVal))
        return _few(low, high, size) if high - low < 1 else _powers(low, high, size)

    def logTickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return ["" if spacing == _MANY else plain(10**value * scale) for value in values]


def _few(low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
    """Within a power of ten: round numbers as on a linear axis."""
    start, end = 10**low, 10**high
    rough = max((end - start) * APART / max(size, APART), 1e-300)
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in _NICE if power * nice >= rough)
    ticks = np.arange(math.ceil(start / step), math.floor(end / step) + 1) * step
    return [(1.0, np.log10(ticks[ticks > 0]).tolist())]


def _powers(low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
    """Powers of ten; if there is room, 2 and 5 between them, and lines for the rest."""
    room = size / (high - low)  # px per power
    stride = max(1, math.ceil(APART / room))
    first, last = math.floor(low), math.ceil(high)
    levels: list[tuple[float, tuple[int, ...]]] = (
        [(1.0, (1,))] if room * math.log10(2) < CLOSE else [(1.0, (1,)), (0.5, (2, 5))]
    )
    if stride == 1:
        named = [number for _, numbers in levels for number in numbers]
        levels.append((_MANY, tuple(number for number in range(1, 10) if number not in named)))
    return [
        (spacing, [tick for power in range(first, last + 1) if power % stride == 0
                   for number in numbers if low <= (tick := power + math.log10(number)) <= high])
        for spacing, numbers in levels
    ]  # fmt: skip


def plain(value: float) -> str:
    """0.002, 30, 1e-5."""
    return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e")
