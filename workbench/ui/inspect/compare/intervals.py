"""The intervals of a comparison: those of sums are available at once, those of AP come from a job on request."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.core.evaluation.bootstrap import DRAWS, LEAST, LEVEL, MetricDifference
from workbench.core.evaluation.matching import Matching
from workbench.core.evaluation.run_comparison import Measure
from workbench.core.formatting import percent
from workbench.ui.inspect.compare import comparer
from workbench.ui.inspect.compare.comparer import Comparison
from workbench.ui.job import Job
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session

SETTLED = 300  # ms without another request, after which the interval of AP is computed
Key = tuple[Matching, Matching, Measure]


class Intervals(QObject):
    """`changed` when there is more on the last request."""

    changed = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._known: dict[Key, MetricDifference] = {}
        self._wanted: Comparison | None = None
        self._measure: Measure = "f1"
        self._job: Job | None = None
        self._share = 0.0  # progress of that job
        self._is_stopped = False  # by a person, in the status bar
        self._later = QTimer(self, singleShot=True, interval=SETTLED)
        self._later.timeout.connect(self._begin)
        session.job_ended.connect(self._job_ended)

    def of(self, comparison: Comparison, measure: Measure) -> MetricDifference | None:
        """None while it is being computed."""
        if measure in comparer.BY_SUMS:
            self.stop()
            return comparison.tallies[measure]
        same = self._wanted is not None and self._key == _key(comparison, measure)
        self._wanted, self._measure = comparison, measure
        known = self._known.get(self._key)
        if known is None and not (same and (self._job is not None or self._later.isActive() or self._is_stopped)):
            self.stop()
            self._wanted = comparison
            self._later.start()
        return known

    @property
    def words(self) -> str:
        """What the whiskers mean, or the progress of computing them."""
        if self._later.isActive() or self._job is not None:
            return f"Working out the interval … {percent(self._share, 0)}"
        if self._is_stopped:
            return "The interval was not worked out: it was stopped."
        return (
            f"Whiskers: {percent(LEVEL, 0)} of {DRAWS:,} resamples of the images, coloured if they exclude 0;"
            f" none for labels in fewer than {LEAST} images."
        )

    def stop(self) -> None:
        self._later.stop()
        self._wanted, self._share, self._is_stopped = None, 0.0, False
        if self._job is not None:
            self._job.stop.set()
            self._job = None

    def forget(self) -> None:
        self.stop()
        self._known.clear()

    @property
    def _key(self) -> Key:
        assert self._wanted is not None
        return _key(self._wanted, self._measure)

    @Slot()
    def _begin(self) -> None:
        comparison, measure = self._wanted, self._measure
        if comparison is None:
            return
        job = Job("Comparing two runs", lambda _: comparer.intervals(comparison, measure), low_priority=True)
        job.reported.connect(self._reported)
        self._job, self._share = job, 0.0
        self._session.start(job)

    @Slot(object)
    def _reported(self, event: object) -> None:
        if self.sender() is not self._job or self._wanted is None:
            return
        if isinstance(event, MetricDifference):
            latest = list(self._known.items())[1 - comparer.KEPT :]  # of others the matchings are made anew
            self._known = {**dict(latest), self._key: event}
            self._job = None
        elif isinstance(event, JobProgress):
            self._share = event.done / event.total
        self.changed.emit()

    @Slot(object)
    def _job_ended(self, job: object) -> None:
        if job is self._job and job is not None:
            self._job, self._is_stopped = None, True
            self.changed.emit()


def _key(comparison: Comparison, measure: Measure) -> Key:
    return comparison.first.matching, comparison.second.matching, measure
