"""What Workbench wrote last into a project's text (mirror), so that it is seen if git or another program changed it.

A cache, beside the text's own folder: in labels/ it would go through git with the text, and in the project's file a
restored copy would have it of an earlier text. A file without a record is compared with the project instead.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.core.files import atomic_write
from workbench.errors import WorkbenchError

_FOLDER = Path("cache", "text")
_VERSION = 1
"""To be raised when hash_of_line changes."""
_ID = re.compile(rb'\{"id":(\d{1,18}),')
_FACTS = re.compile(rb'"(?:width|height|orientation|date)":[-+.\de]+,|"problem":"(?:[^"\\]|\\.)*",')
"""What is read from an image's file, at some time, on each machine: no label. Within texts, quotes are escaped."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """One file of the text as it was written: `lines` has the hash of each image's line by the image's id, `head` the
    content of the file that has no images.
    """

    size: int
    time: int  # ns since 1970
    sha256: str
    lines: Mapping[int, str]
    head: Mapping[str, Any]


def hash_of_line(line: bytes) -> str:
    """Of what a person said of the image; `line` with or without its end."""
    return hashlib.blake2b(_FACTS.sub(b"", line.rstrip(b"\r\n")), digest_size=8).hexdigest()


def id_of_line(line: bytes) -> int:
    """Of the image in a line as Workbench writes it, 0 of any other."""
    found = _ID.match(line)
    return int(found[1]) if found else 0


def sha256_of(data: bytes) -> str:
    """The hash of a file's content, whichever line ends git gave it."""
    return hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()


def record(file: Path, data: bytes) -> None:
    """Keep that the file of the text has this content, which the project has, too.

    On failure, or if the file has another content by now, there is no record: that of an earlier content would let this
    one seem to be another program's, and this one what git has just brought to be our own.
    """
    is_head = file.suffix == ".json"
    try:
        about = file.stat()
        if file.read_bytes() != data:
            raise ValueError("it was changed again")
        ids = ((id_of_line(line), line) for line in (() if is_head else data.splitlines()))
        kept = {
            "version": _VERSION,
            "size": about.st_size,
            "time": about.st_mtime_ns,
            "sha256": sha256_of(data),
            "lines": {id: hash_of_line(line) for id, line in ids if id},
            "head": json.loads(data) if is_head else {},
        }
        atomic_write(_record_of(file), json.dumps(kept), sync=False)
    except (OSError, ValueError, WorkbenchError):
        forget(file)


def read_record(file: Path) -> WrittenFile | None:
    """What was recorded of a file of the text, None if nothing was."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        kept = json.loads(_record_of(file).read_bytes())
        if kept["version"] != _VERSION:
            return None
        lines = {int(id): str(line) for id, line in kept["lines"].items()}
        return WrittenFile(int(kept["size"]), int(kept["time"]), str(kept["sha256"]), lines, dict(kept["head"]))
    return None


def is_as_recorded(file: Path, kept: WrittenFile | None) -> bool:
    """Whether the file has the content that was recorded; if its size and time are the same, it is not read, except on
    disks that count whole seconds, as FAT, where two writes may have the same. OSError if it can't be.
    """
    if kept is None:
        return False
    about = file.stat()
    is_same = (about.st_size, about.st_mtime_ns) == (kept.size, kept.time) and kept.time % 1_000_000_000 > 0
    return is_same or sha256_of(file.read_bytes()) == kept.sha256


def recorded_names(folder: Path) -> list[str]:
    """Names of the files of the text in the folder `folder` that were recorded."""
    return sorted(kept.name for kept in (folder.parent / _FOLDER).glob("*.json*"))


def forget(file: Path) -> None:
    """There is no such file of the text any more."""
    with contextlib.suppress(OSError):
        _record_of(file).unlink(missing_ok=True)


def _record_of(file: Path) -> Path:
    return file.parent.parent / _FOLDER / file.name
