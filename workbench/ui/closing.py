"""The window's end: a training that runs ends its step first, which on a processor may take minutes."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QWidget

from workbench.ui import thumbnails
from workbench.ui.session import Session
from workbench.ui.widgets import kept_size

AT_ONCE = 5.0
"""Seconds that the window waits for without a word."""
WORDS = "The training ends its step and is saved; then the window closes."


class Closing(QObject):
    """Of `window`: what is trained is stopped, and where that takes long the window closes later."""

    def __init__(self, session: Session, window: QWidget) -> None:
        super().__init__(window)
        self._session, self._window = session, window
        self._is_due = False
        session.job_ended.connect(self._ended)

    def waits(self, event: QCloseEvent) -> bool:
        """Whether a training has not ended yet: then the event is ignored, and the window closes when it has."""
        self._is_due = not self._session.end_training(AT_ONCE)
        if self._is_due:
            self._session.message.emit("warning", WORDS)
            event.ignore()
        return self._is_due

    def finish(self) -> None:
        """The project is closed: what else belongs to the session ends, and the window's place is kept."""
        kept_size.keep(self._window, "window")
        self._session.end_jobs()
        thumbnails.of(self._session).close()

    @Slot(object)
    def _ended(self, _job: object) -> None:
        if self._is_due and not self._session.is_training:
            QTimer.singleShot(0, self._window.close)
