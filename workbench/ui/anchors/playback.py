"""Plays the steps of k-means like a film: at some speed, paused, or one by one."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.anchors import Step

AT_ONCE = 31  # steps a second at the slider's end, which means: no film, only the last step
CALM = 30  # this many times a step's drawing time passes before the next, so that many points stay fluid
REDRAW = 100  # ms: plots are drawn ten times a second at most


class Playback(QObject):
    """Collects steps as they arrive and shows them in order. `shown(step)` for each one to draw."""

    shown = Signal(object)
    changed = Signal()  # playing started or stopped

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.steps: list[Step] = []
        self.position = -1
        self._drawing = 0.0  # ms for drawing the last step
        self.playing = True
        self._speed = 8
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)

    def clear(self) -> None:
        """Forget all steps."""
        self.steps, self.position = [], -1
        self._timer.stop()
        self.changed.emit()

    def add(self, step: Step) -> None:
        """Add a step; the first is shown at once."""
        was_at_end = self.at_end
        self.steps.append(step)
        if self.position < 0:
            self._go(0)
        self._wake()
        if was_at_end:  # now there is a next one
            self.changed.emit()

    def end_with(self, step: Step) -> None:
        """End the film with another step, which is already shown: the boxes have changed since."""
        if self.steps:
            self.steps[-1] = step
            self.position = len(self.steps) - 1
            self._wake()
            self.changed.emit()

    def show_end(self) -> None:
        """Show the last step, even if the film is there: something else may have been shown since."""
        if self.steps:
            self.position = -1
            self._go(len(self.steps) - 1)
            self._wake()
            self.changed.emit()

    @property
    def at_end(self) -> bool:
        return bool(self.steps) and self.position == len(self.steps) - 1

    @property
    def over(self) -> bool:
        """Whether the last step is shown."""
        return self.at_end and self.steps[-1].done

    def set_speed(self, speed: int) -> None:
        """Steps per second; AT_ONCE shows the newest."""
        self._speed = speed
        self._wake()

    def play(self, on: bool) -> None:
        """Play or pause; at the end, play from the start."""
        if on and self.over:
            self._go(0)
        self.playing = on
        self._wake()
        self.changed.emit()

    def one_step(self) -> None:
        """Pause and show the next step."""
        self.playing = False
        if not self.at_end and self.steps:
            self._go(self.position + 1)
        self._wake()
        self.changed.emit()

    @Slot()
    def _tick(self) -> None:
        if self._speed >= AT_ONCE:
            self._go(len(self.steps) - 1)
        elif not self.at_end:
            self._go(self.position + 1)
        self._wake()

    def _go(self, position: int) -> None:
        if position != self.position:
            self.position = position
            begun = time.perf_counter()
            self.shown.emit(self.steps[position])
            self._drawing = (time.perf_counter() - begun) * 1000
            if self.over:
                self.changed.emit()

    def _wake(self) -> None:
        """The timer runs only while there is something to show."""
        if not self.playing or not self.steps or self.at_end:
            self._timer.stop()
            return
        least = int(self._drawing * CALM)
        pace = REDRAW if self._speed >= AT_ONCE else max(1000 // self._speed, 1000 // AT_ONCE)
        pace = max(pace, least)
        if not self._timer.isActive() or self._timer.interval() != pace:
            self._timer.start(pace)
