"""First contact with unknown images in a process of its own: what crashes or fills the memory there harms nothing here.

The child decodes one file at a time with a limit on its memory (where the system has one: not on Windows) and says what
it found. If it dies or takes too long, that file is refused and the rest go to a new child. A process boundary limits
crashes and memory; it is not a sandbox.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.core import images
from workbench.core.images import ImageInfo
from workbench.errors import Refused

MEMORY = 4 << 30
"""Bytes of address space: an image of 200 megapixels needs 600 MB three times over, libraries about 1 GB."""

SECONDS = 60.0
"""For one file: 200 megapixels take 5 to 10 s on a slow machine."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one file: `info` where it is a whole image, else `problem`, the sentence without the file's name."""

    file: Path
    info: ImageInfo | None
    problem: str = ""


def check_in_child(
    files: Sequence[Path], memory: int = MEMORY, seconds: float = SECONDS, child: Sequence[str] = ()
) -> Iterator[Checked]:
    """Decode each of `files` in a child process and yield what came of it, in order.

    Starting the child costs about 0.3 s, each file what decoding costs. Closing the generator ends the child.
    `child` is the command to run instead, for tests.
    """
    command = [*(child or (sys.executable, "-m", __name__)), str(memory)]
    rest = list(files)
    while rest:
        done = 0
        for checked in _one_child(rest, command, seconds):
            done += 1
            yield checked
        rest = rest[done:]


def _one_child(files: Sequence[Path], command: list[str], seconds: float) -> Iterator[Checked]:
    """Results until the files or the child are at an end; always at least one."""
    # One thread per library: their stacks count as address space, and one file at a time uses no more.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        for file in files:
            answer = _ask(process, file, seconds)
            yield answer or Checked(file, None, "decoding it failed badly; remove it or save it anew as PNG or JPEG")
            if answer is None:
                return
    finally:
        process.kill()
        # Closing flushes what a dead child did not take, which is no news.
        with contextlib.suppress(OSError), process:
            pass


def _ask(process: subprocess.Popen[bytes], file: Path, seconds: float) -> Checked | None:
    """The child's answer about `file`, or None where it died or was stopped after `seconds`."""
    assert process.stdin is not None
    assert process.stdout is not None
    watchdog = threading.Timer(seconds, process.kill)
    watchdog.start()
    try:
        process.stdin.write(json.dumps(str(file)).encode() + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError:
        return None
    finally:
        watchdog.cancel()
        watchdog.join()
    if not line.endswith(b"\n"):
        return None
    info, problem = json.loads(line)
    return Checked(file, ImageInfo(**info) if info else None, problem)


def main() -> None:
    """The child: a file name per line in, a JSON answer per line out, until there are no more."""
    _limit_memory(int(sys.argv[1]))
    for line in sys.stdin.buffer:
        file = Path(json.loads(line))
        try:
            about = images.info(file)
            if not about.is_huge:
                images.read(file)
            elif about.format == "JPEG":
                images.overview(file)
            answer: tuple[dict[str, object] | None, str] = dataclasses.asdict(about), ""
        except Refused as refusal:
            answer = None, refusal.reason
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _limit_memory(size: int) -> None:
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


if __name__ == "__main__":
    main()
