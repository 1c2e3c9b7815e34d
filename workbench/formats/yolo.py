"""YOLO txt: one text file per image with fractions of its size; data.yaml (Ultralytics) or obj.data (Darknet).

An empty txt says that there is nothing in the image; a missing one says nothing. The fractions are of the upright
image, as seen by trainers that obey EXIF (reference/formats.md, sections 2, 3 and 8).
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from workbench.core import boxes
from workbench.core import images as image_files
from workbench.core.files import atomic_write
from workbench.core.folders.image_lookup import ImageLookup
from workbench.core.formatting import count
from workbench.core.parsing import strict_text
from workbench.core.project import Snapshot, Split, State
from workbench.errors import Refused, WorkbenchError
from workbench.formats import ReadBox, ReadImage, Reading, ReadSettings, Source, register
from workbench.formats.parts.layout import (
    SPLIT_NAMES,
    display_name,
    distinct_paths,
    is_labelled,
    seems,
    sniff_files,
    split_of_folders,
    to_extra,
    without_split_folders,
)
from workbench.formats.parts.report import Report, read_bytes
from workbench.formats.parts.yolo_label_files import LabelFiles
from workbench.formats.parts.yolo_layout import (
    LABEL_FOLDERS,
    YoloLayout,
    description_of,
    from_folders,
    from_obj_data,
    from_yaml,
    is_data_yaml,
    is_label_file,
    read_keypoints,
)
from workbench.formats.parts.yolo_names import names_above
from workbench.formats.parts.yolo_txt import YoloFile, parse_yolo, to_line


@register("yolo")
class Yolo:
    title = "YOLO txt"
    first_number = 0
    cannot_store = frozenset(
        {
            "difficult", "truncated", "occluded", "crowd", "note", "in work", "verified", "unsplit images",
            "unknown size", "beyond", "outside", "unlabelled images",
        }
    )  # fmt: skip

    def sniff(self, path: Path) -> float:
        try:
            if os.path.isfile(path):
                known = path.suffix.lower() in (".yaml", ".yml") and is_data_yaml(path)
                return 1.0 if known or (path.suffix.lower() == ".data" and description_of(path)) else 0.0
            if description_of(path) is not None:
                return 1.0
            return 0.8 * sniff_files(path, ".txt", _looks_like_labels)
        except Refused as error:  # several data sets: reading reports it
            return 0.9 if "several data sets" in error.reason else 0.0
        except OSError:
            return 0.0

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = ReadSettings()) -> Reading:
        return _Reader(path, images, settings).read()

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        """images/<split>/<path>. A folder "images" inside is renamed: trainers would look for the labels there."""
        images = [
            replace(i, path=re.sub(r"(^|/)images(?=/)", r"\1images_", i.path, flags=re.I))
            for i in without_split_folders(snapshot.images)
        ]
        paths = distinct_paths(images)
        return tuple(f"images/{SPLIT_NAMES[i.split]}/{p}" for i, p in zip(images, paths, strict=True))

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        written = []
        for index, source in enumerate(self.sources(snapshot)):
            if source is not None:
                written.append(folder / source.file)
                atomic_write(written[-1], self.text(snapshot, index), sync=False)
        file = folder / "data.yaml"
        atomic_write(file, _data_yaml(snapshot))
        return (*written, file)

    def advice(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Ultralytics refuses a data.yaml without train or val; naming train as val would only pretend to evaluate."""
        used = {image.split for index, image in enumerate(snapshot.images) if is_labelled(snapshot, index)}
        lacking = [split for split in (Split.TRAIN, Split.VALIDATION) if split not in used]
        if not used or not lacking:
            return ()
        keys = " and no ".join(SPLIT_NAMES[split] for split in lacking)
        return (
            f"Ultralytics will refuse data.yaml: it has no {keys}, because no labelled image is in the split"
            f" {' or '.join(lacking)}. Divide the images into splits and export again.",
        )

    def text(self, snapshot: Snapshot, index: int, place: str = "", base: int = 1) -> str:
        return _label_text(snapshot, index)

    def sources(self, snapshot: Snapshot) -> tuple[Source | None, ...]:
        found: list[Source | None] = []
        for index, (image, place) in enumerate(zip(snapshot.images, self.places(snapshot), strict=True)):
            rows = snapshot.rows(index)
            is_told = is_labelled(snapshot, index) and (image.width * image.height > 0 or rows.start == rows.stop)
            inner = PurePosixPath(place).relative_to("images").with_suffix(".txt")
            found.append(Source(Path("labels", inner)) if is_told else None)
        return tuple(found)


def _looks_like_labels(file: Path) -> bool:
    if not is_label_file(file):
        return False
    with file.open("rb") as stream:
        head = stream.read(4096)
    text = strict_text.beginning(head)
    whole = text if len(head) < 4096 else text[: text.rfind(b"\n") + 1]
    try:
        parsed = parse_yolo(whole, file.name)
    except Refused:
        return False
    return bool(parsed.rows) and not parsed.broken


