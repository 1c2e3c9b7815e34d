"""A training from its request to its last checkpoint: a generator of events, for the window and the command line.

Closing the generator, Ctrl-C, Stop and the normal end share one path: the `finally` of the loop (loop.py) writes the
last checkpoint, from which `resume` continues as if nothing had happened, bit for bit on the CPU. (Only a Ctrl-C that
falls into the few milliseconds in which the weights change may leave only some of them changed; so the command line
sets `control.stop` at the first Ctrl-C.)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch

from workbench.core.files import remove_unfinished
from workbench.core.storage.lock import Lock
from workbench.errors import WorkbenchError
from workbench.training.checkpoints.write_retries import WriteRetries
from workbench.training.events import Control, Event, Failed, Message
from workbench.training.hardware import machine
from workbench.training.hardware.launch import train_together
from workbench.training.hardware.runtime import Runtime
from workbench.training.loop import Training
from workbench.training.records import record
from workbench.training.request import RunRequest

__all__ = ["RunRequest", "resume", "train"]


def train(request: RunRequest, control: Control | None = None, runtime: Runtime | None = None) -> Iterator[Event]:
    """Train as `request` says, yielding events, which are also appended to events.jsonl in the run's folder.

    WorkbenchError when the training can't start (no boxes, no such device, folder in use): a run that was to go on is
    then what it was, with a message more in its record. After Started, failures are the last event, Failed. Set
    `control.stop` for a clean end with Finished(stopped=True).
    Changes torch's seed and, while it runs, its number of threads. With a `runtime` of several processes each of them
    calls this with the same request; the main one writes the files.
    """
    request, control, runtime = request.as_its_authors(), control or Control(), runtime or Runtime()
    processes = _processes(request) if runtime.world == 1 else 1
    if processes > 1:
        yield from train_together(request, control, processes)
        return
    retries = WriteRetries(control)
    with _opened(request.folder, runtime, retries) as log:
        training = Training(request, control, log, runtime, retries)
        with machine.threads_each(runtime.threads(request.recipe.training.device)):
            steps = training.events()
            try:
                with contextlib.closing(steps):  # type: ignore[type-var]
                    for event in steps:
                        yield log.add(event)
            except Exception as error:
                known = runtime.explain(error)
                odd = Failed(f"The training stopped because of an error in Workbench: {error}", repr(error))
                failed = odd if known is None else Failed(known.sentence, known.cause)
                if training.started or not request.resume:
                    failed = log.add(failed)
                else:  # the run is what it was
                    log.add(Message("warning", f"The run could not be resumed. {failed.sentence}"))
                is_reported = not (runtime.failed_alone(error) or training.abandoned) and training.started
                if known is not None and is_reported:
                    yield failed
                elif known is None or known is error:
                    raise
                else:
                    raise known from error


def resume(folder: Path, control: Control | None = None, runtime: Runtime | None = None) -> Iterator[Event]:
    """Resume the run in `folder` from its last checkpoint, with the data and the recipe it was started with."""
    runtime = runtime or Runtime()
    return train(runtime.broadcast(lambda: record.read_request(Path(folder))), control, runtime)


def _processes(request: RunRequest) -> int:
    """How many processes train it: as the recipe says; of a run that goes on, no more than there are graphics cards."""
    settings = request.recipe.training
    cards = torch.cuda.device_count() if settings.device != "cpu" and torch.cuda.is_available() else 0
    return min(settings.processes, cards) if request.resume and cards else settings.processes


@contextlib.contextmanager
def _opened(folder: Path, runtime: Runtime, retries: WriteRetries) -> Iterator[record.AnyLog]:
    """The record of a run, whose folder is made and used by one training at a time; only the main process writes there.

    WorkbenchError if another program has the folder or it can't be made.
    """
    if not runtime.is_main:
        yield record.NoLog()
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkbenchError(f"The folder {folder} could not be made: {error.strerror or error}.", error) from error
    lock = Lock(folder)
    try:
        if not lock.held:
            raise WorkbenchError(lock.why(f"the run {folder.name}"))
        remove_unfinished(folder)
        with contextlib.closing(record.EventLog(folder, retries)) as log:
            yield log
    finally:
        lock.release()
