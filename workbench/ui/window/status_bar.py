"""The bottom line: the running job with progress, time left and Pause/Stop; device, precision and memory; keys."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from workbench.core.formatting import size
from workbench.ui import theme
from workbench.ui.actions import make_action, tell_key, write_key
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.widgets.buttons import word_button
from workbench.ui.window.job_line import JobLine

REDRAW = 100
"""Milliseconds between redraws: redrawing per event cut a worker from 1,505 steps to 244 in 2 s."""
MEMORY_INTERVAL = 2000
"""Milliseconds between checks of the program's own memory, which take 50 microseconds."""


class StatusBar(QFrame):
    """Shows the session's newest job, and a training beside it; tracks the progress of all running ones.

    Uses the attributes that an event has: step/steps or done/total, seconds_left, ...
    """

    def __init__(self, session: Session, keys: QAction, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status-bar")
        self.setProperty("role", "bar")
        self._session = session
        self._values: dict[Job, dict[str, Any]] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 2, 12, 2)
        layout.setSpacing(theme.GRID)
        self._training = JobLine("training", "Progress of the training")
        self._newest = JobLine("job", "Progress of what is running")
        self._training.stop.setToolTip("Stop the training")
        self._training.stop.setAccessibleName("Stop the training")
        tell_key(self._newest.stop, "stop-job")
        everywhere = Qt.ShortcutContext.WindowShortcut
        self._pausing = make_action(self, "pause-job", self._pause, context=everywhere)
        self._stopping = make_action(self, "stop-job", self._newest.stop.click, context=everywhere)
        self._device = QLabel()
        self._device.setObjectName("device")
        self._device.setProperty("role", "muted")
        self._memory = QLabel()
        self._memory.setObjectName("memory")
        self._memory.setProperty("role", "muted")
        self._memory.setToolTip("What this program has taken of the computer's memory")
        self._memory.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        sheet = word_button("show-keys", "", "mdi6.keyboard-outline")
        sheet.setAutoRaise(True)
        sheet.setFont(theme.font(theme.SMALL))
        sheet.clicked.connect(keys.trigger)
        write_key(sheet, "keys", "Keys  {}", which=-1)  # ? is shorter than F1
        tell_key(sheet, "keys")
        sheet.setAccessibleName("Keys")
        for line in (self._training, self._newest):
            layout.addWidget(line, 1)
        for widget in (self._device, self._memory, sheet):
            layout.addWidget(widget)
        for label in (self._device, self._memory):
            label.setFont(theme.font(theme.SMALL))
        self._memory.setMinimumWidth(self._memory.fontMetrics().horizontalAdvance("Memory 999 MB "))  # keeps its width
        self._redraw = QTimer(self, interval=REDRAW)
        self._redraw.timeout.connect(self._show)
        self._memory_timer = QTimer(self, interval=MEMORY_INTERVAL)
        self._memory_timer.timeout.connect(self.show_memory)
        self._memory_timer.start()
        session.job_started.connect(self._started)
        session.job_event.connect(self._event)
        session.job_ended.connect(self._ended)
        self.setFixedHeight(28)
        self._show()

    @Slot(object)
    def _started(self, job: object) -> None:
        assert isinstance(job, Job)
        self._values[job] = {}
        self._redraw.start()
        self._show()

    @Slot(object, object)
    def _event(self, job: object, event: object) -> None:
        values = self._values.get(job) if isinstance(job, Job) else None
        if values is None:
            return  # it has ended
        for name in ("step", "steps", "epoch", "epochs", "done", "total", "detail", "seconds_left", "device",
                     "precision", "memory_bytes", "paused"):  # fmt: skip
            value = getattr(event, name, None)
            if isinstance(value, int | float | str):  # a run's history has lists of the same names
                values[name] = value
        if isinstance(getattr(event, "ap50", None), float):
            values["ap50"] = event.ap50  # type: ignore[attr-defined]

    @Slot(object)
    def _ended(self, job: object) -> None:
        assert isinstance(job, Job)
        self._show_device(job, self._values.pop(job, {}))
        if not self._session.jobs:
            self._redraw.stop()
        self._show()

    @Slot()
    def _show(self) -> None:
        """The newest job, and before it the training that goes on meanwhile."""
        jobs = self._session.jobs
        newest = jobs[-1] if jobs else None
        training = next((job for job in jobs[:-1] if job.is_training), None)
        for line, job in ((self._training, training), (self._newest, newest)):
            line.show_job(job, self._values.get(job, {}) if job is not None else {}, training is None)
        self._training.setVisible(training is not None)
        self._pausing.setEnabled(self._session.is_training)
        self._stopping.setEnabled(newest is not None and not newest.stop.is_set())
        if newest is not None:
            self._show_device(newest, self._values.get(newest, {}))

    def _show_device(self, job: Job, values: dict[str, Any]) -> None:
        """The last device used stays; nothing is known about the machine before torch was loaded."""
        device = str(values.get("device", ""))
        if device:
            memory = 0 if device == "cpu" else values.get("memory_bytes", 0)  # on the processor it is the program's own
            machine = (device.replace("cpu", "CPU"), values.get("precision", ""), size(memory) if memory else "")
            self._device.setText("  ".join(part for part in machine if part))
            self._device.setToolTip(f"{job.title} was computed on this device, in these numbers")

    @Slot()
    def show_memory(self) -> None:
        """Show the program's current memory."""
        import psutil  # only after the window is painted

        self._memory.setText(f"Memory {size(psutil.Process().memory_info().rss)}")

    @Slot()
    def _pause(self) -> None:
        (self._newest if self._training.job is None else self._training).pause.click()
