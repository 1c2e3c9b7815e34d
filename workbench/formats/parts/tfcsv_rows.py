"""Parses one table of TensorFlow's object detection tutorials (bytes to images and boxes), and writes rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.core.parsing import strict_text
from workbench.core.project import XYXY
from workbench.errors import Refused
from workbench.formats import ReadBox
from workbench.formats.parts.corners import SANE, order_corners, remarks
from workbench.formats.parts.csv_table import header, other_values, rows
from workbench.formats.parts.layout import parse_number, to_extra

COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
SIZE_LIMIT = 600 << 20  # bytes; about ten million boxes
_CORNERS = COLUMNS[4:]


@dataclass(slots=True)
class TfImage:
    """An image as described by the rows of one table, the first at `line`; 0 x 0: they don't give the size."""

    name: str
    width: int
    height: int
    line: int
    boxes: list[ReadBox] = field(default_factory=list)
    has_broken: bool = False


@dataclass(slots=True)
class TfTable:
    """One table. `remarks` are (level, sentence, line, kind)."""

    images: dict[str, TfImage] = field(default_factory=dict)
    remarks: list[tuple[str, str, int, str]] = field(default_factory=list)
    broken: list[Refused] = field(default_factory=list)


def parse_tfcsv(data: bytes, file: str) -> TfTable:
    """Read one table. Raises Refused if it lacks these columns; damaged rows go to `broken`."""
    strict_text.check_size(data, file, SIZE_LIMIT, "tables")
    found = rows(data, file)
    columns, count = header(found, file, COLUMNS)
    table = TfTable()
    try:
        for line, row in found:
            try:
                _row(row, line, columns, count, table)
            except ValueError as error:
                table.broken.append(Refused(file, str(error), line))
                name = row[columns["filename"]].strip() if len(row) > columns["filename"] else ""
                if name in table.images:
                    table.images[name].has_broken = True
                elif name:
                    table.images[name] = TfImage(name, 0, 0, line, has_broken=True)
    except Refused as error:  # what follows can't be split into rows
        table.broken.append(error)
        for image in table.images.values():
            image.has_broken = True
    return table


def _row(row: list[str], line: int, columns: Mapping[str, int], count: int, table: TfTable) -> None:
    """Add one row to `table`. A ValueError says what is wrong with it."""
    if not any(value.strip() for value in row):
        return
    if len(row) != count:
        raise ValueError(f"{len(row)} values, but the first line has {count}")
    name, label = (row[columns[key]].strip() for key in ("filename", "class"))
    corners = [row[columns[key]].strip() for key in _CORNERS]
    if not name:
        raise ValueError("a row without a file name")
    size = _side(row[columns["width"]].strip(), "width"), _side(row[columns["height"]].strip(), "height")
    box = None
    if label or any(corners):
        if not label:
            raise ValueError("a box without a class")
        box = ReadBox(
            label=label,
            xyxy=_corners(corners, label, line, table),
            extra=to_extra("tfcsv", other_values(row, columns, COLUMNS)),
            line=line,
        )
    image = table.images.setdefault(name, TfImage(name, *size, line))
    if (image.width, image.height) == (0, 0):
        image.width, image.height = size
    elif size != (0, 0) and size != (image.width, image.height):
        first = f"{image.width} x {image.height} in line {image.line}"
        raise ValueError(f"the size of '{name[:80]}' is {size[0]} x {size[1]} here and {first}")
    if box:
        image.boxes.append(box)


def _side(text: str, key: str) -> int:
    value = parse_number(text) if text else 0.0
    if value is None or not 0 <= value <= SANE or not value.is_integer():
        raise ValueError(f"{key} must be a whole number of pixels, not '{text[:40]}'")
    return int(value)


def _corners(texts: list[str], label: str, line: int, table: TfTable) -> XYXY:
    values = []
    for key, text in zip(_CORNERS, texts, strict=True):
        value = parse_number(text)
        if value is None or abs(value) > SANE:
            raise ValueError(f"{key} must be a number of pixels, not '{text[:40]}'")
        values.append(value)
    table.remarks += remarks(values, f"The box of '{label[:60]}' has zero size (min = max); it was kept.", line)
    return order_corners(values)
