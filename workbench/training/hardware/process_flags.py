"""Stops and pauses processes that train together, from outside: by files in the run's folder, on every system.

They also stop cleanly when the process that launched them is gone.
"""

from __future__ import annotations

import time
from pathlib import Path

from workbench.core.storage.lock import is_held

STOP, PAUSE, LAUNCHER = ".stop", ".pause", "launcher.lock"
LOOK_EVERY = 0.05  # seconds between two checks of a file
PARENT_EVERY = 2.0  # seconds between two checks whether the launcher is alive


class FileFlag:
    """Like threading.Event, but set from outside by a file."""

    def __init__(self, file: Path) -> None:
        self._file, self._set, self._looked, self._found = file, False, 0.0, False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        now = time.monotonic()
        if not self._set and now - self._looked > LOOK_EVERY:
            self._looked, self._found = now, self._here()
        return self._set or self._found

    def wait(self, timeout: float) -> bool:
        until = time.monotonic() + timeout
        while not self.is_set() and time.monotonic() < until:
            time.sleep(LOOK_EVERY)
        return self.is_set()

    def _here(self) -> bool:
        return self._file.exists()


class StopFlag(FileFlag):
    """Set permanently by its file or by the launcher's end."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / STOP)
        self._folder, self._asked = folder, time.monotonic()

    def _here(self) -> bool:
        if super()._here() or self._alone():  # a signal may set it meanwhile
            self._set = True
        return self._set

    def _alone(self) -> bool:
        if time.monotonic() - self._asked < PARENT_EVERY:
            return False
        self._asked = time.monotonic()
        return not is_held(self._folder, LAUNCHER)
