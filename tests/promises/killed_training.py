"""Trainings that a test kills: `python -m tests.promises.killed_training`, which reads lines HOW FOLDER STEPS SECONDS.

It imports all once and forks a process for each line (starting PyTorch 200 times takes a quarter of an hour), which is
killed so many seconds after so many steps unless it has ended. "train" begins the run of FOLDER, or goes on with it;
"forgetful" goes on without the seeds of its steps; "save" saves the same checkpoint again and again.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from tests.promises.killed import tell
from tests.training.toys import Toy, make_request
from workbench import detectors
from workbench.training import run
from workbench.training.checkpoints import checkpoint, save_schedule, saving
from workbench.training.ema import Average
from workbench.training.hardware.runtime import Runtime
from workbench.training.step import Stepper
from workbench.training.step_result import StepResult

EPOCHS = 8  # of six images in batches of four
STEPS = 12
LOSSES = "losses.txt"


def log_steps(folder: Path) -> None:
    """Every step's exact terms, a line each, on disk before the next one begins."""
    taken, file = Stepper.results, os.open(folder / LOSSES, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def logged(self: Stepper, everything: bool = False) -> Iterator[StepResult]:
        for one in taken(self, everything):
            os.write(file, f"{one.step.number} {sorted(one.terms.items())!r}\n".encode())
            yield one

    Stepper.results = logged  # type: ignore[method-assign]


def train(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    log_steps(folder)
    save_schedule.EVERY = 0.0  # at the end of each epoch
    there = (folder / "run" / "data.npz").exists()
    events = run.resume(folder / "run") if there else run.train(make_request(folder, epochs=EPOCHS))
    for _ in events:
        pass


def forgetful(folder: Path) -> None:
    Runtime.seed = lambda *_: None  # type: ignore[method-assign]
    train(folder)


def save(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    request = make_request(folder)
    stepper = Stepper(Toy(request.recipe.detector_settings, 2), request.recipe.training, Runtime())
    average, standing = Average(stepper.detector, 0.9), saving.TrainingProgress()
    while True:
        standing.done += 1
        about = saving.header(request, stepper, standing, 1, 6, 1.0)
        checkpoint.save_state(folder / checkpoint.STATE, saving.state(stepper, average, standing, about, 1.0))
        checkpoint.save_detector(folder / checkpoint.LAST, average.detector.state_dict(), about)


HOW: dict[str, Callable[[Path], None]] = {"train": train, "forgetful": forgetful, "save": save}


def ended(child: int, folder: Path, steps: int, seconds: float) -> bool:
    """Whether it ended by itself in time; else it is killed."""
    until = None
    while until is None or time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        if until is None and taken(folder) >= steps:
            until = time.monotonic() + seconds
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def taken(folder: Path) -> int:
    file = folder / LOSSES
    return file.read_bytes().count(b"\n") if file.exists() else 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    detectors.load_all().register("toy")(Toy)
    for line in sys.stdin:
        how, folder, steps, seconds = line.rstrip("\n").split("\t")
        if not (child := os.fork()):
            HOW[how](Path(folder))
            os._exit(0)
        tell("ended" if ended(child, Path(folder), int(steps), float(seconds)) else "killed")
