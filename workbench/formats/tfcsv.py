"""TensorFlow object detection CSV: a table with one row per box, from which TensorFlow's tutorials make TFRecords.

xml_to_csv.py of raccoon_dataset and its many copies write it (train_labels.csv, test_labels.csv; images in images/),
and so does Roboflow (train/_annotations.csv with the images beside it). The columns filename, width, height, class,
xmin, ymin, xmax, ymax come in any order; further ones are kept with their box. The numbers are pixels, but it is not
specified from which number they are counted: they are read as edges counted from 0. A table made from VOC files has
VOC's numbers, whose left and top edges are one more. A row without class and corners says that its image is empty; the
scripts that read these tables fail at such a row, so we write none. The format has no marks; crowd regions are left
out, because a trainer would take each for one object. A label map beside the tables (label_map.pbtxt) gives the order
of the labels.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from workbench.core.files import atomic_write
from workbench.core.folders.image_lookup import is_portable, to_posix
from workbench.core.project import Snapshot, Split, State
from workbench.formats import ReadImage, Reading, ReadSettings, Source, register
from workbench.formats.parts.corners import first_pixel
from workbench.formats.parts.csv_table import first_names, sane_values, to_row
from workbench.formats.parts.layout import (
    SPLIT_NAMES,
    display_name,
    distinct_paths,
    files_below,
    from_extra,
    sniff_files,
    split_of_folders,
    split_of_name,
)
from workbench.formats.parts.reader import DataSetReader
from workbench.formats.parts.tfcsv_labels import parse_label_map
from workbench.formats.parts.tfcsv_rows import COLUMNS, TfImage, TfTable, parse_tfcsv

_IMAGE_FOLDER = "images"
_TABLE_FOLDERS = ("annotations", "data")  # raccoon_dataset has data/ beside images/
_NAMED = re.compile(r"labels\.csv$|^_annotations\.csv$", re.IGNORECASE)  # names used by the tutorials and Roboflow
_DAMAGED = 3  # columns that may be missing from a damaged table
_FILES = {
    Split.TRAIN: "train_labels.csv",
    Split.VALIDATION: "val_labels.csv",
    Split.TEST: "test_labels.csv",
    Split.NONE: "labels.csv",
}


@register("tfcsv")
class TfCsv:
    title = "TensorFlow CSV"
    cannot_store = frozenset(
        {
            "difficult", "truncated", "occluded", "crowd", "note", "in work", "verified", "unlabelled images",
            "empty images", "label order", "unused labels",
        }
    )  # fmt: skip

    def sniff(self, path: Path) -> float:
        return sniff_files(path, ".csv", _is_table)

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = ReadSettings()) -> Reading:
        return _Reader(path, images, settings).read()

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        return tuple(f"{_IMAGE_FOLDER}/{path}" for path in distinct_paths(snapshot.images))

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        others = [sane_values(from_extra(extra, "tfcsv"), COLUMNS) for _, extra in snapshot.notes]
        more = list(dict.fromkeys(name for values in others for name in values))
        tables: dict[Split, list[str]] = {}
        for index, place in enumerate(self.places(snapshot)):
            image, rows = snapshot.images[index], snapshot.rows(index)
            head = (place.removeprefix(f"{_IMAGE_FOLDER}/"), image.width, image.height)
            for row in range(rows.start, rows.stop):
                if not snapshot.flags[row, 3]:
                    label = snapshot.labels[int(snapshot.label_index[row])].name
                    values = [others[row].get(name, "") for name in more] if others else []
                    line = to_row([*head, label, *map(_plain, snapshot.boxes[row].tolist()), *values])
                    tables.setdefault(image.split, []).append(line)
        written = []
        for split, name in _FILES.items():
            if split in tables or (split is Split.NONE and not tables):
                atomic_write(folder / name, to_row([*COLUMNS, *more]) + "".join(tables.get(split, [])), sync=False)
                written.append(folder / name)
        return tuple(written)

    def sources(self, snapshot: Snapshot) -> tuple[Source | None, ...]:
        """The table of each image; images without boxes are in none."""
        found: list[Source | None] = []
        for index, (image, place) in enumerate(zip(snapshot.images, self.places(snapshot), strict=True)):
            is_told = bool((~snapshot.crowd[snapshot.rows(index)]).any())
            source = Source(Path(_FILES[image.split]), place.removeprefix(f"{_IMAGE_FOLDER}/"))
            found.append(source if is_told else None)
        return tuple(found)


def _is_table(file: Path) -> bool:
    """Judged by its first line; one with most of the columns is a damaged table, which reading it reports."""
    if file.suffix.lower() != ".csv":
        return False
    lacking = len(set(COLUMNS) - first_names(file))
    return lacking == 0 or (lacking <= _DAMAGED and _NAMED.search(file.name) is not None)


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


class _Reader(DataSetReader):
    """One reading of a table, or of a folder with several."""

    suffix = ".csv"
    kind = f"CSV table with the columns {','.join(COLUMNS)}"

    def __init__(self, path: Path, images: Sequence[Path], settings: ReadSettings) -> None:
        folder = path if os.path.isdir(path) else path.parent
        self.apart = _TABLE_FOLDERS if os.path.isdir(folder.parent / _IMAGE_FOLDER) else ()
        super().__init__(path, images, settings)

    def read(self) -> Reading:
        images: list[ReadImage] = []
        for file, table in self.parsed(self.own_files(_is_table), parse_tfcsv):
            name = display_name(file, self.root)
            for level, sentence, line, kind in table.remarks:
                self.report.say(level, name, sentence, line, kind=kind)
            self.tell_base(name, table)
            images += [self.image(image, file) for image in table.images.values()]
        images += self.bare_images(images)
        used = dict.fromkeys(box.label for image in images for box in image.boxes)
        maps = [] if os.path.isfile(self.path) else files_below(self.root, ".pbtxt")
        labels = self.in_listed_order(used, maps, parse_label_map)
        return self.report.reading("tfcsv", self.path, labels, images, self.lookup)

    def tell_other(self, file: Path) -> None:
        level = "refused" if _NAMED.search(file.name) else "read"
        sentence = "Not a table of boxes with these columns; it was not read."
        self.report.say(level, display_name(file, self.root), sentence, kind="other tables, not read")

    def tell_base(self, name: str, table: TfTable) -> None:
        """Report which number the first pixel was taken to have, and the evidence for either."""
        boxes = [(box.xyxy, image) for image in table.images.values() for box in image.boxes]
        zeros, borders = first_pixel((xyxy, image.width, image.height) for xyxy, image in boxes)
        if boxes:
            self.report.say(
                "read", name,
                f"The numbers were read as edges counted from 0, because the format does not say: of {len(boxes):,}"
                f" boxes {zeros:,} begin at 0 (which proves it) and {borders:,} others end exactly at the border"
                " (likely VOC's numbers, whose left and top edges are one more).",
                kind="tables, numbers read as edges counted from 0",
            )  # fmt: skip
        if boxes and all(0 <= v <= 1 for xyxy, _ in boxes for v in xyxy):
            self.report.say(
                "read", name, "All numbers lie between 0 and 1, as if they were fractions; they were read as pixels."
            )

    def image(self, image: TfImage, file: Path) -> ReadImage:
        """Its picture is in images/ beside the table or beside it, else in the data set's images/, else anywhere."""
        if not is_portable(image.name):
            self.report.tell_outside(display_name(file, self.root), image.name, image.line)
        folder, plain = file.parent.relative_to(self.root), to_posix(image.name)
        places = (folder / _IMAGE_FOLDER / plain, folder / plain, Path(_IMAGE_FOLDER, plain), Path(plain))
        split = split_of_name(file.relative_to(self.root))
        near = (*folder.parts, _IMAGE_FOLDER, SPLIT_NAMES[split] if split else "")
        is_apart = split_of_folders(file, self.root) is not None
        return ReadImage(
            name=(folder if is_apart else Path()).joinpath(plain).as_posix(),
            file=self.find(image.name, file, map(Path.as_posix, places), near, line=image.line),
            width=image.width,
            height=image.height,
            boxes=tuple(image.boxes),
            split=split,
            state=State.IN_WORK if image.has_broken else State.DONE,
            source=None if image.has_broken else Source(file, image.name),
        )
