"""Reads Open Images' tables: tells which file is which, finds the images, and converts their boxes to pixels."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar

from workbench.core import images as image_files
from workbench.core.decoding.image_header import ImageHeader
from workbench.core.folders.image_lookup import is_portable, leads_out, to_posix
from workbench.core.folders.portable_names import portable
from workbench.core.formatting import count
from workbench.core.project import XYXY, Split, State
from workbench.errors import Refused, WorkbenchError
from workbench.formats import ReadBox, ReadImage, Reading, ReadSettings, Source
from workbench.formats.parts.csv_table import first_names
from workbench.formats.parts.layout import SPLIT_WORDS, display_name, files_below, split_of_folders, split_of_name
from workbench.formats.parts.openimages_csv import (
    BoxTable,
    OpenBox,
    VerifiedLabels,
    extra_of,
    kind_of,
    parse_boxes,
    parse_labels,
    parse_list,
    parse_names,
)
from workbench.formats.parts.reader import DataSetReader
from workbench.formats.parts.report import unreadable

_TABLE_FOLDERS = ("annotations", "csv_folder")  # csv_folder: OIDv4_ToolKit
_MANY = 1000
"""Largest number of labels; class-descriptions.csv names 20,000 image tags, of which 600 have boxes."""
_LABELS_LIMIT = 256 << 20  # bytes of a table of other labels than those of boxes: the official one has 57 million rows
Table = TypeVar("Table")
_TURNS = {3: 180.0, 6: 270.0, 8: 90.0}  # EXIF orientation: counterclockwise degrees that make the image upright


@dataclass(slots=True)
class _TableEntry:
    """What the tables say of one image."""

    boxes: list[OpenBox]
    split: Split | None  # by the table's name
    has_broken: bool
    file: Path


class OpenImagesReader(DataSetReader):
    apart = _TABLE_FOLDERS

    def __init__(self, path: Path, images: Sequence[Path], settings: ReadSettings) -> None:
        super().__init__(path, images, settings)
        self.names: dict[str, str] = {}  # what each LabelName stands for
        self.listed: dict[str, tuple[str | None, float]] = {}
        self.paths: dict[str, list[Path]] = {}  # image files by their paths without suffix
        self.stems: set[str] = set()

    def read(self) -> Reading:
        tables = self.tables()
        if not tables["boxes"]:
            raise Refused(self.path, "there is no table of boxes (train-annotations-bbox.csv or the like) here")
        for root in self.lookup.roots:
            for file in (f for f in self.lookup.files if f.is_relative_to(root)):
                self.paths.setdefault(to_posix(str(file.relative_to(root).with_suffix(""))), []).append(file)
                exported = PurePosixPath(portable(file.relative_to(root).as_posix()))
                self.stems |= {_last(file.stem), _last(exported.stem)}
        for file in tables["names"]:
            self.names = {**(self.table(file, parse_names) or {}), **self.names}
        for file in tables["images"]:
            self.listed.update(self.table(file, lambda data, name: parse_list(data, name, self.is_there)) or {})
        entries = self.boxes(tables["boxes"])
        read = [self.image(id, one) for id, one in entries.items()]
        labels = self.labels(entries)
        if os.path.isdir(self.path):
            used = {image.file for image in read if image.file}
            read += self.empty(tables["labels"], used)
            read += self.others({image.file for image in read if image.file})
        return self.report.reading(
            "openimages", self.path, labels, [image for image in read if image.file], self.lookup
        )

    def tables(self) -> dict[str, list[Path]]:
        """The tables by kind. Of several lists of names, the one of labels that have boxes."""
        found: dict[str, list[Path]] = {kind: [] for kind in ("boxes", "labels", "images", "names")}
        beside = sorted(self.path.parent.glob("*.csv")) if os.path.isfile(self.path) else []
        beside = [file for file in beside if file == self.path or not leads_out(file, [self.root])]
        for file in beside or files_below(self.path, ".csv"):
            name, is_open = file.name.lower(), os.access(file, os.R_OK)
            columns = first_names(file) if is_open else frozenset()
            kind = kind_of(columns) if is_open else "boxes"  # opening it tells what is wrong
            if re.search(r"class(es)?-desc", name) or name == "classes.csv" or columns == {"labelname", "displayname"}:
                kind = "names"
            elif name.endswith("annotations-bbox.csv") or file == self.path:
                kind = "boxes"
            if kind == "labels" and not _may_deny_all(file):
                kind = "image labels"
            if kind in found and (kind != "boxes" or self.path in (file, *file.parents)):
                found[kind].append(file)
            elif not beside:
                what = (
                    f"{_count(file):,} {kind} were not read, only boxes." if kind else "Not one of Open Images' tables."
                )
                self.report.say(
                    "read", display_name(file, self.root), what, kind=f"tables of {kind or 'something else'}"
                )
        of_boxes = [file for file in found["names"] if "boxable" in file.name.lower()]
        return found | {"names": of_boxes or found["names"]}

    def table(self, file: Path, parse: Callable[[IO[bytes], str], Table]) -> Table | None:
        """What `parse` makes of a table and its name in remarks; None if it can't be read, which is damage."""
        name = display_name(file, self.root)
        try:
            with file.open("rb") as stream:
                return parse(stream, name)
        except Refused as error:
            self.report.damage(error)
        except OSError as error:
            self.report.damage(unreadable(file, name, error))
        return None

    def is_there(self, id: str) -> bool:
        """Whether some image file may have this ImageID."""
        return _last(id) in self.stems

    def boxes(self, files: Sequence[Path]) -> dict[str, _TableEntry]:
        entries: dict[str, _TableEntry] = {}
        left: dict[str, int] = {}
        for file in files:
            name = display_name(file, self.root)
            table = self.table(file, lambda data, name: parse_boxes(data, name, self.is_there)) or BoxTable()
            self.report.broken += table.broken
            for level, sentence, line, kind in table.remarks:
                self.report.say(level, name, sentence, line, kind=kind)
            left |= table.left
            split = split_of_name(file.relative_to(self.root))
            for id in (*table.boxes, *(id for id in table.damaged if id and id not in table.boxes)):
                one = _TableEntry(table.boxes.get(id, []), split, id in table.damaged, file)
                first = entries.setdefault(id, one)
                if first is not one:
                    self.compare(id, first, one, name)
        if left:
            lost = f"{count(sum(left.values()), 'box')} of {count(len(left), 'image')}"
            sentence = f"Left out, as the image files are missing: {lost}."
            self.report.say("refused", self.path.name, sentence)
        return entries

    def compare(self, id: str, first: _TableEntry, other: _TableEntry, name: str) -> None:
        """The tables of V4 and V6 agree about an image; two that differ can't both be right."""
        same = sorted((b.label, b.edges) for b in first.boxes) == sorted((b.label, b.edges) for b in other.boxes)
        if same:
            sentence = f"'{id[:80]}' is also in another table with the same boxes; they were taken once."
            self.report.say("read", name, sentence, kind="images in several tables, taken once")
        else:
            line = other.boxes[0].line if other.boxes else 0
            self.report.damage(Refused(name, f"'{id[:80]}' is also in another table, with other boxes", line))

    def labels(self, entries: dict[str, _TableEntry]) -> tuple[str, ...]:
        used = dict.fromkeys(box.label for one in entries.values() for box in one.boxes)
        nameless = [code for code in used if code not in self.names]
        if nameless:
            sentence = f"{len(nameless):,} LabelNames are in no class-descriptions.csv; they became the labels' names."
            self.report.say("repaired", self.path.name, sentence)
        codes = list(self.names)
        if len(codes) > _MANY:
            self.report.say("read", self.path.name, f"Of {len(codes):,} labels, only those with boxes were taken.")
            codes = [code for code in codes if code in used]
        alike = len(codes) - len({self.names[code] for code in codes})
        if alike:
            sentence = f"{count(alike, 'label', 'has')} the same name as others; they were merged."
            self.report.say("repaired", self.path.name, sentence)
        return tuple(dict.fromkeys([*(self.names[code] for code in codes), *nameless]))

    def image(self, id: str, one: _TableEntry) -> ReadImage:
        name = to_posix(id) if is_portable(id) else id
        file = self.file_of(id, one.split or self.split_in_list(id))
        if file is None:
            return ReadImage(name, None, 0, 0, (), one.split, State.UNLABELLED)
        split = one.split or (self.split_in_list(id) if id in self.listed else split_of_folders(file, self.root))
        try:
            info = image_files.info(file)
        except WorkbenchError as error:
            reason = getattr(error, "reason", error.sentence)
            sentence = f"Its {count(len(one.boxes), 'box', 'was')} left out: the image can't be read: {reason}"
            self.report.say("refused", display_name(file, self.root), sentence)
            return ReadImage(name, file, 0, 0, (), split, State.UNLABELLED)
        width, height, turn = self.as_boxed(id, info)
        boxes = tuple(self.box(box, turn, width, height) for box in one.boxes)
        state = State.IN_WORK if one.has_broken else State.DONE
        source = None if one.has_broken else Source(one.file, id)
        return ReadImage(display_name(file, self.root), file, width, height, boxes, split, state, source)

    def as_boxed(self, id: str, info: ImageHeader) -> tuple[int, int, bool]:
        """The size of the picture the boxes were drawn on, and whether they must be turned upside down here.

        The stored image's size if EXIF says the same as Rotation: the import will see that and turn the boxes.
        """
        rotation = self.listed.get(id, (None, 0.0))[1]
        if info.orientation != 1 and _TURNS.get(info.orientation) == rotation:
            sentence = "Its boxes are of the stored pixels: its EXIF orientation equals the Rotation in the list."
            self.report.say("read", id, sentence, kind="images turned by EXIF and by the list")
            upright = info.orientation == 3
            return (info.width, info.height, True) if upright else (info.height, info.width, False)
        if rotation and info.orientation == 1:
            sentence = f"It should be turned by {rotation:g} degrees; image and boxes were read as stored."
            self.report.say("read", id, sentence, kind="images that the list would turn")
        return info.width, info.height, False

    def box(self, box: OpenBox, turn: bool, width: int, height: int) -> ReadBox:
        x0, y0, x1, y1 = (1 - v for v in (*box.edges[2:], *box.edges[:2])) if turn else box.edges
        xyxy: XYXY = (round(x0 * width, 6), round(y0 * height, 6), round(x1 * width, 6), round(y1 * height, 6))
        name = self.names.get(box.label, box.label)
        extra = extra_of(box, name)
        return ReadBox(name, xyxy, False, box.truncated, box.occluded, box.crowd, extra=extra, line=box.line)

    def split_in_list(self, id: str) -> Split | None:
        return SPLIT_WORDS.get(self.listed.get(id, (None, 0.0))[0] or "")

    def file_of(self, id: str, split: Split | None) -> Path | None:
        """The image in its split's folder, in images/ or not; else one with that name, preferably of its split."""
        if not is_portable(id):
            self.report.tell_outside(self.path.name, id)
        words = [word for word, of in SPLIT_WORDS.items() if of is split] or ["none"]
        plain = to_posix(id)
        for folder in (*(f"images/{word}/" for word in words), *(f"{word}/" for word in words), "images/", ""):
            files = self.paths.get(folder + plain, [])
            if len(files) == 1:
                return files[0]
        return self.find(plain, self.path, near=(*words, "images"), shown=id)

    def empty(self, files: Sequence[Path], used: set[Path]) -> list[ReadImage]:
        """Images without boxes that a list or image labels name: done if every label is denied."""
        verified = VerifiedLabels()
        for file in files:
            self.table(file, lambda data, name: parse_labels(data, name, self.is_there, verified))
        if taken := verified.present:
            self.report.say("read", self.path.name, f"{taken:,} image labels were not read, only boxes.")
        read, empty = [], verified.without(self.names)
        for id in dict.fromkeys([*self.listed, *verified.images]):
            split = self.split_in_list(id)
            found = self.file_of(id, split)
            if found is None or found in used:
                continue
            used.add(found)
            state = State.DONE if id in empty else State.UNLABELLED
            split = split if id in self.listed else split_of_folders(found, self.root)
            read.append(ReadImage(display_name(found, self.root), found, 0, 0, (), split, state))
        return read

    def others(self, used: set[Path]) -> list[ReadImage]:
        """Images of the data set that are in no table: unlabelled. Masks are PNG files, too."""
        return [
            ReadImage(
                display_name(file, self.root), file, 0, 0, (), split_of_folders(file, self.root), State.UNLABELLED
            )
            for file in self.lookup.files
            if file.is_relative_to(self.root)
            and file not in used
            and not any(part.lower().startswith("mask") for part in file.relative_to(self.root).parts[:-1])
        ]


def _may_deny_all(file: Path) -> bool:
    """Whether a table of image labels may say of an image that it has none of the labels of boxes."""
    name = file.name.lower()
    return "machine" not in name and ("boxable" in name or file.stat().st_size <= _LABELS_LIMIT)


def _last(name: str) -> str:
    """The part of a name behind its folders, in lower case; file names may hold a backslash, too."""
    return name.replace("\\", "/").rsplit("/", 1)[-1].casefold()


def _count(file: Path) -> int:
    """The number of rows of a table, without its header; rows of several lines count several times."""
    with file.open("rb") as stream:
        return max(sum(1 for line in stream if line.strip()) - 1, 0)
