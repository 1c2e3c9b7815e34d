"""Who waits for a reading hears of each file, and may stop it: formats are read in one call, which can take minutes.

Per thread, so nothing has to be handed through every format: `watched` around the call, `step` where a file is begun.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class Stopped(Exception):
    """Raised by a watcher to end the reading. Not a WorkbenchError: nobody must be told that something went wrong."""


class _Watcher(threading.local):
    told: Callable[[str], None] | None = None


_watcher = _Watcher()


@contextlib.contextmanager
def watched(told: Callable[[str], None]) -> Iterator[None]:
    """Call `told(what)` at each step of this thread within; what it raises ends the reading."""
    before, _watcher.told = _watcher.told, told
    try:
        yield
    finally:
        _watcher.told = before


def step(what: str) -> None:
    """One of `what` is begun, such as "annotation files read"."""
    if _watcher.told is not None:
        _watcher.told(what)
