"""Finds names that may also mean another image: then it is unclear whose the boxes are, and they are left out.

Exports rename images: a.jpg in the split train is train/a.jpg in some formats, a.png becomes a-2.png beside a.jpg,
d/a.jpg becomes d_a.jpg in flat folders. If the project also has an image with such a name, labels that come without
their images could belong to either.
"""

from __future__ import annotations

import filecmp
import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

import numpy as np

from workbench import formats
from workbench.core.document import Document
from workbench.core.files import resolve_inside
from workbench.core.folders.image_lookup import is_portable, to_posix
from workbench.core.folders.portable_names import portable
from workbench.core.formatting import count
from workbench.core.project import Image, Label, Snapshot, Split, State
from workbench.errors import WorkbenchError
from workbench.formats import ReadImage, Reading, Source
from workbench.formats.parts.layout import SPLIT_NAMES, SPLIT_WORDS, display_name, is_labelled, shared_folders
from workbench.formats.parts.report import Report
from workbench.formats.parts.yolo_layout import LABEL_FOLDERS

_SPLIT_FOLDERS = {*SPLIT_WORDS, *SPLIT_NAMES.values()}
_Key = tuple[str, str]
"""A file, relative to the export's folder, and the name it gives an image."""


class AmbiguousNames:
    """Tells which of a project's images a name in a file may mean."""

    def __init__(self, document: Document, reading: Reading) -> None:
        self._is_folder = os.path.isdir(reading.source)
        source = reading.source if self._is_folder else reading.source.parent
        self._set = source.parent if source.name.lower() in LABEL_FOLDERS else source
        self._format = formats.load_all().get(reading.format)
        snapshot = document.snapshot()
        self._snapshot = snapshot.take(_likely_mistaken(snapshot, _is_flat(self._format)))
        self._exported = ExportedSources(self._format, [self._snapshot])
        self._others: ExportedSources | None = None  # made when needed
        self._by_path: dict[str, list[Image]] = defaultdict(list)
        for image in snapshot.images:
            for name in {image.path, _stem(image.path)}:
                self._by_path[name].append(image)

    def doubt(self, read: ReadImage, image: Image | None) -> str:
        """What the name of `read` may mean other than `image` of the project, as the rest of a sentence, or ""."""
        if read.source is None or (image is None and read.file is None):
            return ""
        here = self._exported.of(read.source, self._inner(read.source))
        if image is not None and here:
            other = next((one for one in here if one.id != image.id), None)
            return f"is '{image.path}' by its path, but '{other.path}' in an export of this project" if other else ""
        if read.file is not None and read.file.is_relative_to(self._set):
            return self._doubt_beside(read.source, read.file)
        if image is None:
            return ""
        for name in self._literal(read.source):
            meant = self._by_path.get(name) or self._by_path.get(_stem(name), [])
            if meant and image.id not in {one.id for one in meant}:
                return f"may be '{image.path}' or '{meant[0].path}'"
        if self._others is None:
            self._others = ExportedSources(self._format, _as_it_might_have_been(self._snapshot))
        meant = self._others.of(read.source, self._inner(read.source))
        if not meant and to_posix(read.source.name).rsplit("/", 1)[-1] != image.name:  # found under another name
            meant = self._others.called(read.source.name)
        if meant and image.id not in {one.id for one in meant}:
            return f"may be '{image.path}', or '{meant[0].path}' in an export"
        return ""

    def tell(self, read: ReadImage, doubt: str, report: Report) -> None:
        assert read.source is not None
        line = next((box.line for box in read.boxes), 0)
        name = (read.source.name or read.name)[:80]
        sentence = f"'{name}' {doubt}; its {count(len(read.boxes), 'box', 'was')} left out."
        kind = "names that may mean several images, left out"
        report.say("refused", display_name(read.source.file, self._set), sentence, line, kind=kind)

    def _inner(self, source: Source) -> int:
        is_below = self._is_folder and source.file.is_relative_to(self._set)
        return len(source.file.relative_to(self._set).parts) if is_below else 1

    def _doubt_beside(self, source: Source, file: Path) -> str:
        """An image beside the file that names it counts as much as one at that path from the data set's folder."""
        name = to_posix(source.name)
        if not name or _is_one_each(source) or not is_portable(name):
            return ""
        if not os.path.lexists(source.file.parent / name):  # first, because resolving links of 100,000 images is slow
            return ""
        try:
            beside = resolve_inside(source.file.parent, name)
            if beside == file.resolve() or not os.path.isfile(beside) or same_content(beside, file):
                return ""
        except (OSError, ValueError, WorkbenchError):  # not a possible file name there
            return ""
        return "lies both beside the file that names it and in another folder, and these are different images"

    def _literal(self, source: Source) -> Iterator[str]:
        """The paths that a file may mean; in a split's file also the name in that split's folder."""
        folders = source.file.parent.relative_to(self._set).parts if source.file.is_relative_to(self._set) else ()
        if _is_one_each(source):
            places = [place for place, part in enumerate(folders, start=1) if part.lower() in LABEL_FOLDERS]
            yield "/".join([*folders[places[-1] if places else 0 :], _stem(source.file.name)])
            return
        name = to_posix(source.name)
        yield name
        for word in (*folders, *re.split(r"[^a-z]+", source.file.stem.lower())):
            if split := SPLIT_WORDS.get(word.lower()):
                yield from (f"{other}/{name}" for other, of in SPLIT_WORDS.items() if of is split)


