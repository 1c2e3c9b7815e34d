"""Lets a caller follow and stop the reading of a format, which is one call that can take minutes.

Per thread, so nothing has to be passed through every format: `report_steps` around the call, `step` at each file.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class ReadingStopped(Exception):
    """Raised by a watcher to end the reading. Not a WorkbenchError: nothing went wrong, so nothing is reported."""


class _Watcher(threading.local):
    callback: Callable[[str], None] | None = None


_watcher = _Watcher()


@contextlib.contextmanager
def report_steps(callback: Callable[[str], None]) -> Iterator[None]:
    """Call `callback(what)` at each step in this thread; an exception it raises ends the reading."""
    before, _watcher.callback = _watcher.callback, callback
    try:
        yield
    finally:
        _watcher.callback = before


def step(what: str) -> None:
    """Announce one more of `what`, such as "annotation files read"."""
    if _watcher.callback is not None:
        _watcher.callback(what)


def counted(items: Iterable[T], what: str) -> Iterator[T]:
    """`items`, announcing each thousand of them as `what`, such as "thousand rows read"."""
    for number, item in enumerate(items, start=1):
        yield item
        if number % 1000 == 0:
            step(what)
