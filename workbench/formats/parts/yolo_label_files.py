"""Finds the label file of an image in a YOLO data set."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from workbench.core.files import IMAGE_SUFFIXES
from workbench.core.folders.image_lookup import to_nfc, unpacked
from workbench.formats.parts.layout import files_below
from workbench.formats.parts.yolo_layout import IMAGE_FOLDERS, LABEL_FOLDERS, folder_spellings, is_label_file


class LabelFiles:
    """The label files of a data set, found by the image they belong to."""

    def __init__(self, path: Path, root: Path, others: tuple[Path, ...]) -> None:
        below = path if os.path.isdir(path) else root
        self.roots = tuple(map(unpacked, (root, *others)))
        self.files = {file for file in files_below(below, ".txt") if is_label_file(file)}
        self._unpacked = {unpacked(file): file for file in self.files}
        self._folded: dict[str, list[Path]] = defaultdict(list)
        for file in self._unpacked:
            self._folded[_folded(file)].append(file)
        self._inside = unpacked(below)

    def of(self, image: Path) -> Path | None:
        """images/a/b.jpg -> labels/a/b.txt (the last such folder), else b.txt beside it, else at the same path.

        Else the only one whose name differs just in capitals or the encoding of accents, if it is no other image's.
        """
        image = unpacked(image)
        for file in self._places(image):
            if file in self._unpacked:
                return self._unpacked[file]
        for file in self._places(image):
            like = self._folded.get(_folded(file), ())
            if len(like) == 1 and (like[0].stem == image.stem or not _has_image(image.parent, like[0].stem)):
                return self._unpacked[like[0]]
        return None

    def _places(self, image: Path) -> Iterator[Path]:
        text = image.with_suffix(".txt")
        for place in range(len(text.parts) - 2, 0, -1):
            if text.parts[place].lower() in IMAGE_FOLDERS:
                for folder in _spellings():
                    yield Path(*text.parts[:place], folder, *text.parts[place + 1 :])
        yield text
        for root in self.roots:
            if text.is_relative_to(root):
                relative = PurePosixPath(text.relative_to(root))
                yield self._inside / relative
                yield self._inside / "labels" / relative


def _folded(file: Path) -> str:
    return to_nfc(str(file)).casefold()


def _has_image(folder: Path, stem: str) -> bool:
    return any(
        os.path.exists(folder / f"{stem}{suffix}") for suffix in (*IMAGE_SUFFIXES, *map(str.upper, IMAGE_SUFFIXES))
    )


def _spellings() -> Iterator[str]:
    yield from folder_spellings(LABEL_FOLDERS)
    yield "labelTxt"
