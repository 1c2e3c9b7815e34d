"""Boxes as one CSV table: file, width, height, label, x0, y0, x1, y1. A shipped example of a format plugin."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from workbench.api import (
    ReadBox,
    ReadImage,
    Reading,
    ReadSettings,
    Refused,
    Remark,
    Snapshot,
    State,
    WorkbenchError,
    distinct_paths,
    files,
    formats,
)

API = 1
COLUMNS = ("file", "width", "height", "label", "x0", "y0", "x1", "y1")


@formats.register("csv")
class CsvBoxes:
    """One row per box; an image without boxes has one row with an empty label. Coordinates as in Workbench."""

    title = "CSV table"
    cannot_store = frozenset(
        {"difficult", "truncated", "occluded", "crowd", "note", "in work", "verified", "split",
         "unlabelled images", "label order", "unused labels"}
    )  # fmt: skip

    def sniff(self, path: Path) -> float:
        """Certain for a .csv file whose first line is our header."""
        try:
            path = _of(path)
        except WorkbenchError:
            return 0.0
        if path.suffix.lower() != ".csv" or not path.is_file():
            return 0.0
        with open(path, "rb") as file:
            return float(file.readline(200).decode("utf-8", "replace").strip().lstrip("\ufeff") == ",".join(COLUMNS))

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = ReadSettings()) -> Reading:
        """Read the table (or the boxes.csv of a folder); images are looked for beside it or under `images`."""
        path = _of(path)
        table = _table(path)
        if tuple(next(table, (1, []))[1]) != COLUMNS:
            raise Refused(path.name, f"the first line must be {','.join(COLUMNS)}", 1)
        found: dict[str, ReadImage] = {}
        remarks = []
        for line, row in table:
            name, size, box = _row(path.name, line, row)
            if box and (box.xyxy[0] > box.xyxy[2] or box.xyxy[1] > box.xyxy[3]):
                x0, y0, x1, y1 = box.xyxy
                box = replace(box, xyxy=(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
                remarks.append(Remark("repaired", path.name, line, "The corners were in the wrong order."))
            if name not in found:
                file = _file((path.parent, *images), name, path.name, line)
                found[name] = ReadImage(name, file, *size, (), state=State.DONE)
            one = found[name]
            if size != (one.width, one.height):
                raise Refused(path.name, f"'{name[:80]}' has {one.width} x {one.height} pixels in a line above", line)
            found[name] = replace(one, boxes=(*one.boxes, box) if box else one.boxes)
        labels = tuple(dict.fromkeys(box.label for one in found.values() for box in one.boxes))
        return Reading("csv", path, labels, tuple(found.values()), tuple(remarks))

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Images are beside the table, under their paths in the project."""
        return tuple(distinct_paths(snapshot.images))

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        """Write boxes.csv into `folder`."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        table.writerow(COLUMNS)
        for index, (image, place) in enumerate(zip(snapshot.images, self.places(snapshot), strict=True)):
            rows = snapshot.rows(index)
            if rows.start == rows.stop and image.state not in (State.DONE, State.VERIFIED):
                continue  # a row would say that the image is empty
            kept = [row for row in range(rows.start, rows.stop) if not snapshot.crowd[row]]
            for row in kept:
                name = snapshot.labels[int(snapshot.label_index[row])].name
                lines = quoted if "\r" in name else table  # Python before 3.13 does not quote it
                lines.writerow([place, image.width, image.height, name, *(repr(float(v)) for v in snapshot.boxes[row])])
            if not kept:
                table.writerow([place, image.width, image.height, "", "", "", "", ""])
        files.atomic_write(folder / "boxes.csv", text.getvalue().encode("utf-8", "replace"))
        return (folder / "boxes.csv",)


def _of(path: Path) -> Path:
    """The table itself, or that of a folder. WorkbenchError if the latter is a link to outside the folder."""
    return files.resolve_inside(path, "boxes.csv") if path.is_dir() else path


def _table(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, values) of each row. Refused (file, line) if it is not CSV."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise Refused(path.name, f"the file can't be read ({error.strerror or error})", cause=error) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(path.name, "the text is not UTF-8; save it as UTF-8", line, error) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if row:  # many programs end a table with an empty line
                yield reader.line_num, row
    except csv.Error as error:
        raise Refused(path.name, f"not a CSV table: {error}", max(reader.line_num, 1), error) from error


def _row(path: str, line: int, row: list[str]) -> tuple[str, tuple[int, int], ReadBox | None]:
    if len(row) != len(COLUMNS):
        raise Refused(path, f"{len(COLUMNS)} columns are expected, {len(row)} were found", line)
    if not row[0] or any("_" in value or not value.isascii() for value in (*row[1:3], *row[4:])):
        raise Refused(path, "a row needs a file name, and plain digits in its numbers", line)
    try:
        size = (int(row[1]), int(row[2]))
        if not any(row[3:]):
            return row[0], size, None
        x0, y0, x1, y1 = (float(value) for value in row[4:])
    except ValueError as error:
        raise Refused(path, f"a number is expected ({error})", line) from error
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or not row[3]:
        raise Refused(path, "a coordinate is not a finite number, or there is no label", line)
    return row[0], size, ReadBox(row[3], (x0, y0, x1, y1), line=line)


def _file(folders: Sequence[Path], name: str, table: str, line: int) -> Path | None:
    try:
        found = (files.resolve_inside(folder, name) for folder in folders)
        return next((file for file in found if file.is_file()), None)
    except WorkbenchError as error:  # it leads outside
        raise Refused(table, error.sentence, line, error) from error
    except (OSError, ValueError):  # not a possible file name
        return None
