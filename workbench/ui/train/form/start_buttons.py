"""Start and Train next: both wait until the settings in the form have been checked."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal, SignalInstance, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from workbench.ui import theme
from workbench.ui.widgets.command_button import CommandButton

START, NEXT = "Start training", "Train next"


class StartButtons(QWidget):
    """`start_requested` and `queue_requested` once the settings are checked; `refused`: why nothing could be learnt.

    `check_first` begins a check that has to be waited for, and tells whether there is one. What it found, as far as
    known: `blocking_reason`, why nothing could be learnt, and the number of `warnings`.
    """

    start_requested = Signal()
    queue_requested = Signal()
    refused = Signal(str)
    message = Signal(str)  # why a button can't be pressed, for who pressed its key

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.check_first: Callable[[], bool] = lambda: False
        self.blocking_reason = ""
        self.warnings = 0
        self.start = CommandButton("train-start", START, "start-training", self)
        self.start.setProperty("role", "primary")
        self.next = CommandButton("train-next", NEXT, "queue-training", self)
        self._pending: QPushButton | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.GRID)
        row.addWidget(self.start, 1)
        row.addWidget(self.next)
        self.start.clicked.connect(lambda: self._press(self.start))
        self.next.clicked.connect(lambda: self._press(self.next))
        self.start.refused.connect(self.message)
        self.next.refused.connect(self.message)

    def offer(self, no_start: str, no_next: str) -> None:
        """Enable the buttons, or say on them why they can't be pressed."""
        self.start.offer(no_start)
        self.next.offer(no_next)

    @property
    def is_pending(self) -> bool:
        """Whether one was pressed and waits for the check."""
        return self._pending is not None

    @property
    def is_queueing(self) -> bool:
        """Whether Train next waits for the check: it may also be made beside a training."""
        return self._pending is self.next

    def checks_done(self) -> None:
        """The settings in the form were checked: what waited for this goes ahead."""
        pressed = self._pending
        if pressed is not None:
            self.cancel()
            self._go_ahead(pressed)

    @Slot()
    def cancel(self) -> None:
        """Let nothing wait for the check any more."""
        self._pending = None
        self.start.setText(START)
        self.next.setText(NEXT)

    def _press(self, button: QPushButton) -> None:
        """Go ahead once the settings are checked."""
        if self.is_pending:
            return
        self._pending = button  # the check asks for it
        if self.check_first():
            button.setText("Checking it first …" if button is self.start else "Checking …")
        else:
            self._pending = None
            self._go_ahead(button)

    def _go_ahead(self, button: QPushButton) -> None:
        asked: SignalInstance = self.start_requested if button is self.start else self.queue_requested
        if self.blocking_reason:
            self.refused.emit(self.blocking_reason)
        else:
            asked.emit()
