"""What torchrun runs for training/hardware/launch.py: `-m workbench.cli.torchrun_worker FOLDER begin|go-on`.

The main process writes each event as a line of JSON to its output; the others print nothing.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from workbench import console, plugins
from workbench.errors import WorkbenchError
from workbench.training import events
from workbench.training.events import Control, Event, Failed
from workbench.training.hardware.process_flags import PAUSE, FileFlag, StopFlag


def main(folder: Path, how: str) -> int:
    from workbench.training import run
    from workbench.training.hardware import torchrun
    from workbench.training.records import record

    plugins.loaded()
    with torchrun.join_processes() as runtime:
        control = Control(stop=StopFlag(folder), pause=FileFlag(folder / PAUSE)) if runtime.is_main else Control()
        try:
            runtime.check_program()
            request = runtime.broadcast(lambda: record.read_request(folder))
            with console.stop_on_signal(control.stop, patient=True):  # as SLURM sends it to all processes of a job
                for event in run.train(replace(request, resume=how == "go-on"), control, runtime):
                    if runtime.is_main:
                        _say(event)
        except torchrun.OtherEnded:
            raise  # the launcher tells which
        except WorkbenchError as error:
            if not isinstance(error, torchrun.AlreadyReported):
                _say(Failed(error.sentence, repr(error.cause or "")))
            return 1
    return 0


def _say(event: Event) -> None:
    os.write(1, (events.to_json(event) + "\n").encode())


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2]))
