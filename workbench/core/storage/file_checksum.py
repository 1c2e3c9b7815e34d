"""A checksum of a project's file when it was closed, kept beside it: SQLite does not notice flipped bits in values.

A cache: without it, or if the file was written since, nothing is checked. Decaying disks leave size and time unchanged.
Time alone does not reveal a write: FAT has steps of two seconds. SQLite counts its writes in the file itself.
All here reads the file past SQLite, so not while this process writes it (core.storage.store_check says why).
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
"""Where SQLite's header holds the count of writes (32 bits): twice, and each write sets both to the same value."""


def record(file: Path) -> None:
    """Record the checksum of the closed `file`; on failure there is no record. 80 MB take a twentieth of a second."""
    with contextlib.suppress(OSError, WorkbenchError):
        about, writes = list(stamp(file)), write_counts(file)
        kept = _read_record(file) or {}
        if (kept.get("file"), kept.get("writes")) == (about, writes):
            return
        kept = {"file": about, "writes": writes, "sum": _sum(file)}
        if (list(stamp(file)), write_counts(file)) == (about, writes):
            atomic_write(file.parent / _FILE, json.dumps(kept), sync=False)


def remove_record(file: Path) -> None:
    """For an unfinished project: remove the record, and its folder if nothing else is in it."""
    with contextlib.suppress(OSError):
        (file.parent / _FILE).unlink(missing_ok=True)
        (file.parent / _FILE).parent.rmdir()


def is_damaged(file: Path) -> bool:
    """Whether `file` has other bytes than when it was closed, although nobody has written to it.

    Another process may write while the checksum is computed, so that is checked again afterwards.
    """
    kept = _read_record(file)
    try:
        if kept is None or not _is_as_closed(file, kept) or kept.get("sum") == _sum(file):
            return False
        return _read_record(file) == kept and _is_as_closed(file, kept)
    except OSError:
        return False


def _is_as_closed(file: Path, kept: dict[str, object]) -> bool:
    """Judged by its time, size and count of writes. SQLite's journal exists from before a write until after it."""
    if file.with_name(f"{file.name}-journal").exists():  # or a write was interrupted and not yet rolled back
        return False
    writes, before = write_counts(file), kept.get("writes")
    if not isinstance(before, list) or (writes != before and writes[0] == writes[1]):
        return False  # a bit that flips changes one of the two counts
    return kept.get("file") == list(stamp(file))


def write_counts(file: Path) -> list[int]:
    """How often the project `file` was written, as SQLite counts it: twice, and equal unless a bit flipped. OSError."""
    with file.open("rb") as stream:
        head = stream.read(100)
    return [int.from_bytes(head[at : at + 4], "big") for at in _COUNTS]


def _read_record(file: Path) -> dict[str, object] | None:
    try:
        kept = json.loads((file.parent / _FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) else None


def _sum(file: Path) -> int:
    total = 0
    with file.open("rb") as stream:
        while part := stream.read(_PART):
            total = zlib.crc32(part, total)
    return total
