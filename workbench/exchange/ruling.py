"""By which list of names label files that lie beside images are numbered: that of the data set, if it has one.

Whoever trains on a YOLO folder reads its numbers by the data.yaml above it, or by a list of names; a program that
writes numbers of its own into it makes cats of dogs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from workbench.core.project import Label, Snapshot
from workbench.core.words import one_line
from workbench.errors import WorkbenchError
from workbench.formats.parts.yolo_layout import NAME_FILES, is_data_yaml, names_told

_UPWARDS = 3
"""Folders above that of the label files are looked through, and all up to the one above the images' own."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """A list that another program made; no names where it can't be read."""

    file: Path
    names: tuple[str, ...]


def ruling(folder: Path, root: Path, ours: Path) -> Ruling | None:
    """The list that rules `folder`, of images below `root`: the nearest data.yaml, else the nearest list of names.

    `ours` is the list that we keep there ourselves, and rules nothing.
    """
    folders = list(_upwards(folder, root))
    for suffixes in ((".yaml", ".yml"), ()):
        for one in folders:
            for file in _files(one):
                is_one = file.suffix.lower() in suffixes if suffixes else _is_list(file) and file != ours
                if is_one and (not suffixes or _is_data_yaml(file)):
                    return Ruling(file, _names(file))
    return None


def _upwards(folder: Path, root: Path) -> Iterator[Path]:
    for number, one in enumerate((folder, *folder.parents)):
        if number > _UPWARDS and not one.is_relative_to(root.parent):
            return
        yield one


def _files(folder: Path) -> list[Path]:
    try:
        names = (*NAME_FILES, ".names", ".yaml", ".yml")
        return sorted(file for file in folder.iterdir() if file.name.lower().endswith(names) and file.is_file())
    except OSError:
        return []


def _is_list(file: Path) -> bool:
    return file.name.lower() in NAME_FILES or file.suffix.lower() == ".names"


def _is_data_yaml(file: Path) -> bool:
    try:
        return is_data_yaml(file)
    except OSError:
        return False


def _names(file: Path) -> tuple[str, ...]:
    try:
        return tuple(one_line(name) for name in names_told(file))
    except WorkbenchError:
        return ()


@dataclass(frozen=True, slots=True)
class Numbered:
    """A snapshot whose labels have the numbers of a list. `unlisted`: of each label's number before, whether the list
    lacks it."""

    snapshot: Snapshot
    names: tuple[str, ...]
    unlisted: np.ndarray  # (labels,) bool, by the project's numbers

    def lacks(self, before: Snapshot, index: int) -> tuple[str, ...]:
        """The labels of boxes of image `index` that have no number here."""
        used = np.unique(before.label_index[before.rows(index)])
        return tuple(before.labels[number].name for number in used.tolist() if self.unlisted[number])


def numbered(snapshot: Snapshot, names: tuple[str, ...]) -> Numbered:
    known = {label.name: label for label in snapshot.labels}
    place = {name: number for number, name in reversed(list(enumerate(names)))}
    numbers = np.array([place.get(label.name, -1) for label in snapshot.labels], np.int64).reshape(-1)
    labels = tuple(known.get(name) or Label(0, name) for name in names)
    index = numbers[snapshot.label_index] if len(snapshot.label_index) else snapshot.label_index
    return Numbered(replace(snapshot, labels=labels, label_index=index), names, numbers < 0)
