"""Which list of names applies to a folder of YOLO label files: the nearest data.yaml above, else the nearest list."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.core.formatting import one_line
from workbench.errors import WorkbenchError
from workbench.formats.parts.layout import SPLIT_WORDS
from workbench.formats.parts.yolo_layout import IMAGE_FOLDERS, LABEL_FOLDERS, NAME_FILES, is_data_yaml, read_names

_UPWARDS = 3
"""How many folders above the label files' are searched, apart from all up to the one above the images'."""


@dataclass(frozen=True, slots=True)
class NameList:
    """A list made by another program; without names if it can't be read."""

    file: Path
    names: tuple[str, ...]


def applicable_names(folder: Path, root: Path, is_ours: Callable[[Path], bool]) -> NameList | None:
    """The list that applies to `folder`, of images below `root`: the nearest data.yaml, else the nearest list of names.

    Lists for which `is_ours`, which we keep there or in a folder above ourselves, don't count.
    """
    return _in(list(_upwards(folder, root)), is_ours)


def names_above(folder: Path) -> NameList | None:
    """The list of the data set of which `folder` (of labels, images or a split) is a part."""
    parts = {*LABEL_FOLDERS, *IMAGE_FOLDERS, *SPLIT_WORDS}
    above = list(itertools.takewhile(lambda one: one.name.lower() in parts, (folder, *folder.parents)))
    return _in([one.parent for one in above], lambda _: False)


def _in(folders: list[Path], is_ours: Callable[[Path], bool]) -> NameList | None:
    for suffixes in ((".yaml", ".yml"), ()):
        for one in folders:
            for file in _files(one):
                is_one = file.suffix.lower() in suffixes if suffixes else _is_list(file) and not is_ours(file)
                if is_one and (not suffixes or _is_data_yaml(file)):
                    return NameList(file, _names(file))
    return None


def _upwards(folder: Path, root: Path) -> Iterator[Path]:
    for number, one in enumerate((folder, *folder.parents)):
        if number > _UPWARDS and not one.is_relative_to(root.parent):
            return
        yield one


def _files(folder: Path) -> list[Path]:
    try:
        names = (*NAME_FILES, ".names", ".yaml", ".yml")
        found = (file for file in folder.iterdir() if file.name.lower().endswith(names))
        return sorted(one for one in found if os.path.isfile(one) and not os.path.islink(one))  # links lead anywhere
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
        return tuple(one_line(name) for name in read_names(file))
    except WorkbenchError:
        return ()
