"""What has come and gone in the folders of a project's images since they were added; nothing is changed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from workbench.core import lost_folders, roots
from workbench.core.document import Document
from workbench.core.files import scan_images


@dataclass(frozen=True, slots=True)
class FileChanges:
    """`new`: by folder, the paths below it of images that the project hasn't. `gone`: ids of images without a file.

    Of folders that are not there nothing is said: lost_folders.py asks for them.
    """

    project: Path
    new: dict[Path, tuple[str, ...]]
    gone: frozenset[int]


def look(document: Document) -> FileChanges:
    """Look into all folders; for 100,000 images this takes seconds."""
    images, folders = document.images(), document.roots()
    used = {int(root) for root in set(images.roots.tolist())} - lost_folders.missing(folders)
    new = dict[Path, tuple[str, ...]]()
    for folder in {folders[root] for root in used}:
        if any(folder != folders[other] and roots.is_within(folder, folders[other]) for other in used):
            continue  # it is looked through with that one
        known = roots.place(folder, document.folder, folders, images).known
        found = tuple(name for name in scan_images(folder) if name not in known)
        if found:
            new[folder] = found
    gone = frozenset(
        image.id for image in images if image.root in used and not os.path.exists(folders[image.root] / image.path)
    )
    return FileChanges(document.folder, new, gone)
