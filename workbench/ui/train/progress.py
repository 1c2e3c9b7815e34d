"""The progress of the running training: a bar, the current numbers, when it will end, Pause and Stop."""

from __future__ import annotations

import math
import time

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QToolButton, QVBoxLayout, QWidget

from workbench.core.words import duration, share, size, speed
from workbench.training.events import Failed, Finished
from workbench.ui import theme
from workbench.ui.train.story import Story
from workbench.ui.widgets.buttons import push_button
from workbench.ui.widgets.elided import Elided
from workbench.ui.widgets.popups import Menu

LONG = 600  # seconds left from which the time of day is shown too
DAY = 86_400  # seconds
STOP = (
    "End the training now: after the step that is being computed, even in the middle of an epoch or an evaluation.\n"
    "Its weights are saved as the last checkpoint, and Resume goes on from there.\n"
    "The best checkpoint, which Inspect and Export use, stays as it is."
)
AFTER = (
    "Go on to the next evaluation, so that what was learnt since the last one counts:\n"
    "if it is the best so far, its weights become the best checkpoint. Then stop. Choose it again to cancel."
)
RESUMED = "; Resume goes on with it"
NEVER = "This run evaluates only at its end, so there is nothing to wait for."


class ProgressPanel(QWidget):
    """`pause_asked(bool)`, `stop_asked` and `stop_after_asked(bool)` (after the next evaluation) from its buttons."""

    pause_asked = Signal(bool)
    stop_asked = Signal()
    stop_after_asked = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paused = False
        self.title = Elided()
        self.title.setObjectName("train-title")
        self.title.setFont(theme.font(theme.BODY, bold=True))
        self.numbers = Elided()
        self.numbers.setObjectName("train-numbers")
        self.numbers.setProperty("role", "muted")
        self.failure = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.failure.setObjectName("train-failure")
        self.failure.setProperty("role", "error")
        self.failure.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar(textVisible=False)
        self.bar.setObjectName("train-progress")
        self.bar.setFixedHeight(theme.GRID)
        self.pause = push_button("train-pause", "Pause", icon="mdi6.pause")
        self.stop = push_button("train-stop", "Stop", icon="mdi6.stop")
        self.stop.setToolTip(STOP)
        self._offer_ways()
        self.pause.clicked.connect(self._ask_pause)
        self.stop.clicked.connect(self.stop_asked)
        self._lay_out()

    def _offer_ways(self) -> None:
        """The arrow beside Stop."""
        self.ways = QToolButton(popupMode=QToolButton.ToolButtonPopupMode.InstantPopup)
        self.ways.setObjectName("train-stop-ways")
        self.ways.setAccessibleName("Ways to stop")
        self.ways.setToolTip("Ways to stop")
        self.ways.setArrowType(Qt.ArrowType.DownArrow)
        self.ways.setStyleSheet("QToolButton::menu-indicator { image: none; }")  # the button shows an arrow already
        menu = Menu(self.ways, toolTipsVisible=True)
        self.after = QAction("Stop after the next evaluation", menu, checkable=True)
        self.after.setObjectName("train-stop-after")
        self.after.triggered.connect(self.stop_after_asked)
        now = QAction("Stop now", menu)
        now.setObjectName("train-stop-now")
        now.setToolTip(STOP)
        now.triggered.connect(self.stop_asked)
        menu.addActions([self.after, now])
        self.ways.setMenu(menu)
        self.begin(True)

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(theme.GRID // 2)
        for widget in (self.title, self.numbers, self.failure, self.bar):
            words.addWidget(widget)
        stop = QHBoxLayout()
        stop.setSpacing(0)
        stop.addWidget(self.stop)
        stop.addWidget(self.ways)
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

    def show_story(self, name: str, story: Story, running: bool, stopping: bool = False) -> None:
        """Show the state of run `name`; Pause and Stop are visible while it is `running`."""
        self._paused = story.paused
        for button in (self.pause, self.stop, self.ways):
            button.setVisible(running)
        self.stop.setEnabled(not stopping)
        self.ways.setEnabled(not stopping)
        self.ways.setFixedHeight(self.stop.sizeHint().height())
        self.pause.setEnabled(not stopping and story.started is not None)
        word, icon = ("Continue", "mdi6.play") if story.paused else ("Pause", "mdi6.pause")
        if self.pause.text() != word:
            self.pause.setText(word)
            theme.set_icon(self.pause, icon)
        self.title.setText(f"{name}: {self._state(story, running, stopping)}" if name else "")
        self._show_failure(story)
        seen = story.progress
        grows = running or story.elsewhere
        self.bar.setVisible(grows)
        if seen is None:
            self.bar.setRange(0, 0 if grows else 1)
            self.numbers.setText("Reading the images …" if grows else "")
            return
        self.bar.setRange(0, max(seen.steps, 1))
        self.bar.setValue(seen.step)
        self.numbers.setText("  ·  ".join(_numbers(story)))

    def _show_failure(self, story: Story) -> None:
        words = story.ended.sentence if isinstance(story.ended, Failed) else ""
        self.failure.setVisible(bool(words))
        if words != self.failure.text():
            self.failure.setText(words)

    def _state(self, story: Story, running: bool, stopping: bool) -> str:
        if not running:
            return _ended(story)
        if stopping:
            return "stopping …"
        after = ", stops after the next evaluation" if self.after.isChecked() else ""
        if story.paused:
            return f"paused{after}"
        return f"training{after}" if after or story.progress is None else f"training, {left(story)}"

    @Slot()
    def _ask_pause(self) -> None:
        self.pause_asked.emit(not self._paused)


def left(story: Story) -> str:
    """The remaining time of the training, and its end if that is far off."""
    seconds = story.progress.seconds_left if story.progress is not None else math.nan
    words = f"{duration(seconds)} left"
    return f"{words}, until {clock(time.time() + seconds, time.time())}" if LONG < seconds < math.inf else words


def clock(at: float, now: float) -> str:
    """The moment `at` (seconds since 1970) as people say it at `now`: 14:32, Tue 14:32 or 24 Dec 14:32."""
    then, today = time.localtime(at), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%a %H:%M" if at - now < 6 * DAY else "%d %b %H:%M", then)


def _numbers(story: Story) -> list[str]:
    seen = story.progress
    assert seen is not None
    parts = [
        f"epoch {seen.epoch:,} of {seen.epochs:,}",
        f"step {seen.step:,} of {seen.steps:,}",
        f"loss {seen.loss:.3f}",
        speed(seen.images_per_second),
    ]
    if story.evaluations:
        parts.append(f"AP50 {share(story.evaluations[-1].ap50)}")
    if seen.memory_bytes:
        parts.append(size(seen.memory_bytes))
    return parts


def _ended(story: Story) -> str:
    if isinstance(story.ended, Failed):
        return "failed"
    if isinstance(story.ended, Finished):
        return f"stopped{RESUMED}" if story.ended.stopped else "finished"
    if story.elsewhere:
        if story.paused or story.progress is None:
            return f"{'paused' if story.paused else 'training'} in another program"
        return f"training in another program, {left(story)}"
    return f"interrupted{RESUMED}" if story.started is not None else "not started"
