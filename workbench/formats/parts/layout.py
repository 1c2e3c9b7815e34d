"""What the formats share: names of split folders, names of exported files, which images count as labelled."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.core.files import natural_keys
from workbench.core.folders.image_lookup import leads_out
from workbench.core.folders.portable_names import portable
from workbench.core.project import FINISHED, Image, Snapshot, Split
from workbench.errors import Refused

SPLIT_WORDS = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "val": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "validation": Split.VALIDATION,
    "test": Split.TEST,
    "testing": Split.TEST,
}
SPLIT_NAMES = {Split.TRAIN: "train", Split.VALIDATION: "val", Split.TEST: "test", Split.NONE: "none"}
_FOLDERS = {split: {name, *(w for w, of in SPLIT_WORDS.items() if of is split)} for split, name in SPLIT_NAMES.items()}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)


def parse_number(text: str) -> float | None:
    """A plain finite decimal number, or None. float() would also accept nan, inf, 1_0 and Arabic digits."""
    if len(text) > 64 or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if abs(value) < 1e12 else None


def split_of_folders(file: Path, root: Path) -> Split | None:
    """The split named by a folder between `root` and `file`, or None."""
    try:
        parts = file.relative_to(root).parts[:-1]
    except ValueError:
        return None
    return next((SPLIT_WORDS[part.lower()] for part in parts if part.lower() in SPLIT_WORDS), None)


def split_of_name(file: Path) -> Split | None:
    """The split named by a file (a path relative to the data set), else by the nearest folder above it.

    For example instances_val2017.json, train_labels.csv, train/_annotations.coco.json.
    """
    words = [*re.split(r"[^a-z]+", file.stem.lower()), *(part.lower() for part in reversed(file.parts[:-1]))]
    return next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)


def sniff_files(path: Path, suffix: str, is_own: Callable[[Path], bool], most: int = 20) -> float:
    """1 if the file, or one of the first `most` with this suffix below the folder, is of the format, else 0."""
    try:
        files = [path] if os.path.isfile(path) else files_below(path, suffix)[:most]
    except (OSError, Refused):
        return 0.0
    return 1.0 if any(seems(is_own, file, unread=False) for file in files) else 0.0


def seems(is_own: Callable[[Path], bool], file: Path, unread: bool) -> bool:
    """What `is_own` says of a file; `unread` of one that can't be opened, which is told when it is read."""
    try:
        return is_own(file)
    except OSError:
        return unread


def files_below(folder: Path, suffix: str | tuple[str, ...]) -> list[Path]:
    """Files with this suffix, or one of these (in lower case), in `folder` and below, in natural order.

    Without hidden ones and links that lead out of it. Raises Refused if `folder` itself can't be read.
    """
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise Refused(folder, f"the folder can't be read ({error.strerror or error}); check its permissions") from error
    found = []
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(suffix) and not name.startswith("."):
                file = os.path.join(base, name)
                if not (os.path.islink(file) and leads_out(Path(file), [folder])):  # Report.reading reports those
                    found.append(file)
    start = len(os.path.join(folder, ""))
    keys = natural_keys([file[start:].replace(os.sep, "/") for file in found])
    return [Path(file) for _, file in sorted(zip(keys, found, strict=True))]


def display_name(file: Path, root: Path) -> str:
    """A file's name in remarks: relative to what the user gave, where possible."""
    return file.relative_to(root).as_posix() if file != root and file.is_relative_to(root) else file.name


def is_labelled(snapshot: Snapshot, index: int) -> bool:
    """Whether an exported file should describe this image: it has boxes, or a person said that it has none."""
    done = snapshot.images[index].state in FINISHED
    return done or bool(snapshot.offsets[index + 1] > snapshot.offsets[index])


def distinct_paths(images: Iterable[Image]) -> tuple[str, ...]:
    """A relative posix path for each image, portable, and unique even without suffix and in lower case.

    Folders common to all images of a root are left out: otherwise each import and export would add one around the data
    set. "a.jpg" and "a.png" would share one label file, and so would images with the same path in two root folders: the
    later ones get "-2", "-3" ... after their stem.
    """
    images, taken, counts = tuple(images), set[str](), dict[str, int]()  # counts: images by stem
    shared = shared_folders(images)
    paths = []
    for image in images:
        path = PurePosixPath(portable("/".join(image.path.split("/")[shared[image.root] :])))
        stem = own = path.with_suffix("").as_posix()
        key = own_key = _key(own)
        count = counts.get(own_key, 1)
        while key in taken:
            count += 1
            stem = f"{own}-{count}"
            key = _key(stem)
        counts[own_key] = count
        taken.add(key)
        paths.append(stem + path.suffix)
    return tuple(paths)


def without_split_folders(images: Iterable[Image]) -> tuple[Image, ...]:
    """For layouts with a folder per split: images already in a folder of that name are not put into another."""
    images = tuple(images)
    shared, found = shared_folders(images), []
    for image in images:
        folder, *rest = image.path.split("/")[shared[image.root] :]
        is_split = bool(rest) and folder.lower() in _FOLDERS[image.split]
        found.append(replace(image, path="/".join(rest if is_split else [folder, *rest])))
    return tuple(found)


def without_folders(images: Sequence[Image]) -> tuple[Image, ...]:
    """For layouts with one folder: an image keeps its name; those that share a stem are named folders_name."""
    stems = [PurePosixPath(image.path).stem.casefold() for image in images]
    count = Counter(stems)
    return tuple(
        replace(image, path=image.name if count[stem] == 1 else image.path.replace("/", "_"))
        for image, stem in zip(images, stems, strict=True)
    )


def shared_folders(images: Sequence[Image]) -> dict[int, int]:
    """By root, how many folders all its images have in common."""
    shared: dict[int, list[str]] = {}
    for image in images:
        folders = image.path.split("/")[:-1]
        before = shared.setdefault(image.root, folders)
        if folders[: len(before)] != before:
            same = [a == b for a, b in zip(before, folders, strict=False)]
            shared[image.root] = before[: same.index(False) if False in same else len(same)]
    return {root: len(folders) for root, folders in shared.items()}


def _key(stem: str) -> str:
    return unicodedata.normalize("NFC", stem).casefold()


def from_extra(extra: str, format: str) -> Any:
    """What `format` stored in a box's `extra` JSON, or None."""
    if not extra:
        return None
    try:
        values = json.loads(extra)
    except (ValueError, RecursionError):
        return None
    return values.get(format) if isinstance(values, dict) else None


def to_extra(format: str, value: Any) -> str:
    """The `extra` JSON of a box for values of `format` for which a box has no field; "" for nothing."""
    return json.dumps({format: value}, ensure_ascii=True, separators=(",", ":")) if value else ""
