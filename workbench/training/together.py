"""What torchrun runs for launch.py: `-m workbench.training.together FOLDER begin | go-on`, FOLDER being the run's.

The main process writes each event as a line of JSON to its output. It is stopped and paused by files in the folder,
which work on every system, and stops in order when whoever launched it is gone.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from workbench.core.lock import Lock
from workbench.errors import WorkbenchError
from workbench.training import events
from workbench.training.events import Control, Event, Failed

STOP, PAUSE, LAUNCHER = ".stop", ".pause", "launcher.lock"
LOOK_EVERY = 0.05  # seconds between two looks at a file
PARENT_EVERY = 2.0  # seconds between two looks whether the launcher lives


class FileFlag:
    """Like threading.Event, set from outside by a file."""

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
    """Set for good by its file, or by the launcher's end."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / STOP)
        self._folder, self._asked = folder, time.monotonic()

    def _here(self) -> bool:
        self._set = super()._here() or self._alone()
        return self._set

    def _alone(self) -> bool:
        if time.monotonic() - self._asked < PARENT_EVERY:
            return False
        self._asked = time.monotonic()
        lock = Lock(self._folder, LAUNCHER)
        try:
            return lock.held
        finally:
            lock.release()


def main(folder: Path, how: str) -> int:
    from workbench import plugins
    from workbench.training import record, run, torchrun

    plugins.loaded()
    with torchrun.joined() as runtime:
        control = Control(stop=StopFlag(folder), pause=FileFlag(folder / PAUSE)) if runtime.main else Control()
        try:
            request = runtime.share(lambda: record.read_request(folder))
            for event in run.train(replace(request, resume=how == "go-on"), control, runtime):
                if runtime.main:
                    _say(event)
        except WorkbenchError as error:
            if not isinstance(error, torchrun.ToldElsewhere):
                _say(Failed(error.sentence, repr(error.cause or "")))
            return 1
    return 0


def _say(event: Event) -> None:
    os.write(1, (events.to_json(event) + "\n").encode())


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2]))
