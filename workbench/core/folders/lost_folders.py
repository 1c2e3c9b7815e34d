"""Photographs that are no longer where they were: the folder was moved, the disk renamed, or the project copied.

A new folder is only accepted if images of the project lie in it under their names.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.core.document import Document
from workbench.core.formatting import count
from workbench.core.project import Snapshot
from workbench.errors import WorkbenchError

ASKED = 200  # images whose files are looked for in a new place
ADVICE = "If it was moved, say where it is now: in the line above every page, or with workbench find-images."
"""Follows a sentence about the folder of images, for users of the window and of a server."""


@dataclass(frozen=True, slots=True)
class LostFolder:
    """A folder of the project that isn't there. `root`: its id; `images`: how many of the project lie in it."""

    root: int
    folder: Path
    images: int


def find_lost_folders(document: Document, gone: Collection[int] | None = None) -> tuple[LostFolder, ...]:
    """The missing folders of images, those with most images first. `gone`: their ids, if known."""
    folders = document.roots()
    gone = missing_roots(folders) if gone is None else gone
    if not gone:
        return ()
    roots = document.images().roots
    found = [LostFolder(root, folders[root], int((roots == root).sum())) for root in gone if root in folders]
    return tuple(sorted((one for one in found if one.images), key=lambda one: -one.images))


def of_snapshot(snapshot: Snapshot) -> dict[Path, list[int]]:
    """The missing folders (moved, on an unplugged disk, or not copied to this server), and the rows of their images."""
    rows: dict[int, list[int]] = defaultdict(list)
    for index, image in enumerate(snapshot.images):
        rows[image.root].append(index)
    firsts = {root: (snapshot.files[some[0]], snapshot.images[some[0]].path) for root, some in rows.items()}
    folders = {root: file.parents[path.count("/")] for root, (file, path) in firsts.items()}
    return {folders[root]: rows[root] for root in sorted(missing_roots(folders))}


def sentence(folder: Path, images: int) -> str:
    """One for all the images of a missing folder: none should be removed from the project."""
    return f"The folder of {count(images, 'image')} is not there: {folder}. {ADVICE}"


def missing_roots(folders: Mapping[int, Path]) -> frozenset[int]:
    """The ids of those that are missing; a disconnected disk may take a while to respond."""
    return frozenset(root for root, folder in folders.items() if not _is_there(folder))


def _is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:  # a disk that doesn't answer
        return False


def move(document: Document, lost: LostFolder, folder: Path) -> str:
    """Set the place of a lost folder's images to `folder`, or the folder of the old name inside it; returns a sentence.

    WorkbenchError, with nothing changed, if none of the images looked for is there.
    """
    images = document.images()
    rows = np.flatnonzero(images.roots == lost.root)
    asked = [images[int(row)].path for row in rows[:: max(1, len(rows) // ASKED)]]
    for place in (folder, folder / lost.folder.name):
        found = sum(os.path.isfile(place / path) for path in asked)
        if found:
            document.move_root(lost.root, place)
            gone = len(asked) - found
            missing = f" {gone:,} of the {len(asked):,} that were looked for are not there." if gone else ""
            return f"{count(len(rows), 'image')} now at {place}.{missing}"
    raise WorkbenchError(
        f"None of the project's {count(len(rows), 'image')} is in {folder}, so nothing was changed."
        f" Choose the folder that holds {asked[0]}."
    )
