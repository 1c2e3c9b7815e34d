"""The tables of Open Images V4 to V7: boxes, image labels, lists of images and names of labels; and lines of them.

The kind of a table is told by its columns: file names differ from version to version. A table of boxes covers millions
of images, most of which the user does not have, so rows of images that are not `wanted` are only counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import IO

from workbench.errors import Refused
from workbench.formats.parts.csv_table import header, other_values, rows
from workbench.formats.parts.layout import parse_number, to_extra

EDGES = ("XMin", "XMax", "YMin", "YMax")
FLAGS = ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")
COLUMNS = ("ImageID", "Source", "LabelName", "Confidence", *EDGES, *FLAGS)
CLICKS = tuple(f"XClick{n}{axis}" for axis in "XY" for n in (1, 2, 3, 4))
LIST_COLUMNS = (
    "ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL", "Author", "Title",
    "OriginalSize", "OriginalMD5", "Thumbnail300KURL", "Rotation",
)  # fmt: skip
LABEL_COLUMNS = ("ImageID", "Source", "LabelName", "Confidence")
PLAIN = {"Source": "freeform", "Confidence": "1"}  # for a box drawn by a person
_NEEDED = ("ImageID", "LabelName", *EDGES)
_ROUNDING = 1e-6  # the official files have six decimals
Wanted = Callable[[str], bool]


@dataclass(slots=True)
class OpenBox:
    """One row: fractions of the image's size, the three marks, and what is kept."""

    label: str  # LabelName, such as /m/01g317
    edges: tuple[float, float, float, float]  # x0, y0, x1, y1
    occluded: bool
    truncated: bool
    crowd: bool
    others: dict[str, str]
    line: int


@dataclass(slots=True)
class BoxTable:
    """A table of boxes by ImageID. `left` counts the rows of each image that is not wanted."""

    boxes: dict[str, list[OpenBox]] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    left: dict[str, int] = field(default_factory=dict)
    remarks: list[tuple[str, str, int, str]] = field(default_factory=list)  # (level, sentence, line, kind)
    broken: list[Refused] = field(default_factory=list)


def kind_of(names: frozenset[str]) -> str:
    """What a table with these columns (in lower case) holds: "boxes", "labels", "images", or a word for others."""
    if names >= {name.casefold() for name in _NEEDED}:
        return "boxes"
    if "maskpath" in names:
        return "masks"
    if "labelname1" in names or "relationshiplabel" in names:
        return "relationships"
    if "imageid" in names and {"x", "y"} <= names:
        return "points"
    if names >= {"imageid", "labelname", "confidence"}:
        return "labels"
    if names >= {"imageid", "subset"} or names >= {"imageid", "rotation"}:
        return "images"
    return ""


def parse_boxes(source: bytes | IO[bytes], file: str, wanted: Wanted = lambda image: True) -> BoxTable:
    """Read a table of boxes. Raises Refused if it is not one; damaged rows go to `broken`."""
    found = rows(source, file)
    columns = _Columns(*header(found, file, _NEEDED, (*COLUMNS, *CLICKS)))
    table, place = BoxTable(), columns.image
    try:
        for line, row in found:
            image = row[place].strip() if len(row) > place else ""
            if image and not wanted(image):
                table.left[image] = table.left.get(image, 0) + 1
                continue
            try:
                if len(row) != columns.count:
                    raise ValueError(f"{len(row)} values, but the first line has {columns.count}")
                if not image:
                    raise ValueError("a row without an ImageID")
                table.boxes.setdefault(image, []).append(_box(row, columns, line, table))
            except ValueError as error:
                table.broken.append(Refused(file, str(error), line))
                table.damaged.add(image)
    except Refused as error:  # what follows can't be split into rows
        table.broken.append(error)
        table.damaged.update(table.boxes)
    return table


class _Columns:
    """The positions of a table's columns; determined once, because a table has millions of rows."""

    def __init__(self, columns: dict[str, int], count: int) -> None:
        self.count = count
        self.image, self.label = columns["ImageID"], columns["LabelName"]
        self.edges = [(name, columns[name]) for name in EDGES]
        self.flags = [(name, columns[name]) for name in FLAGS if name in columns]
        self.clicks = [(name, columns[name]) for name in CLICKS if name in columns]
        taken = ("ImageID", "LabelName", *EDGES, *FLAGS, *CLICKS)
        self.others = {name: place for name, place in columns.items() if name not in taken}


def _box(row: list[str], columns: _Columns, line: int, table: BoxTable) -> OpenBox:
    """The box of a row; a ValueError says what is wrong with it."""
    label = row[columns.label].strip()
    if not label:
        raise ValueError("a box without a LabelName")
    x0, x1, y0, y1 = [_fraction(name, row[place].strip()) for name, place in columns.edges]
    if x0 > x1 or y0 > y1:
        sentence = "The edges of a box were in the wrong order; they were swapped."
        table.remarks.append(("repaired", sentence, line, sentence))
        x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    if x0 == x1 or y0 == y1:
        sentence = f"The box of '{label[:60]}' has zero size; it was kept."
        table.remarks.append(("read", sentence, line, "boxes of zero size, kept"))
    flags = {name: row[place].strip() for name, place in columns.flags}
    for name, value in flags.items():
        if value not in ("0", "1", "-1", ""):
            raise ValueError(f"{name} must be 1 (yes), 0 (no) or -1 (unknown), not '{value[:40]}'")
    marks = [flags.get(name) == "1" for name in FLAGS]
    return OpenBox(label, (x0, y0, x1, y1), marks[0], marks[1], marks[2], _others(row, columns, flags), line)


