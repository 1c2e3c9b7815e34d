"""Finds the project's image for each image of a reading, and converts the boxes to its upright pixels."""

from __future__ import annotations

import functools
import itertools
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.core.document import Document
from workbench.core.folders.image_lookup import to_nfc, to_posix
from workbench.core.folders.image_records import ImageDescriber
from workbench.core.folders.portable_names import portable
from workbench.core.formatting import count
from workbench.core.project import FLAGS, XYXY, Box, Image, Split, State
from workbench.errors import Refused
from workbench.exchange import pairing
from workbench.exchange.ambiguous_names import AmbiguousNames, same_content
from workbench.exchange.copies import Copies
from workbench.exchange.exported_names import ExportedNames
from workbench.formats import ReadImage, Reading
from workbench.formats.parts import reading_progress
from workbench.formats.parts.report import Report

_AGAIN = re.compile(r"-(?:[2-9]|[1-9][0-9]+)(?=\.[^.]*$)")
"""What an export appends to a stem that another image has (distinct_paths)."""


@dataclass(frozen=True, slots=True)
class MatchedImage:
    """An image of a reading and the project's image. `root` is the folder that a new image (id 0) lies below.

    `labelled`: the files say what is in it (perhaps nothing). Boxes come with the name of their label. `same`: the
    project already has them; `instead`: they replace the project's boxes; `besides`: only these are added, `other`
    (box and the id of the project's) change existing ones, and `gone` are the ids of those removed.
    """

    read: ReadImage
    image: Image
    root: Path | None
    boxes: tuple[tuple[str, Box], ...]
    state: State
    split: Split | None
    labelled: bool
    same: bool = False
    instead: bool = False
    besides: tuple[int, ...] | None = None
    other: tuple[tuple[int, int], ...] = ()
    gone: tuple[int, ...] = ()

    @property
    def coming(self) -> Sequence[tuple[str, Box]]:
        """The boxes that an import adds."""
        if self.same:
            return ()
        return self.boxes if self.besides is None else [self.boxes[i] for i in self.besides]


def match(
    document: Document,
    reading: Reading,
    report: Report,
    exported: ExportedNames,
    *,
    scale: bool,
    folders: Sequence[Path] = (),
) -> tuple[tuple[MatchedImage, ...], int]:
    """The images of `reading` that have a file or are in the project; and how many have neither, which are reported.

    `folders` (absolute): where images were also searched for, so where new ones may lie. `exported` knows what labels
    of an export that come without their images mean.

    Two annotations of one image that differ, and boxes outside an image of another size than annotated, count as
    damage.
    """
    project = _ProjectImages(document, reading)
    roots, names = _Roots(document, reading, folders), AmbiguousNames(document, reading)
    taken: dict[tuple[int, Path | None], ReadImage] = {}
    found: list[tuple[ReadImage, Image, Path | None]] = []
    missing = set[tuple[object, ...]]()  # by what is said of them, as several files may say it
    with ImageDescriber() as describe_one:
        for read in sorted(reading.images, key=_is_less):
            reading_progress.step("images compared")
            own, file = exported.image(read), read.file
            image = own or project.find(read)
            if image is None and file is None:
                said = read.name, *_said(read)
                if _is_labelled(read) and said not in missing:
                    what = f"its {count(len(read.boxes), 'box', 'was')}" if read.boxes else "it was"
                    sentence = f"There is no image file for it; {what} left out."
                    report.say("refused", read.name, sentence, kind="annotated images without a file, left out")
                missing.add(said)
                continue
            if own is not None:
                sentence = f"It is '{own.path}' of the project, which the export that this comes from called so."
                report.say("read", read.name, sentence, kind="images by the names that an export gave them")
            elif doubt := names.doubt(read, image):
                if _is_labelled(read):
                    names.tell(read, doubt, report)
                continue
            key = (image.id, None) if image else (0, file)
            if key in taken:
                if _is_labelled(read):
                    _tell_again(taken[key], read, report)
                continue
            taken[key] = read
            if image and file and _is_labelled(read) and project.is_elsewhere(image, file):
                sentence = f"It is the same picture as '{image.path}' of the project, so its labels go to that one."
                report.say("read", read.name, sentence, kind="images that lie in another folder here")
            root = None
            image = document.measured(image) if image else None
            if image is None:
                assert file is not None
                root, name = roots.of(file)
                image = describe_one(file, name, 0)
            found.append((read, image, root))
    as_stored = _are_as_stored(document, [(read, image) for read, image, _ in found])
    matched = []
    for read, image, root in found:
        boxes = _boxes(read, image, report, scale, as_stored)
        matched.append(MatchedImage(read, image, root, boxes, read.state, read.split, _is_labelled(read)))
    order = {id(read): place for place, read in enumerate(reading.images)}
    places = [order[id(read)] for read in taken.values()]
    return tuple(one for _, one in sorted(zip(places, matched, strict=True), key=lambda pair: pair[0])), len(missing)


