"""Where images of a folder belong in a project that may already have a folder above or below it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.core.files import absolute
from workbench.core.folding import folded
from workbench.core.project import Image


@dataclass(frozen=True, slots=True)
class ImageLocation:
    """Where images of a folder are kept: `root` is their root folder, `before` the path from it to theirs ("" or
    "2024/May/").
    """

    root: Path
    before: str
    known: frozenset[str]  # paths below their folder that the project already has, under any root


def locate(folder: Path, project: Path, roots: Mapping[int, Path], images: Iterable[Image]) -> ImageLocation:
    """The nearest root at or above `folder`, else the folder itself. Names are compared; links are not followed.

    Images inside the project's own folder get a root inside it, because both are moved together.
    """
    folder = absolute(folder)
    above = [
        root
        for root in roots.values()
        if is_within(folder, root) and is_within(root, project) >= is_within(folder, project)
    ]
    home = max(above, key=lambda root: len(root.parts), default=folder)
    inside: dict[int, str] = {}  # for roots that share files with the folder: the prefix of their paths, seen from it
    for id, root in roots.items():
        if is_within(root, folder):
            inside[id] = _between(folder, root)
    outside = {id: _between(root, folder) for id, root in roots.items() if id not in inside and is_within(folder, root)}
    known = set()
    for image in images:
        if image.root in inside:
            known.add(inside[image.root] + image.path)
        elif image.root in outside and image.path.startswith(outside[image.root]):
            known.add(image.path[len(outside[image.root]) :])
    return ImageLocation(home, _between(home, folder), frozenset(known))


def is_within(path: Path, folder: Path) -> bool:
    """Whether the path is the folder or lies below it."""
    return path == folder or folder in path.parents


def new_files(folder: Path, listed: Collection[str], known: Collection[str]) -> list[str]:
    """The listed files of `folder` that are not `known`, not even in another spelling.

    To disks of Windows and Macs A.jpg is a.jpg, and to Macs ü is the same as one or two characters: a file renamed only
    in case, or whose project comes from Linux, is not a new image.
    """
    fresh = [name for name in listed if name not in known]
    if not fresh or not known:
        return fresh
    there = listed if isinstance(listed, frozenset | set) else set(listed)
    unseen = {folded(name): name for name in known if name not in there}
    return [name for name in fresh if not _is_same(folder, name, unseen.get(folded(name)))]


def _is_same(folder: Path, name: str, other: str | None) -> bool:
    if other is None:
        return False
    try:
        return os.path.samefile(folder / name, folder / other)
    except OSError:  # the other does not exist: this disk distinguishes them
        return False


def _between(upper: Path, lower: Path) -> str:
    """The path from a folder down to another, ending in a slash; "" if they are the same."""
    return "" if upper == lower else f"{lower.relative_to(upper).as_posix()}/"
