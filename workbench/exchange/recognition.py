"""Recognises the format of a folder, file or zip, and says what is there if it has none."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from pathlib import Path

from workbench import formats
from workbench.core.files import IMAGE_SUFFIXES
from workbench.core.formatting import visible
from workbench.core.parsing import strict_text
from workbench.errors import WorkbenchError

_LOOKED_AT = 10_000
"""How many files of a folder without labels are examined to say what it holds."""
_TEXTS = (".json", ".csv", ".xml", ".txt", ".yaml", ".yml")
"""Those of the programs below come first: notes and lists may lie beside them."""
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz")
_OTHERS = (  # words in a program's own files, the program, and the format it can write instead
    ((b"shape_attributes", b"region_attributes"), "VGG Image Annotator", "COCO format"),
    ((b'"label_id"', b'"items"'), "Datumaro", "COCO or CVAT format"),
    ((b'"classTitle"', b'"objects"'), "Supervisely", "COCO format"),
)
_LOOKED_INTO, _HEAD = 20, 65_536  # files, and bytes of each, that are searched for those words


def recognise(path: Path) -> str:
    """The name of the format of `path`. WorkbenchError if it has none or may have several."""
    path = Path(path)
    if not os.path.exists(path):
        raise WorkbenchError(f"There is no file or folder {path}.")
    failed: list[str] = []
    found = formats.recognise(path, failed)
    if not found:
        names = ", ".join(formats.load_all().names())
        raise WorkbenchError(
            f"{what_is_there(path)} Known formats are {names};"
            f" give the folder that holds the annotation files, or name the format with --format."
            f" {' '.join([*failed, plugin_hint()])}".rstrip()
        )
    if len(found) > 1 and found[1][1] > found[0][1] - 0.5:
        seen = " and ".join(name for name, _ in found)
        raise WorkbenchError(
            f"{path}: labels of several formats were found here ({seen})."
            f" Name one with --format, such as --format {found[0][0]}, or give the folder of one of them."
        )
    return found[0][0]


def plugin_hint() -> str:
    """A sentence about plugins that may know a format and ask to run, or ""."""
    return formats.formats.elsewhere("")


def what_is_there(path: Path) -> str:
    """A sentence about a path in which no labels of a known format were found."""
    if os.path.isfile(path):
        if not path.stat().st_size:
            return f"{path} is empty."
        reason = f"{path}: no labels of a known format are in this file.{_of_another([path])}"
        is_list = path.suffix.lower() in (".txt", ".names")
        return (
            f"{reason} A list of label names is read on the Data page, beside the + of its labels."
            if is_list
            else reason
        )
    below = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    files = list(itertools.islice(below, _LOOKED_AT))
    counts = Counter(file.suffix.lower() in IMAGE_SUFFIXES for file in files)
    if not counts:
        return f"{path}: there are no files in this folder."
    if not counts[False]:
        many = "there is 1 picture" if counts[True] == 1 else f"there are {counts[True]:,} pictures"
        return f"{path}: {many} but no label file."
    return f"{path}: no labels of a known format were found here.{_of_another(files)}"


def _of_another(files: list[Path]) -> str:
    """What can be done with one of the files: an archive, UTF-16, or of a program that can write a known format."""
    texts = [file for file in files if file.suffix.lower() in _TEXTS]
    for file in sorted(texts, key=lambda file: _TEXTS.index(file.suffix.lower()))[:_LOOKED_INTO]:
        try:
            with file.open("rb") as stream:
                head = stream.read(_HEAD)
        except OSError:
            continue
        name = visible(file.name, 60)
        if strict_text.is_utf16(head):
            return f" {name} is UTF-16 text: save it as UTF-8."
        for words, program, instead in _OTHERS:
            if all(word in head for word in words):
                return f" {name} is from {program}: export from it in {instead}, and import that."
    packed = next((visible(file.name, 60) for file in files if file.suffix.lower() in _ARCHIVES), None)
    return f" It contains {packed}: unpack it, and import the contents." if packed else ""
