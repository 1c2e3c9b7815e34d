"""Which image files can be read, and their sizes: training leaves the others out, which shifts later ones.

A file is read once, completely, as in training, and recognised from then on by its path, size and modification time.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.core import images
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.errors import Refused

_Key = tuple[str, int, int, IntensityWindow | None]


@dataclass(frozen=True, slots=True)
class FileInfo:
    """Width and height of the upright image, or a sentence that says why it can't be read."""

    width: int = 0
    height: int = 0
    problem: str = ""


class FileIndex:
    """What is known of a project's files. Safe in threads, though two that ask for one file may both read it."""

    def __init__(self) -> None:
        self._known: dict[_Key, FileInfo] = {}
        self._lock = threading.Lock()

    def known(self, file: Path, window: IntensityWindow | None) -> FileInfo | None:
        """What is known of the file without reading it; None if it was not read yet or has changed since."""
        key = _key(file, window)
        return self._read(file, window) if key is None else self._known.get(key)

    def read(self, file: Path, window: IntensityWindow | None) -> FileInfo:
        """What is known of the file; it is read if need be."""
        return self.known(file, window) or self._read(file, window)

    def unknown(self, files: Sequence[Path], window: IntensityWindow | None) -> list[Path]:
        return [file for file in files if self.known(file, window) is None]

    def _read(self, file: Path, window: IntensityWindow | None) -> FileInfo:
        key = _key(file, window)  # taken before reading, so that a change meanwhile is seen
        try:
            height, width = images.read(file, window).shape[:2]
            found = FileInfo(width, height)
        except Refused as error:
            found = FileInfo(problem=error.sentence)
        if key is not None:
            with self._lock:
                self._known[key] = found
        return found


def _key(file: Path, window: IntensityWindow | None) -> _Key | None:
    """None for a file that is missing or inaccessible: reading it takes no time and gives the message."""
    try:
        about = file.stat()
    except (OSError, ValueError):
        return None
    return str(file), about.st_size, about.st_mtime_ns, window
