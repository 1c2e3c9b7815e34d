"""Open Images CSV (V4 to V7): annotations/train-annotations-bbox.csv and the like, with images/train/<ImageID>.jpg.

Google's tables, which CVAT, Datumaro, FiftyOne and Roboflow also write. XMin, XMax, YMin, YMax are fractions of the
image's size, so the image files are needed. LabelName is a code; class-descriptions*.csv says what it stands for, in
the order of our labels. IsGroupOf marks crowd regions; -1 is "unknown" and read as no. Source, IsDepiction, IsInside,
the codes and anything else in a row are kept with the box.

An image without boxes was not necessarily looked at. It is done if the image labels (*-human-imagelabels*.csv) deny
every label, which is also how we write it; otherwise it is unlabelled. Rotation in the list of images says how stored
image and boxes must be rotated together: if an image file's EXIF says the same, the boxes are of the stored pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.core import boxes
from workbench.core.files import atomic_write
from workbench.core.project import Snapshot, Split
from workbench.formats import Reading, ReadSettings, Source, register
from workbench.formats.parts.csv_table import first_names, sane_values, to_row
from workbench.formats.parts.layout import (
    distinct_paths,
    from_extra,
    is_labelled,
    parse_number,
    sniff_files,
    without_split_folders,
)
from workbench.formats.parts.openimages_csv import (
    CLICKS,
    COLUMNS,
    EDGES,
    FLAGS,
    LABEL_COLUMNS,
    LIST_COLUMNS,
    PLAIN,
    kind_of,
)
from workbench.formats.parts.openimages_reader import OpenImagesReader

_SUBSETS = {Split.TRAIN: "train", Split.VALIDATION: "validation", Split.TEST: "test", Split.NONE: "none"}
_KNOWN = (*COLUMNS, *CLICKS, "DisplayName")  # kept values of a box that are written elsewhere, or not at all
_SAME = 1e-6  # of the image's size: within this a box was not moved


@register("openimages")
class OpenImages:
    title = "Open Images CSV"
    cannot_store = frozenset({"difficult", "note", "in work", "verified", "unknown size", "beyond", "outside"})
    renewed = frozenset({"LabelName", "DisplayName", *EDGES, *CLICKS})

    def sniff(self, path: Path) -> float:
        return sniff_files(path, ".csv", _is_table, most=60)

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = ReadSettings()) -> Reading:
        return OpenImagesReader(path, images, settings).read()

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        paths = distinct_paths(without_split_folders(snapshot.images))
        return tuple(f"images/{_SUBSETS[i.split]}/{p}" for i, p in zip(snapshot.images, paths, strict=True))

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        return _Writer(snapshot, self.places(snapshot), folder / "annotations").write()

    def sources(self, snapshot: Snapshot) -> tuple[Source | None, ...]:
        """The tables of boxes; an image without boxes is in none."""
        ids, found = _Writer(snapshot, self.places(snapshot), Path("annotations")).ids, list[Source | None]()
        for index, image in enumerate(snapshot.images):
            rows = snapshot.rows(index)
            source = Source(Path("annotations", f"{_SUBSETS[image.split]}-annotations-bbox.csv"), ids[index])
            found.append(source if rows.stop > rows.start and image.width * image.height > 0 else None)
        return tuple(found)


def _is_table(file: Path) -> bool:
    return file.suffix.lower() == ".csv" and kind_of(first_names(file)) == "boxes"


class _Writer:
    """One export: a table of boxes and one of denied labels for each split, the names, the list of images."""

    def __init__(self, snapshot: Snapshot, places: Sequence[str], folder: Path) -> None:
        self.snapshot, self.folder = snapshot, folder
        self.ids = [
            place.removeprefix(f"images/{_SUBSETS[image.split]}/").rsplit(".", 1)[0]
            for place, image in zip(places, snapshot.images, strict=True)
        ]
        kept = [from_extra(extra, "openimages") for _, extra in snapshot.notes] or [None] * len(snapshot.boxes)
        self.own = [sane_values(one, ()) for one in kept]
        self.others = [sane_values(one, _KNOWN) for one in kept]
        self.more = list(dict.fromkeys(name for one in self.others for name in one))
        self.clicks = CLICKS if any(CLICKS[0] in one for one in self.own) else ()
        self.codes = self._codes()

    def _codes(self) -> list[list[str]]:
        """The LabelNames of each label: those its boxes came with if it still has this name, else the name itself."""
        names = [label.name for label in self.snapshot.labels]
        found: list[dict[str, None]] = [{} for _ in names]
        taken: dict[str, int] = {}
        for own, index in zip(self.own, self.snapshot.label_index.tolist(), strict=True):
            code = own.get("LabelName", "").strip()
            if code and own.get("DisplayName") == names[index] and taken.setdefault(code, index) == index:
                found[index][code] = None
        for index, name in enumerate(names):
            code, count = name, 1
            while not found[index]:
                if taken.setdefault(code, index) == index:
                    found[index][code] = None
                count += 1
                code = f"{name}-{count}"
        return [list(codes) for codes in found]

    def write(self) -> tuple[Path, ...]:
        written: list[Path] = []
        for split, subset in _SUBSETS.items():
            chosen = [index for index, image in enumerate(self.snapshot.images) if image.split is split]
            lines = [row for index in chosen for row in self._boxes(index)]
            denied = [row for index in chosen for row in self._denied(index)]
            if chosen or (split is Split.NONE and not written):
                written.append(
                    self._file(f"{subset}-annotations-bbox.csv", (*COLUMNS, *self.clicks, *self.more), lines)
                )
            if denied:
                name = f"{subset}-annotations-human-imagelabels-boxable.csv"
                written.append(self._file(name, LABEL_COLUMNS, denied))
        pairs = zip(self.snapshot.labels, self.codes, strict=True)
        names = [to_row([code, label.name]) for label, codes in pairs for code in codes]
        written.append(self._file("oidv6-class-descriptions.csv", ("LabelName", "DisplayName"), names))
        blank = [""] * (len(LIST_COLUMNS) - 3)
        subsets = [_SUBSETS[image.split] for image in self.snapshot.images]
        listed = [to_row([id, subset, *blank, 0]) for id, subset in zip(self.ids, subsets, strict=True)]
        written.append(self._file("image_ids_and_rotation.csv", LIST_COLUMNS, listed))
        return tuple(written)

    def _file(self, name: str, columns: Sequence[str], rows: Sequence[str]) -> Path:
        atomic_write(self.folder / name, to_row(columns) + "".join(rows), sync=False)
        return self.folder / name

    def _boxes(self, index: int) -> list[str]:
        image, rows = self.snapshot.images[index], self.snapshot.rows(index)
        if not (image.width > 0 and image.height > 0):
            return []
        is_beyond = boxes.are_outside(self.snapshot.boxes[rows], image.width, image.height).tolist()
        inside = [row for row, is_out in enumerate(is_beyond, start=rows.start) if not is_out]
        return [self._box(row, self.ids[index], image.width, image.height) for row in inside]

    def _box(self, row: int, id: str, width: int, height: int) -> str:
        """One row; the box is cut at the image's border, because the format has no numbers outside it."""
        own, codes = self.own[row], self.codes[int(self.snapshot.label_index[row])]
        x0, y0, x1, y1 = self.snapshot.boxes[row].tolist()
        edges = [min(max(v / side, 0.0), 1.0) for v, side in ((x0, width), (x1, width), (y0, height), (y1, height))]
        return to_row(
            [
                id,
                own.get("Source", PLAIN["Source"]),
                own["LabelName"] if own.get("LabelName") in codes else codes[0],
                own.get("Confidence", PLAIN["Confidence"]),
                *map(_decimal, edges),
                *self._marks(row),
                *(own.get(name, "-1") if _is_unmoved(own, edges) else "-1" for name in self.clicks),
                *(self.others[row].get(name, "") for name in self.more),
            ]
        )

    def _marks(self, row: int) -> list[str]:
        """Our three marks, or "unknown" if the file said that and nobody has set them; the other two as kept."""
        _, truncated, occluded, crowd = self.snapshot.flags[row].tolist()
        kept = [self.own[row].get(name, "0") for name in FLAGS]
        ours = [
            "1" if mark else ("-1" if value == "-1" else "0")
            for mark, value in zip((occluded, truncated, crowd), kept, strict=False)
        ]
        return ours + [value if value in ("1", "-1") else "0" for value in kept[len(ours) :]]

    def _denied(self, index: int) -> list[str]:
        """For an image that is done and empty, rows saying that it has none of the labels."""
        rows = self.snapshot.rows(index)
        if rows.start != rows.stop or not is_labelled(self.snapshot, index):
            return []
        return [to_row([self.ids[index], "verification", code, 0]) for codes in self.codes for code in codes]


def _is_unmoved(own: dict[str, str], edges: Sequence[float]) -> bool:
    """Whether a box is still where the file had it, so that its extreme points are still valid."""
    kept = [parse_number(own.get(name, "")) for name in EDGES]
    return all(a is not None and abs(a - b) < _SAME for a, b in zip(kept, edges, strict=True))


def _decimal(fraction: float) -> str:
    """Ten decimals: the official six would move an edge of a 10,000 px image by 0.005 px."""
    return f"{fraction:.10f}".rstrip("0").rstrip(".")
