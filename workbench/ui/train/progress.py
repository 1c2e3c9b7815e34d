"""How far the running training is: a bar, the numbers of the moment, Pause and Stop."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from workbench.training.events import Failed, Finished
from workbench.ui import theme
from workbench.ui.train.story import Story
from workbench.ui.widgets.elided import Elided
from workbench.ui.widgets.status_bar import duration


class ProgressPanel(QWidget):
    """`pause_asked(bool)` and `stop_asked` for its buttons."""

    pause_asked = Signal(bool)
    stop_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paused = False
        self.title = Elided()
        self.title.setObjectName("train-title")
        self.title.setFont(theme.font(theme.BODY, bold=True))
        self.numbers = Elided()
        self.numbers.setObjectName("train-numbers")
        self.numbers.setProperty("role", "muted")
        self.bar = QProgressBar(textVisible=False)
        self.bar.setObjectName("train-progress")
        self.bar.setFixedHeight(theme.GRID)
        self.pause = _button("train-pause", "Pause", "mdi6.pause")
        self.stop = _button("train-stop", "Stop", "mdi6.stop")
        self.stop.setToolTip("End the training in order: the last checkpoint is saved and the run can be resumed.")
        self.pause.clicked.connect(self._ask_pause)
        self.stop.clicked.connect(self.stop_asked)
        words = QVBoxLayout()
        words.setSpacing(theme.GRID // 2)
        for widget in (self.title, self.numbers, self.bar):
            words.addWidget(widget)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addLayout(words, 1)
        row.addWidget(self.pause)
        row.addWidget(self.stop)

    def show_story(self, name: str, story: Story, running: bool, stopping: bool = False) -> None:
        """The state of run `name`; Pause and Stop are there while it is `running`."""
        self._paused = story.paused
        self.pause.setVisible(running)
        self.stop.setVisible(running)
        self.stop.setEnabled(not stopping)
        self.pause.setEnabled(not stopping and story.started is not None)
        word, icon = ("Continue", "mdi6.play") if story.paused else ("Pause", "mdi6.pause")
        if self.pause.text() != word:
            self.pause.setText(word)
            theme.set_icon(self.pause, icon)
        self.title.setText(f"{name}: {_state(story, running, stopping)}" if name else "")
        seen = story.progress
        self.bar.setVisible(running)
        if seen is None:
            self.bar.setRange(0, 0 if running else 1)
            self.numbers.setText("Reading the images …" if running else "")
            return
        self.bar.setRange(0, max(seen.steps, 1))
        self.bar.setValue(seen.step)
        parts = [
            f"epoch {seen.epoch:,} of {seen.epochs:,}",
            f"step {seen.step:,} of {seen.steps:,}",
            f"loss {seen.loss:.3f}",
            f"{seen.images_per_second:,.0f} images/s",
        ]
        if running and not story.paused:
            parts.append(f"{duration(seen.seconds_left)} left")
        if story.evaluations:
            parts.append(f"AP50 {story.evaluations[-1].ap50:.3f}")
        if seen.memory_bytes:
            parts.append(f"{seen.memory_bytes / 2**30:.1f} GB")
        self.numbers.setText("  ·  ".join(parts))

    @Slot()
    def _ask_pause(self) -> None:
        self.pause_asked.emit(not self._paused)


def _state(story: Story, running: bool, stopping: bool) -> str:
    if running:
        return "stopping …" if stopping else "paused" if story.paused else "training"
    if isinstance(story.ended, Failed):
        return "failed"
    if isinstance(story.ended, Finished):
        return "stopped" if story.ended.stopped else "finished"
    return "interrupted" if story.started is not None else "not started"


def _button(name: str, word: str, icon: str) -> QPushButton:
    button = QPushButton(word)
    button.setObjectName(name)
    theme.set_icon(button, icon)
    return button
