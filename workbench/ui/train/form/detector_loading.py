"""Loads PyTorch, the detectors and the presets, once, when the Train page is first seen; the form is then filled."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from workbench.errors import WorkbenchError
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.train import work
from workbench.ui.train.form.setup_panel import LOADING, SetupPanel
from workbench.ui.train.work import Loaded


class DetectorLoading(QObject):
    """`loaded` once `setup` has been filled; `failed` if that can't be: `setup` then says why."""

    loaded = Signal()
    failed = Signal()

    def __init__(self, session: Session, setup: SetupPanel) -> None:
        super().__init__(setup)
        self._session, self._setup = session, setup
        self._job: Job | None = None
        session.job_ended.connect(self._job_ended)

    def load(self) -> None:
        """Begin, unless that was done."""
        if self._setup.loaded or self._job is not None:
            return
        job = Job("Loading PyTorch", lambda _: work.load())
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        self._job = job
        self._setup.loading.setText(LOADING)  # an earlier try may have failed
        self._session.start(job)

    @Slot(object)
    def _reported(self, event: object) -> None:
        if isinstance(event, Loaded):
            self._setup.fill(event)
            self.loaded.emit()

    @Slot(object)
    def _failed(self, error: object) -> None:
        if isinstance(error, WorkbenchError):
            self._setup.loading.setText(error.sentence)
            self.failed.emit()

    @Slot(object)
    def _job_ended(self, job: object) -> None:
        if job is self._job:
            self._job = None
