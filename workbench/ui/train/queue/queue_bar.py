"""The line that tells what the queue of trainings does next, with a button to hold it or let it go on."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from workbench.training.records.training_queue import Hold, TrainingQueue
from workbench.ui import theme
from workbench.ui.actions import make_action
from workbench.ui.widgets.buttons import push_button

HOLD, GO_ON, START, AGAIN = "Hold", "Go on", "Start the queue", "Try again"
HELP = {
    HOLD: "Begin no other training when this one ends",
    GO_ON: "Begin the waiting trainings, one after the other; now, or when the training that runs has ended",
    START: "Begin the waiting trainings, one after the other",
    AGAIN: "Try those again that could not begin",
}


class QueueBar(QFrame):
    """`go_on_requested` and `hold_requested` by its button. Hidden while there is nothing to tell."""

    go_on_requested = Signal()
    hold_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train-queue-bar")
        self.setProperty("role", "card")
        self._words = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._words.setObjectName("train-queue-words")
        self._button = push_button("train-queue-hold", HOLD)
        self._button.clicked.connect(self._pressed)
        self._action = make_action(self, "hold-queue", self._button.click, context=Qt.ShortcutContext.WindowShortcut)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.GRID, theme.GRID // 2, theme.GRID, theme.GRID // 2)
        row.setSpacing(theme.GRID)
        row.addWidget(self._words, 1)
        row.addWidget(self._button)
        self.show_queue(None, can_begin=False)

    def show_queue(self, queue: TrainingQueue | None, *, can_begin: bool) -> None:
        """None: no project is open for writing. `can_begin`: what a recipe needs is loaded."""
        words = queue.sentence if queue is not None else ""
        self.setVisible(bool(words))
        self._words.setText(words)
        word = _word(queue) if queue is not None else ""
        self._button.setVisible(bool(word))
        self._button.setText(word)
        self._button.setToolTip(HELP.get(word, ""))
        self._button.setEnabled(bool(word) and (can_begin or word == HOLD))
        self._action.setEnabled(self._button.isEnabled())

    @Slot()
    def _pressed(self) -> None:
        (self.hold_requested if self._button.text() == HOLD else self.go_on_requested).emit()


def _word(queue: TrainingQueue) -> str:
    if queue.ready:
        return {Hold.NONE: HOLD, Hold.UNBEGUN: START}.get(queue.hold, GO_ON)
    return AGAIN if queue.refused else ""