class _Reader:
    """One reading of a YOLO data set."""

    def __init__(self, path: Path, images: Sequence[Path], settings: ReadSettings) -> None:
        self.path = path
        self.report = Report(settings.skip_broken)
        self.description = description_of(path, unread=True)
        if os.path.isfile(path) and self.description is None:
            raise Refused(path, "give the data.yaml, the obj.data or the folder of the data set, not one of its files")
        folder = self.description.parent if self.description else path
        self.root = folder.parent if folder.name.lower() in LABEL_FOLDERS and not self.description else folder
        self.others = tuple(images)
        self.lookup = ImageLookup([self.root, *images])
        self.highest = -1
        self.sixths: list[float] = []

    def read(self) -> Reading:
        layout = self.layout()
        label_files = LabelFiles(self.path if self.description is None else self.root, self.root, self.others)
        pairs = [(image, layout.own.get(image) or label_files.of(image)) for image in layout.images]
        if not layout.whole:
            pairs = self.belonging(pairs)
        uploads = self.uploads(label_files.files, pairs, layout)
        pairs = [*(pair for pair in pairs if pair[0] not in uploads), *uploads.items()]
        read = [self.image(image, file, layout) for image, file in pairs]
        for name, split in layout.listed.items():
            sentence = "Listed, but there is no such image file; its labels, if any, were left out."
            self.report.say("refused", name, sentence, kind="listed without a file")
            read.append(ReadImage(name, None, 0, 0, (), split, State.UNLABELLED))
        spoken = {file for _, file in pairs if file} | {self.label_file(name, label_files) for name in layout.listed}
        read += self.orphans({file for file in label_files.files if file not in spoken}, layout.unused)
        if not read:
            if layout.images:
                why = "no image here has a label file; choose the parent folder, which holds the data.yaml or labels/"
                raise Refused(self.path, why)
            raise Refused(self.path, "there are neither images nor label files here")
        self.tell_sixths()
        return self.report.reading("yolo", self.path, self.names(layout), read, self.lookup)

    def layout(self) -> YoloLayout:
        if self.description is None:
            layout = from_folders(self.path, self.root, self.lookup)
            above = names_above(self.root) if layout.names is None else None
            if above is not None and above.names:
                layout.names, layout.keypoints = above.names, read_keypoints(above.file)
                sentence = f"The names of the labels come from {above.file}, because this folder has none."
                self.report.say("read", self.path.name, sentence)
            return layout
        of = from_obj_data if self.description.suffix.lower() == ".data" else from_yaml
        return of(self.description, self.root, self.lookup, self.report)

    def names(self, layout: YoloLayout) -> tuple[str, ...]:
        if layout.names is not None:
            for name in sorted(name for name, times in Counter(layout.names).items() if times > 1):
                sentence = f"Several numbers are called '{name}'; they became one label."
                self.report.say("repaired", self.path.name, sentence)
            return layout.names
        sentence = (
            "There is no list of names (data.yaml, classes.txt, obj.names); the labels are called label 0, label 1 ..."
        )
        self.report.say("repaired", self.path.name, sentence)
        return tuple(f"label {index}" for index in range(self.highest + 1))

    def label_file(self, listed: str, label_files: LabelFiles) -> Path | None:
        """That of an image that is not there: at the path in the list, or without its first folders."""
        parts = listed.split("/")
        inner = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((file for name in inner if (file := label_files.of(self.root / name)) is not None), None)

    def belonging(self, pairs: list[tuple[Path, Path | None]]) -> list[tuple[Path, Path | None]]:
        """Images with a label file, and those beside them in the data set's own folder."""
        folders = {image.parent for image, file in pairs if file and image.is_relative_to(self.root)}
        return [(image, file) for image, file in pairs if file or image.parent in folders]

    def uploads(
        self, files: set[Path], pairs: Sequence[tuple[Path, Path | None]], layout: YoloLayout
    ) -> dict[Path, Path]:
        """By image, label files that Label Studio named after uploads, while the images have their original names."""
        found = defaultdict[Path, list[Path]](list)
        for file in sorted(files - {file for _, file in pairs if file}):
            if (image := self.lookup.uploaded(file.stem).file) is not None:
                found[image].append(file)
        labelled = {image for image, file in pairs if file}
        taken = {image: of[0] for image, of in found.items() if len(of) == 1 and image not in labelled}
        for image, file in taken.items():
            self.report.tell_uploaded(display_name(file, self.root), image)
            layout.images.setdefault(image, split_of_folders(file, self.root))
        return taken

    def image(self, image: Path, file: Path | None, layout: YoloLayout) -> ReadImage:
        name, split = display_name(image, self.root), layout.images[image]
        if file is None:
            return ReadImage(name, image, 0, 0, (), split, State.UNLABELLED)
        parsed = self.parsed(file, layout)
        if parsed is None:
            return ReadImage(name, image, 0, 0, (), split, State.UNLABELLED)
        try:
            info = image_files.info(image)
        except WorkbenchError as error:
            reason = getattr(error, "reason", error.sentence)
            lost = count(len(parsed.rows), "box", "was")
            self.report.say("refused", name, f"Its {lost} left out: the image can't be read: {reason}")
            return ReadImage(name, image, 0, 0, (), split, State.UNLABELLED)
        boxes = self.boxes(parsed, layout, info.width, info.height, display_name(file, self.root))
        state = State.IN_WORK if parsed.broken else State.DONE
        source = None if parsed.broken else Source(file)
        return ReadImage(name, image, info.width, info.height, boxes, split, state, source)

    def parsed(self, file: Path, layout: YoloLayout) -> YoloFile | None:
        name = display_name(file, self.root)
        try:
            count = len(layout.names) if layout.names is not None else None
            parsed = parse_yolo(read_bytes(file, name), name, count, layout.keypoints)
        except Refused as error:
            self.report.damage(error)
            return None
        self.report.broken += parsed.broken
        return parsed

    def boxes(self, parsed: YoloFile, layout: YoloLayout, width: int, height: int, file: str) -> tuple[ReadBox, ...]:
        names, boxes = layout.names, []
        outlines = set(parsed.outlines)
        seen: set[tuple[object, ...]] = set()
        for row in parsed.rows:
            self.highest = max(self.highest, row.index)
            if row.line in outlines:
                sentence = "More than six numbers are an outline; it was read as its bounding box."
                self.report.say("repaired", file, sentence, row.line)
            if row.sixth:
                self.sixths.append(float(row.sixth))
            if row.w == 0 or row.h == 0:
                self.report.say("read", file, "The box has zero size; it was kept.", row.line)
            key = (row.index, row.cx, row.cy, row.w, row.h)
            if key in seen:
                self.report.say("read", file, "The same box occurs twice; both were kept.", row.line)
            seen.add(key)
            label = names[row.index] if names is not None else f"label {row.index}"
            extra = to_extra("yolo", {"sixth": row.sixth} if row.sixth else None)
            boxes.append(ReadBox(label, row.pixels(width, height), extra=extra, line=row.line))
        return tuple(boxes)

    def tell_sixths(self) -> None:
        """Report what the sixth numbers of all lines look like: they may have either of two meanings."""
        if not self.sixths:
            return
        if all(0 <= value <= 1 for value in self.sixths):
            like = "all from 0 to 1, as confidences are"
        elif all(value.is_integer() for value in self.sixths):
            like = "all whole, as track ids are"
        else:
            like = "some like confidences, some not"
        lines = count(len(self.sixths), "line", "has")
        sentence = f"{lines} a sixth number ({like}): it may be a confidence or a track id; it was kept, but not used."
        self.report.say("read", self.path.name, sentence)

    def orphans(self, files: set[Path], sure: set[Path]) -> list[ReadImage]:
        """Label files without an image: without its size the fractions mean nothing. Other texts are not mentioned.

        `sure`: label files whatever they look like.
        """
        lost = []
        for file in sorted(files):
            if file in sure or seems(_looks_like_labels, file, unread=True):
                name = display_name(file, self.root)
                sentence = "There is no image for this label file; its boxes were left out."
                self.report.say("refused", name, sentence)
                lost.append(
                    ReadImage(PurePosixPath(name).with_suffix("").as_posix(), None, 0, 0, (), None, State.UNLABELLED)
                )
        return lost


