"""Closes the window or its project: asks about a running training, and lets it finish its step.

That step may take minutes on a processor.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtGui import QCloseEvent, QGuiApplication
from PySide6.QtWidgets import QWidget

from workbench.ui.images import thumbnails
from workbench.ui.project import training_question
from workbench.ui.session import Session
from workbench.ui.widgets import window_geometry

AT_ONCE = 5.0
"""Seconds that the window waits without a message."""
WORDS = "The training finishes its step and is saved, then the window closes."


class WindowCloser(QObject):
    """For `window`: stops the training, and if that takes long, closes the window later."""

    def __init__(self, session: Session, window: QWidget) -> None:
        super().__init__(window)
        self._session, self._window = session, window
        self._is_due = False
        self._asks = True
        session.job_ended.connect(self._ended)

    def close_at_once(self) -> None:
        """On Ctrl-C, or when the terminal or the system ends: stop and keep the training without asking."""
        self._asks = False
        self._window.close()

    def delays_close(self, event: QCloseEvent) -> bool:
        """Whether the window stays open: for good if its training is to go on, or until that has finished its step."""
        program = QGuiApplication.instance()
        logging_out = isinstance(program, QGuiApplication) and program.isSavingSession()  # it can't wait for an answer
        if self._asks and not logging_out and not training_question.may_stop(self._session):
            self._is_due = False
            event.ignore()
            return True
        self._is_due = not self._session.end_training(AT_ONCE)
        if self._is_due:
            self._session.message.emit("warning", WORDS)
            event.ignore()
        return self._is_due

    @Slot()
    def close_project(self) -> None:
        """When a person asks for it."""
        if training_question.may_stop(self._session):
            self._session.close()

    def finish(self) -> None:
        """The project is closed: end the rest of the session, and save the window's geometry."""
        window_geometry.save(self._window, "window")
        self._session.end_jobs()
        thumbnails.of(self._session).close()

    @Slot(object)
    def _ended(self, _job: object) -> None:
        if self._is_due and not self._session.is_training:
            QTimer.singleShot(0, self._window.close)
