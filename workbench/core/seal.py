"""A sum over a project's file as it was closed, beside it: SQLite itself sees no bit that flips inside a value.

A cache: without it, or when the file was written since, nothing is checked. Disks that rot leave size and time alone.
Time alone does not tell a write: FAT counts it in steps of two seconds. SQLite counts its writes in the file itself.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from pathlib import Path

from workbench.core.files import atomic_write, stamp
from workbench.errors import WorkbenchError

_FILE = Path("cache", "seal.json")
_PART = 1 << 20  # bytes
_COUNTS = (24, 92)
"""Where SQLite's header holds the count of writes: twice, and each write makes both the same (32 bits)."""


def put(file: Path) -> None:
    """Note the sum of the closed `file`; a failure leaves no note. 80 MB take a twentieth of a second."""
    with contextlib.suppress(OSError, WorkbenchError):
        about, writes = list(stamp(file)), _writes(file)
        told = _told(file) or {}
        if (told.get("file"), told.get("writes")) == (about, writes):
            return
        told = {"file": about, "writes": writes, "sum": _sum(file)}
        if (list(stamp(file)), _writes(file)) == (about, writes):
            atomic_write(file.parent / _FILE, json.dumps(told), sync=False)


def forget(file: Path) -> None:
    """The project was only begun: no note, and no folder for it if there is nothing else in it."""
    with contextlib.suppress(OSError):
        (file.parent / _FILE).unlink(missing_ok=True)
        (file.parent / _FILE).parent.rmdir()


def is_broken(file: Path) -> bool:
    """Whether `file` has other bytes than at its closing, though nobody has written to it.

    Another process may write while the sum is taken: so it is asked again afterwards.
    """
    told = _told(file)
    try:
        if told is None or not _is_as_closed(file, told) or told.get("sum") == _sum(file):
            return False
        return _told(file) == told and _is_as_closed(file, told)
    except OSError:
        return False


def _is_as_closed(file: Path, told: dict[str, object]) -> bool:
    """By its time, its size and its count of writes. SQLite's journal is there before a write and goes after it."""
    if file.with_name(f"{file.name}-journal").exists():  # or a write was broken off and not yet taken back
        return False
    writes, before = _writes(file), told.get("writes")
    if not isinstance(before, list) or (writes != before and writes[0] == writes[1]):
        return False  # a bit that flips changes one of the two counts
    return told.get("file") == list(stamp(file))


def _writes(file: Path) -> list[int]:
    with file.open("rb") as stream:
        head = stream.read(100)
    return [int.from_bytes(head[at : at + 4], "big") for at in _COUNTS]


def _told(file: Path) -> dict[str, object] | None:
    try:
        told = json.loads((file.parent / _FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def _sum(file: Path) -> int:
    total = 0
    with file.open("rb") as stream:
        while part := stream.read(_PART):
            total = zlib.crc32(part, total)
    return total
