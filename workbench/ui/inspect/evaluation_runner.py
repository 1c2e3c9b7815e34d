"""Runs one evaluation at a time as a job of the session: the page's own, or that of the run it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PySide6.QtCore import QObject, Signal, Slot

from workbench.errors import WorkbenchError
from workbench.ui.inspect.evaluation_job import EvaluationRequest, EvaluationResult
from workbench.ui.job import Job
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session

Evaluating = Iterator[EvaluationRequest | JobProgress | EvaluationResult]


class EvaluationRunner(QObject):
    """Its signals are about the latest evaluation; of one that was stopped or followed by another, nothing is heard."""

    progressed = Signal(object)  # JobProgress
    evaluated = Signal(object)  # EvaluationResult
    failed = Signal(str)  # a sentence
    ended = Signal(bool)  # whether it was stopped elsewhere, as in the status bar, before it had a result

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self.request: EvaluationRequest | None = None  # as the latest evaluation has reported it
        self._session = session
        self._job: Job | None = None
        self._has_result = False
        session.job_ended.connect(self._job_ended)

    @property
    def is_running(self) -> bool:
        return self._job is not None

    def start(self, title: str, evaluating: Callable[[], Evaluating]) -> None:
        """Run it in a job of this title, after stopping one that runs."""
        self.stop()
        job = Job(title, lambda _: evaluating(), low_priority=True)
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        self._job, self._has_result = job, False
        self._session.start(job)

    def stop(self) -> bool:
        """False if none was running."""
        if self._job is None:
            return False
        self._job.stop.set()
        self._job = None
        return True

    @Slot(object)
    def _reported(self, event: object) -> None:
        if self.sender() is not self._job:
            return
        if isinstance(event, EvaluationRequest):
            self.request = event
        elif isinstance(event, JobProgress):
            self.progressed.emit(event)
        elif isinstance(event, EvaluationResult):
            self._has_result = True
            self.evaluated.emit(event)

    @Slot(object)
    def _failed(self, error: object) -> None:
        if self.sender() is self._job and isinstance(error, WorkbenchError):
            self.failed.emit(error.sentence)

    @Slot(object)
    def _job_ended(self, job: object) -> None:
        if isinstance(job, Job) and job is self._job:
            self._job = None
            self.ended.emit(not self._has_result and job.error is None)
