"""The speed of a training and its remaining time; averages the loss terms between two reports."""

from __future__ import annotations

import math
import time
from collections import defaultdict

import psutil
import torch

from workbench.core import control_groups
from workbench.training.events import Progress
from workbench.training.hardware import gpu
from workbench.training.schedule import Plan

REPORT_EVERY = 0.1  # seconds between two reports: what a person can follow, and half of what is allowed
MOST_REPORTS = 20_000
"""Of a run, besides those at the ends of epochs. Ten a second would be 2 GB of events in a week, which take ten minutes
to read for the curves; these have 8,000 points."""
SLEPT = 600.0, 10.0
"""Seconds without a report, and how many times the longest before, that mean that the machine was asleep, whose clock
goes on under Windows, or the process was held (Ctrl-Z)."""
SMOOTHING = 0.9  # of the speed, per report


class Meter:
    """Collects steps; `progress` reports them. Waiting and evaluating don't count as training (`rest`).

    `images`: of an epoch, if its plan goes through several views of each; 0: as many as in the plan.
    """

    def __init__(self, plan: Plan, device: torch.device, images: int = 0) -> None:
        self.plan, self.device = plan, device
        self._share = (images or plan.images) / plan.images  # of an image, that is one view
        self._began = time.perf_counter()
        self._first_step = 0
        self._process = psutil.Process()
        self._cores = control_groups.usable_cores()
        self._rate, self._norm = 0.0, math.nan  # learning rate of the last step; largest norm since the last report
        self._speed = 0.0  # images per second
        self._images, self._seconds = 0.0, 0.0  # not yet included in it
        self._longest = 0.0  # seconds between two reports
        self.slept = 0.0  # seconds
        self._clear()

    def begin(self, step: int) -> None:
        """Begin at this step, which is not 0 for a resumed run."""
        self._first_step = step

    def rest(self) -> None:
        """Leave out the time since the last step: what is measured next starts now."""
        self._since, self._worked = time.perf_counter(), time.process_time()

    def resume(self) -> None:
        """End a pause, which does not count in the estimate of the time left."""
        self._began += time.perf_counter() - self._since
        self.rest()

    def add(self, terms: dict[str, float], rate: float, gradient_norm: float = math.nan) -> None:
        self._steps += 1
        self._rate = rate
        self._norm = max(gradient_norm, self._norm) if self._norm == self._norm else gradient_norm
        for name, value in terms.items():
            self._sums[name] += value

    @property
    def due(self) -> bool:
        enough = self._steps * MOST_REPORTS >= self.plan.steps or not self._speed  # the first comes at once
        return enough and time.perf_counter() - self._since >= REPORT_EVERY

    def progress(self, done: int) -> Progress:
        """The report after `done` steps; starts a new interval."""
        terms = {name: total / max(self._steps, 1) for name, total in self._sums.items()}
        now = time.perf_counter()
        self._take_time(now - self._since)
        per_step = (now - self._began) / max(done - self._first_step, 1)  # including evaluations
        report = Progress(
            step=done, steps=self.plan.steps, epoch=self.plan.epoch(done), epochs=self.plan.epochs, terms=terms,
            loss=sum(terms.values()), learning_rate=self._rate, images_per_second=self._speed,
            seconds_left=per_step * (self.plan.steps - done), memory_bytes=self._memory(),
            gradient_norm=self._norm, device_use=self._use(now),
        )  # fmt: skip
        self._clear()
        return report

    def _take_time(self, seconds: float) -> None:
        """`seconds` since the last report."""
        least, times = SLEPT
        if self._longest and seconds > max(least, times * self._longest):
            self.slept, self._began = self.slept + seconds, self._began + seconds
            return
        self._longest = max(self._longest, seconds)
        self._take_speed(seconds)

    def _take_speed(self, seconds: float) -> None:
        """Only over at least REPORT_EVERY: a graphics card's steps are read many at a time, so the report at the end
        of an epoch may come microseconds after the one before.
        """
        self._images, self._seconds = (
            self._images + self._steps * self.plan.batch * self._share,
            self._seconds + seconds,
        )
        if self._speed and self._seconds < REPORT_EVERY:
            return
        speed = self._images / max(self._seconds, 1e-6)
        self._speed = SMOOTHING * self._speed + (1 - SMOOTHING) * speed if self._speed else speed
        self._images, self._seconds = 0.0, 0.0

    def _clear(self) -> None:
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._steps = 0
        self._rate, self._norm = 0.0, math.nan
        self.rest()

    def _use(self, now: float) -> float:
        if self.device.type == "cuda":
            return gpu.utilization(self.device)
        if self.device.type != "cpu":
            return math.nan
        return min((time.process_time() - self._worked) / max(now - self._since, 1e-6) / self._cores, 1.0)

    def _memory(self) -> int:
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device))
        return int(self._process.memory_info().rss)
