"""KITTI object detection: training/label_2/000000.txt for training/image_2/000000.png, one line per object.

The format of the KITTI vision benchmark, which NVIDIA TAO, torchvision's Kitti and Datumaro also read. Corners are
0-based pixels, with fractions. `truncated` (0 to 1) and `occluded` (0 no, 1 partly, 2 largely, 3 unknown) are our marks
when above 0; alpha, the 3D object and a score are kept with the box and written again. DontCare regions hold objects
that were not labelled individually: they are read as crowd regions with the label DontCare, and crowd regions of other
labels are written as DontCare, which evaluations ignore. The columns are separated by spaces, so labels have "_"
instead. A file without lines says that there is nothing in its image. Splits are the lists in ImageSets/ (train, val
and test; trainval: all of training/, also what is in neither), else the folders training and testing, in which two
images may have the same number. There is no list of labels.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from workbench.core.files import atomic_write
from workbench.core.folders.image_lookup import leads_out
from workbench.core.formatting import count
from workbench.core.project import Label, Snapshot, Split, State
from workbench.errors import Refused
from workbench.formats import ReadBox, ReadImage, Reading, ReadSettings, Source, register
from workbench.formats.parts.kitti_txt import IGNORED, KittiFile, looks_like_kitti, parse_kitti, to_line
from workbench.formats.parts.layout import (
    display_name,
    distinct_paths,
    files_below,
    is_labelled,
    seems,
    split_of_folders,
    without_folders,
)
from workbench.formats.parts.reader import DataSetReader
from workbench.formats.parts.report import read_bytes

_LABELS, _IMAGES = "label_2", "image_2"
_LABEL_FOLDERS = (_LABELS, "label", "labels", "annotations")
_IMAGE_FOLDERS = (_IMAGES, "images", "image")
_HALVES = ("training", "testing")
_LISTS = {"train": Split.TRAIN, "val": Split.VALIDATION, "test": Split.TEST}
_SPOKEN = {
    "regions": (("DontCare region", "was"), f"read as crowd with the label {IGNORED}."),
    "unknown": (("box", "has"), "unknown occlusion (3), which was read as none."),
    "space": (("box", "has"), "a place in space; this was kept, but is not shown."),
    "scores": (("box", "has"), "a score, like detections; it was kept, but not used."),
}


@register("kitti")
class Kitti:
    title = "KITTI txt"
    cannot_store = frozenset(
        {
            "difficult", "crowd labels", "note", "in work", "verified", "unlabelled images", "label order",
            "unused labels", "spaces in labels",
        }
    )  # fmt: skip

    def sniff(self, path: Path) -> float:
        try:
            files = [path] if os.path.isfile(path) else _label_files(path)[:20]
            if any(seems(_is_kitti, file, unread=False) for file in files):
                return 1.0
            return 0.5 if any(f.parent.name == _LABELS and f.stat().st_size == 0 for f in files) else 0.0
        except (OSError, Refused):
            return 0.0

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = ReadSettings()) -> Reading:
        return _Reader(path, images, settings).read()

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        """training/image_2/<name>, for test images testing/: readers list one folder and nothing below it.

        They fail at an image without a label file, so unlabelled images go elsewhere.
        """
        folders = [
            "unlabelled" if not is_labelled(snapshot, i) else "testing" if image.split is Split.TEST else "training"
            for i, image in enumerate(snapshot.images)
        ]
        return tuple(
            f"{folder}/{_IMAGES}/{p}"
            for folder, p in zip(folders, distinct_paths(without_folders(snapshot.images)), strict=True)
        )

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        types, written = _types(snapshot.labels), []
        lists: dict[str, list[str]] = {"trainval": []}
        for index, source in enumerate(self.sources(snapshot)):
            if source is None:
                continue
            image, stem = snapshot.images[index], source.file.stem
            written.append(folder / source.file)
            atomic_write(written[-1], _text(snapshot, index, types), sync=False)
            named = [name for name, split in _LISTS.items() if split is image.split]
            for name in (*named, *([] if image.split is Split.TEST else ["trainval"])):
                lists.setdefault(name, []).append(stem)
        for name, stems in sorted(lists.items()):
            file = folder / "ImageSets" / f"{name}.txt"
            atomic_write(file, "".join(f"{stem}\n" for stem in stems), sync=False)
            written.append(file)
        return tuple(written)

    def sources(self, snapshot: Snapshot) -> tuple[Source | None, ...]:
        found: list[Source | None] = []
        for index, place in enumerate(self.places(snapshot)):
            file = Path(PurePosixPath(place).parts[0], _LABELS, f"{PurePosixPath(place).stem}.txt")
            found.append(Source(file) if is_labelled(snapshot, index) else None)
        return tuple(found)


def _types(labels: Sequence[Label]) -> list[str]:
    """What each label is called in a file: unique, and without spaces."""
    types: list[str] = []
    words = ["_".join(re.split(r"[\s\0\ufeff]+", label.name.strip())) or "_" for label in labels]
    taken = {label.name for label, word in zip(labels, words, strict=True) if label.name == word}
    counts: dict[str, int] = {}
    for label, word in zip(labels, words, strict=True):
        name = word
        while name != label.name and name in taken:
            counts[word] = counts.get(word, 1) + 1
            name = f"{word}-{counts[word]}"
        taken.add(name)
        types.append(name)
    return types


def _text(snapshot: Snapshot, index: int, types: Sequence[str]) -> str:
    lines, rows = [], snapshot.rows(index)
    for row in range(rows.start, rows.stop):
        x0, y0, x1, y1 = snapshot.boxes[row].tolist()
        _, truncated, occluded, crowd = snapshot.flags[row].tolist()
        label = IGNORED if crowd else types[int(snapshot.label_index[row])]
        extra = snapshot.notes[row][1] if snapshot.notes else ""
        lines.append(to_line(label, (x0, y0, x1, y1), truncated, occluded, crowd, extra))
    return "".join(lines)


def _is_kitti(file: Path) -> bool:
    if file.suffix.lower() != ".txt":
        return False
    with file.open("rb") as stream:
        head = stream.read(65_536)
    return looks_like_kitti(head, whole=len(head) < 65_536, named=file.parent.name == _LABELS)


def _label_files(folder: Path) -> list[Path]:
    """The text files in folders called label_2, or all text files if there is no such folder."""
    files = files_below(folder, ".txt")
    return [f for f in files if _LABELS in f.relative_to(folder.parent).parts[:-1]] or files


class _Reader(DataSetReader):
    """One reading of a KITTI folder or file."""

    apart = _LABEL_FOLDERS

    def __init__(self, path: Path, images: Sequence[Path], settings: ReadSettings) -> None:
        super().__init__(path, images, settings)
        is_half = self.root.name.lower() in _HALVES  # training/ or training/label_2 was given: the lists lie beside it
        self.home = self.root.parent if is_half else self.root
        self.lists = self.listed()

    def read(self) -> Reading:
        read, spoken = [], Counter[str]()
        for file, parsed in self.parsed(self.files(), parse_kitti):
            for level, sentence, line, kind in parsed.remarks:
                self.report.say(level, display_name(file, self.root), sentence, line, kind=kind)
            spoken += parsed.spoken
            read.append(self.image(file, parsed))
        for word, (subject, told) in _SPOKEN.items():
            if spoken[word]:
                self.report.say("read", self.path.name, f"{count(spoken[word], *subject)} {told}")
        read += self.bare_images(read, _IMAGES, self.split_of)
        labels = dict.fromkeys(box.label for image in read for box in image.boxes)
        return self.report.reading("kitti", self.path, tuple(labels), read, self.lookup)

    def files(self) -> list[Path]:
        """The label files. Without a folder label_2: all text files of the folders in which one is KITTI's."""
        if os.path.isfile(self.path):
            return [self.path]
        files = _label_files(self.path)
        own = [file for file in files if file.parent.name == _LABELS or seems(_is_kitti, file, unread=False)]
        folders = {file.parent for file in own}
        if not folders:
            raise Refused(self.path, "there are no KITTI label files in this folder")
        return [file for file in files if file.parent in folders or _LABELS in file.relative_to(self.root).parts]

    def image(self, file: Path, parsed: KittiFile) -> ReadImage:
        inner = PurePosixPath(display_name(file, self.root)).with_suffix("").as_posix()
        found = self.file_of(file)
        boxes: tuple[ReadBox, ...] = tuple(parsed.boxes)
        return ReadImage(
            name=display_name(found, self.root) if found else inner.replace(f"{_LABELS}/", f"{_IMAGES}/"),
            file=found,
            width=0,
            height=0,
            boxes=boxes,
            split=self.split_of(file),
            state=State.IN_WORK if parsed.broken else State.DONE,
            source=None if parsed.broken else Source(file),
        )

    def file_of(self, file: Path) -> Path | None:
        """training/label_2/a.txt -> training/image_2/a.png, or the like; else of that name beside it, else anywhere."""
        stem, parts = file.stem, list(file.parent.relative_to(self.root).parts)
        places = [i for i, part in enumerate(parts) if part.lower() in _LABEL_FOLDERS][-1:]
        folders = [[*parts[:i], word, *parts[i + 1 :]] for i in places for word in _IMAGE_FOLDERS]
        for folder in (*folders, parts):
            match = self.lookup.find("/".join([*folder, stem]))
            if match.file is not None and match.file.parent == self.lookup.roots[0].joinpath(*folder):
                return match.file
        return self.find("/".join([*folders[0], stem] if folders else [stem]), file, near=_IMAGE_FOLDERS)

    def listed(self) -> dict[str, Split | None] | None:
        """The split of each image of training/ that a list in ImageSets names, or None without lists.

        If there is a folder testing/, the numbers in test.txt refer to it and say nothing about training/.
        """
        folder = self.home / "ImageSets"
        splits: dict[str, Split | None] = {}
        files = [folder / f"{name}.txt" for name in (*_LISTS, "trainval")]
        files = [file for file in files if os.path.isfile(file) and not leads_out(file, [self.home])]
        for file in files:
            split, name = _LISTS.get(file.stem), display_name(file, self.home)
            if split is None or (split is Split.TEST and os.path.isdir(self.home / "testing")):
                continue
            text = read_bytes(file, name).decode("utf-8-sig", "replace")
            for line, entry in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
                stem = entry.strip()
                if stem and splits.setdefault(stem, split) is not split:
                    sentence = f"'{stem[:80]}' is in two splits; it stays in {splits[stem]}."
                    self.report.say("repaired", name, sentence, line, kind="images in two splits")
        return splits if files else None

    def split_of(self, file: Path) -> Split | None:
        """The split of an image or a label file."""
        folder = split_of_folders(file, self.home)
        if self.lists is None or folder is Split.TEST:
            return folder
        return self.lists.get(file.stem)