class ExportedSources:
    """The images that exports of some snapshots would describe, by file and name."""

    def __init__(self, format: formats.Format, snapshots: list[Snapshot]) -> None:
        self._images: dict[_Key, list[Image]] = defaultdict(list)
        for snapshot in snapshots if _keeps(format) else []:  # optional in a plugin
            assert _keeps(format)
            for image, source in zip(snapshot.images, format.sources(snapshot), strict=True):
                if source is not None:
                    self._images[source.file.as_posix(), source.name].append(image)
        self._called: dict[str, list[Image]] = defaultdict(list)
        for (_, name), images in self._images.items():
            self._called[name] += images
        self._depths = {file.count("/") + 1 for file, _ in self._images}

    def of(self, source: Source, inner: int) -> list[Image]:
        """Images of `source`. `inner`: how many parts of its path are surely the export's (d/a.json isn't a.json)."""
        for depth in sorted(self._depths, reverse=True):
            if depth >= inner and (found := self._images.get(("/".join(source.file.parts[-depth:]), source.name))):
                return found
        return []

    def called(self, name: str) -> list[Image]:
        """Images with this name in any file; none if only the file's own name says which image it is."""
        return self._called.get(name, []) if name else []


def _likely_mistaken(snapshot: Snapshot, flat: bool) -> list[int]:
    """The images to which an export may give another one's name, and those on which these names depend.

    Asking a format about all 100,000 takes a minute. New names are made where paths differ only in suffix, case, "-2",
    a split's folder or, in flat folders, in "_" instead of "/".
    """
    shared = shared_folders(snapshot.images)
    families: dict[str, list[int]] = defaultdict(list)
    ends: dict[int, tuple[int, int]] = {}
    kinds: dict[tuple[Split, bool], int] = {}
    for index, image in enumerate(snapshot.images):
        path = portable("/".join(image.path.split("/")[shared[image.root] :]))
        *folders, name = path.casefold().split("/")
        stem = re.sub(r"(-[0-9]+)+$", "", _stem(name))
        if flat:
            families[stem].append(index)
        else:
            folders = folders[bool(folders) and folders[0] in _SPLIT_FOLDERS :]
            families["/".join([*folders, stem])].append(index)
        first, last = ends.get(image.root, (index, index))
        paths = snapshot.images[first].path, snapshot.images[last].path
        ends[image.root] = (index if image.path < paths[0] else first, index if image.path > paths[1] else last)
        kinds.setdefault((image.split, is_labelled(snapshot, index)), index)
    several = {family for family, members in families.items() if len(members) > 1}
    if flat:  # d/a.jpg is d_a.jpg if there are several a.jpg
        tails = {f: {f[at + 1 :] for at, letter in enumerate(f) if letter == "_"} for f in families if "_" in f}
        several |= {family for family, ending in tails.items() if ending & several}
    chosen = {index for family in several for index in families[family]}
    return sorted({*chosen, *kinds.values(), *(index for pair in ends.values() for index in pair)}) if chosen else []


def _is_flat(format: formats.Format) -> bool:
    """Whether exports put images from different folders into one."""
    images = tuple(Image(n, f"{folder}/a.jpg", 1, 1, root=1) for n, folder in enumerate("de", start=1))
    whole, box = np.zeros(0, np.int64), np.zeros((0, 4))
    two = Snapshot((), images, (Path(), Path()), np.zeros(3, np.int64), box, whole, box.astype(bool), whole)
    return any(not place.endswith("/a.jpg") or "_a" in place for place in format.places(two))


def _as_it_might_have_been(snapshot: Snapshot) -> list[Snapshot]:
    """With every image labelled, in its own split and in each: both may have changed between export and import."""
    count = len(snapshot.images)
    boxed = replace(
        snapshot,
        labels=snapshot.labels or (Label(1, "label"),),
        images=tuple(
            replace(image, state=State.DONE, width=image.width or 1, height=image.height or 1)
            for image in snapshot.images
        ),
        offsets=np.arange(count + 1),
        boxes=np.tile(np.array([0.0, 0.0, 1.0, 1.0]), (count, 1)),
        label_index=np.zeros(count, np.int64),
        flags=np.zeros((count, 4), bool),
        box_ids=np.arange(count),
        notes=(),
    )
    uniform = [replace(boxed, images=tuple(replace(i, split=split) for i in boxed.images)) for split in Split]
    return [boxed, *uniform]


def _keeps(format: formats.Format) -> TypeGuard[formats.SupportsSources]:
    return hasattr(format, "sources")


def _is_one_each(source: Source) -> bool:
    """Whether the file is named after its image, so that its own path says which image it is."""
    return not source.name or _stem(to_posix(source.name).rsplit("/", 1)[-1]) == _stem(source.file.name)


def _stem(path: str) -> str:
    return posixpath.splitext(path)[0]


def same_content(one: Path, other: Path) -> bool:
    """Whether two files have the same bytes; False if one can't be read."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False
