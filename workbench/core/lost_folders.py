"""Photographs that are not where they were: the folder was moved, the disk has another name, the project was copied.

A folder that is found again is only taken if images of the project lie in it under their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.core.document import Document
from workbench.core.words import count
from workbench.errors import WorkbenchError

ASKED = 200  # images whose files are looked for in a new place


@dataclass(frozen=True, slots=True)
class LostFolder:
    """A folder of the project that isn't there. `root`: its id; `images`: how many of the project lie in it."""

    root: int
    folder: Path
    images: int


def lost(document: Document) -> tuple[LostFolder, ...]:
    """The folders of images that are not there, those with most images first."""
    gone = {root: folder for root, folder in document.roots().items() if not is_there(folder)}
    if not gone:
        return ()
    roots = document.images().roots
    found = [LostFolder(root, folder, int((roots == root).sum())) for root, folder in gone.items()]
    return tuple(sorted((one for one in found if one.images), key=lambda one: -one.images))


def is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:  # a disk that doesn't answer
        return False


def move(document: Document, lost: LostFolder, folder: Path) -> str:
    """Say that the images of a lost folder are in `folder`, or in the folder of the old name inside it; a sentence.

    WorkbenchError, and nothing is changed, if none of the images that are looked for is there.
    """
    images = document.images()
    rows = np.flatnonzero(images.roots == lost.root)
    asked = [images[int(row)].path for row in rows[:: max(1, len(rows) // ASKED)]]
    for place in (folder, folder / lost.folder.name):
        found = sum((place / path).is_file() for path in asked)
        if found:
            document.move_root(lost.root, place)
            gone = len(asked) - found
            missing = f" {gone:,} of the {len(asked):,} that were looked for are not there." if gone else ""
            return f"{count(len(rows), 'image')} now at {place}.{missing}"
    raise WorkbenchError(
        f"None of the project's {count(len(rows), 'image')} is in {folder}, so nothing was changed."
        f" Choose the folder that holds {asked[0]}."
    )