def _label_text(snapshot: Snapshot, index: int) -> str:
    """The lines of one image. Crowd regions are left out: a trainer would take each for one object. So are boxes
    without a pixel in the image, of which only a line on its border would be left.
    """
    image, rows = snapshot.images[index], snapshot.rows(index)
    lines = []
    left_out = snapshot.crowd[rows] | boxes.are_outside(snapshot.boxes[rows], image.width, image.height)
    for row, is_left_out in enumerate(left_out.tolist(), start=rows.start):
        if not is_left_out:
            x0, y0, x1, y1 = snapshot.boxes[row].tolist()
            lines.append(to_line(int(snapshot.label_index[row]), (x0, y0, x1, y1), image.width, image.height))
    return "".join(lines)


def _data_yaml(snapshot: Snapshot) -> str:
    used = {image.split for image in snapshot.images}
    lines = [f"{SPLIT_NAMES[s]}: images/{SPLIT_NAMES[s]}" for s in SPLIT_NAMES if s in used and s is not Split.NONE]
    lines += [f"nc: {len(snapshot.labels)}", "names:" if snapshot.labels else "names: {}"]
    lines += [f"  {index}: {_quoted(label.name)}" for index, label in enumerate(snapshot.labels)]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A YAML double-quoted scalar: JSON's, with the characters escaped that YAML does not accept unescaped."""
    unsafe = "[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]"
    return re.sub(unsafe, lambda m: f"\\u{ord(m.group()):04x}", json.dumps(text, ensure_ascii=False))