def _is_labelled(read: ReadImage) -> bool:
    return bool(read.boxes) or read.state is not State.UNLABELLED


def _is_less(read: ReadImage) -> tuple[bool, bool]:
    """A sort key: of several annotations of an image, one with labels comes first, and of these one with a split."""
    return not _is_labelled(read), read.split is None


def _tell_again(first: ReadImage, again: ReadImage, report: Report) -> None:
    """Report a further annotation of an image, as of a split's file and that of the whole: damage, if they differ."""
    if _said(first) != _said(again):
        report.damage(Refused(again.name, f"it is the same image as '{first.name}', but both have labels"))
        return
    if again.split and again.split is not first.split:
        sentence = f"The image is in two splits; it stays in {first.split}."
        report.say("repaired", again.name, sentence, kind="images in two splits")
    sentence = "It occurs several times, with the same boxes; they were taken once."
    report.say("read", again.name, sentence, kind="images that occur several times, taken once")


def _said(read: ReadImage) -> list[tuple[str, XYXY, tuple[bool, ...]]]:
    return sorted((box.label, box.xyxy, tuple(getattr(box, flag) for flag in FLAGS)) for box in read.boxes)


class _ProjectImages:
    """The project's images by file, by content and by path; never by a base name alone."""

    def __init__(self, document: Document, reading: Reading) -> None:
        self._real: dict[Path, Path] = {}
        self._roots = document.roots()
        self._by_file: dict[Path, Image] = {}
        self._by_name: dict[str, list[tuple[Image, Path]]] = defaultdict(list)
        for image in document.images():
            file = document.file(image)
            self._by_file[self._resolved(file)] = image
            for name in set(map(to_nfc, (image.name, *_exported_names(image.path)))):
                self._by_name[name].append((image, file))
        self._read: dict[str, list[Path]] = defaultdict(list)
        for read in reading.images:
            if read.file is not None:
                self._read[to_nfc(read.file.name)].append(read.file)
                self._read[_ending(read.file)].append(read.file)
        self._by_ending: dict[str, list[tuple[Image, Path]]] | None = None  # made when first needed
        self._by_flat: dict[str, list[tuple[Image, Path]]] = defaultdict(list)  # d/a.jpg as d_a.jpg; made then, too
        self._sizes: dict[Path, int] = {}

    def _resolved(self, file: Path) -> Path:
        """The file with links among its folders resolved; each folder only once."""
        if file.parent not in self._real:
            self._real[file.parent] = Path(os.path.realpath(file.parent))
        return self._real[file.parent] / file.name

    def find(self, read: ReadImage) -> Image | None:
        if read.file is not None:
            same = self._by_file.get(self._resolved(read.file))
            if same is not None:
                return same
            return self._copied(read.file) or self._copies.original(read.file)
        name = to_nfc(to_posix(read.name))
        alike = [image for image, _ in self._by_name.get(name.rsplit("/", 1)[-1], ())]
        paths = [to_nfc(image.path) for image in alike]
        ending = [
            image
            for image, path in zip(alike, paths, strict=True)
            if _ends(path, name) or name.endswith(f"/{to_nfc(self._told(image))}")
        ]
        if name not in paths:  # an export may call another image so
            ending += [
                image
                for image, path in zip(alike, paths, strict=True)
                if not _ends(path, name) and _ends(to_nfc(portable(image.path)), name)
            ]
        return ending[0] if len(ending) == 1 else None

    def _copied(self, copy: Path) -> Image | None:
        """The image with this name and these bytes; of several, the one whose path ends like this file's.

        A copy that our export renamed is the image it was made from, not a second one. Videos have hundreds of frames
        with the same name: those in a folder of the same name are compared first, and bytes only if sizes agree.
        """
        if self._by_ending is None:
            self._by_ending = defaultdict(list)
            for image in self._by_file.values():
                file = self._roots[image.root] / image.path
                self._by_ending[_ending(file)].append((image, file))
                if "/" in image.path:
                    self._by_flat[to_nfc(portable(image.path.replace("/", "_")))].append((image, file))
        name = to_nfc(copy.name)
        first = _AGAIN.sub("", name)  # a-2.png beside a.jpg is a.png
        named = [places.get(key, ()) for key in (name, first) for places in (self._by_name, self._by_flat)]
        for alike in (self._by_ending.get(_ending(copy), ()), *named):
            copies = [(image, file) for image, file in alike if self._are_same(copy, file)]
            most = max((_shared_end(copy, file) for _, file in copies), default=0)
            nearest = [(image, file) for image, file in copies if _shared_end(copy, file) == most]
            if nearest:
                image, file = nearest[0]
                return image if len(nearest) == 1 and self._is_nearest(copy, file, most) else None
        return None

    def _is_nearest(self, copy: Path, file: Path, shared: int) -> bool:
        """Whether no other file of the reading is as likely a copy of the project's `file`: videos may begin alike.

        `shared`: how many parts at the end of both paths agree.
        """
        others = self._read[to_nfc(copy.name) if shared == 1 else _ending(file)]
        near = [other for other in others if other != copy and _shared_end(other, file) >= shared]
        return not any(self._are_same(other, file) for other in near)

    @functools.cached_property
    def _copies(self) -> Copies:
        read = itertools.chain.from_iterable(self._read.values())
        return Copies({self._roots[image.root] / image.path: image for image in self._by_file.values()}, read)

    def _are_same(self, one: Path, other: Path) -> bool:
        return self._size(one) == self._size(other) and same_content(one, other)

    def _size(self, file: Path) -> int:
        if file not in self._sizes:
            try:
                self._sizes[file] = file.stat().st_size
            except OSError:  # as if it were not there
                self._sizes[file] = -1
        return self._sizes[file]

    def is_elsewhere(self, image: Image, file: Path) -> bool:
        """Whether a file of the reading has been taken for an image that lies in a folder of another name."""
        there = self._roots[image.root] / image.path
        return _ending(there) != _ending(file) and self._by_file.get(self._resolved(file)) is not image

    def _told(self, image: Image) -> str:
        """Its path with the folder it lies in: "a.jpg" alone would be the end of any a.jpg's path."""
        return image.path if "/" in image.path else f"{self._roots[image.root].name}/{image.path}"


