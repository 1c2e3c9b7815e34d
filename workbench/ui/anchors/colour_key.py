"""The key to the points' colours and the rings: names beside squares, in a corner of the plot."""

from __future__ import annotations

import html
from collections.abc import Sequence

import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtWidgets import QLabel

from workbench.ui import theme
from workbench.ui.plots.legend import cut

MOST = 12
"""Names shown at most; the list beside the plot has them all."""
EDGE = 8  # px from the plot's sides


class ColourKey(QLabel):
    """Lies over its plot's upper right corner and lets the mouse through.

    `placed`: the part of the view that it covers, in px.
    """

    placed = Signal(QRectF)

    def __init__(self, plot: pg.PlotWidget) -> None:
        super().__init__(plot, textFormat=Qt.TextFormat.RichText)
        self.setObjectName("anchors-colour-key")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFont(theme.font(theme.SMALL))
        self._colours: tuple[tuple[str, str], ...] = ()
        self._ring = ""
        plot.getPlotItem().vb.sigResized.connect(self._place)
        theme.theme().changed.connect(self._say)
        self.hide()

    def show_colours(self, colours: Sequence[tuple[str, str]]) -> None:
        """(name, colour) each; hidden if there are none."""
        if tuple(colours) != self._colours:
            self._colours = tuple(colours)
            self._say()

    def show_ring(self, words: str) -> None:
        """What the rings mean, or "" if there are none."""
        if words != self._ring:
            self._ring = words
            self._say()

    def _say(self) -> None:
        lines = [
            f'<span style="color:{colour}">■</span> {html.escape(cut(name))}' for name, colour in self._colours[:MOST]
        ]
        if len(self._colours) > MOST:
            lines.append(f"and {len(self._colours) - MOST:,} more")
        if self._ring:
            lines.append(f"○ {html.escape(self._ring)}")
        self.setText("<br>".join(lines))
        self.setVisible(bool(lines))
        self._place()

    def _place(self, *_: object) -> None:
        plot = self.parentWidget()
        assert isinstance(plot, pg.PlotWidget)
        if plot.getPlotItem() is None:  # closed, and about to be deleted
            return
        field = plot.getPlotItem().vb.sceneBoundingRect()
        self.adjustSize()
        self.move(int(field.right()) - self.width() - EDGE, int(field.top()) + EDGE)
        there = QRectF(self.geometry()).translated(-field.topLeft())
        self.placed.emit(there if self._colours or self._ring else QRectF())
