"""Paths on standard input, given as "-": one on each line, or with a NUL after each, as `find -print0` writes them."""

from __future__ import annotations

import atexit
import codecs
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workbench.errors import WorkbenchError

STANDARD_INPUT = Path("-")
_CHUNK = 2**20  # bytes


def names() -> Iterator[str]:
    """The names, without empty ones; the same ones each time, as they are kept in a temporary file.

    WorkbenchError if there is no standard input, or no room to keep it.
    """
    kept, _ = _kept()
    kept.seek(0)
    begin = kept.read(_CHUNK)
    kept.seek(len(codecs.BOM_UTF8) if begin.startswith(codecs.BOM_UTF8) else 0)
    separator = b"\0" if b"\0" in begin else b"\n"
    for part in _split(kept, separator):
        if name := (part if separator == b"\0" else part.strip()).decode("utf-8", "surrogateescape"):
            yield name


def digest() -> str:
    """SHA-256 of all that was read; WorkbenchError as in names()."""
    return _kept()[1]


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """What `stream` gave: a temporary file, which is open as long as the process, and its digest."""

    stream: IO[bytes]
    file: IO[bytes]
    digest: str


_last: list[_Kept] = []  # at most one


def _kept() -> tuple[IO[bytes], str]:
    if sys.stdin is None:
        raise WorkbenchError("There is no standard input to read paths from. Give them as arguments in place of '-'.")
    if not _last or _last[0].stream is not sys.stdin.buffer:
        _last[:] = [_read(sys.stdin.buffer)]
    return _last[0].file, _last[0].digest


def _read(stream: IO[bytes]) -> _Kept:
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 (closed at the end)
        atexit.register(file.close)
        shutil.copyfileobj(stream, file, _CHUNK)
        file.seek(0)
        return _Kept(stream, file, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise WorkbenchError(f"Standard input could not be kept: {error.strerror or error}.", error) from error


def _split(stream: IO[bytes], separator: bytes) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(_CHUNK):
        *whole, rest = (rest + chunk).split(separator)
        yield from whole
    yield rest
