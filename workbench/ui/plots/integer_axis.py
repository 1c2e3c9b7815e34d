"""The axis of a plot whose values are whole: steps, epochs. It has no ticks at halves."""

from __future__ import annotations

from workbench.ui.plots.quick_axis import QuickAxis


class IntegerAxis(QuickAxis):
    """Like pyqtgraph's, without ticks between whole numbers."""

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        levels = [(max(spacing, 1.0), start) for spacing, start in super().tickSpacing(minVal, maxVal, size)]
        return list(dict.fromkeys(levels))
