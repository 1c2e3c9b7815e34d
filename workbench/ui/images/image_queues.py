"""The order in which a run's network asks for labels, as the lists of images show it; computed in a job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.document import snapshot_of
from workbench.core.formatting import count
from workbench.core.image_queue import QueueOrder
from workbench.core.project import Snapshot
from workbench.errors import WorkbenchError
from workbench.inference.events import EvaluationProgress, Skipped
from workbench.inference.suggesting import image_queue
from workbench.inference.suggesting.image_queue import LabellingQueue, RankingRequest
from workbench.training import folds
from workbench.training.records import runs
from workbench.ui.job import Job
from workbench.ui.session import Session

NO_RUN = "No trained run yet that could say which images it is unsure of: train one on the Train page."


@dataclass(frozen=True, slots=True, eq=False)
class QueueJobRequest:
    """A request for the project in `folder`. `checkpoint` None: that of the newest run that has one, if possible not
    of one that is of a cross-validation.
    """

    folder: Path
    runs_folder: Path
    checkpoint: Path | None

    def snapshot(self) -> Snapshot:
        """The project as it is on disk: call it in the job."""
        return snapshot_of(self.folder)


def compute_queue(request: QueueJobRequest) -> Iterator[EvaluationProgress | Skipped | LabellingQueue]:
    """Runs in a job's thread. WorkbenchError if there is no run."""
    from workbench import plugins

    checkpoint = request.checkpoint
    if checkpoint is None:
        run = folds.whole_first([run for run in runs.runs(request.runs_folder) if run.checkpoint is not None])
        checkpoint = run.checkpoint if run is not None else None
    if checkpoint is None:
        raise WorkbenchError(NO_RUN)
    plugins.loaded()
    yield from image_queue.build_queue(RankingRequest(checkpoint.parent, checkpoint, request.snapshot()))


class QueueWatch(QObject):
    """`queue` of the run asked last, None for none; `changed` when it changes, or when a computation ends.

    An image labelled since then keeps its place, so that the list does not move under the person who labels it.
    """

    changed = Signal()
    work = staticmethod(compute_queue)  # or a fake

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.queue: LabellingQueue | None = None
        self._session = session
        self._checkpoint: Path | None = None
        self.job: Job | None = None  # while a queue is being computed
        self._of: Path | None = None  # the checkpoint it is for
        self._then = False  # whether another one was requested meanwhile
        session.document_changed.connect(self._forget)
        session.job_ended.connect(self._job_ended)

    def choose(self, checkpoint: Path | None) -> None:
        """Use this checkpoint from the next `renew` on; None: the newest run's."""
        self._checkpoint = checkpoint

    def renew(self) -> None:
        """Compute it for the current labels; images evaluated before are not evaluated again."""
        document = self._session.document
        if document is None or self.job is not None:
            self._then = document is not None and self._checkpoint != self._of
            return
        self._of, self._then = self._checkpoint, False
        request, work = QueueJobRequest(document.folder, document.runs_folder, self._checkpoint), self.work
        self.job = Job("Ordering the images", lambda _: work(request), low_priority=True)
        self.job.reported.connect(self._reported)
        self._session.start(self.job)

    @Slot(object)
    def _reported(self, event: object) -> None:
        document = self._session.document
        if (
            isinstance(event, LabellingQueue)
            and document is not None
            and event.checkpoint.parent.parent == document.runs_folder
        ):
            self.queue = event
            if event.skipped:
                self._session.inform(f"{count(event.skipped, 'image')} could not be read and are not listed.")

    @Slot(object)
    def _job_ended(self, job: object) -> None:
        if isinstance(job, Job) and job is self.job:
            self.job = None
            self.changed.emit()
            if self._then and not job.muted:  # else its project is being closed
                self.renew()

    @Slot()
    def _forget(self) -> None:
        """Ids mean nothing in another project."""
        self.queue, self._checkpoint, self._then = None, None, False
        self.changed.emit()


def of(session: Session) -> QueueWatch:
    """The session's QueueWatch, shared by all lists; created on first use."""
    found = session.findChild(QueueWatch)
    return found if isinstance(found, QueueWatch) else QueueWatch(session)


def sorted_by(queue: LabellingQueue | None, by: QueueOrder, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """(k,) ids (k,) in the queue's order; those not in it follow in their previous order."""
    if queue is None:
        return ids
    places: NDArray[np.float64] = np.full(int(max(ids.max(initial=0), queue.orders[by].max(initial=0))) + 1, np.inf)
    places[queue.orders[by]] = np.arange(len(queue))
    return ids[np.argsort(places[ids], kind="stable")]
