"""A long job in a thread: iterates a generator and passes its events to the window. The only class to cross threads.

Connect `reported`, `failed` and `finished` to @Slot methods before `start()` and never disconnect while it runs
(disconnecting under a flood of events crashed 3 of 25 runs). The thread is controlled by threading.Events only: `stop`,
and `pause` for a training. Events must be frozen values. After a stop, `wait()` before the owner is destroyed:
destroying a QThread while it runs ends the process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, QThread, Signal, Slot

from workbench.errors import WorkbenchError

log = logging.getLogger(__name__)

Work = Callable[["Job"], Iterator[Any]]
NICER = 4  # on Linux's scale of 40


class Job(QThread):
    """Runs `work(job)`, a generator, in a thread.

    `title` is what the status bar shows. When `stop` is set the generator is closed after its current
    event (its `finally` runs in the thread), unless it ends by itself: generators that must report their own
    end read `job.stop` and set `ends_itself`. `is_training`: it reads `pause`, and the window asks before ending it.
    `low_priority`: for work that keeps all cores busy for minutes, as training: the window's thread and other programs
    go first. `carries`: its events hold a lock or files, so they are delivered even when the project is closed, so
    that someone releases these.
    """

    reported = Signal(object)  # one event of the generator
    failed = Signal(object)  # a WorkbenchError
    _event_made = Signal(object)  # from the thread to this object, which lives in the window's thread

    def __init__(
        self, title: str, work: Work, parent: QObject | None = None, *,
        ends_itself: bool = False, is_training: bool = False, low_priority: bool = False, carries: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.title = title
        self.stop = threading.Event()
        self.pause = threading.Event()
        self.ends_itself = ends_itself
        self.is_training = is_training
        self.low_priority = low_priority
        self.carries = carries
        self.place = 1, 1  # of a training in a queue: its number, and how many there are
        self.muted = False  # its project is closed: further events are not delivered
        self.error: WorkbenchError | None = None
        self._work = work
        # When a nameless thread starts, Qt asks for its class, without the GIL. PySide 6.11 looks it up in a table
        # that the window's thread adds to: on Python 3.11, 7 of 300 processes crashed within 600 starts each.
        self.setObjectName(title)
        self._event_made.connect(self._pass_on)

    @Slot(object)
    def _pass_on(self, event: object) -> None:
        if not self.muted:
            self.reported.emit(event)

    def run(self) -> None:
        if self.low_priority:
            self._step_back()
        self._work_through()
        if self.low_priority:
            _give_back_memory()

    def _work_through(self) -> None:
        try:
            generator = self._work(self)
            for event in generator:
                self._event_made.emit(event)
                if self.stop.is_set() and not self.ends_itself:
                    close = getattr(generator, "close", None)
                    if close is not None:
                        close()
                    break
        except WorkbenchError as error:
            log.warning("%s: %s (%s)", self.title, error.sentence, error.cause)
            self._fail(error)
        except Exception as error:
            log.exception("%s failed", self.title)
            sentence = f"{self.title} stopped because of an error in Workbench: {error}. See Help > Log."
            self._fail(WorkbenchError(sentence, error))

    def _step_back(self) -> None:
        """Lower the priority of this thread, and so of those it starts.

        A little: of two cores the window's thread is in time with it (worst 31 ms, 58 without). Beside three busy
        programs it trains at 60 % of its rate at their priority. With 10, at 15 %, and where such a thread held
        Python's lock the window waited up to 0.3 s for it to be given a core.
        """
        if sys.platform == "linux":  # where Qt's priorities have no effect
            here = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, here, min(os.getpriority(os.PRIO_PROCESS, here) + NICER, 19))
        else:
            self.setPriority(QThread.Priority.LowPriority)

    def _fail(self, error: WorkbenchError) -> None:
        """Without what it was raised in: these frames would keep a network in a graphics card's memory."""
        self.error = error.with_traceback(None)
        error.__cause__ = error.__context__ = None
        self.failed.emit(error)

    def settle(self, seconds: float = 30.0) -> None:
        """Let it come to its end by itself, for so long, and pass on the events that it has made now."""
        self.wait(int(seconds * 1000))
        QCoreApplication.sendPostedEvents(self)

    def end(self, seconds: float = 10.0) -> bool:
        """Ask it to stop, resume it if paused, and wait; False if it still runs after `seconds`."""
        self.stop.set()
        self.pause.clear()
        return self.wait(int(seconds * 1000))


def _give_back_memory() -> None:
    """Return free memory to the system: else glibc keeps what a training or an evaluation used, 100 MB more each time.

    A training even asks for that (machine.keep_freed_memory), and these settings hold for the whole process. Of a
    graphics card torch keeps all that was ever used, which no other program could use while the window is open.
    """
    if "torch" in sys.modules:
        from workbench.training.hardware import gpu

        gpu.give_back_memory()
    if sys.platform == "linux":
        import ctypes  # not before the window is painted

        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
