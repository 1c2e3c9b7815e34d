"""Which format a folder, file or zip is of; and what is there where it is of none."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

from workbench import formats
from workbench.core.files import IMAGE_SUFFIXES
from workbench.core.words import visible
from workbench.errors import WorkbenchError

_LOOKED_AT = 10_000
"""Files of a folder without labels that are looked at to say what it holds."""
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz")
_OTHERS = (  # programs by what their own files hold, and what they can write instead
    ((b"shape_attributes", b"region_attributes"), "VGG Image Annotator", "COCO format"),
    ((b'"label_id"', b'"items"'), "Datumaro", "COCO or CVAT format"),
    ((b'"classTitle"', b'"objects"'), "Supervisely", "COCO format"),
)
_LOOKED_INTO, _HEAD = 20, 65_536  # files, and bytes of each, that are searched for those words


def recognise(path: Path) -> str:
    """The name of the one format that `path` is of. WorkbenchError if it is none or may be several."""
    path = Path(path)
    if not path.exists():
        raise WorkbenchError(f"There is no file or folder {path}.")
    found = formats.recognise(path)
    if not found:
        names = ", ".join(formats.load_all().names())
        raise WorkbenchError(
            f"{what_is_there(path)} Known are {names};"
            f" give the folder that holds the annotation files, or name the format with --format. {absent()}".rstrip()
        )
    if len(found) > 1 and found[1][1] > found[0][1] - 0.5:
        seen = " and ".join(name for name, _ in found)
        raise WorkbenchError(
            f"{path}: labels of several formats were found here ({seen})."
            f" Name one with --format, such as --format {found[0][0]}, or give the folder of one of them."
        )
    return found[0][0]


def absent() -> str:
    """A sentence on plugins that may know a format and ask to run; or nothing."""
    return formats.formats.elsewhere("")


def what_is_there(path: Path) -> str:
    """A sentence about a path in which no labels of a known format were found."""
    if path.is_file():
        if not path.stat().st_size:
            return f"{path} is empty."
        told = f"{path}: no labels of a known format are in this file.{_of_another([path])}"
        is_list = path.suffix.lower() in (".txt", ".names")
        return (
            f"{told} A list of label names is read on the Data page, beside the + of its labels." if is_list else told
        )
    files = list(itertools.islice((file for file in path.rglob("*") if file.is_file()), _LOOKED_AT))
    counts = Counter(file.suffix.lower() in IMAGE_SUFFIXES for file in files)
    if not counts:
        return f"{path}: there are no files in this folder."
    if not counts[False]:
        many = "there is 1 picture" if counts[True] == 1 else f"there are {counts[True]:,} pictures"
        return f"{path}: {many} and no label file."
    return f"{path}: no labels of a known format were found here.{_of_another(files)}"


def _of_another(files: list[Path]) -> str:
    """What could be done with one of the files: written by a program that can write another format, or packed."""
    for file in [file for file in files if file.suffix.lower() in (".json", ".csv")][:_LOOKED_INTO]:
        try:
            with file.open("rb") as stream:
                head = stream.read(_HEAD)
        except OSError:
            continue
        for words, program, instead in _OTHERS:
            if all(word in head for word in words):
                name = visible(file.name, 60)
                return f" {name} is of {program}: let that write the {instead}, and import what it writes."
    packed = next((visible(file.name, 60) for file in files if file.suffix.lower() in _ARCHIVES), None)
    return f" There is {packed} inside: unpack it, and import what comes out." if packed else ""
