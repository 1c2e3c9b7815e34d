"""Opens image files for `images.py`: as bytes, within limits, and not those that crashed a process before."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from workbench.core import formatting
from workbench.core.decoding.refusals import not_readable
from workbench.errors import Refused

FILE_LIMIT = 2 << 30
"""Bytes above which a file is not read: more than 200 megapixels need uncompressed with 16 bits and 3 channels."""

ENDED = "reading it ended the program that reads images; save it again as PNG or JPEG, or remove it from the project"

_PARTS = 100_000
"""Most reads for the header of a file of any size."""

_Stamp = tuple[int, int]
_shunned: dict[str, tuple[_Stamp, str]] = {}


def block(file: Path, why: str) -> None:
    """From now on refuse this file in this process with the sentence `why`, until its size or time changes."""
    with contextlib.suppress(OSError):
        _shunned[os.fspath(file)] = _stamp(file.stat()), why


def crash_sentence(file: Path) -> str:
    """The sentence to keep for a file that ended a process. It names size and time, so that a repaired file is tried
    again.
    """
    try:
        about = file.stat()
    except (OSError, ValueError):
        return ENDED
    when = datetime.fromtimestamp(about.st_mtime)
    return f"{ENDED} (the file of {about.st_size:,} bytes from {when:%Y-%m-%d %H:%M:%S})"


def _stamp(about: os.stat_result) -> _Stamp:
    return about.st_size, about.st_mtime_ns


@contextmanager
def open_image_file(file: Path) -> Iterator[io.BufferedReader]:
    """The file for reading; refused if it is a folder, a pipe (which would wait for ever) or empty."""
    try:
        about = os.stat(file)
        if not stat.S_ISREG(about.st_mode):
            raise Refused(file, "this is not a file; remove it from the project")
        kept_away = _shunned.get(os.fspath(file)) if _shunned else None
        if kept_away is not None and kept_away[0] == _stamp(about):
            raise Refused(file, kept_away[1])
        if about.st_size == 0:
            raise Refused(file, "the file is empty (0 bytes); copy or download it again")
        stream = open(file, "rb")  # noqa: SIM115 - closed below; the sentences here are only about opening it
    except (OSError, ValueError) as problem:
        raise Refused(file, not_readable(problem), cause=repr(problem)) from problem
    with stream:
        yield stream


def read_file(file: Path) -> bytes:
    with open_image_file(file) as stream:
        return read_all(stream, file)


def read_all(stream: io.BufferedReader, file: Path) -> bytes:
    """All bytes of an open file. The stream's position stays as it was, so that a decoder may go on."""
    size = os.fstat(stream.fileno()).st_size
    if size > FILE_LIMIT:
        raise Refused(file, f"the file is too large ({formatting.size(size)}); cut it into smaller images")
    before = stream.tell()
    stream.seek(0)
    data = stream.read()
    stream.seek(before)
    return data


class PartLimitedStream:
    """A stream that refuses files with too many small parts.

    15 MB of a million PNG chunks kept Pillow busy for 5 s, and so did a header of 100,000 pages.
    """

    def __init__(self, stream: IO[bytes], file: Path) -> None:
        self._read, self._stream, self._file = stream.read, stream, file
        self.seek, self.tell = stream.seek, stream.tell  # by __getattr__ they cost a tenth of reading a header
        self._left = _PARTS
        self._is_sized = False
        self.ends = True

    def read(self, size: int = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0 and self.ends:
            self._look_at_size()
        return self._read(size)

    def _look_at_size(self) -> None:
        """Large files may have more parts: usual chunks of a PNG have 8 KB and more, and are read in three."""
        if not self._is_sized:
            before = self.tell()
            self._left += self.seek(0, io.SEEK_END) // 512
            self.seek(before)
            self._is_sized = True
        if self._left < 0:
            raise Refused(self._file, "the file has too many small parts; save it again")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
