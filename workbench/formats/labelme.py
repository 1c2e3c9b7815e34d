"""LabelMe JSON: one file per image, beside it; written by labelme, X-AnyLabeling and many converters.

A rectangle is two opposite corners in any order, floats from the top left corner of the upright image, so they equal
our numbers; X-AnyLabeling writes all four corners, which labelme 7 can't open, so we write two. Other shapes become
their bounding box. `checked` (X-AnyLabeling) is our state verified, `difficult` its own mark, `flags` of a shape hold
truncated, occluded and crowd, and its `description` is our note. The format has neither splits nor the state in work:
they are written as "split" and "state", which both programs preserve. Images without labels have no file; labels.txt
(for `labelme --labels`) holds the order of the labels. See reference/formats.md, section 6.
"""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.core import formatting
from workbench.core.files import atomic_write
from workbench.core.folders.image_lookup import is_portable, leads_out
from workbench.core.project import FLAGS, Snapshot, Split, State
from workbench.formats import ReadImage, Reading, ReadSettings, Source, register
from workbench.formats.parts.json_values import sane
from workbench.formats.parts.labelme_json import SHAPE_KEYS, TOP_KEYS, LabelMeFile, parse_labelme
from workbench.formats.parts.layout import (
    SPLIT_NAMES,
    display_name,
    distinct_paths,
    from_extra,
    is_labelled,
    sniff_files,
    split_of_folders,
)
from workbench.formats.parts.reader import DataSetReader

_APART = ("annotations", "labels")  # folders of labels beside a folder of images
_KEYS = (b'"shapes"', b'"shape_type"', b'"imagePath"', b'"imageData"')
_NO_LABELS = ("__ignore__", "_background_")  # the first lines of a labels.txt for labelme's exporters
_LABEL_FILE, _LABEL_FILE_LIMIT = "labels.txt", 1 << 20  # bytes
_VERSION = "7.0.0"  # of labelme, whose layout we write


@register("labelme")
class LabelMe:
    title = "LabelMe JSON"
    cannot_store = frozenset({"unlabelled images"})
    tells_splits = True

    def sniff(self, path: Path) -> float:
        return sniff_files(path, ".json", _is_labelme)

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = ReadSettings()) -> Reading:
        return _Reader(path, images, settings).read()

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        return distinct_paths(snapshot.images)

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        written = [folder / _LABEL_FILE]
        names = [label.name for label in snapshot.labels if not {"\n", "\r"} & set(label.name)]
        atomic_write(written[0], "".join(f"{name}\n" for name in names), sync=False)
        for index, (place, source) in enumerate(zip(self.places(snapshot), self.sources(snapshot), strict=True)):
            if source is not None:
                written.append(folder / source.file)
                atomic_write(written[-1], _to_json(snapshot, index, place), sync=False)
        return tuple(written)

    def sources(self, snapshot: Snapshot) -> tuple[Source | None, ...]:
        sources = [Source(Path(place).with_suffix(".json"), Path(place).name) for place in self.places(snapshot)]
        return tuple(source if is_labelled(snapshot, index) else None for index, source in enumerate(sources))


def _is_labelme(file: Path) -> bool:
    """Whether two of labelme's keys are near the beginning or, after a long imageData, at the end."""
    if file.suffix.lower() != ".json":
        return False
    with file.open("rb") as stream:
        head = stream.read(65_536)
        stream.seek(max(len(head), os.fstat(stream.fileno()).st_size - 4096))
        text = head + stream.read(4096)
    begins = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
    return begins and sum(key in text for key in _KEYS) >= 2


