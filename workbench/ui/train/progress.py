"""The progress of the running training: a bar, the current numbers, when it will end, Pause and Stop."""

from __future__ import annotations

import math
import time

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QToolButton, QVBoxLayout, QWidget

from workbench.core.formatting import duration, share, size, speed
from workbench.training.events import Failed, Finished
from workbench.ui import theme
from workbench.ui.train.runs.history import RunHistory, Stage
from workbench.ui.widgets.buttons import push_button
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.popups import Menu

LONG = 600  # seconds left from which the time of day is shown too
DAY = 86_400  # seconds
STOP = (
    "End the training now: after the step that is being computed, even in the middle of an epoch or an evaluation.\n"
    "Its weights are saved as the last checkpoint, and Resume goes on from there.\n"
    "The best checkpoint, which Inspect and Export use, stays as it is.\n"
    "Trainings that wait in the queue are then held."
)
AFTER = (
    "Go on to the next evaluation, so that what was learnt since the last one counts:\n"
    "if it is the best so far, its weights become the best checkpoint. Then stop; a queue goes on. Choose it again to"
    " cancel."
)
RESUMED = "; Resume goes on with it"
NEVER = "This run evaluates only at its end, so there is nothing to wait for."


class ProgressPanel(QWidget):
    """`pause_requested(bool)`, `stop_requested`, `stop_after_requested(bool)` (after an evaluation) by buttons."""

    pause_requested = Signal(bool)
    stop_requested = Signal()
    stop_after_requested = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pauses = False
        self.title = ElidedLabel()
        self.title.setObjectName("train-title")
        self.title.setFont(theme.font(theme.BODY, bold=True))
        self.numbers = ElidedLabel()
        self.numbers.setObjectName("train-numbers")
        self.numbers.setProperty("role", "muted")
        self.failure = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.failure.setObjectName("train-failure")
        self.failure.setProperty("role", "error")
        self.failure.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar(textVisible=False)
        self.bar.setAccessibleName("Progress of the training")
        self.bar.setObjectName("train-progress")
        self.bar.setFixedHeight(theme.GRID)
        self.pause = push_button("train-pause", "Pause", icon="mdi6.pause")
        self.stop = push_button("train-stop", "Stop", icon="mdi6.stop")
        self.stop.setToolTip(STOP)
        self._make_stop_menu()
        self.pause.clicked.connect(self._ask_pause)
        self.stop.clicked.connect(self.stop_requested)
        self._lay_out()

    def _make_stop_menu(self) -> None:
        """The arrow beside Stop."""
        self.stop_menu = QToolButton(popupMode=QToolButton.ToolButtonPopupMode.InstantPopup)
        self.stop_menu.setObjectName("train-stop-ways")
        self.stop_menu.setAccessibleName("Ways to stop")
        self.stop_menu.setToolTip("Ways to stop")
        self.stop_menu.setArrowType(Qt.ArrowType.DownArrow)
        self.stop_menu.setStyleSheet(
            "QToolButton::menu-indicator { image: none; }"
        )  # the button shows an arrow already
        menu = Menu(self.stop_menu, toolTipsVisible=True)
        self.after = QAction("Stop after the next evaluation", menu, checkable=True)
        self.after.setObjectName("train-stop-after")
        self.after.triggered.connect(self.stop_after_requested)
        now = QAction("Stop now", menu)
        now.setObjectName("train-stop-now")
        now.setToolTip(STOP)
        now.triggered.connect(self.stop_requested)
        menu.addActions([self.after, now])
        self.stop_menu.setMenu(menu)
        self.begin(True)

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(theme.GRID // 2)
        for widget in (self.title, self.numbers, self.failure, self.bar):
            words.addWidget(widget)
        stop = QHBoxLayout()
        stop.setSpacing(0)
        stop.addWidget(self.stop)
        stop.addWidget(self.stop_menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addLayout(words, 1)
        row.addWidget(self.pause)
        row.addLayout(stop)

    def begin(self, evaluates: bool) -> None:
        """A training begins; `evaluates`: it evaluates before its end."""
        self.after.setChecked(False)
        self.after.setEnabled(evaluates)
        self.after.setToolTip(AFTER if evaluates else NEVER)

    def show_history(
        self, name: str, history: RunHistory, running: bool, stopping: bool = False, pausing: bool = False
    ) -> None:
        """Show the state of run `name`; Pause and Stop are visible while it is `running`.

        `stopping`, `pausing`: it is asked to stop or to pause, and does so when its step or evaluation is done.
        """
        self._pauses = pausing
        for button in (self.pause, self.stop, self.stop_menu):
            button.setVisible(running)
        self.stop.setEnabled(not stopping)
        self.stop_menu.setEnabled(not stopping)
        self.stop_menu.setFixedHeight(self.stop.sizeHint().height())
        self.pause.setEnabled(not stopping and history.stage is not Stage.READING)
        word, icon = ("Continue", "mdi6.play") if pausing else ("Pause", "mdi6.pause")
        if self.pause.text() != word:
            self.pause.setText(word)
            theme.set_icon(self.pause, icon)
        self.title.setText(f"{name}: {self._state(history, running, stopping, pausing)}" if name else "")
        self._show_failure(history)
        progress = history.progress
        grows = running or history.trained_elsewhere
        self.bar.setVisible(grows)
        if progress is None or (grows and history.stage is not Stage.STEPS):
            self._show_before_steps(history, grows)
            return
        self.bar.setRange(0, max(progress.steps, 1))
        self.bar.setValue(progress.step)
        self.numbers.setText("  ·  ".join(_numbers(history)))

    def _show_before_steps(self, history: RunHistory, grows: bool) -> None:
        read = history.reading
        self.bar.setRange(0, read.total if read is not None else 0 if grows else 1)
        self.bar.setValue(read.done if read is not None else 0)
        words = f"Reading the images: {read.done:,} of {read.total:,}" if read is not None else "Reading the images …"
        self.numbers.setText(
            "" if not grows else words if history.stage is Stage.READING else "Computing the first step …"
        )

    def _show_failure(self, history: RunHistory) -> None:
        words = history.ended.sentence if isinstance(history.ended, Failed) else ""
        self.failure.setVisible(bool(words))
        if words != self.failure.text():
            self.failure.setText(words)

    def _state(self, history: RunHistory, running: bool, stopping: bool, pausing: bool) -> str:
        if not running:
            return _ended(history)
        if stopping:
            return "stopping …"
        after = ", stops after the next evaluation" if self.after.isChecked() else ""
        if history.paused or pausing:
            return f"{'paused' if history.paused else 'pausing …'}{after}"
        return f"training{after}" if after or history.stage is not Stage.STEPS else f"training, {time_left(history)}"

    @Slot()
    def _ask_pause(self) -> None:
        self.pause_requested.emit(not self._pauses)


def time_left(history: RunHistory) -> str:
    """The remaining time of the training, and its end if that is far off."""
    seconds = history.progress.seconds_left if history.progress is not None else math.nan
    words = f"{duration(seconds)} left"
    return f"{words}, until {clock(time.time() + seconds, time.time())}" if LONG < seconds < math.inf else words


def clock(at: float, now: float) -> str:
    """The moment `at` (seconds since 1970) as people say it at `now`: 14:32, Tue 14:32 or 24 Dec 14:32."""
    then, today = time.localtime(at), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%a %H:%M" if at - now < 6 * DAY else "%d %b %H:%M", then)


def _numbers(history: RunHistory) -> list[str]:
    progress = history.progress
    assert progress is not None
    parts = [
        f"epoch {progress.epoch:,} of {progress.epochs:,}",
        f"step {progress.step:,} of {progress.steps:,}",
        f"loss {progress.loss:.3f}",
        speed(progress.images_per_second),
    ]
    if history.evaluations:
        last = history.evaluations[-1]
        parts.append(f"AP50 {share(last.ap50)}" + f" after epoch {last.epoch:,}" * (last.epoch != progress.epoch))
    if progress.memory_bytes:
        parts.append(size(progress.memory_bytes))
    return parts


def _ended(history: RunHistory) -> str:
    if isinstance(history.ended, Failed):
        return "failed"
    if isinstance(history.ended, Finished):
        return f"stopped{RESUMED}" if history.ended.stopped else "finished"
    if history.trained_elsewhere:
        if history.paused or history.stage is not Stage.STEPS:
            return f"{'paused' if history.paused else 'training'} in another program"
        return f"training in another program, {time_left(history)}"
    return f"interrupted{RESUMED}" if history.started is not None else "not started"
