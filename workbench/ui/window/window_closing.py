"""Closes the window or its project: asks about a running training, and lets it finish its step.

That step may take minutes on a processor.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtGui import QCloseEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QGridLayout, QMessageBox, QSpacerItem, QWidget

from workbench.ui.images import thumbnails
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.widgets import window_geometry
from workbench.ui.widgets.buttons import show_whole_words

AT_ONCE = 5.0
"""Seconds that the window waits without a message."""
_WIDE = 400
"""Pixels of the question: Qt leaves 50 of its title's line for the buttons there, which take more in most systems."""
QUEUED = "The trainings that wait in the queue stay there, held."
WORDS = "The training finishes its step and is saved, then the window closes."


@dataclass(frozen=True, slots=True)
class Leaving:
    """What a person does that ends a training: its words in the question, and whether it is done after its end."""

    subject: str
    button: str
    when_over: bool
    """Whether it goes on unasked when the training ends meanwhile and no other waits."""


CLOSING = Leaving("Closing the project", "Stop and close", when_over=True)
GOING_BACK = Leaving("Going back to a copy", "Stop and go back", when_over=False)
"""It puts other labels in the place of those of now, perhaps just as a person reaches for 'Go on training'."""


def may_stop(session: Session, leaving: Leaving = CLOSING) -> bool:
    """Whether the running training may be stopped: asked once, and not if it was told to stop already."""
    running = next((job for job in session.jobs if job.is_training and not job.stop.is_set()), None)
    return running is None or ask(session, running, leaving)


def ask(session: Session, training: Job, leaving: Leaving) -> bool:
    """True to stop this training. The question closes by itself when the training ends meanwhile.

    That counts as a yes only if nothing else is lost by it: trainings that wait in the queue are to begin then.
    """
    question = QMessageBox(
        QMessageBox.Icon.Question, "A training is running", f"{training.title} is not finished.",
        parent=QApplication.activeWindow(),
    )  # fmt: skip
    question.setObjectName("training-question")
    kept = "stops it and keeps what it has learned: Resume on the Train page goes on from there."
    number, all_ = training.place
    words = f"{leaving.subject} {kept}"
    question.setInformativeText(f"{words} {QUEUED}" if number < all_ else words)
    stop = question.addButton(leaving.button, QMessageBox.ButtonRole.DestructiveRole)
    stop.setObjectName("training-stop")
    go_on = question.addButton("Go on training", QMessageBox.ButtonRole.RejectRole)
    question.setDefaultButton(go_on)
    question.setEscapeButton(go_on)
    show_whole_words(question)

    rows = question.layout()
    assert isinstance(rows, QGridLayout)
    rows.addItem(QSpacerItem(_WIDE, 0), rows.rowCount(), 0, 1, rows.columnCount())

    def ended(_job: object) -> None:
        if not session.is_training:
            question.reject()

    watched = session.job_ended.connect(ended)
    question.exec()
    session.job_ended.disconnect(watched)
    if question.clickedButton() is None:
        return leaving.when_over and number == all_ and not session.is_training
    return question.clickedButton() is stop


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
        if self._asks and not logging_out and not may_stop(self._session):
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
        if may_stop(self._session):
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
