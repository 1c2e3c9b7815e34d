"""Keeps Pillow from warning about odd files where nobody could act on it."""

from __future__ import annotations

import threading
import warnings


class WarningFilter:
    """Silences Pillow's warnings about odd files while any thread is inside: users can't act on them.

    `warnings.catch_warnings` alone is not thread-safe: the last to leave would restore another thread's filters.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\b")

    def __exit__(self, *problem: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._caught.__exit__(None, None, None)


without_warnings = WarningFilter()
