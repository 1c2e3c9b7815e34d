"""The bottom line: the running job with progress, time left and Pause/Stop; device, precision and memory; keys."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QToolButton, QWidget

from workbench.core.formatting import duration, share, size
from workbench.ui import theme
from workbench.ui.actions import make_action, tell_key, write_key
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.widgets.elided import ElidedLabel

REDRAW = 100
"""Milliseconds between redraws: redrawing per event cut a worker from 1,505 steps to 244 in 2 s."""
MEMORY_INTERVAL = 2000
"""Milliseconds between checks of the program's own memory, which take 50 microseconds."""


class StatusBar(QFrame):
    """Shows the session's newest job, and tracks the progress of all running ones.

    Uses the attributes that an event has: step/steps or done/total, seconds_left, ...
    """

    def __init__(self, session: Session, keys: QAction, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status-bar")
        self.setProperty("role", "bar")
        self._session = session
        self._job: Job | None = None
        self._values: dict[Job, dict[str, Any]] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 2, 12, 2)
        layout.setSpacing(theme.GRID)
        self._title = ElidedLabel()
        self._title.setObjectName("job-title")
        self._bar = QProgressBar(textVisible=False, maximum=1000)
        self._bar.setObjectName("job-progress")
        self._bar.setAccessibleName("Progress of what is running")
        self._bar.setFixedSize(160, 8)
        self._pause = self._button("job-pause", "Pause", "mdi6.pause", self._toggle_pause)
        self._pause.setCheckable(True)
        self._pause.toggled.connect(self._name_pause)
        self._stop = self._button("job-stop", "Stop", "mdi6.stop", self._ask_stop)
        everywhere = Qt.ShortcutContext.WindowShortcut
        self._pausing = make_action(self, "pause-job", self._pause.click, context=everywhere)
        self._stopping = make_action(self, "stop-job", self._stop.click, context=everywhere)
        tell_key(self._pause, "pause-job")
        tell_key(self._stop, "stop-job")
        self._device = QLabel()
        self._device.setObjectName("device")
        self._device.setProperty("role", "muted")
        self._memory = QLabel()
        self._memory.setObjectName("memory")
        self._memory.setProperty("role", "muted")
        self._memory.setToolTip("What this program has taken of the computer's memory")
        self._memory.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        sheet = self._button("show-keys", "", "mdi6.keyboard-outline", keys.trigger)
        write_key(sheet, "keys", "Keys  {}", which=-1)  # ? is shorter than F1
        tell_key(sheet, "keys")
        sheet.setAccessibleName("Keys")
        layout.addWidget(self._title, 1)
        for widget in (self._bar, self._pause, self._stop, self._device, self._memory, sheet):
            layout.addWidget(widget)
        for label in (self._title, self._device, self._memory):
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

    def _button(self, name: str, word: str, icon: str, slot: Any) -> QToolButton:
        button = QToolButton(autoRaise=True)
        button.setText(word)
        button.setToolTip(word)
        button.setObjectName(name)
        button.setAccessibleName(word)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setFont(theme.font(theme.SMALL))
        theme.set_icon(button, icon)
        button.clicked.connect(slot)
        return button

    @Slot(object)
    def _started(self, job: object) -> None:
        assert isinstance(job, Job)
        self._job, self._values[job] = job, {}
        self._pause.setChecked(False)
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
        if job is self._job and hasattr(event, "paused"):  # pausing was requested here or on the Train page
            self._pause.setChecked(bool(event.paused))

    @Slot(object)
    def _ended(self, job: object) -> None:
        assert isinstance(job, Job)
        self._show_device(job, self._values.pop(job, {}))
        if job is self._job:
            others = self._session.jobs
            self._job = others[-1] if others else None
            self._pause.setChecked(self._job is not None and self._job.pause.is_set())
        if self._job is None:
            self._redraw.stop()
        self._show()

    @Slot()
    def _show(self) -> None:
        job = self._job
        self._bar.setVisible(job is not None)
        self._stop.setVisible(job is not None)
        self._pause.setVisible(job is not None and job.is_training)
        self._pausing.setEnabled(job is not None and job.is_training)
        self._stopping.setEnabled(job is not None and not job.stop.is_set())
        if job is None:
            self._title.setText("")
            return
        values = self._values.get(job, {})
        self._title.setText("  ".join(part for part in (job.title, *self._details()) if part))
        done, total = values.get("step", values.get("done", 0)), values.get("steps", values.get("total", 0))
        self._bar.setMaximum(1000 if total else 0)  # 0: running, with unknown progress
        self._bar.setValue(round(1000 * done / total) if total else 0)
        self._stop.setEnabled(not job.stop.is_set())
        self._show_device(job, values)

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

    def _details(self) -> list[str]:
        job = self._job
        assert job is not None
        values = self._values.get(job, {})
        number, all_ = job.place
        parts = [f"run {number:,} of {all_:,}"] if all_ > 1 else []
        if values.get("epochs"):
            parts.append(f"epoch {values.get('epoch', 0)}/{values['epochs']}")
        elif values.get("total"):
            parts.append(f"{values.get('done', 0):,} of {values['total']:,}")
        if not math.isnan(values.get("ap50", math.nan)):
            parts.append(f"AP50 {share(values['ap50'], 2)}")
        if job.stop.is_set():
            parts.append("stopping …")
        elif values.get("paused"):
            parts.append("paused")
        elif values.get("seconds_left"):
            parts.append(f"{duration(values['seconds_left'])} left")
        parts.append(str(values.get("detail", "")))
        return parts

    @Slot()
    def _toggle_pause(self) -> None:
        if self._job is not None:
            paused = self._pause.isChecked()
            (self._job.pause.set if paused else self._job.pause.clear)()

    @Slot(bool)
    def _name_pause(self, paused: bool) -> None:
        word, icon = ("Continue", "mdi6.play") if paused else ("Pause", "mdi6.pause")
        self._pause.setText(word)
        self._pause.setAccessibleName(word)
        theme.set_icon(self._pause, icon)

    @Slot()
    def _ask_stop(self) -> None:
        if self._job is not None:
            self._job.stop.set()
            self._job.pause.clear()
            self._show()
