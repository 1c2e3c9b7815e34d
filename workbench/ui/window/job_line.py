"""What is known of one running job: its title, how far it is, Pause for a training, and Stop."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from workbench.core.formatting import duration, share
from workbench.ui import theme
from workbench.ui.actions import tell_key
from workbench.ui.job import Job
from workbench.ui.widgets.buttons import word_button
from workbench.ui.widgets.elided import ElidedLabel

_BAR, _SHORT_BAR = 160, 64
"""Width of the progress bar in px: alone, and beside another line, where the words need the room."""


class JobLine(QWidget):
    """Its widgets are called `name` and what they are: "job-title", "job-progress", "job-pause", "job-stop"."""

    def __init__(self, name: str, progress: str) -> None:
        """`progress`: what a screen reader calls the progress bar."""
        super().__init__()
        self.job: Job | None = None
        self._title = ElidedLabel()
        self._title.setObjectName(f"{name}-title")
        self._title.setFont(theme.font(theme.SMALL))
        self._bar = QProgressBar(textVisible=False, maximum=1000)
        self._bar.setObjectName(f"{name}-progress")
        self._bar.setAccessibleName(progress)
        self._bar.setFixedHeight(8)
        self.pause = word_button(f"{name}-pause", "Pause", "mdi6.pause")
        self.pause.setCheckable(True)
        self.pause.toggled.connect(self._name_pause)
        self.stop = word_button(f"{name}-stop", "Stop", "mdi6.stop")
        self.pause.clicked.connect(self._toggle_pause)
        self.stop.clicked.connect(self._ask_stop)
        tell_key(self.pause, "pause-job")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.GRID)
        layout.addWidget(self._title, 1)
        layout.addWidget(self._bar)
        for button in (self.pause, self.stop):
            button.setAutoRaise(True)
            button.setFont(theme.font(theme.SMALL))
            layout.addWidget(button)

    def show_job(self, job: Job | None, values: dict[str, Any], is_alone: bool) -> None:
        """Show a job, of which `values` is known; None: nothing. `is_alone`: no other line is beside it."""
        self.job = job
        self._bar.setFixedWidth(_BAR if is_alone else _SHORT_BAR)
        for widget in (self._bar, self.stop):
            widget.setVisible(job is not None)
        self.pause.setVisible(job is not None and job.is_training)
        self.pause.setChecked(job is not None and job.pause.is_set())  # here, by key or on the Train page
        if job is None:
            self._title.setText("")
            return
        self._title.setText("  ".join(part for part in (job.title, *_details(job, values)) if part))
        done, total = values.get("step", values.get("done", 0)), values.get("steps", values.get("total", 0))
        self._bar.setMaximum(1000 if done and total else 0)  # 0: it moves, as the first step may take a minute
        self._bar.setValue(round(1000 * done / total) if done and total else 0)
        self.stop.setEnabled(not job.stop.is_set())

    @Slot()
    def _toggle_pause(self) -> None:
        if self.job is not None:
            (self.job.pause.set if self.pause.isChecked() else self.job.pause.clear)()

    @Slot(bool)
    def _name_pause(self, paused: bool) -> None:
        word, icon = ("Continue", "mdi6.play") if paused else ("Pause", "mdi6.pause")
        self.pause.setText(word)
        self.pause.setAccessibleName(word)
        theme.set_icon(self.pause, icon)

    @Slot()
    def _ask_stop(self) -> None:
        if self.job is not None:
            self.job.stop.set()
            self.job.pause.clear()
            self.stop.setEnabled(False)


def _details(job: Job, values: dict[str, Any]) -> list[str]:
    (number, all_), detail = job.place, str(values.get("detail", ""))
    parts = [f"run {number:,} of {all_:,}"] if all_ > 1 else []
    if values.get("epochs"):
        parts.append(f"epoch {values.get('epoch', 0):,} of {values['epochs']:,}")
    elif values.get("total"):
        parts.append(f"{values.get('done', 0):,} of {values['total']:,} {detail}".rstrip())
        detail = ""
    if not math.isnan(values.get("ap50", math.nan)):
        parts.append(f"AP50 {share(values['ap50'], 2)}")
    if job.stop.is_set():
        parts.append("stopping …")
    elif values.get("paused"):
        parts.append("paused")
    elif values.get("seconds_left"):
        parts.append(f"{duration(values['seconds_left'])} left")
    parts.append(detail)
    return parts
