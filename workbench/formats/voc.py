"""Pascal VOC XML: one file per image in Annotations/, official splits in ImageSets/Main.

The devkit counts pixels from 1 and its corners are inclusive, so a VOC box (xmin, ymin, xmax, ymax) is our
(xmin - 1, ymin - 1, xmax, ymax). Many tools write 0-based numbers under the same names: `voc_base` "auto" looks for
evidence in all files and says what it found (reference/formats.md, section 1).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from workbench.core.files import IMAGE_SUFFIXES, atomic_write
from workbench.core.folders.image_lookup import FileMatch, MatchKind, is_portable
from workbench.core.formatting import count
from workbench.core.project import Snapshot, Split, State
from workbench.errors import Refused
from workbench.formats import ReadBox, ReadImage, Reading, ReadSettings, Source, register
from workbench.formats.parts.corners import SWAPPED, first_pixel
from workbench.formats.parts.layout import (
    SPLIT_NAMES,
    SPLIT_WORDS,
    display_name,
    distinct_paths,
    files_below,
    is_labelled,
    split_of_folders,
)
from workbench.formats.parts.reader import DataSetReader
from workbench.formats.parts.report import Report, read_bytes
from workbench.formats.parts.voc_xml import VocFile, VocObject, parse_voc, to_xml

_IMAGE_FOLDER, _FOLDER = "JPEGImages", "Annotations"


@register("voc")
class Voc:
    title = "Pascal VOC XML"
    cannot_store = frozenset(
        {
            "crowd apart", "note", "in work", "unlabelled images", "label order", "unused labels",
            "fractions of a pixel", "zero size", "beyond", "outside",
        }
    )  # fmt: skip

    def sniff(self, path: Path) -> float:
        try:
            files = [path] if os.path.isfile(path) else _annotation_files(path)[0]
            return max((_sniff_file(file) for file in files[:8] if file.suffix.lower() == ".xml"), default=0.0)
        except (OSError, Refused):
            return 0.0

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = ReadSettings()) -> Reading:
        return _Reader(path, images, settings).read()

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        return tuple(f"{_IMAGE_FOLDER}/{path}" for path in distinct_paths(snapshot.images))

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        written, sets = [], dict[Split, list[str]]()
        for index, (place, source) in enumerate(zip(self.places(snapshot), self.sources(snapshot), strict=True)):
            if source is not None:
                written.append(folder / source.file)
                atomic_write(written[-1], self.text(snapshot, index, place), sync=False)
                stem = source.file.relative_to(_FOLDER).with_suffix("").as_posix()
                sets.setdefault(snapshot.images[index].split, []).append(stem)
        unsplit = sets.pop(Split.NONE, [])
        if not sets and any(part.lower() in SPLIT_WORDS for stem in unsplit for part in stem.split("/")[:-1]):
            sets[Split.TRAIN] = []  # without any list, folder names would be taken for splits
        for split, stems in sorted(sets.items()):
            file = folder / "ImageSets" / "Main" / f"{SPLIT_NAMES[split]}.txt"
            atomic_write(file, "".join(f"{stem}\n" for stem in stems), sync=False)
            written.append(file)
        return tuple(written)

    def text(self, snapshot: Snapshot, index: int, place: str, base: int = 1) -> str:
        return to_xml(snapshot, index, place, base)

    def sources(self, snapshot: Snapshot) -> tuple[Source | None, ...]:
        found: list[Source | None] = []
        for index, place in enumerate(self.places(snapshot)):
            inner = PurePosixPath(place).relative_to(_IMAGE_FOLDER).with_suffix(".xml")
            source = Source(Path(_FOLDER, inner), inner.with_suffix(PurePosixPath(place).suffix).name)
            found.append(source if is_labelled(snapshot, index) else None)
        return tuple(found)


def _annotation_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The XML files to read and those not to read. To read: all or, if there are folders called Annotations, those in
    them and those next to an image that has none there.
    """
    files = files_below(folder, ".xml")
    inside = {f for f in files if "annotations" in (part.lower() for part in f.relative_to(folder.parent).parts[:-1])}
    if not inside:
        return files, []
    places = {_place(f, folder) for f in inside}
    images = {parent: _image_stems(parent) for parent in {f.parent for f in files if f not in inside}}
    chosen = [
        f
        for f in files
        if f in inside or (f.stem in images[f.parent] and _place(f, folder) not in places and _sniff_file(f, 1.0))
    ]
    return chosen, sorted(set(files) - set(chosen))


def _place(file: Path, folder: Path) -> PurePosixPath:
    """Where its image lies, without suffix and without VOC's folders for annotations and images."""
    parts = file.relative_to(folder).with_suffix("").parts
    own = ("annotations", _IMAGE_FOLDER.lower())
    return PurePosixPath(*(part for part in parts[:-1] if part.lower() not in own), parts[-1])


def _image_stems(folder: Path) -> set[str]:
    return {file.stem for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES}


