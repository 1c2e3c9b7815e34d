"""How many photographs a folder contains, judged by file names alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.core import formatting
from workbench.core.files import IMAGE_SUFFIXES, is_of_system
from workbench.core.folders.drawn_pictures import is_drawn
from workbench.errors import WorkbenchError

MOST = 10_000
"""Photographs after which counting stops: nobody needs the rest before the project is made."""
NAMES = 100_000
"""File names after which it stops, too: a folder may be on a network and contain millions."""


@dataclass(frozen=True, eq=False, slots=True)
class CountRequest:
    """Count `folder`, until `stop` is set."""

    folder: Path
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class PhotographCount:
    """`whole`: these are all of them."""

    photographs: int
    others: int
    whole: bool = True

    @property
    def sentence(self) -> str:
        photographs = formatting.count(self.photographs, "photograph")
        if not self.whole:
            if self.photographs > MOST:
                return f"More than {MOST:,} photographs."
            there = f"at least {photographs}" if self.photographs else "no photographs"
            return f"Among the first {NAMES:,} files {there}."
        others = formatting.count(self.others, "other file")
        if self.photographs:
            return f"{photographs}, and {others}." if self.others else f"{photographs}."
        return f"No photographs, only {others}." if self.others else "There is nothing in this folder."


def count_photographs(request: CountRequest) -> PhotographCount | None:
    """Counts the photographs in and below the folder, as a project would read it; None if it was stopped.

    WorkbenchError if the folder can't be read.
    """
    try:
        os.scandir(request.folder).close()
    except OSError as error:
        raise WorkbenchError(f"This folder can't be read: {error.strerror or error}.", error) from error
    photographs = others = 0
    for is_photograph in photograph_flags(request.folder):
        if request.stop.is_set():
            return None
        photographs += is_photograph
        others += not is_photograph
        if photographs > MOST or photographs + others >= NAMES:
            return PhotographCount(photographs, others, whole=False)
    return PhotographCount(photographs, others)


def photograph_flags(folder: Path | str, *, is_top: bool = True) -> Iterator[bool]:
    """For each file below, whether its name is a photograph's; a folder that can't be read has none.

    As in files.walk_images, pictures that predictions drew below the top are left out.
    """
    below = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name[0] == ".":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if not (is_of_system(entry.name) or (not is_top and is_drawn(folder, entry.name))):
                        below.append(entry.path)
                elif not (entry.is_symlink() and entry.is_dir()):
                    yield os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES
    except OSError:
        return
    for path in below:
        yield from photograph_flags(path, is_top=False)
