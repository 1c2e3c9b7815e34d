"""The log of the shown run. It scrolls along with new lines, unless a person reads further up."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QPlainTextEdit

LINES = 2_000
"""Lines that are kept; older ones are in the run's folder."""


class RunLog(QPlainTextEdit):
    """Lines appended while its tab is hidden do not scroll the view: it goes to the end when it is shown."""

    def __init__(self) -> None:
        super().__init__(readOnly=True, maximumBlockCount=LINES)
        self.setObjectName("train-log")
        self.setAccessibleName("Log of the run")
        self._is_at_end = True
        self._number = 0  # of lines appended

    def show_lines(self, lines: Sequence[str]) -> None:
        """Append those that are new: `lines` are all of the run so far."""
        if len(lines) > self._number:
            self.appendPlainText("\n".join(lines[self._number :]))
            self._number = len(lines)

    def hideEvent(self, event: QHideEvent) -> None:
        bar = self.verticalScrollBar()
        self._is_at_end = bar.value() == bar.maximum()
        super().hideEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        bar = self.verticalScrollBar()
        read = bar.value()
        super().showEvent(event)  # scrolls to the cursor
        bar.setValue(bar.maximum() if self._is_at_end else read)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The tab's height changes after it is shown: Pictures is taller than Runs and Log."""
        bar = self.verticalScrollBar()
        was_at_end = bar.value() == bar.maximum()
        super().resizeEvent(event)
        if was_at_end:
            bar.setValue(bar.maximum())

    def clear(self) -> None:
        super().clear()
        self._is_at_end, self._number = True, 0