def _sniff_file(file: Path, unread: float = 0.0) -> float:
    """LabelMe's XML has the same outermost element, but <polygon> or <imagesize> and no <bndbox>.

    `unread`: for a file that can't be opened.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(65_536)
    except OSError:
        return unread
    if b"<annotation" not in head or b"<annotations" in head or b"<polygon>" in head or b"<imagesize>" in head:
        return 0.0
    return 1.0 if b"<bndbox>" in head else 0.5


class _Reader(DataSetReader):
    """One reading of a VOC folder or file."""

    suffix = ".xml"
    kind = "Pascal VOC file"
    apart = ("annotations",)

    def read(self) -> Reading:
        files, others = _annotation_files(self.path) if os.path.isdir(self.path) else ([self.path], [])
        for file in others:
            sentence = "It lies neither in Annotations nor next to an image that has no file there; it was not read."
            self.report.say("read", self.shown(file), sentence, kind="other files, not read")
        known = self.parsed(files, parse_voc)
        base = self.base([voc for _, voc in known])
        splits = _Splits(self.root, self.report, self.beside(files))
        read = [self.image(file, voc, base, splits) for file, voc in known]
        read += self.bare_images(read, _IMAGE_FOLDER, lambda file: splits.of(file, file))
        labels = dict.fromkeys(box.label for image in read for box in image.boxes)
        return replace(self.report.reading("voc", self.path, tuple(labels), read, self.lookup), base=base)

    def beside(self, files: Sequence[Path]) -> list[Path]:
        """All files that lists may name; for a single file, its neighbours."""
        if os.path.isdir(self.path):
            return [*files, *self.lookup.files]
        return files_below(self.path.parent, ".xml")

    def shown(self, file: Path) -> str:
        return display_name(file, self.root)

    def base(self, files: Sequence[VocFile]) -> int:
        """The number of the first pixel, by setting or by evidence, with a remark on which and why."""
        boxes = [(o.box.xyxy, voc.width, voc.height) for voc in files for o in voc.objects if not o.turned]
        zeros, borders = first_pixel(boxes)
        chosen = self.settings.voc_base
        base = int(chosen) if chosen in ("0", "1") else int(zeros == 0)
        why = "as chosen" if chosen in ("0", "1") else "by VOC's own rule" if base else "because some boxes begin at 0"
        if boxes:
            self.report.say(
                "read",
                self.path.name,
                f"Pixels are counted from {base}, {why}: of {count(len(boxes), 'box')} {zeros:,} begin at 0"
                f" (proof of 0) and {borders:,} end exactly at the border (likely 1).",
            )
        return base

    def image(self, file: Path, voc: VocFile, base: int, splits: _Splits) -> ReadImage:
        name = self.shown(file)
        found = self.file_of(file, voc)
        for tag in voc.unknown:
            self.report.say("read", name, f"<{tag}> describes the image, but a project has no place for it: ignored.")
        boxes = tuple(self.box(o, base, name) for o in voc.objects)
        if voc.objects and not voc.width:
            self.report.say("read", name, "The file does not give the size of its image; the image's own size is used.")
        state = State.VERIFIED if voc.verified else State.DONE
        return ReadImage(
            name=voc.filename or f"{file.stem}",
            file=found,
            width=voc.width,
            height=voc.height,
            boxes=boxes,
            split=splits.of(file, found),
            state=State.IN_WORK if voc.broken else state,
            source=None if voc.broken else Source(file, voc.filename),
        )

    def box(self, o: VocObject, base: int, name: str) -> ReadBox:
        x0, y0, x1, y1 = o.box.xyxy
        if o.swapped:
            self.report.say("repaired", name, SWAPPED, o.box.line)
        if o.turned:
            self.report.say("repaired", name, "A rotated box was read as its bounding box.", o.box.line)
        for tag in o.unclear:
            self.report.say("repaired", name, f"<{tag}> is neither 0 nor 1; it was read as 0.", o.box.line)
        if x0 == x1 or y0 == y1:
            size = f"{x1 - x0 + base:g} x {y1 - y0 + base:g} pixels"
            self.report.say(
                "read",
                name,
                f"The box of '{o.box.label}' at {x0:g}, {y0:g} has zero size (min = max); it was kept, as {size}.",
                o.box.line,
                kind="boxes of zero size, kept",
            )
        return replace(o.box, xyxy=(x0 - base, y0 - base, x1, y1))

    def file_of(self, file: Path, voc: VocFile) -> Path | None:
        """The image of an annotation file: by the file's own name (VOC's rule), else by its <filename>."""
        name = self.shown(file)
        if voc.filename and not is_portable(voc.filename):
            self.report.tell_outside(name, voc.filename)
        wanted = PurePosixPath(voc.filename.replace("\\", "/"))
        relative = file.relative_to(self.root)
        folders = [part for part in relative.parts[:-1] if part.lower() != "annotations"]
        suffix = wanted.suffix if wanted.stem == file.stem else ""
        if os.path.isfile(self.path) and suffix and (beside := self.lookup.beside(file.stem + suffix)):
            return beside
        own = self.placed(relative, suffix) or self.lookup.find(
            "/".join([*folders, file.stem + suffix]), near=(*folders, _IMAGE_FOLDER)
        )
        if own.file is not None:
            if wanted.name and own.file.stem != wanted.stem:
                self.report.say(
                    "repaired", name, f"It names the image '{wanted.name}'; the image of the file's own name was used.",
                    kind="files that name another image than their own",
                )  # fmt: skip
            return own.file
        other = self.lookup.find(str(wanted), near=(*folders, _IMAGE_FOLDER)) if wanted.name else own
        if MatchKind.AMBIGUOUS in (own.kind, other.kind):
            self.report.tell_ambiguous(name, max(own.count, other.count))
        elif other.file is None and (uploaded := self.lookup.uploaded(wanted.name or file.stem).file) is not None:
            self.report.tell_uploaded(name, uploaded)
            return uploaded
        return other.file

    def placed(self, annotation: Path, suffix: str) -> FileMatch | None:
        """The image in VOC's place: Annotations/d/a.xml -> JPEGImages/d/a.jpg, in the data set's own folder."""
        parts = annotation.parts[:-1]
        places = [i for i, part in enumerate(parts) if part.lower() == "annotations"][-1:]
        for i in places:
            folder = Path(*parts[:i], _IMAGE_FOLDER, *parts[i + 1 :])
            match = self.lookup.find((folder / (annotation.stem + suffix)).as_posix())
            if match.file is not None and match.file.parent == self.lookup.roots[0] / folder:
                return match
        return None


class _Splits:
    """The official splits: ImageSets/Main of each VOC folder below `root`, else folders named after splits.

    A line names an image. In lists of one label (`cow_trainval.txt`, not read; some tools write all lists like this) a
    number follows: 1, 0 or -1. Images may be called "cat 1.jpg" or "#x.jpg", so a line that is an image's name is that.
    """

    # cow_trainval.txt and the like list objects of one label, not a split
    FILES = (("train", Split.TRAIN), ("val", Split.VALIDATION), ("test", Split.TEST), ("trainval", Split.TRAIN))

    def __init__(self, root: Path, report: Report, files: Iterable[Path]) -> None:
        """`files`: all annotation files and images."""
        self.root = root
        self._lists: dict[Path, dict[str, Split]] = {}
        self._known: dict[Path, set[str]] = {}
        for listed in files_below(root, ".txt"):
            if listed.parent.name == "Main" and listed.parent.parent.name == "ImageSets":
                self._lists.setdefault(listed.parent.parent.parent, {})
        for folder in self._lists:
            self._known[folder] = {_inner(file, folder) for file in files if file.is_relative_to(folder)}
        for folder, splits in self._lists.items():
            stems = self._known[folder] | {name.rsplit("/", 1)[-1] for name in self._known[folder]}
            for name, split in self.FILES:
                self._add(folder / "ImageSets" / "Main" / f"{name}.txt", split, splits, stems, report)

    def _add(self, file: Path, split: Split, splits: dict[str, Split], stems: set[str], report: Report) -> None:
        if not os.path.isfile(file):
            return
        text = read_bytes(file, display_name(file, self.root)).decode("utf-8", "replace")
        for line, entry in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
            name = _name_in(entry, stems)
            if not name:
                continue
            if file.stem != "trainval" and splits.get(name, split) != split:
                sentence = f"'{name}' is in two splits; it stays in {splits[name]}."
                report.say("repaired", display_name(file, self.root), sentence, line, kind="images in two splits")
            splits.setdefault(name, split)

    def of(self, annotation: Path, image: Path | None) -> Split | None:
        for file in (annotation, image):
            for folder, splits in self._lists.items():
                if file is not None and file.is_relative_to(folder):
                    inner = _inner(file, folder)
                    bare = None if file.stem in self._known[folder] else splits.get(file.stem)  # not another image's
                    split = splits.get(inner) or bare
                    if split:
                        return split
        return None if self._lists else split_of_folders(annotation, self.root)


def _inner(file: Path, folder: Path) -> str:
    """The name a list gives it: the path below Annotations or JPEGImages, without suffix."""
    parts = file.relative_to(folder).parts
    return PurePosixPath(*(parts[1:] or parts)).with_suffix("").as_posix()


def _name_in(entry: str, stems: set[str]) -> str:
    """The image that a line of a list names, or ""."""
    plain = entry.strip().removeprefix("\ufeff")
    whole = next((name for name in (entry, entry.strip(), plain) if name in stems), "")
    words = plain.split()
    if whole or not words or plain.startswith("#"):
        return whole
    if len(words) > 1 and words[-1] in ("-1", "0", "1"):
        return plain[: -len(words[-1])].strip()
    return plain
