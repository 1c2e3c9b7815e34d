"""The row above the Inspect page: which run is evaluated on which images, the button to start, and the progress."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from workbench.ui import theme
from workbench.ui.inspect.run_picker import RunPicker
from workbench.ui.job_progress import JobProgress
from workbench.ui.widgets.command_button import CommandButton
from workbench.ui.widgets.elided import ElidedLabel


class InspectHeader(QWidget):
    run_requested = Signal()
    stop_requested = Signal()
    refused = Signal(str)  # why it can't look now, for who pressed the key in vain

    def __init__(self) -> None:
        super().__init__()
        self.picker = RunPicker()
        self._go = CommandButton("inspect-look", "Look", "look", self, "What it finds is kept beside the run.")
        self._go.setProperty("role", "primary")
        self._go.refused.connect(self.refused)
        self._stop = QPushButton("Stop")
        self._stop.setObjectName("inspect-stop")
        self._bar = QProgressBar(textVisible=False)
        self._bar.setAccessibleName("Progress of the look")
        self._bar.setMaximumWidth(160)
        self._bar.setObjectName("inspect-progress")
        self._bar.setFixedHeight(theme.GRID)
        self._words = ElidedLabel(mode=Qt.TextElideMode.ElideRight)
        self._words.setObjectName("inspect-words")
        self._words.setProperty("role", "muted")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.picker, self._go, self._stop, self._bar):
            self._row.addWidget(widget)
        self._row.addWidget(self._words, 1)
        self._go.clicked.connect(self.run_requested)
        self._stop.clicked.connect(self.stop_requested)
        self.show_busy(False)

    def add_button(self, button: QPushButton) -> None:
        """Beside the one that starts an evaluation."""
        self._row.insertWidget(self._row.indexOf(self._go) + 1, button)

    def say(self, words: str) -> None:
        self._words.setText(words)

    def show_busy(self, on: bool) -> None:
        goes_back = not on and self._stop.hasFocus()  # Qt would move it to Other images
        self._bar.setVisible(on)
        self._bar.setRange(0, 0)
        self._stop.setVisible(on)
        none = "" if self.picker.run is not None else "The runs are being read."  # their list arrives a moment later
        self._go.offer("It is looking: Stop is beside this button." if on else none)
        if goes_back:
            self._go.setFocus()

    def show_progress(self, event: JobProgress) -> None:
        if event.total:
            self._bar.setRange(0, event.total)
            self._bar.setValue(event.done)
        self.say(event.words)
