"""Which files appeared, disappeared and were renamed in the folders of a project's images since they were added.

A missing file and a new one are taken to be the same if their modification times and sizes are identical, which
renaming and moving preserve, and no other image's file has both: an archive may give all its files one time, and
pictures without compression have one size. Those of the missing one are known from its thumbnail. Without one, the
date in the project must be the new file's time to the millisecond, no other image may have it, and the pictures must
have the same dimensions. Hashes were rejected: each file would have to be read completely when added, hours for
100,000.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.files import atomic_write, natural_key, walk_images
from workbench.core.folders import lost_folders, roots
from workbench.core.formatting import count
from workbench.core.storage.image_table import ImageTable
from workbench.errors import WorkbenchError

DECLINED = "declined-files.json"
EXPORTED = ".workbench-export"
"""The list of what an export wrote into a folder (exchange/export_folder.py): copies of images are not new images."""
Stamp = tuple[int, int]
"""A file's modification time in nanoseconds, and its size in bytes."""
LastSeen = Callable[[Sequence[Path]], Mapping[Path, Stamp]]
"""The former stamps of files, where known; the files may be gone."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """The file of this image is now called `name`, a path below `folder`."""

    image: int
    folder: Path
    name: str


@dataclass(frozen=True, slots=True)
class FileChanges:
    """`new`: by folder, the paths below it of images not in the project, without copies made by an export.
    `gone`: ids of images without a file.

    Images in `renamed` are also in `gone`, but not in `new`. Missing folders are not covered: lost_folders.py asks
    about them.
    """

    project: Path
    new: dict[Path, tuple[str, ...]]
    gone: frozenset[int]
    renamed: tuple[Renamed, ...] = ()

    def without(self, declined: Collection[str]) -> FileChanges:
        """The changes without the new and renamed files that the user has declined."""
        new = {folder: tuple(n for n in names if str(folder / n) not in declined) for folder, names in self.new.items()}
        renamed = tuple(one for one in self.renamed if str(one.folder / one.name) not in declined)
        return replace(self, new={folder: names for folder, names in new.items() if names}, renamed=renamed)

    @property
    def offered(self) -> list[str]:
        """Paths of the new and the renamed files."""
        new = (str(folder / name) for folder, names in self.new.items() for name in names)
        return [*new, *(str(one.folder / one.name) for one in self.renamed)]


def find_changes(
    project: Path, folders: Mapping[int, Path], images: ImageTable, last_seen: LastSeen = lambda _: {}
) -> FileChanges:
    """Look into all folders, `folders` by root: one listing each, so a second for 100,000 images; any thread."""
    used = {int(root) for root in np.unique(images.roots)} - lost_folders.missing_roots(folders)
    paths = images.paths.decode().split("\0")
    new, gone = dict[Path, tuple[str, ...]](), dict[int, Path]()
    for folder in {folders[root] for root in used}:
        if any(folder != folders[other] and roots.is_within(folder, folders[other]) for other in used):
            continue  # it is searched with that one
        known = dict[str, int]()
        for root in used:
            if roots.is_within(folders[root], folder):
                before = "" if folders[root] == folder else f"{folders[root].relative_to(folder).as_posix()}/"
                known |= {before + paths[row]: row for row in np.flatnonzero(images.roots == root).tolist()}
        listed = set(walk_images(folder))
        copied = functools.cache(functools.partial(_copied_by_exports, folder))
        other = roots.new_files(folder, listed, known)
        fresh = sorted((name for name in other if not _is_copied(name, copied)), key=natural_key)
        if fresh:
            new[folder] = tuple(fresh)
        # files that the listing leaves out, such as hidden ones, may exist all the same
        gone |= {known[name]: folder / name for name in known.keys() - listed if _is_gone(folder / name)}
    there = _FilesOfDate(images, folders, paths, gone)
    renamed = tuple(_renamed(images, gone, new, last_seen, there)) if gone and new else ()
    theirs = {one.folder / one.name for one in renamed}
    left = {folder: tuple(name for name in names if folder / name not in theirs) for folder, names in new.items()}
    new = {folder: names for folder, names in left.items() if names}
    return FileChanges(project, new, frozenset(images.ids[list(gone)].tolist()), renamed)


def _is_gone(file: Path) -> bool:
    """Whether nothing is there, for certain: not if nobody may look, or the disk doesn't answer."""
    try:
        os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _is_copied(name: str, copied: Callable[[str], Collection[str]]) -> bool:
    """Whether a folder above an image lists it as written by an export; `copied`: gives a folder's list."""
    parts = name.split("/")
    return any("/".join(parts[at:]) in copied("/".join(parts[:at])) for at in range(1, len(parts)))


