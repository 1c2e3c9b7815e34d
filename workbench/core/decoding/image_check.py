"""Opens unknown images in a separate process first, where a crash or a full memory does no harm.

The child decodes one file at a time with a memory limit (where the system has one: not on Windows) and reports what it
found. If it dies or takes too long, that file is refused and the rest go to a new child. A process boundary limits
crashes and memory; it is not a sandbox.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core import child_process as child_side
from workbench.core import images
from workbench.core.child_process import ChildEnded, ChildProcess
from workbench.core.decoding.image_files import ENDED, block, crash_sentence
from workbench.core.decoding.image_header import ImageHeader
from workbench.errors import Refused

if TYPE_CHECKING:
    from workbench.core.document import Document

MEMORY = 4 << 30
"""Bytes of address space above what the child has at first: 200 megapixels need 600 MB three times over."""

SECONDS = 60.0
"""Seconds for one file: 200 megapixels take 5 to 10 s on a slow machine."""


@dataclass(frozen=True, slots=True)
class ImageCheckResult:
    """The result for one file: `info` if it is a complete image, else `problem`, the sentence without the file's name.

    `ended`: it crashed the child, or kept it busy for too long.
    """

    file: Path
    info: ImageHeader | None
    problem: str = ""
    ended: bool = False


class ImageChecker:
    """Decodes one file after another in a child, which is started when needed, and again when it has ended.

    Starting it costs about 0.3 s, each file the time to decode it. Must be closed. `child`: another command, for tests.
    """

    def __init__(self, memory: int = MEMORY, seconds: float = SECONDS, child: Sequence[str] = ()) -> None:
        self._memory, self._seconds = memory, seconds
        self._module: str | Sequence[str] = child or __name__
        self._child: ChildProcess | None = None

    def check(self, file: Path) -> ImageCheckResult:
        if self._child is None:
            # One thread per library: their stacks count as address space, and one file at a time needs no more.
            environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            self._child = ChildProcess(self._module, str(self._memory), environment=environment)
        try:
            self._child.send(str(file))
            info, problem = self._child.receive(self._seconds)
        except ChildEnded:
            self.close()
            return ImageCheckResult(file, None, crash_sentence(file), ended=True)
        return ImageCheckResult(file, ImageHeader(**info) if info else None, problem)

    def close(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None


# --- files that crashed a process ---


def block_marked(document: Document) -> None:
    """Keep this process from reading a project's images that crashed a process and have not changed since."""
    images_ = document.images()
    for id, problem in images_.problems.items():
        if problem.startswith(ENDED) and images_.has(id):
            file = document.file(document.image(id))
            if problem == crash_sentence(file):
                block(file, problem)


def recheck(project: Path, ids: Collection[int], child: Sequence[str] = ()) -> Iterator[ImageCheckResult]:
    """Decode these images of the project file `project` in a child; those that crash it are marked and reported."""
    from workbench.core.folders import image_records
    from workbench.core.storage.image_table import ImageTable
    from workbench.core.store import Store

    with Store(project, check=False) as store, contextlib.closing(ImageChecker(child=child)) as checker:
        roots, table = store.roots(), store.read(ImageTable.read)
        for image in (table[table.row_of(id)] for id in ids if table.has(id)):
            checked = checker.check(roots[image.root] / image.path)
            if checked.ended:
                with store.transaction() as connection:
                    image_records.save_headers(connection, [replace(image, problem=checked.problem)])
                yield checked


def main() -> None:
    """The child: one file name per line in, one JSON answer per line out, until the input ends."""
    child_side.begin()
    child_side.limit_memory(int(sys.argv[1]))
    while True:
        file = Path(child_side.receive())
        try:
            about = images.info(file)
            if not about.is_huge:
                images.read(file)
            elif about.format == "JPEG":
                images.overview(file)
            child_side.send((dataclasses.asdict(about), ""))
        except Refused as refusal:
            child_side.send((None, refusal.reason))


if __name__ == "__main__":
    main()
