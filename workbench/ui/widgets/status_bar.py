"""The bottom line: the running job with its progress, time left and Pause/Stop, and what the machine computes with."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QToolButton, QWidget

from workbench.core.words import duration, size
from workbench.ui import theme
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.widgets.elided import Elided

REDRAW = 100
"""Milliseconds between redraws: redrawing per event cut a worker from 1,505 steps to 244 in 2 s."""


class StatusBar(QFrame):
    """Follows the session's newest job. Reads of an event what it has: step/steps or done/total, seconds_left, ..."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status-bar")
        self.setProperty("role", "bar")
        self._session = session
        self._job: Job | None = None
        self._newest: dict[str, Any] = {}
        self._ap50 = math.nan
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 2, 12, 2)
        layout.setSpacing(theme.GRID)
        self._title = Elided()
        self._title.setObjectName("job-title")
        self._bar = QProgressBar(textVisible=False, maximum=1000)
        self._bar.setObjectName("job-progress")
        self._bar.setFixedSize(160, 8)
        self._pause = self._button("job-pause", "Pause", "mdi6.pause", self._toggle_pause)
        self._pause.setCheckable(True)
        self._pause.toggled.connect(self._name_pause)
        self._stop = self._button("job-stop", "Stop", "mdi6.stop", self._ask_stop)
        self._device = QLabel()
        self._device.setObjectName("device")
        self._device.setProperty("role", "muted")
        self._keys = QLabel("keys: ?")
        self._keys.setProperty("role", "muted")
        layout.addWidget(self._title, 1)
        for widget in (self._bar, self._pause, self._stop, self._device, self._keys):
            layout.addWidget(widget)
        for label in (self._title, self._device, self._keys):
            label.setFont(theme.font(theme.SMALL))
        self._redraw = QTimer(self, interval=REDRAW)
        self._redraw.timeout.connect(self._show)
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
        self._job, self._newest, self._ap50 = job, {}, math.nan
        self._pause.setChecked(False)
        self._redraw.start()
        self._show()

    @Slot(object, object)
    def _event(self, job: object, event: object) -> None:
        if job is not self._job:
            return
        for name in ("step", "steps", "epoch", "epochs", "done", "total", "detail", "seconds_left", "device",
                     "precision", "memory_bytes", "paused"):  # fmt: skip
            value = getattr(event, name, None)
            if isinstance(value, int | float | str):  # a run's story so far has lists of the same names
                self._newest[name] = value
        if hasattr(event, "paused"):  # asked for here or on the Train page
            self._pause.setChecked(bool(event.paused))
        if isinstance(getattr(event, "ap50", None), float):
            self._ap50 = event.ap50  # type: ignore[attr-defined]

    @Slot(object)
    def _ended(self, job: object) -> None:
        if job is self._job:
            others = self._session.jobs
            self._job, self._newest = (others[-1] if others else None), {}
        if self._job is None:
            self._redraw.stop()
        self._show()

    @Slot()
    def _show(self) -> None:
        job, seen = self._job, self._newest
        self._bar.setVisible(job is not None)
        self._stop.setVisible(job is not None)
        self._pause.setVisible(job is not None and job.pauses)
        if job is None:
            self._title.setText("")
            self._device.setText("")
            return
        self._title.setText("  ".join(part for part in (job.title, *self._details()) if part))
        done, total = seen.get("step", seen.get("done", 0)), seen.get("steps", seen.get("total", 0))
        self._bar.setMaximum(1000 if total else 0)  # 0: on the way, nobody knows how far
        self._bar.setValue(round(1000 * done / total) if total else 0)
        self._stop.setEnabled(not job.stop.is_set())
        memory = seen.get("memory_bytes", 0)
        machine = (seen.get("device", ""), seen.get("precision", ""), size(memory) if memory else "")
        self._device.setText("  ".join(part for part in machine if part))

    def _details(self) -> list[str]:
        seen, job = self._newest, self._job
        assert job is not None
        parts = []
        if seen.get("epochs"):
            parts.append(f"epoch {seen.get('epoch', 0)}/{seen['epochs']}")
        elif seen.get("total"):
            parts.append(f"{seen.get('done', 0):,} of {seen['total']:,}")
        if not math.isnan(self._ap50):
            parts.append(f"AP50 {self._ap50:.2f}")
        if job.stop.is_set():
            parts.append("stopping …")
        elif seen.get("paused"):
            parts.append("paused")
        elif seen.get("seconds_left"):
            parts.append(f"{duration(seen['seconds_left'])} left")
        parts.append(str(seen.get("detail", "")))
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
        self._pause.setToolTip(word)
        self._pause.setAccessibleName(word)
        theme.set_icon(self._pause, icon)

    @Slot()
    def _ask_stop(self) -> None:
        if self._job is not None:
            self._job.stop.set()
            self._job.pause.clear()
            self._show()
