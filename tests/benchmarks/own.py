"""Runs the scripts in `ours/`: Workbench's real window in a process of its own, measured as the peers are."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SCRIPTS = Path(__file__).with_name("ours")
REPOSITORY = Path(__file__).parents[2]
FULL = os.environ.get("WORKBENCH_FULL_BENCHMARKS") == "1"


def run(script: str, *args: object, home: Path, limit: float = 300) -> dict[str, Any]:
    """What `ours/SCRIPT.py` measures; settings and caches go into `home`."""
    command = _command(script, args)
    done = subprocess.run(command, env=_environment(home), input="\n", capture_output=True, text=True, timeout=limit)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


@contextlib.contextmanager
def waiting(script: str, *args: object, home: Path) -> Iterator[Callable[[], dict[str, Any]]]:
    """Measures when called, in a process that waits meanwhile: starting one anew takes as long as a measurement.

    The script prints a line once it is ready, and one for each that it reads.
    """
    command = _command(script, args)
    with subprocess.Popen(
        command, env=_environment(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, told = process.stdin, process.stdout
        told.readline()

        def measure() -> dict[str, Any]:
            print(file=asked, flush=True)
            return dict(json.loads(told.readline()))

        yield measure


def _command(script: str, args: Sequence[object]) -> list[str]:
    return [sys.executable, str(SCRIPTS / f"{script}.py"), *map(str, args)]


def _environment(home: Path) -> dict[str, str]:
    kept = {f"XDG_{name}_HOME": str(home / name) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    environment = {**os.environ, **kept, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(REPOSITORY)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as a user's: compiled at the first start, and the others' by pip
    environment["STARTED"] = str(time.monotonic_ns())
    return environment


def many_photographs(folder: Path, count: int) -> Path:
    """A folder of `count` small JPEGs: links to a few files, as making 100,000 would take longer than all else."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    data = cv2.imencode(".jpg", noise)[1].tobytes()
    source = folder
    for number in range(count):
        file = folder / f"image {number}.jpg"
        if number % 30_000:  # file systems allow some 65,000 links
            os.link(source, file)
        else:
            file.write_bytes(data)
            source = file
    return folder
