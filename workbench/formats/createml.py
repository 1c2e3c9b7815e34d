"""Create ML JSON: one list for a folder of images; what Apple's Create ML trains on, and labelImg and Roboflow write.

Coordinates are the centre of a box, its width and its height, in pixels from the top left corner: Create ML's API has
other units and anchors, but no file says which it uses (reference/formats.md, section 7). Create ML wants one folder
with exactly one JSON file and all its images, referred to by file name, so each split becomes such a folder
(train, val, test, none; the folder itself if no image has a split), and images that share a name are named after
their folders. It holds nothing but label and box; `verified` is labelImg's mark. Crowd regions are left out: a
trainer would take each for one object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.core.files import atomic_write
from workbench.core.folders.image_lookup import is_portable, to_posix
from workbench.core.project import Snapshot, Split, State
from workbench.formats import ReadImage, Reading, ReadSettings, Source, register
from workbench.formats.parts.createml_json import IMAGE_KEYS, LIST_KEYS, CreateMLImage, parse_createml
from workbench.formats.parts.json_values import is_small
from workbench.formats.parts.layout import (
    SPLIT_NAMES,
    display_name,
    distinct_paths,
    from_extra,
    is_labelled,
    sniff_files,
    split_of_folders,
    without_folders,
)
from workbench.formats.parts.reader import DataSetReader

_FILE = "_annotations.createml.json"  # Roboflow's name for it
_RECORD = (
    re.compile(r'"image(?:filename)?"\s*:\s*"'),
    re.compile(r'"annotations?"\s*:\s*\['),
    re.compile(r'"coordinates"'),
)


@register("createml")
class CreateML:
    title = "Create ML JSON"
    cannot_store = frozenset(
        {
            "difficult", "truncated", "occluded", "crowd", "note", "in work", "unlabelled images", "label order",
            "unused labels",
        }
    )  # fmt: skip

    def sniff(self, path: Path) -> float:
        return sniff_files(path, ".json", _is_createml)

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = ReadSettings()) -> Reading:
        return _Reader(path, images, settings).read()

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        """<split>/<name>: Create ML looks for images in the folder of the JSON file, not below it."""
        split = any(image.split is not Split.NONE for image in snapshot.images)
        folders = [f"{SPLIT_NAMES[image.split]}/" if split else "" for image in snapshot.images]
        return tuple(
            folder + path
            for folder, path in zip(folders, distinct_paths(without_folders(snapshot.images)), strict=True)
        )

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        records: dict[Path, list[dict[str, Any]]] = {}
        verified = any(image.state is State.VERIFIED for image in snapshot.images)
        for index, place in enumerate(self.places(snapshot)):
            if is_labelled(snapshot, index):
                record = _record(snapshot, index, PurePosixPath(place).name, verified)
                records.setdefault((folder / place).parent / _FILE, []).append(record)
        for file, entries in sorted(records.items()):
            lines = ",\n".join(json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in entries)
            atomic_write(file, f"[\n{lines}\n]\n", sync=False)
        return tuple(sorted(records))

    def sources(self, snapshot: Snapshot) -> tuple[Source | None, ...]:
        sources = [Source(Path(place).parent / _FILE, Path(place).name) for place in self.places(snapshot)]
        return tuple(source if is_labelled(snapshot, index) else None for index, source in enumerate(sources))


def _record(snapshot: Snapshot, index: int, name: str, verified: bool) -> dict[str, Any]:
    """One image. `verified`: give that key in every record, because Create ML treats them as the rows of one table."""
    rows = snapshot.rows(index)
    record: dict[str, Any] = {"image": name}
    if verified:
        record["verified"] = snapshot.images[index].state is State.VERIFIED
    chosen = [row for row in range(rows.start, rows.stop) if not snapshot.flags[row, 3]]
    return record | {"annotations": [_annotation(snapshot, row) for row in chosen]}


def _annotation(snapshot: Snapshot, row: int) -> dict[str, Any]:
    x0, y0, x1, y1 = snapshot.boxes[row].tolist()
    annotation = {
        "label": snapshot.labels[int(snapshot.label_index[row])].name,
        "coordinates": {"x": (x0 + x1) / 2, "y": (y0 + y1) / 2, "width": x1 - x0, "height": y1 - y0},
    }
    others = from_extra(snapshot.notes[row][1], "createml") if snapshot.notes else None
    if isinstance(others, dict) and is_small(others):
        annotation |= {key: value for key, value in others.items() if key not in annotation}
    return annotation


def _is_createml(file: Path) -> bool:
    """Judged by the first record, as far as it was read: other formats have lists of images with annotations, too."""
    if file.suffix.lower() != ".json":
        return False
    with file.open("rb") as stream:
        head = stream.read(65_536).decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if not re.match(r"\[\s*\{", head):
        return False
    try:
        record, _ = json.JSONDecoder().raw_decode(head, head.index("{"))
    except (ValueError, RecursionError):  # damaged, or longer than what was read
        return all(pattern.search(head) for pattern in _RECORD)
    annotations = next((record[key] for key in LIST_KEYS if key in record), None)
    named = any(isinstance(record.get(key), str) for key in IMAGE_KEYS)
    if not named or not isinstance(annotations, list):
        return False
    if not annotations:
        return set(record) <= {*IMAGE_KEYS, *LIST_KEYS, "verified"}
    return any(isinstance(annotation, dict) and "coordinates" in annotation for annotation in annotations)


class _Reader(DataSetReader):
    """One reading of a Create ML file, or of folders with one each."""

    kind = "Create ML file"
    apart = ("annotations",)
    beside_images = True  # as labelImg writes them

    def read(self) -> Reading:
        read: list[ReadImage] = []
        own = self.own_files(lambda file: _is_createml(file) or "createml" in file.name.lower())
        for file, one in self.parsed(own, parse_createml):
            for level, sentence, kind in one.remarks:
                self.report.say(level, display_name(file, self.root), sentence, kind=kind)
            read += [self.image(image, file) for image in one.images]
        read += self.bare_images(read)
        labels = dict.fromkeys(box.label for image in read for box in image.boxes)
        return self.report.reading("createml", self.path, tuple(labels), read, self.lookup)

    def image(self, image: CreateMLImage, file: Path) -> ReadImage:
        """Its picture is the one in the folder of the JSON file, else one with that name, preferably of that split."""
        if not is_portable(image.name):
            self.report.tell_outside(display_name(file, self.root), image.name)
        state = State.VERIFIED if image.verified else State.DONE
        folder = file.parent.relative_to(self.root)
        inner = (folder / to_posix(image.name)).as_posix()
        return ReadImage(
            name=inner if is_portable(inner) else to_posix(image.name),
            file=self.find(image.name, file, (inner, image.name), folder.parts),
            width=0,
            height=0,
            boxes=tuple(image.boxes),
            split=split_of_folders(file, self.root),
            state=State.IN_WORK if image.has_broken else state,
            source=None if image.has_broken else Source(file, image.name),
        )
