"""Boxes as one CSV table: file, width, height, label, x0, y0, x1, y1. A shipped example of a format plugin."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from workbench.api import ReadBox, ReadImage, Reading, ReadSettings, Refused, Snapshot, State, files, formats

API = 1
COLUMNS = ("file", "width", "height", "label", "x0", "y0", "x1", "y1")


@formats.register("csv")
class CsvBoxes:
    """One row per box; an image without boxes has one row with an empty label. Coordinates as in Workbench."""

    title = "CSV table"
    cannot_store = frozenset(
        {"difficult", "truncated", "occluded", "crowd apart", "note", "in work", "verified", "split",
         "unlabelled images", "label order", "unused labels"}
    )  # fmt: skip

    def sniff(self, path: Path) -> float:
        """Certain for a .csv file whose first line is our header."""
        path = path / "boxes.csv" if path.is_dir() else path
        if path.suffix.lower() != ".csv" or not path.is_file():
            return 0.0
        with open(path, "rb") as file:
            return float(file.readline(200).decode("utf-8", "replace").strip().lstrip("\ufeff") == ",".join(COLUMNS))

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = ReadSettings()) -> Reading:  # noqa: B008
        """Read the table (or the boxes.csv of a folder); images are looked for beside it or under `images`."""
        path = path / "boxes.csv" if path.is_dir() else path
        try:
            rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise Refused(path, f"it could not be read as a CSV table: {error}", cause=error) from error
        if not rows or tuple(rows[0]) != COLUMNS:
            raise Refused(path, f"the first line must be {','.join(COLUMNS)}", 1)
        found: dict[str, list[ReadBox]] = {}
        sizes: dict[str, tuple[int, int]] = {}
        for line, row in enumerate(rows[1:], 2):
            name, size, box = _row(path, line, row)
            sizes[name] = size
            found.setdefault(name, []).extend([box] if box else [])
        labels = tuple(dict.fromkeys(box.label for boxes in found.values() for box in boxes))
        read = tuple(
            ReadImage(name, _file((path.parent, *images), name), *sizes[name], tuple(boxes), state=State.DONE)
            for name, boxes in found.items()
        )
        return Reading("csv", path, labels, read)

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Images lie beside the table, under the paths they have in the project."""
        return tuple(image.path for image in snapshot.images)

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        """Write boxes.csv into `folder`."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        for index, image in enumerate(snapshot.images):
            rows = snapshot.rows(index)
            if rows.start == rows.stop and image.state not in (State.DONE, State.VERIFIED):
                continue  # a row would say that there is nothing in the image
            for box, label in zip(snapshot.boxes[rows], snapshot.label_index[rows], strict=True):
                name = snapshot.labels[int(label)].name
                table.writerow([image.path, image.width, image.height, name, *(repr(float(v)) for v in box)])
            if rows.start == rows.stop:
                table.writerow([image.path, image.width, image.height, "", "", "", "", ""])
        files.atomic_write(folder / "boxes.csv", text.getvalue())
        return (folder / "boxes.csv",)


def _row(path: Path, line: int, row: list[str]) -> tuple[str, tuple[int, int], ReadBox | None]:
    if len(row) != len(COLUMNS):
        raise Refused(path, f"{len(COLUMNS)} columns are expected, {len(row)} were found", line)
    try:
        size = (int(row[1]), int(row[2]))
        if not row[3]:
            return row[0], size, None
        x0, y0, x1, y1 = (float(value) for value in row[4:])
    except ValueError as error:
        raise Refused(path, f"a number is expected ({error})", line) from error
    if not all(map(math.isfinite, (x0, y0, x1, y1))):
        raise Refused(path, "a coordinate is not a finite number", line)
    return row[0], size, ReadBox(row[3], (x0, y0, x1, y1), line=line)


def _file(folders: Sequence[Path], name: str) -> Path | None:
    found = (files.resolve_inside(folder, name) for folder in folders)
    return next((file for file in found if file.is_file()), None)