class _Reader(DataSetReader):
    """One reading of a LabelMe file or of a folder of them."""

    kind = "LabelMe file"
    apart = _APART
    beside_images = True

    def read(self) -> Reading:
        files = self.parsed(self.own_files(_is_labelme), parse_labelme)
        read = [self.image(file, one) for file, one in files]
        if fours := sum(one.fours for _, one in files):
            what = formatting.count(fours, "rectangle", "has")
            self.report.say("read", self.path.name, f"{what} four points, as X-AnyLabeling writes them.")
        self.tell_counts(one.counts for _, one in files)
        read += self.bare_images(read)
        return self.report.reading("labelme", self.path, self.labels(read), read, self.lookup)

    def image(self, file: Path, one: LabelMeFile) -> ReadImage:
        name = display_name(file, self.root)
        for level, sentence, kind in one.remarks:
            self.report.say(level, name, sentence, kind=kind)
        if one.boxes and not (one.width and one.height):
            self.report.say("read", name, "The file does not give the size of its image; the image's own size is used.")
        inner = self.inner(file, one.image)
        found = self.file_of(file, inner)
        if found is None and one.has_picture:
            self.report.say(
                "read", name, "The picture inside the file (imageData) was not read; its image file is needed.",
                kind="pictures inside the files, not read",
            )  # fmt: skip
        split = split_of_folders(file, self.root) if one.split is None else one.split
        return ReadImage(
            name=inner,
            file=found,
            width=one.width,
            height=one.height,
            boxes=one.boxes,
            split=None if split is Split.NONE else split,
            state=one.state,
            source=None if one.broken else Source(file, one.image),
        )

    def inner(self, file: Path, image: str) -> str:
        """The image's path from the root: imagePath is relative to the annotation file's folder, perhaps with ".."."""
        folder = file.parent.relative_to(self.root).as_posix()
        plain = image.replace("\\", "/")
        inner = "" if plain[1:2] == ":" else posixpath.normpath(posixpath.join(folder, plain))
        if plain and is_portable(inner) and inner:
            return inner
        if plain:
            self.report.tell_outside(display_name(file, self.root), image)
        return posixpath.normpath(posixpath.join(folder, plain.rsplit("/", 1)[-1] or file.stem))

    def file_of(self, file: Path, inner: str) -> Path | None:
        """The image at `inner`, else of that name beside the file, else of the file's own name, else anywhere."""
        folder = file.parent.relative_to(self.root).as_posix()
        if there := self.at((inner, posixpath.normpath(posixpath.join(folder, PurePosixPath(inner).name)))):
            return there
        own = self.lookup.find(posixpath.normpath(posixpath.join(folder, file.stem))).file
        if own is not None and own.parent == file.parent:  # as labelme does when image and file were renamed
            if own.stem != PurePosixPath(inner).name:
                self.report.say(
                    "repaired", display_name(file, self.root),
                    f"It names the image '{inner[:80]}'; the image of the file's own name was used.",
                    kind="files that name another image than their own",
                )  # fmt: skip
            return own
        return self.find(inner, file)

    def labels(self, read: Sequence[ReadImage]) -> tuple[str, ...]:
        """The labels in the order of labels.txt, if it lists any of them; others follow in order of appearance."""
        used = dict.fromkeys(box.label for image in read for box in image.boxes)

        def listed(data: bytes, _: str) -> list[str]:
            lines = data.decode("utf-8-sig", "replace").split("\n")
            names = [name for line in lines if (name := line.strip()) and (name in used or name not in _NO_LABELS)]
            return [] if any("\ufffd" in name for name in names) else names

        places = dict.fromkeys((self.path / _LABEL_FILE, self.root / _LABEL_FILE))
        lists = [file for file in places if os.path.isfile(file) and file.stat().st_size <= _LABEL_FILE_LIMIT]
        return self.in_listed_order(used, [file for file in lists if not leads_out(file, [self.root])], listed)


def _to_json(snapshot: Snapshot, index: int, place: str) -> str:
    """The document of one image, which lies beside it. Keys and their order are labelme's; our own come last."""
    image, rows = snapshot.images[index], snapshot.rows(index)
    notes = [sane(from_extra(extra, "labelme")) for _, extra in snapshot.notes[rows]]
    foreign = next((sane(note["image"]) for note in notes if "image" in note), {})
    flags = _bools(foreign.pop("flags", None))
    document: dict[str, Any] = {
        "version": _VERSION,
        "flags": flags,
        "shapes": [
            _shape(snapshot, row, notes[row - rows.start] if notes else {}) for row in range(rows.start, rows.stop)
        ],
        "imagePath": place.rsplit("/", 1)[-1],
        "imageData": None,
        "imageHeight": image.height or None,
        "imageWidth": image.width or None,
    }
    if image.state is State.VERIFIED:
        document["checked"] = True
    if image.state is State.IN_WORK:
        document["state"] = str(image.state)
    if image.split is not Split.NONE or split_of_folders(Path(place), Path()):
        document["split"] = SPLIT_NAMES[image.split]
    document |= {key: value for key, value in foreign.items() if key not in TOP_KEYS}
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _shape(snapshot: Snapshot, row: int, note: dict[str, Any]) -> dict[str, Any]:
    x0, y0, x1, y1 = snapshot.boxes[row].tolist()
    marks = dict(zip(FLAGS, snapshot.flags[row].tolist(), strict=True))
    flags = _bools(note.get("flags"))  # a flag that the file had is written again, even if it is off
    flags |= {flag: on for flag, on in marks.items() if (on and flag != "difficult") or flag in flags}
    group = note.get("group_id")
    shape: dict[str, Any] = {
        "label": snapshot.labels[int(snapshot.label_index[row])].name,
        "points": [[x0, y0], [x1, y1]],
        "group_id": group if isinstance(group, int) and not isinstance(group, bool) else None,
        "description": snapshot.notes[row][0] if snapshot.notes else "",
        "shape_type": "rectangle",
        "flags": flags,
        "mask": None,
    }
    if marks["difficult"]:
        shape["difficult"] = True
    more = {key: value for key, value in sane(note.get("more")).items() if key not in SHAPE_KEYS}
    if not isinstance(more.get("locked", False), bool):  # labelme would not open the file
        del more["locked"]
    return shape | more


def _bools(values: Any) -> dict[str, bool]:
    return {key: value for key, value in sane(values).items() if isinstance(value, bool)}
