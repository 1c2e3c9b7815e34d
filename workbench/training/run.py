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

from workbench.training import gpu, machine, record, run_folder
from workbench.training.events import Control, Event, Failed
from workbench.training.launch import train_together
from workbench.training.loop import Training
from workbench.training.request import RunRequest
from workbench.training.runtime import Runtime

__all__ = ["RunRequest", "resume", "train"]


def train(request: RunRequest, control: Control | None = None, runtime: Runtime | None = None) -> Iterator[Event]:
    """Train as `request` says, yielding events, which are also appended to events.jsonl in the run's folder.

    WorkbenchError when the training can't start (no boxes, no such device, folder in use); after Started, failures
    are the last event, Failed. Set `control.stop` for a clean end with Finished(stopped=True).
    Changes torch's seed and, while it runs, its number of threads. With a `runtime` of several processes each of them
    calls this with the same request; the main one writes the files.
    """
    request, control, runtime = request.as_its_authors(), control or Control(), runtime or Runtime()
    if request.recipe.training.processes > 1 and runtime.world == 1:
        yield from train_together(request, control)
        return
    with run_folder.locked(request.folder, runtime), contextlib.closing(run_folder.log(request.folder, runtime)) as log:
        training = Training(request, control, log, runtime)
        with machine.threads_each(runtime.threads):
            steps = training.events()
            try:
                with contextlib.closing(steps):  # type: ignore[type-var]
                    for event in steps:
                        yield log.add(event)
            except Exception as error:
                known = gpu.explain_error(error, runtime.device)
                odd = Failed(f"The training stopped because of an error in Workbench: {error}", repr(error))
                failed = log.add(odd if known is None else Failed(known.sentence, known.cause))
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
