"""When cyclic garbage is collected: in the window's thread only, a little at a time. The policy and all that does it.

By itself, Python collects in whichever thread creates the next object. Garbage may contain Qt objects, and these may
be destroyed in the window's thread only: elsewhere timers complain, and the process can crash. So in the window's
process Python's own collector is off from the first line of `app.run`, where it would only delay the first paint, to
the end, and nobody turns it on. Instead

- `begin`, once the window is painted, makes a GarbageCollector, which looks at what is new twice a second;
- what exists by then, and what survived a collection that took long, is frozen: it is not examined again until a
  project is closed, when much of it may be garbage. Opening one is no reason: it held the window up for nothing;
- `leave_the_rest`, when the window is closed, freezes all that is left: at its end Python would look through it
  several times for cycles, however much there is, before the system takes it all back;
- `collection_paused` is for a job that creates a million values without cycles: nothing is collected meanwhile, and
  these are frozen.

Child processes have no Qt objects, and Python's own collector.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Slot

if TYPE_CHECKING:
    from workbench.ui.session import Session

log = logging.getLogger(__name__)
EVERY = 500  # ms
LONG = 0.015  # seconds of this thread; what survives a longer collection of all is not examined again
MANY = 20_000
"""New objects that make the next collection of all long: 0.3 to 0.7 us each."""


def begin(session: Session) -> None:
    """Collect from now on, for as long as the session lives."""
    gc.freeze()
    GarbageCollector(session)

    def unfreeze() -> None:
        if session.document is None:
            gc.unfreeze()

    session.document_changed.connect(unfreeze)


def leave_the_rest() -> None:
    """The process is about to end: nothing that exists now is examined again, also not by Python's own end.

    With PyTorch loaded that end took 1.8 to 2.6 s, on a busy machine 5 s, in which the process was still there although
    the window was gone and the project closed; now 0.7 to 1.3 s. What must be done before the end is done by closing,
    or by `atexit`, which this does not touch. Refused: os._exit, 0.5 s sooner, which leaves out what libraries do last.
    """
    gc.freeze()


class GarbageCollector(QObject):
    """Collects from now on, as often as Python would: it counts the objects created in all threads."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._new = 0  # objects that were young since all was examined
        self._timer = QTimer(self, interval=EVERY)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    @Slot()
    def collect(self) -> None:
        """The youngest generation if it has grown; the older one after ten such rounds, and all after ten of those.

        All as well once much is new. It will be frozen, and with it all that is older, as Python freezes all at once:
        garbage there would stay, unexamined, for as long as the project is open.
        """
        counts, thresholds = gc.get_count(), gc.get_threshold()
        if collection_paused.is_held or counts[0] <= thresholds[0]:
            return
        self._new += counts[0]
        is_due = [count > threshold for count, threshold in zip(counts, thresholds, strict=True)]
        if self._new > MANY or all(is_due):
            self.collect_all()
        else:
            with _errors_silenced():
                gc.collect(int(is_due[1]))

    def collect_all(self) -> None:
        """Everything at once. If that took long, what survives is not examined again."""
        self._new = 0
        begun = time.thread_time()  # not the clock's: beside other programs a short one looks long
        with _errors_silenced():
            gc.collect()
        if time.thread_time() - begun > LONG:
            gc.freeze()


@contextlib.contextmanager
def _errors_silenced() -> Iterator[None]:
    """Silences errors from half-destroyed objects in a cycle that Qt still calls, as pyqtgraph's labels for their size.

    Such an error is nobody's fault.
    """
    hook, sys.excepthook = sys.excepthook, lambda kind, error, _trace: log.debug("In garbage: %s %s", kind, error)
    try:
        yield
    finally:
        sys.excepthook = hook


class _CollectionPaused(contextlib.AbstractContextManager[None]):
    """Inside this block, in any thread, nothing is collected; objects created meanwhile are not examined later.

    Reading a project creates a million values without cycles. Looking for cycles among them finds nothing and held
    up the window for 0.3 to 0.7 s at a time (20,000 images, 100,000 boxes), without it for 0.1 s at most.
    """

    def __init__(self) -> None:
        self._lock, self._within = threading.Lock(), 0

    @property
    def is_held(self) -> bool:
        return self._within > 0

    def __enter__(self) -> None:
        with self._lock:
            self._within += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._within -= 1
            if not self._within:
                gc.freeze()


collection_paused = _CollectionPaused()
