"""A few quiet words in the upper left corner of a plot: above the curves if its legend leaves room there."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QLabel

from workbench.ui import theme

EDGE = 4  # px from the plot's sides


class PlotNote(QLabel):
    """Lies over its plot, follows it, and lets the mouse through."""

    def __init__(self, plot: pg.PlotWidget) -> None:
        super().__init__(plot, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._line, self._beside = 0, 0.0
        self.setObjectName("plot-note")
        self.setProperty("role", "muted")
        self.setAutoFillBackground(True)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFont(theme.font(theme.SMALL))
        plot.getPlotItem().vb.sigResized.connect(self._place)
        theme.theme().changed.connect(self._restyle)
        self._restyle()
        self.hide()

    def say(self, words: str) -> None:
        """Show these words; hidden if there are none."""
        if words != self.text():
            self.setText(words)
            self.setVisible(bool(words))
            self._place()

    def lie_above(self, line: int, beside: float) -> None:
        """`line` px are reserved above the curves, with `beside` px of width left for words; 0 for none."""
        if (line, beside) != (self._line, self._beside):
            self._line, self._beside = line, beside
            self._place()

    def area(self) -> QRectF:
        """Its area in px of the plot's view box; empty without words."""
        if not self.text():
            return QRectF()
        return QRectF(self.geometry()).translated(-self._field().topLeft())

    def _field(self) -> QRectF:
        """The view box's area in the plot. The plot isn't stored: objects that refer to each other are freed late."""
        plot = self.parentWidget()
        assert isinstance(plot, pg.PlotWidget)
        return QRectF(plot.getPlotItem().vb.sceneBoundingRect())

    def _place(self, *_: object) -> None:
        field = self._field()
        longest = max(self.fontMetrics().horizontalAdvance(line) for line in self.text().split("\n"))
        width = min(longest + 2, max(int(field.width()) - 2 * EDGE, 1))
        high = self.heightForWidth(width)
        is_above = high <= self._line and width + 2 * EDGE <= self._beside
        top = field.top() - self._line if is_above else field.top() + EDGE
        self.setGeometry(int(field.left()) + EDGE, int(top), width, high)

    def _restyle(self) -> None:
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Window, theme.colour("plot", 200))
        self.setPalette(palette)
