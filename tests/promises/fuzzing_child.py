"""A process that damages small images and reads them, a few hundred in a fork: which ones end it, how all others end.

`python -m tests.promises.fuzzing_child READER FORMAT COUNT`: a line of JSON at the end.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.core import awkward_files as awkward

IN_ONE_FORK = 250
PATIENCE = 10
"""Seconds of processor time for one fork's files, beyond what sound ones take."""


@dataclass(frozen=True)
class Fuzzed:
    """How many of the files were read, refused, ended the process, or gave something else, in words."""

    read: int
    refused: int
    deaths: list[tuple[int, int]]
    """(number of the file, signal)"""
    wrong: list[str]
    peak: int

    def __str__(self) -> str:
        deaths = f"{len(self.deaths)} ended the process"
        return f"{self.read:,} read, {self.refused:,} refused, {deaths}, at most {self.peak / 1e6:.0f} MB"


def fuzz(reader: str, format: str, count: int, deaths: int = 1_000_000) -> Fuzzed:
    """Read `count` damaged files of `format` with `reader` in a child; no more after so many `deaths`."""
    command = [sys.executable, "-m", __name__, reader, format, str(count), str(deaths)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return Fuzzed(**found | {"deaths": [tuple(pair) for pair in found["deaths"]]})


def damaged(originals: list[bytes], number: int) -> bytes:
    """Of PNGs two of three get right check sums again: else nearly all of them would be refused for these alone."""
    made = awkward.mutated(originals[number % len(originals)], np.random.default_rng(number))
    return _with_right_sums(made) if made.startswith(b"\x89PNG") and number % 3 else made


def _with_right_sums(png: bytes) -> bytes:
    made, at = bytearray(png), 8
    while at + 12 <= len(made):
        end = at + 8 + int.from_bytes(made[at : at + 4], "big")
        if end + 4 > len(made):
            break
        made[end : end + 4] = zlib.crc32(made[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(made)


def ours(file: Path) -> str:
    """ "read", "refused", or what is wrong: training and the screen must agree."""
    from workbench.core import images
    from workbench.errors import Refused

    try:
        seen = images.read(file, limit=1_000_000)
    except Refused as refusal:
        try:
            images.for_screen(file, limit=1_000_000)
        except Refused:
            return "refused" if str(file) in refusal.sentence else f"says {refusal.sentence}"
        return "the screen sees what training does not"
    about = images.info(file, limit=1_000_000)
    if seen.shape != (about.height, about.width, 3) or seen.dtype != np.uint8:
        return f"{seen.dtype} {seen.shape} for {about}"
    try:
        screen = images.for_screen(file, limit=1_000_000)
    except Refused as refusal:
        return f"training sees what the screen does not: {refusal.reason}"
    return "read" if np.array_equal(screen[..., 2::-1], seen) else "the screen sees other pixels"


def torchvisions(file: Path) -> str:
    import torch
    from torchvision.io import decode_image

    try:
        decode_image(torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8))
    except RuntimeError:
        return "refused"
    return "read"


READERS: dict[str, Callable[[Path], str]] = {"ours": ours, "torchvision": torchvisions}


def main() -> None:
    """The child's side."""
    reader, format, count, most = READERS[sys.argv[1]], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    originals = awkward.seeds()[format]
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(originals):  # what is loaded late, and control of the seeds
            (file := Path(folder) / str(number)).write_bytes(data)
            assert reader(file) == "read", f"{format} {number} is not sound"
        outcomes: Counter[str] = Counter()
        deaths: list[tuple[int, int]] = []
        peak, number = 0, 0
        while number < count and len(deaths) < most:
            done, signal, used = _fork(reader, originals, number, min(IN_ONE_FORK, count - number), Path(folder))
            outcomes.update(done)
            peak = max(peak, used)
            number += len(done)
            if signal:
                deaths.append((number, signal))
                number += 1
    read, refused = outcomes.pop("read", 0), outcomes.pop("refused", 0)
    print(json.dumps(vars(Fuzzed(read, refused, deaths, [f"{n} x {what}" for what, n in outcomes.items()], peak))))


def _fork(
    reader: Callable[[Path], str], originals: list[bytes], first: int, count: int, folder: Path
) -> tuple[list[str], int, int]:
    """Outcomes of the files up to where it died, its signal, and bytes in memory."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if not pid:
        resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
        file = folder / "file"
        with os.fdopen(write_end, "w") as pipe:
            for number in range(first, first + count):
                file.write_bytes(damaged(originals, number))
                try:
                    outcome = reader(file)
                except BaseException as problem:
                    outcome = f"{type(problem).__name__}: {problem}"
                pipe.write(json.dumps(outcome.replace(str(file), "FILE")) + "\n")
                pipe.flush()
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        done = [json.loads(line) for line in pipe]
    _, status, used = os.wait4(pid, 0)
    return done, -os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024


if __name__ == "__main__":
    import cv2  # noqa: F401 - once for all forks

    import workbench.core.images  # noqa: F401

    main()
