"""Lets a caller follow and stop the reading of a format, which is one call that can take minutes.

Per thread, so nothing has to be passed through every format: `watched` around the call, `step` at each file.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class Stopped(Exception):
    """Raised by a watcher to end the reading. Not a WorkbenchError: nothing went wrong, so nothing is reported."""


class _Watcher(threading.local):
    told: Callable[[str], None] | None = None


_watcher = _Watcher()


@contextlib.contextmanager
def watched(told: Callable[[str], None]) -> Iterator[None]:
    """Call `told(what)` at each step in this thread; an exception it raises ends the reading."""
    before, _watcher.told = _watcher.told, told
    try:
        yield
    finally:
        _watcher.told = before


def step(what: str) -> None:
    """Announce one more of `what`, such as "annotation files read"."""
    if _watcher.told is not None:
        _watcher.told(what)
