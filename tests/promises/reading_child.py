"""A process that reads files one by one, each in a fork of its own, and tells how long it took and how much it took.

`python -m tests.promises.reading_child READER SECONDS BYTES FILE...`: a line of JSON for each file. The fork is ended
after SECONDS of processor time, and may take BYTES of addresses more than it has at first.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Reading:
    """`peak`: bytes in memory at most; `outcome`: what was read, or why not; `seconds` of processor time, for the use
    of the file that took longest.
    """

    file: str
    seconds: float
    peak: int
    outcome: str
    signal: int

    @property
    def is_harmless(self) -> bool:
        """What is promised of an image, whatever it is."""
        return not self.signal and self.seconds < 2 and self.peak < 10**9


def readings(
    reader: str, files: Sequence[Path], seconds: int = 60, memory: int = 8 << 30, module: str = __name__
) -> Iterator[Reading]:
    """One for each file, by a child that has only what `reader` needs."""
    command = [sys.executable, "-m", module, reader, str(seconds), str(memory)]
    with subprocess.Popen(
        [*command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps([os.fspath(file) for file in files]).encode())
        child.stdin.close()
        for line in child.stdout:
            yield Reading(**json.loads(line))


def run(readers: dict[str, Callable[[Path], tuple[float, str]]]) -> None:
    """The child's side."""
    reader, seconds, memory = readers[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in json.loads(sys.stdin.buffer.read()):
        read_end, write_end = os.pipe()
        pid = os.fork()
        if not pid:
            _limit(seconds, memory)
            try:
                said = reader(Path(name))
            except BaseException as problem:
                said = 0.0, f"{type(problem).__name__}: {problem}"
            os.write(write_end, json.dumps((said[0], said[1][:2000])).encode())
            os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            answer = pipe.read()
        _, status, used = os.wait4(pid, 0)
        longest, outcome = json.loads(answer) if answer else (used.ru_utime + used.ru_stime, "died")
        about = Reading(name, longest, used.ru_maxrss * 1024, outcome, os.waitstatus_to_exitcode(status))
        print(json.dumps(vars(about)), flush=True)


def _limit(seconds: int, memory: int) -> None:
    taken = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + memory, taken + memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def _ours(file: Path) -> tuple[float, str]:
    """All that the program does with an image, one after another; each must be refused or done."""
    from workbench.core import images
    from workbench.errors import Refused

    said: dict[str, None] = {}
    longest = 0.0
    for use in (
        images.info, images.for_screen, images.read, lambda file: images.thumbnail(file, 256), images.overview,
        images.value_range,
    ):  # fmt: skip
        started = time.process_time()
        try:
            use(file)
            outcome = "read"
        except Refused as refusal:
            outcome = refusal.reason
        said[outcome] = None
        longest = max(longest, time.process_time() - started)
    return longest, " | ".join(said)


def _cv2(file: Path) -> tuple[float, str]:
    import cv2
    import numpy as np

    started = time.process_time()
    found = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR) is not None
    return time.process_time() - started, "read" if found else "None"


if __name__ == "__main__":
    from PIL import Image

    Image.init()
    if sys.argv[1] == "ours":  # here, for all forks: in each it took longer than most files
        from workbench.core import images  # noqa: F401
    else:
        import cv2  # noqa: F401
    run({"ours": _ours, "cv2": _cv2})
