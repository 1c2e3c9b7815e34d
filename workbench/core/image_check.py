"""First contact with unknown images in a process of its own: what crashes or fills the memory there harms nothing here.

The child decodes one file at a time with a limit on its memory (where the system has one: not on Windows) and says what
it found. If it dies or takes too long, that file is refused and the rest go to a new child. A process boundary limits
crashes and memory; it is not a sandbox.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.core import child as child_side
from workbench.core import images
from workbench.core.child import Child, Ended
from workbench.core.images import ImageInfo
from workbench.errors import Refused

MEMORY = 4 << 30
"""Bytes of address space beyond what the child has at first: 200 megapixels need 600 MB three times over."""

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
    rest = list(files)
    while rest:
        done = 0
        for checked in _one_child(rest, child or __name__, memory, seconds):
            done += 1
            yield checked
        rest = rest[done:]


def _one_child(files: Sequence[Path], module: str | Sequence[str], memory: int, seconds: float) -> Iterator[Checked]:
    """Results until the files or the child are at an end; always at least one."""
    # One thread per library: their stacks count as address space, and one file at a time uses no more.
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with contextlib.closing(Child(module, str(memory), environment=environment)) as process:
        for file in files:
            try:
                process.tell(str(file))
                info, problem = process.hear(seconds)
            except Ended:
                yield Checked(file, None, "decoding it failed badly; remove it or save it anew as PNG or JPEG")
                return
            yield Checked(file, ImageInfo(**info) if info else None, problem)


def main() -> None:
    """The child: a file name per line in, a JSON answer per line out, until there are no more."""
    child_side.begin()
    child_side.limit_memory(int(sys.argv[1]))
    while True:
        file = Path(child_side.told())
        try:
            about = images.info(file)
            if not about.is_huge:
                images.read(file)
            elif about.format == "JPEG":
                images.overview(file)
            child_side.say((dataclasses.asdict(about), ""))
        except Refused as refusal:
            child_side.say((None, refusal.reason))


if __name__ == "__main__":
    main()
