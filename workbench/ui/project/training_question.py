"""Asks whether a running training may be stopped, before a project is closed or goes back to a copy."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtWidgets import QApplication, QGridLayout, QMessageBox, QSpacerItem

from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.widgets.buttons import show_whole_words

_WIDE = 400
"""Pixels of the question: Qt leaves 50 of its title's line for the buttons there, which take more in most systems."""
QUEUED = "The trainings that wait in the queue stay there, held."


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