class _Roots:
    """The folder a new image is stored relative to: one of the project's, the data set's, a given one, or its own."""

    def __init__(self, document: Document, reading: Reading, folders: Sequence[Path]) -> None:
        source = reading.source if os.path.isdir(reading.source) else reading.source.parent
        self._folders = [*document.roots().values(), source, *folders]

    def of(self, file: Path) -> tuple[Path, str]:
        root = next((folder for folder in self._folders if file.is_relative_to(folder)), file.parent)
        return root, file.relative_to(root).as_posix()


def _ending(file: Path) -> str:
    """Its name and its folder's."""
    return to_nfc("/".join(file.parts[-2:]))


def _exported_names(path: str) -> set[str]:
    """What an export may call the file of an image: its folders decide whether a path is portable."""
    return {portable(path).rsplit("/", 1)[-1], portable(path.rsplit("/", 1)[-1])}


def _shared_end(one: Path, other: Path) -> int:
    """How many parts at the end are the same."""
    pairs = zip(reversed(one.parts), reversed(other.parts), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _ends(path: str, name: str) -> bool:
    return path == name or path.endswith(f"/{name}")


def _are_as_stored(document: Document, found: Sequence[tuple[ReadImage, Image]]) -> bool:
    """Whether the boxes of a reading were drawn on the pictures as stored, by a program that ignores EXIF.

    The sizes of photographs taken sideways prove it, also for those taken upside down, whose sizes prove nothing; if
    there are none, the boxes already in the project do.
    """
    stored = shown = more = 0
    for read, image in found:
        stated, real = (read.width, read.height), (image.width, image.height)
        if not read.boxes or image.orientation == 1 or not all(real):
            continue
        if image.orientation >= 5 and real[0] != real[1]:
            stored += stated == real[::-1]
            shown += stated == real
        elif image.orientation < 5 and image.id and stated == real:
            here = np.array([box.xyxy for box in document.boxes(image.id)], float).reshape(-1, 4)
            there = np.array([box.xyxy for box in read.boxes], float)
            otherwise = np.array([turned(box.xyxy, image.orientation, *real) for box in read.boxes], float)
            more += pairing.alike(here, otherwise) - pairing.alike(here, there)
    return not shown if stored else not shown and more > 0


def _boxes(read: ReadImage, image: Image, report: Report, scale: bool, as_stored: bool) -> tuple[tuple[str, Box], ...]:
    """The boxes in pixels of the upright image, rotated or scaled if they were made on another version of it.

    `as_stored`: the boxes of the other images were drawn on the pictures as stored.
    """
    stated, real = (read.width, read.height), (image.width, image.height)
    boxes: Sequence[XYXY] = [box.xyxy for box in read.boxes]
    if boxes and all(stated) and all(real) and stated != real:
        boxes = _fitted(boxes, read, image, report, scale)
    elif boxes and as_stored and 2 <= image.orientation <= 4 and stated == real:
        sentence = f"Its boxes were turned by EXIF orientation {image.orientation}: they are of the stored pixels."
        report.say("repaired", read.name, sentence, kind="images whose boxes were turned by EXIF orientation")
        boxes = [turned(box, image.orientation, *real) for box in boxes]
    elif boxes and image.orientation != 1:
        sentence = f"Its EXIF orientation is {image.orientation}; the boxes were read as those of the upright image."
        report.say("read", read.name, sentence, kind="images with an EXIF orientation")
    if all(real) and (beyond := sum(1 for box in boxes if _is_beyond(box, *real))):
        which = f"{beyond:,} of {count(len(boxes), 'box')}; the image has {real[0]} x {real[1]} pixels"
        sentence = f"Boxes reach outside the image and are kept as they are ({which})."
        report.say("read", read.name, sentence, kind="images with boxes that reach outside, kept")
    return tuple(
        (b.label, Box(0, 0, 0, xyxy, b.difficult, b.truncated, b.occluded, b.crowd, b.note, b.extra))
        for b, xyxy in zip(read.boxes, boxes, strict=True)
    )


def _is_beyond(box: XYXY, width: int, height: int) -> bool:
    """Whether a box reaches outside by more than a pixel; rounding explains that much."""
    return min(box[0], box[1]) < -1 or box[2] > width + 1 or box[3] > height + 1


def _fitted(boxes: Sequence[XYXY], read: ReadImage, image: Image, report: Report, scale: bool) -> Sequence[XYXY]:
    sizes = f"the annotation says {read.width} x {read.height}, the upright image is {image.width} x {image.height}"
    if image.orientation >= 5 and (read.width, read.height) == (image.height, image.width):
        sentence = f"Its boxes were turned by EXIF orientation {image.orientation}: {sizes}."
        report.say("repaired", read.name, sentence, kind="images whose boxes were turned by EXIF orientation")
        return [turned(box, image.orientation, read.width, read.height) for box in boxes]
    if scale:
        sx, sy = image.width / read.width, image.height / read.height
        report.say("repaired", read.name, f"Its boxes were scaled: {sizes}.", kind="images whose boxes were scaled")
        return [(x0 * sx, y0 * sy, x1 * sx, y1 * sy) for x0, y0, x1, y1 in boxes]
    outside = sum(1 for box in boxes if box[2] > image.width + 1 or box[3] > image.height + 1)
    if outside:
        there = count(outside, "box", "lies")
        reason = f"{sizes}, and {there} outside; choose to scale the boxes, or correct the file"
        report.damage(Refused(read.name, reason))
    else:
        kind = "images of another size than annotated, boxes taken as they are"
        report.say("repaired", read.name, f"Its boxes were taken as they are, although {sizes}.", kind=kind)
    return boxes


def turned(box: XYXY, orientation: int, width: int, height: int) -> XYXY:
    """A box in pixels of the stored image (`width` x `height`), converted to the image that EXIF makes upright."""
    x0, y0, x1, y1 = box
    if orientation in (3, 4, 6, 7):  # the stored bottom becomes the top, or with 6 and 7 the left
        y0, y1 = height - y1, height - y0
    if orientation in (2, 3, 7, 8):  # the stored right becomes the left, or with 7 and 8 the top
        x0, x1 = width - x1, width - x0
    return (x0, y0, x1, y1) if orientation < 5 else (y0, x0, y1, x1)
