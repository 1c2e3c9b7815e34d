"""A line that shows the first of several ever shorter sentences that fits."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from workbench.ui.widgets.elided import ElidedLabel


class FittingLabel(ElidedLabel):
    """If even the last sentence is too long, it is elided; the tooltip then has the first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self._sentences: tuple[str, ...] = ("",)

    def say(self, *sentences: str) -> None:
        """Longest first."""
        self._sentences = sentences
        self._choose()

    def sizeHint(self) -> QSize:
        return QSize(self.minimumSizeHint().width(), super().sizeHint().height())  # so that no choice moves others

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._choose()

    def _choose(self) -> None:
        room, metrics = self.contentsRect().width(), self.fontMetrics()
        fitting = (text for text in self._sentences if metrics.horizontalAdvance(text) <= room)
        sentence = next(fitting, self._sentences[-1])
        self.setText(sentence)
        self.setToolTip(self._sentences[0] if sentence != self._sentences[0] else "")
