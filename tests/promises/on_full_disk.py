"""Somebody who works until the disk is full, and on when there is room again: `python -m tests.promises.on_full_disk`.

Arguments: a folder, and "disk" (it is a small disk of its own, which a large file fills) or "limit" (the system lets no
file grow beyond a size, which SQLite and Python meet as other errors). The last line printed is JSON: what happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.promises import edited_projects
from tests.ui.window_driver import write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box
from workbench.core.storage import backups, mirror
from workbench.core.store import FILE
from workbench.errors import WorkbenchError

_LEFT = 1 << 19
"""Bytes that edits have until the disk is full."""
REFUSED = 20
_LEAST = 16_384
"""Bytes of a file when there is no room at all and the system limits files."""


class Disk:
    """Fills the disk of `folder`, or what the system lets a file have of it."""

    def __init__(self, folder: Path, limit: bool) -> None:
        self._filler, self._limit, self._file = folder / "filler", limit, folder / "project" / FILE

    def leave(self, room: int) -> None:
        """Let there be no more than `room` bytes."""
        if self._limit:
            import resource

            most = self._file.stat().st_size + room if room else _LEAST
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
            return
        about = os.statvfs(self._filler.parent)
        with open(self._filler, "ab") as filler, contextlib.suppress(OSError):
            filler.write(bytes(max(0, about.f_bavail * about.f_frsize - room)))

    def give(self) -> None:
        """Room again."""
        if self._limit:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self._filler.unlink(missing_ok=True)


def sentence(work: Callable[[], object]) -> str:
    """What a person is told, "" if it went well."""
    try:
        work()
    except WorkbenchError as error:
        return error.sentence
    return ""


def edit_until_full(document: Document, disk: Disk) -> dict[str, Any]:
    """Edits of ten boxes: how many were acknowledged, the first sentence, and whether the refused ones left nothing."""
    acknowledged, told, held, chance = 0, "", set[str](), random.Random(0)

    def add() -> None:
        boxes = tuple(Box(0, 1, 1, (chance.random(), 0, 5, 5), note="x" * 40) for _ in range(10))
        document.do(edits.AddBoxes(boxes))

    while not (told := sentence(add)):
        acknowledged += 1
    disk.leave(0)  # to the last byte
    for _ in range(REFUSED):
        held.add(edited_projects.contents(document, journal=True))
        acknowledged += not sentence(add)
    return {"acknowledged": acknowledged, "told": told, "same": len(held) == 1, "boxes": len(document.boxes(1))}


def copies(document: Document) -> dict[str, Any]:
    """A backup and the text, with none of the old ones harmed."""
    folder = document.folder
    good = backups.newest_good(folder)
    assert good is not None
    whole = good.file.read_bytes()
    words = {"backup": sentence(lambda: backups.back_up(folder)), "text": sentence(lambda: mirror.write(folder))}
    mirror.read_info(folder)  # Refused, were it not whole
    left = [file.name for file in folder.rglob(".*.tmp")]
    return {**words, "backup is whole": good.file.read_bytes() == whole, "left": left}


def window_files(folder: Path) -> dict[str, Any]:
    """Thumbnails are made, and preferences are what they were."""
    from workbench.ui import preferences
    from workbench.ui.images import thumbnails

    cache = folder / "project" / "cache" / "thumbnails.sqlite"
    wishes = [thumbnails._ThumbnailRequest(1, folder / "photographs" / f"{n}.png", cache, None) for n in range(3)]
    made = [thumbnails._make(wish).isNull() for wish in wishes]
    preferences.put("theme", "x" * 100_000)
    return {"thumbnails": made.count(False), "preferences": file_of(preferences.file())}


def file_of(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def in_place(folder: Path, disk: Disk) -> bool:
    """The control: whether a JSON file that is written in place is still whole."""
    file = folder / "labels.json"
    file.write_text(json.dumps([0] * 1000))
    disk.leave(0)
    with contextlib.suppress(OSError), open(file, "w", encoding="utf-8") as stream:
        json.dump([0] * 10_000_000 if disk._limit else [0] * 100_000, stream)
    try:
        return bool(json.loads(file.read_text()))
    except ValueError:
        return False


def main(folder: Path, how: str) -> None:
    from workbench.ui import preferences

    write_photographs(folder / "photographs", [f"{n}.png" for n in range(3)])
    disk = Disk(folder, how == "limit")
    with Document.open(edited_projects.make(folder / "project")) as document:
        for number in range(20):
            edited_projects.act(document, random.Random(number))
        backups.back_up(document.folder)
        mirror.write(document.folder)
        preferences.put("theme", "dark")
        before = preferences.file().read_text()
        boxes = len(document.boxes(1))
        disk.leave(_LEFT)
        told: dict[str, Any] = {"edits": edit_until_full(document, disk), "boxes before": boxes}
        told |= {"copies": copies(document), "window": window_files(folder)}
        told["preferences kept"] = told["window"].pop("preferences") == before
        held = edited_projects.contents(document, journal=True)
        disk.give()
        told["later"] = [
            sentence(lambda: document.do(edits.AddBoxes((Box(0, 1, 1, (0, 0, 5, 5)),)))),
            sentence(lambda: document.undo()),
            sentence(lambda: backups.back_up(document.folder)),
            sentence(lambda: mirror.write(document.folder)),
        ]
        again = edited_projects.contents(document)
    with Document.open(document.folder) as reopened:
        told["nothing lost"] = edited_projects.contents(reopened) == again and held != ""
        told["integrity"] = reopened.store.rows("PRAGMA integrity_check")[0][0]
    told["JSON in place is whole"] = in_place(folder, disk)
    disk.give()
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
