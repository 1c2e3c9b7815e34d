"""COCO JSON (instances): one file per split, boxes as 0-based [x, y, width, height].

Category ids are sparse and in any order, images without annotations are images without objects, and crowd regions
are kept as such (reference/formats.md, section 4). Boxes remember their original ids, so that an export of imported
data can be compared with the original.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from workbench.core.files import atomic_write
from workbench.core.folders.image_lookup import is_portable, to_posix
from workbench.core.parsing import strict_json
from workbench.core.project import Snapshot, Split, State
from workbench.errors import Refused
from workbench.formats import FormerIds, Id, ReadImage, Reading, ReadSettings, Source, register
from workbench.formats.parts.coco_json import CocoFile, CocoImage, ids_in, is_id, parse_coco
from workbench.formats.parts.json_values import sane
from workbench.formats.parts.layout import (
    SPLIT_NAMES,
    display_name,
    distinct_paths,
    files_below,
    from_extra,
    is_labelled,
    seems,
    sniff_files,
    split_of_name,
)
from workbench.formats.parts.reader import DataSetReader
from workbench.formats.parts.report import read_bytes

_OTHER_TASKS = ("captions_", "panoptic_", "stuff_", "labels_", "image_info_", "person_keypoints_")
_NAMED = re.compile(r"^instances_|[._]coco\.json$", re.IGNORECASE)
_IMAGE_FOLDER = "images"
Key = TypeVar("Key")


@register("coco")
class Coco:
    title = "COCO JSON"
    cannot_store = frozenset({"unlabelled images"})
    first_number = 1  # of the labels' ids
    renewed = frozenset({"id", "image_id", "category_id"})

    def sniff(self, path: Path) -> float:
        return sniff_files(path, ".json", _is_coco)

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = ReadSettings()) -> Reading:
        return _Reader(path, images, settings).read()

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        return tuple(f"{_IMAGE_FOLDER}/{path}" for path in distinct_paths(snapshot.images))

    def ids_in(self, data: bytes) -> tuple[dict[str, Id], dict[str, Id]]:
        return ids_in(data)

    def write(self, snapshot: Snapshot, folder: Path, former: FormerIds | None = None) -> tuple[Path, ...]:
        documents = _documents(snapshot, former or FormerIds({}, {}))
        written = []
        for split, document in documents.items():
            name = "default" if list(documents) == [Split.NONE] else SPLIT_NAMES[split]
            file = folder / "annotations" / f"instances_{name}.json"
            atomic_write(file, json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
            written.append(file)
        return tuple(written)

    def sources(self, snapshot: Snapshot) -> tuple[Source | None, ...]:
        found: list[Source | None] = []
        one = all(i.split is Split.NONE or not is_labelled(snapshot, n) for n, i in enumerate(snapshot.images))
        for index, (image, name) in enumerate(zip(snapshot.images, distinct_paths(snapshot.images), strict=True)):
            file = Path("annotations", f"instances_{'default' if one else SPLIT_NAMES[image.split]}.json")
            found.append(Source(file, name, lists_labels=True) if is_labelled(snapshot, index) else None)
        return tuple(found)


def _is_coco(file: Path) -> bool:
    """Whether the file has the keys of a COCO document; a large one is searched, not parsed.

    A truncated file (half a download) has lost its categories, which usually come last: reading it reports that.
    """
    if file.suffix.lower() != ".json" or not file.stat().st_size:
        return False
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begins = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
        has_key = data.find(b'"annotations"') >= 0 or data.find(b'"file_name"') >= 0
        whole = data.find(b'"categories"') >= 0
        cut = data[-64:].rstrip()[-1:] != b"}" and data.find(b'"file_name"') >= 0
        return begins and has_key and (whole or cut) and data.find(b'"images"') >= 0


class _Reader(DataSetReader):
    """One reading of a COCO file, or of a folder with one file per split."""

    kind = "COCO file of object boxes (instances)"
    apart = ("annotations",)

    def read(self) -> Reading:
        images: list[ReadImage] = []
        labels: dict[str, None] = {}
        groups = set[str]()
        for file, coco in self.parsed(self.files(), parse_coco):
            labels.update(dict.fromkeys(coco.labels))
            images += self.images(file, coco)
            groups |= coco.groups
        used = {box.label for image in images for box in image.boxes}
        for group in sorted(groups - used if used else ()):  # Roboflow puts one before all others
            del labels[group]
            sentence = f"The category '{group[:60]}' has no boxes and only groups other categories; it is not a label."
            self.report.say("read", self.path.name, sentence, kind="categories that only group others, left out")
        return self.report.reading("coco", self.path, tuple(labels), images, self.lookup)

    def files(self) -> list[Path]:
        """The files to read: if a data set has several tasks, only the instances."""
        if os.path.isfile(self.path):
            return [self.path]
        files = [file for file in files_below(self.path, self.suffix) if self.is_taken(file)]
        plain = [f for f in files if not f.name.startswith(_OTHER_TASKS)]
        chosen = plain or [f for f in files if f.name.startswith("person_keypoints_")]
        for file in files:
            if file not in chosen:
                self.report.say(
                    "read", display_name(file, self.root), "It is for another task than boxes; it was not read.",
                    kind="files of other tasks, not read",
                )  # fmt: skip
        return chosen

    def is_taken(self, file: Path) -> bool:
        """Whether it is a COCO file, or named like one with boxes (damage must be reported) and no list of results."""
        if seems(_is_coco, file, unread=True):
            return True
        name = display_name(file, self.root)
        try:
            if _NAMED.search(file.name):
                content = strict_json.parse(read_bytes(file, name), name)
                if isinstance(content, dict):
                    return True
            self.report.say("read", name, "Not a COCO file; it was not read.", kind="other files, not read")
        except Refused as error:
            self.report.damage(error)
        return False

    def images(self, file: Path, coco: CocoFile) -> list[ReadImage]:
        for level, sentence, kind in coco.remarks:
            self.report.say(level, display_name(file, self.root), sentence, kind=kind)
        inner = Path(file.parent.name, file.name) if os.path.isfile(self.path) else file.relative_to(self.root)
        split = split_of_name(inner)
        near = _near(file)
        return [self.image(image, file, split, near) for image in coco.images]

    def image(self, image: CocoImage, file: Path, split: Split | None, near: Sequence[str]) -> ReadImage:
        if not is_portable(image.name):
            self.report.tell_outside(display_name(file, self.root), image.name)
        beside = (file.parent.relative_to(self.root) / to_posix(image.name)).as_posix()  # where Roboflow has it
        return ReadImage(
            name=image.name,
            file=self.find(image.name, file, (beside, image.name), near),
            width=image.width,
            height=image.height,
            boxes=image.boxes,
            split=split,
            state=State.IN_WORK if image.has_broken else image.state,
            source=None if image.has_broken else Source(file, image.name, lists_labels=True),
        )


def _near(file: Path) -> tuple[str, ...]:
    """Names of folders likely to hold this file's images: its own, its split's, "val2017", "images"."""
    words = [word for word in re.split(r"[_.\-]+", file.stem) if word]
    return (file.parent.name, *words)


def _documents(snapshot: Snapshot, former: FormerIds) -> dict[Split, dict[str, Any]]:
    """One document per split in the order train, val, test, none; ids are unique across all of them."""
    notes = [_note(extra) for _, extra in snapshot.notes] or [{}] * len(snapshot.boxes)
    names = distinct_paths(snapshot.images)
    categories = _category_ids(snapshot, notes, former)
    image_ids = _image_ids(snapshot, notes, former)
    box_ids = _assign_ids([_id_counts(note, key="id") for note in notes])
    listed = [{"id": categories[i], "name": label.name, "supercategory": ""} for i, label in enumerate(snapshot.labels)]
    documents: dict[Split, dict[str, Any]] = {}
    for split in SPLIT_NAMES:
        chosen = [i for i, im in enumerate(snapshot.images) if im.split is split and is_labelled(snapshot, i)]
        if chosen or (split is Split.NONE and not documents):
            documents[split] = {
                "info": {"description": "Workbench"},  # pycocotools 2.0.9 and 2.0.10 (loadRes) fail without it
                "licenses": [],
                "images": [_image(snapshot, i, names[i], image_ids[i]) for i in chosen],
                "annotations": [
                    _annotation(snapshot, row, box_ids[row], image_ids[i], categories, notes[row])
                    for i in chosen
                    for row in range(snapshot.rows(i).start, snapshot.rows(i).stop)
                ],
                "categories": listed,
            }
    return documents


def _note(extra: str) -> dict[str, Any]:
    """What a box was read with. Its values are judged one by one: earlier versions kept more of them than fit today."""
    found = from_extra(extra, "coco")
    if not isinstance(found, dict):
        return {}
    return found | {key: sane(found.get(key)) for key in ("more", "attributes")}


def _image(snapshot: Snapshot, index: int, name: str, id: int | str) -> dict[str, Any]:
    image = snapshot.images[index]
    entry: dict[str, Any] = {"id": id, "file_name": name, "width": image.width, "height": image.height}
    return entry if image.state is State.DONE else entry | {"state": str(image.state)}


def _annotation(
    snapshot: Snapshot, row: int, id: int | str, image: int | str, categories: Sequence[int | str], note: dict[str, Any]
) -> dict[str, Any]:
    x0, y0, x1, y1 = snapshot.boxes[row].tolist()
    difficult, truncated, occluded, crowd = snapshot.flags[row].tolist()
    entry = {
        "id": id,
        "image_id": image,
        "category_id": categories[int(snapshot.label_index[row])],
        "segmentation": [],  # trainers for masks and boxes expect the key
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": (x1 - x0) * (y1 - y0),
        "iscrowd": int(crowd),
    }
    if difficult:
        entry["ignore"] = 1
    values = {"truncated": truncated, "occluded": occluded, "note": snapshot.notes[row][0] if snapshot.notes else ""}
    attributes = {key: value for key, value in values.items() if value}
    if attributes := note.get("attributes", {}) | attributes:
        entry["attributes"] = attributes
    return entry | {key: value for key, value in note.get("more", {}).items() if key not in entry}


def _category_ids(snapshot: Snapshot, notes: Sequence[dict[str, Any]], former: FormerIds) -> list[int | str]:
    counts = [_former_id(former.labels, label.name) for label in snapshot.labels]
    for label, note in zip(snapshot.label_index.tolist(), notes, strict=True):
        counts[label].update(_id_counts(note, key="category_id"))
    return _assign_ids(counts)


def _image_ids(snapshot: Snapshot, notes: Sequence[dict[str, Any]], former: FormerIds) -> list[int | str]:
    counts = [_former_id(former.images, i) for i in range(len(snapshot))]
    for i, one in enumerate(counts):
        one.update(_id_counts(*notes[snapshot.rows(i)], key="image_id"))
    return _assign_ids(counts)


def _former_id(known: Mapping[Key, int | str], key: Key) -> Counter[int | str]:
    """The former id, with less weight than any that a box gives."""
    return Counter({known[key]: 0}) if key in known else Counter()


def _id_counts(*notes: dict[str, Any], key: str) -> Counter[int | str]:
    """How often each id occurs in boxes."""
    return Counter(id for note in notes if is_id(id := note.get(key)))


def _assign_ids(counts: Sequence[Counter[int | str]]) -> list[int | str]:
    """For each item the id that most of its boxes came with; if several claim one, it goes to the one with most boxes.

    The others (drawn or added here) get new ids after these. Renumbering everything because of one drawn box would turn
    cars into dogs for anyone who kept the old numbers.
    """
    claims = [(count, place, id) for place, ids in enumerate(counts) for id, count in ids.items()]
    found: dict[int, int | str] = {}
    taken = set[int | str]()
    for _, place, id in sorted(claims, key=lambda claim: (-claim[0], claim[1])):
        if place not in found and id not in taken:
            found[place] = id
            taken.add(id)
    new = itertools.count(1 + max((id for id in taken if isinstance(id, int)), default=0))
    return [found[place] if place in found else next(new) for place in range(len(counts))]
