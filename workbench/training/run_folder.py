"""A run's folder during training: used by one training at a time, written by its main process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from workbench.core.files import remove_unfinished
from workbench.core.lock import Lock
from workbench.errors import WorkbenchError
from workbench.training import record
from workbench.training.runtime import Runtime


def log(folder: Path, runtime: Runtime) -> record.EventLog | record.NoLog:
    return record.EventLog(folder) if runtime.is_main else record.NoLog()


@contextlib.contextmanager
def locked(folder: Path, runtime: Runtime) -> Iterator[None]:
    """Hold the lock of a run's folder, which is made. WorkbenchError if another program has it or it can't be made."""
    if not runtime.is_main:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkbenchError(f"The folder {folder} could not be made: {error.strerror or error}.", error) from error
    lock = Lock(folder)
    if not lock.held:
        raise WorkbenchError(lock.why(f"the run {folder.name}"))
    remove_unfinished(folder)
    try:
        yield
    finally:
        lock.release()