def _others(row: list[str], columns: _Columns, flags: dict[str, str]) -> dict[str, str]:
    """What is kept of a row. The clicked points are the box's extremes: they belong to its edges."""
    others = other_values(row, columns.others, ())
    if parse_number(others.get("Confidence", "1")) is None:
        raise ValueError(f"Confidence must be a number, not '{others['Confidence'][:40]}'")
    for name, usual in PLAIN.items():
        if others.get(name) == usual:
            del others[name]
    for name, value in flags.items():
        if value == "-1" or (value == "1" and name not in FLAGS[:3]):
            others[name] = value
    if columns.clicks and any(row[place].strip() not in ("", "-1") for _, place in columns.clicks):
        others |= {name: row[place].strip() for name, place in (*columns.clicks, *columns.edges)}
    return others


def _fraction(name: str, text: str) -> float:
    value = parse_number(text)
    if value is None:
        raise ValueError(f"{name} must be a number, not '{text[:40]}'")
    if not -_ROUNDING <= value <= 1 + _ROUNDING:
        raise ValueError(f"{name} is {text[:40]}, outside 0 to 1; it must be a fraction of the image's size")
    return min(max(value, 0.0), 1.0)


def extra_of(box: OpenBox, name: str) -> str:
    """What is kept of a box: its LabelName with the name it stands for, and values without a field."""
    names = {"LabelName": box.label, "DisplayName": name} if name != box.label else {}
    return to_extra("openimages", names | box.others)


class VerifiedLabels:
    """Which labels were verified to be in an image or absent from it. `images`: the ImageIDs, in their order.

    An image has a bit for each label: those of 100,000 empty images, denied 600 labels each, take 20 MB.
    """

    def __init__(self) -> None:
        self._bits = dict[str, int]()  # by LabelName
        self.images = dict[str, tuple[int, int]]()  # the labels verified, and those of them that are present

    def add(self, image: str, label: str, is_there: bool) -> None:
        bit = self._bits.setdefault(label, 1 << len(self._bits))
        told, there = self.images.get(image, (0, 0))
        self.images[image] = told | bit, there | bit if is_there else there & ~bit

    def without(self, labels: Collection[str]) -> set[str]:
        """The images that have none of these labels, nor any other."""
        if not labels or not self._bits.keys() >= set(labels):
            return set()
        every = sum({self._bits[label] for label in labels})
        return {image for image, (told, there) in self.images.items() if not there and told & every == every}

    @property
    def present(self) -> int:
        """How many labels of images are present."""
        return sum(there.bit_count() for _, there in self.images.values())


def parse_labels(source: bytes | IO[bytes], file: str, wanted: Wanted, verified: VerifiedLabels) -> None:
    """Add to `verified` whether each LabelName is in its image (Confidence above 0) or absent."""
    found = rows(source, file)
    columns, _ = header(found, file, ("ImageID", "LabelName", "Confidence"))
    last, places = max(columns.values()), [columns[name] for name in ("ImageID", "LabelName", "Confidence")]
    for line, row in found:
        if len(row) <= last:
            raise Refused(file, f"{len(row)} values, but the first line has {last + 1}", line)
        image, label, confidence = (row[place].strip() for place in places)
        if wanted(image):
            value = parse_number(confidence)
            if value is None:
                raise Refused(file, f"Confidence must be a number, not '{confidence[:40]}'", line)
            verified.add(image, label, value > 0)


def parse_list(source: bytes | IO[bytes], file: str, wanted: Wanted) -> dict[str, tuple[str | None, float]]:
    """By ImageID, the Subset (None: there is no such column) and the Rotation (0: not given) in a list of images."""
    found = rows(source, file)
    columns, count = header(found, file, ("ImageID",), LIST_COLUMNS)
    listed: dict[str, tuple[str | None, float]] = {}
    subset, rotation = columns.get("Subset", count), columns.get("Rotation", count)
    for _, row in found:
        image = row[columns["ImageID"]].strip() if len(row) > columns["ImageID"] else ""
        if image and wanted(image):  # short rows occur; they still have these first columns
            turned = parse_number(row[rotation].strip()) if len(row) == count and rotation < count else None
            listed[image] = (row[subset].strip().lower() if len(row) > subset else None, turned or 0.0)
    return listed


def parse_names(source: bytes | IO[bytes], file: str) -> dict[str, str]:
    """LabelName to display name, in order; with or without a first line of column names."""
    names: dict[str, str] = {}
    for line, row in rows(source, file):
        values = [value.strip() for value in row[:2]]
        if line == 1 and [value.casefold() for value in values] == ["labelname", "displayname"]:
            continue
        if len(values) < 2 or not all(values):
            raise Refused(file, "expected a LabelName and the name it stands for", line)
        names.setdefault(values[0], values[1])
    return names