def _copied_by_exports(root: Path, folder: str) -> Collection[str]:
    try:
        record = json.loads((root / folder / EXPORTED).read_bytes())
        return frozenset(map(str, record["files"]))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return frozenset()


class _FilesOfDate:
    """The stamps of the files that are there of the images with a date, which is that of the file or of its header."""

    def __init__(
        self, images: ImageTable, folders: Mapping[int, Path], paths: Sequence[str], gone: Collection[int]
    ) -> None:
        self._images, self._folders, self._paths, self._gone = images, folders, paths, gone
        self._known: dict[float, frozenset[Stamp]] = {}

    def stamps(self, date: float) -> frozenset[Stamp]:
        if date not in self._known:
            found = set[Stamp]()
            for row in np.flatnonzero(self._images.dates == date).tolist():
                if row not in self._gone:
                    with contextlib.suppress(OSError):
                        about = os.stat(self._folders[int(self._images.roots[row])] / self._paths[row])
                        found.add((about.st_mtime_ns, about.st_size))
            self._known[date] = frozenset(found)
        return self._known[date]


def _renamed(
    images: ImageTable,
    gone: Mapping[int, Path],
    new: Mapping[Path, Sequence[str]],
    last_seen: LastSeen,
    there: _FilesOfDate,
) -> Iterator[Renamed]:
    """Pair missing files with new ones. `gone`: by row of the table, where the file was."""
    seen = last_seen(list(gone.values()))
    by_stamp = _single((seen[file], row) for row, file in gone.items() if file in seen)
    dates, times = np.unique(images.dates, return_counts=True)
    shared = set(dates[times > 1].tolist())
    by_date = _single(
        (date, row)
        for row, file in gone.items()
        if file not in seen and (date := float(images.dates[row])) and date not in shared
    )
    found = []
    for folder, names in new.items():
        for name in names:
            with contextlib.suppress(OSError):
                about = os.stat(folder / name)
                now = about.st_mtime_ns, about.st_size
                row = by_stamp.get(now)
                if row is not None and now in there.stamps(round(about.st_mtime, 3)):
                    continue
                if row is None:
                    row = by_date.get(round(about.st_mtime, 3))
                    if row is None or not _has_size(images, row, folder, name):
                        continue
                found.append((row, Renamed(int(images.ids[row]), folder, name)))
    often = Counter(row for row, _ in found)
    yield from (one for row, one in found if often[row] == 1)


def _single(pairs: Iterable[tuple[Hashable, int]]) -> dict[Hashable, int]:
    """Rows by key, for keys that occur only once."""
    pairs = list(pairs)
    often = Counter(key for key, _ in pairs)
    return {key: row for key, row in pairs if often[key] == 1}


def _has_size(images: ImageTable, row: int, folder: Path, name: str) -> bool:
    """Whether the file holds a picture with this image's dimensions."""
    from workbench.core.folders.image_records import ImageDescriber

    with ImageDescriber() as describe_one:
        found, image = describe_one(folder / name, name, 0), images[row]
    return (found.width, found.height, found.orientation) == (image.width, image.height, image.orientation)


def rename_edit(document: Document, renamed: Sequence[Renamed]) -> edits.Edit:
    """The edit that gives these images their new names; boxes, states, ids and everything else stay."""
    images, folders = document.images(), document.roots()
    places = {folder: roots.locate(folder, document.folder, folders, images) for folder in {o.folder for o in renamed}}
    alive = [one for one in renamed if images.has(one.image) and one.name not in places[one.folder].known]
    at = {folder: (document.add_root(place.root), place.before) for folder, place in places.items()}
    before = [document.image(one.image) for one in alive]
    after = tuple(
        replace(image, root=at[one.folder][0], path=at[one.folder][1] + one.name, problem="")
        for one, image in zip(alive, before, strict=True)
    )
    boxes = tuple(box for image in before for box in document.boxes(image.id))
    parts = edits.RemoveImages(tuple(i.id for i in before)), edits.AddImages(after), edits.AddBoxes(boxes)
    return edits.Batch(parts if boxes else parts[:2], f"Take over the new names of {count(len(after), 'image')}")


def declined(cache: Path) -> set[str]:
    """Paths of files that the user does not want to be asked about again. Kept in the cache, which may be deleted."""
    try:
        return set(map(str, json.loads((cache / DECLINED).read_text("utf-8"))))
    except (OSError, ValueError, TypeError):
        return set()


def decline(cache: Path, files: Iterable[str]) -> None:
    """Stop asking about these. If that can't be saved, the question comes again."""
    with contextlib.suppress(OSError, UnicodeError, WorkbenchError):
        cache.mkdir(exist_ok=True)
        atomic_write(cache / DECLINED, json.dumps(sorted(declined(cache) | set(files)), ensure_ascii=False))
