"""Background work for what is on the screen (a thumbnail, a picture): newest request first, dropped once out of view.

The thread is a Job that runs as long as there are requests. Each `Background` does one kind of work, one at a time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from workbench.errors import WorkbenchError
from workbench.ui.job import Job


class Background(QObject):
    """Runs `work(request)` in a thread for the requests of the latest `ask`.

    `done(request, result)` is emitted in the window's thread; the result is a WorkbenchError if `work` raised one.
    Call `close` before the owner is destroyed or its project is closed: nothing is done or emitted after that.
    """

    done = Signal(object, object)

    def __init__(self, title: str, work: Callable[[Any], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._work = work
        self._lock = threading.Lock()
        self._requests: list[Hashable] = []
        self._job: Job | None = None
        self._closed = False

    def ask(self, requests: Sequence[Hashable]) -> None:
        """Do these in order; earlier requests that have not been started are dropped."""
        if self._closed:
            return
        with self._lock:
            self._requests = list(dict.fromkeys(requests))
        self._begin()

    def add(self, request: Hashable) -> None:
        """Do this after what was asked before."""
        if self._closed:
            return
        with self._lock:
            if request not in self._requests:
                self._requests.append(request)
        self._begin()

    def _begin(self) -> None:
        if self._job is not None or self._closed or not self._requests:
            return
        self._job = Job(self._title, self._results, self)
        self._job.reported.connect(self._reported)
        self._job.finished.connect(self._finished)
        self._job.start()

    def _results(self, job: Job) -> Iterator[tuple[Hashable, object]]:
        """Runs in the job's thread."""
        while not job.stop.is_set():
            with self._lock:
                if not self._requests:
                    return
                request = self._requests.pop(0)
            try:
                yield request, self._work(request)
            except WorkbenchError as error:
                yield request, error
            except Exception as error:  # the owner waits for an answer to each request
                logging.getLogger(__name__).exception("%s failed", self._title)
                yield request, WorkbenchError(f"{self._title} failed. See Help > Log.", error)

    @Slot(object)
    def _reported(self, event: object) -> None:
        assert isinstance(event, tuple)
        if not self._closed:  # else it was on its way when the owner's project was closed
            self.done.emit(event[0], event[1])

    @Slot()
    def _finished(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.wait()
            job.deleteLater()
        self._begin()  # requests added while the job was ending

    def settle(self, seconds: float = 60.0) -> None:
        """Drop what has not been started, wait for the one in progress, and deliver its result now."""
        with self._lock:
            self._requests = []
        if self._job is not None:
            self._job.settle(seconds)

    def close(self) -> None:
        """Drop all requests and wait for the one in progress."""
        self._closed = True
        with self._lock:
            self._requests = []
        if self._job is not None:
            self._job.end(60.0)

    def is_idle(self) -> bool:
        """True if nothing is in progress or waiting."""
        return self._job is None and not self._requests
