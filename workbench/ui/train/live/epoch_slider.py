"""A slider over a run's evaluated epochs, which follows the newest while it is at its end."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QSlider, QWidget

from workbench.ui import theme
from workbench.ui.widgets.elided import ElidedLabel

_HELP = "The epoch that is shown: drag, or press Left and Right. At the end it follows the training."
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Home: -1_000_000, Qt.Key.Key_End: 1_000_000}
WORDS = "epoch 1,000 of 1,000, AP50 0.000"
"""The longest text: the slider must not change its length."""


class _Words(ElidedLabel):
    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(WORDS), super().sizeHint().height())


class EpochSlider(QWidget):
    """`moved` when the position changes, by a person or by following. Positions count from 0."""

    moved = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("live-epochs")
        self.slider.setAccessibleName("Epoch of the pictures")
        self.slider.setToolTip(_HELP)
        self.slider.setMinimumWidth(48)
        self.slider.setPageStep(5)
        self.words = _Words()
        self.words.setObjectName("live-epoch")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.GRID)
        row.addWidget(self.slider, 1)
        row.addWidget(self.words)
        self.slider.valueChanged.connect(self.moved)
        self.begin()

    @property
    def place(self) -> int:
        return self.slider.value()

    def begin(self) -> None:
        """Show another run: go to its end."""
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, 0)

    def set_count(self, count: int) -> None:
        """Set the number of positions. Goes to the last one if it was at the end."""
        with QSignalBlocker(self.slider):
            follows = self.place == self.slider.maximum()
            self.slider.setRange(0, max(count - 1, 0))
            if follows:
                self.slider.setValue(self.slider.maximum())
        self.slider.setEnabled(count > 1)
        self.moved.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.step(event):
            super().keyPressEvent(event)

    def step(self, event: QKeyEvent) -> bool:
        """Move as the key says; False for other keys."""
        by = _STEPS.get(Qt.Key(event.key()), 0)
        if not by or event.modifiers() not in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier):
            return False
        self.slider.setValue(self.place + by)
        return True
