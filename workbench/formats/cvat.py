"""CVAT XML 1.1: one annotations.xml for a task, a job or a project, images beside it in images/; written by CVAT.

xtl, ytl, xbr, ybr are floats from the top left corner of the upright image, and the right edge of an image is its
width, so they equal our numbers. "CVAT for images" lists each image with its shapes; "CVAT for video" lists tracks with
a shape for each frame while outside is 0, and its frames are files called frame_000000.png. A rotated box and any other
shape becomes its bounding box; points and tags are left out and counted. <meta> has the labels in order, and the
subset of a task or image is its split. Free attributes called difficult, truncated, crowd and note are our marks and
note; others, and group, source and z-order, are kept with the box.

CVAT lists every image of a task, also those that nobody has looked at, so an image without shapes is unlabelled. We
write one task of images, which CVAT can import into a task with these labels. CVAT has no state for an image: ours
is an XML attribute that it ignores ("state"). It imports free attributes only if the task's labels have them, so
<meta> declares them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from workbench.core.files import IMAGE_SUFFIXES, atomic_write
from workbench.core.folders.image_lookup import is_portable, to_posix
from workbench.core.project import Snapshot, Split
from workbench.formats import ReadImage, Reading, ReadSettings, Source, register
from workbench.formats.parts.cvat_writer import to_xml
from workbench.formats.parts.cvat_xml import CvatImage, parse_cvat
from workbench.formats.parts.layout import SPLIT_WORDS, display_name, distinct_paths, sniff_files, split_of_folders
from workbench.formats.parts.reader import DataSetReader

_FILE, _IMAGE_FOLDER = "annotations.xml", "images"
_NO_SUBSET = "default"  # CVAT's name for "in no subset"
_SUFFIXES = (".png", ".PNG", ".jpg", ".jpeg", ".JPG")  # of frames, which CVAT names without a suffix


@register("cvat")
class Cvat:
    title = "CVAT XML"
    cannot_store: frozenset[str] = frozenset()
    tells_splits = True

    def sniff(self, path: Path) -> float:
        return sniff_files(path, _FILE, _is_cvat) or sniff_files(path, ".xml", _is_cvat)  # not behind many others

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = ReadSettings()) -> Reading:
        return _Reader(path, images, settings).read()

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        return tuple(f"{_IMAGE_FOLDER}/{path}" for path in distinct_paths(snapshot.images))

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        atomic_write(folder / _FILE, to_xml(snapshot, distinct_paths(snapshot.images)), sync=False)
        return (folder / _FILE,)

    def sources(self, snapshot: Snapshot) -> tuple[Source | None, ...]:
        return tuple(Source(Path(_FILE), name, lists_labels=True) for name in distinct_paths(snapshot.images))


def _is_cvat(file: Path) -> bool:
    if file.suffix.lower() != ".xml":
        return False
    with file.open("rb") as stream:
        head = stream.read(65_536)
    return bool(re.search(rb"<annotations[\s>]", head) and re.search(rb"<(?:meta|image|track)[\s>/]", head))


class _Reader(DataSetReader):
    """One reading of a CVAT document or of a folder of them."""

    suffix = ".xml"
    kind = "CVAT file"
    apart = ("annotations",)

    def __init__(self, path: Path, images: Sequence[Path], settings: ReadSettings) -> None:
        super().__init__(path, images, settings)
        self.homes: set[Path] = set()  # the folders of the documents

    def read(self) -> Reading:
        own = self.own_files(lambda file: _is_cvat(file) or file.name.lower() == _FILE)
        read = self.parsed(own, parse_cvat)
        for file, one in read:
            for level, sentence, line, kind in one.remarks:
                self.report.say(level, display_name(file, self.root), sentence, line, kind)
        self.homes = {file.parent for file, _ in read}
        images = [self.image(image, file, one.is_project) for file, one in read for image in one.images]
        self.tell_counts(one.counts for _, one in read)
        images += self.bare_images(images)
        labels = dict.fromkeys(label for _, one in read for label in one.labels)
        return self.report.reading("cvat", self.path, tuple(labels), images, self.lookup)

    def image(self, image: CvatImage, file: Path, is_project: bool) -> ReadImage:
        if not is_portable(image.name):
            self.report.tell_outside(display_name(file, self.root), image.name)
        return ReadImage(
            name=image.name,
            file=self.file_of(image, file, is_project),
            width=image.width,
            height=image.height,
            boxes=tuple(image.boxes),
            split=self.split(image, file),
            state=image.state,
            source=Source(file, image.name, lists_labels=True),
        )

    def split(self, image: CvatImage, file: Path) -> Split | None:
        """The split by the image's subset, else its task's, else by the folders or the document's name (val.xml)."""
        subset = image.subset.lower()
        if subset not in ("", _NO_SUBSET, *SPLIT_WORDS):
            sentence = f"The subset '{image.subset[:60]}' is not train, validation or test, so it was ignored."
            self.report.say("read", display_name(file, self.root), sentence)
        if subset in SPLIT_WORDS or image.is_own_subset:
            return SPLIT_WORDS.get(subset)
        return split_of_folders(file, self.root) or SPLIT_WORDS.get(file.stem.lower())

    def file_of(self, image: CvatImage, file: Path, is_project: bool) -> Path | None:
        """The image where CVAT puts it: images/NAME, in a project images/SUBSET/NAME; else anywhere by its name."""
        home = file.parent
        name, folder = to_posix(image.name), home.relative_to(self.root) if home.is_relative_to(self.root) else Path()
        inner = [f"{_IMAGE_FOLDER}/{name}", name]
        below = [f"{_IMAGE_FOLDER}/{image.subset or _NO_SUBSET}/{name}"]
        places = [
            spelling
            for place in (below + inner if is_project else inner + below)
            for spelling in _spellings((folder / place).as_posix(), image.is_frame)
        ]
        if (there := self.at(places)) is not None:
            return there
        near = (*folder.parts, _IMAGE_FOLDER, image.subset)
        found = self.find(name, file, near=near, shown=image.name)
        above = found.parents if found else ()
        if any(other in self.homes and not home.is_relative_to(other) for other in above):
            return None  # it belongs to another document: every video has a frame_000000
        return found


def _spellings(path: str, is_frame: bool) -> list[str]:
    """The path with the suffixes that it may have, if it has none or CVAT did not give it."""
    stem, dot, suffix = path.rpartition(".")
    known = dot and f".{suffix.lower()}" in IMAGE_SUFFIXES
    if known and not is_frame:
        return [path]
    return [path, *(f"{stem if known else path}{more}" for more in _SUFFIXES)]
