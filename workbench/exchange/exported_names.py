"""Whose labels those are that come back from an export of the project without its images, by the names it gave them.

Of two folders with an a.jpg each, an export calls the second a-2.jpg; in flat folders d/a.jpg is called d_a.jpg. Labels
that another program corrected then name images that nobody has. Of each export a digest of all its names is remembered.
It is sure whose boxes they are only if the project would still give each image the same name as in every one of them,
the files name no image that is not among them, and all that have their names mean the same: of an image that came
between two exports, the second may have the name that another had in the first.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping, Sequence

from workbench import formats
from workbench.core.document import Document
from workbench.core.files import IMAGE_SUFFIXES
from workbench.core.folders.image_lookup import to_nfc, to_posix
from workbench.core.project import Image, Snapshot, State
from workbench.exchange.ambiguous_names import ExportedSources
from workbench.formats import ReadImage, Reading

Digest = tuple[int, str]
"""The highest id of the images that were exported, and a hash of which of them has which name."""


def digest_of(images: Sequence[Image], places: Sequence[str]) -> Digest:
    """The digest of an export that gave `images` these `places`. Their folders are left out: they are the images' own,
    but for that of the split, or of the images without labels, which may change.
    """
    named = sorted((image.id, place.rsplit("/", 1)[-1]) for image, place in zip(images, places, strict=True))
    text = repr(named).encode("utf-8", "surrogatepass")
    return max((image.id for image in images), default=0), hashlib.blake2b(text, digest_size=8).hexdigest()


class ExportedNames:
    """The images of the project that are meant by the names in a reading, if it is of an export of the project."""

    def __init__(self, document: Document, reading: Reading, digests: Sequence[Digest]) -> None:
        """`digests`: those of the project's exports in the format of the reading."""
        self._document, self._reading, self._digests = document, reading, digests

    def image(self, read: ReadImage) -> Image | None:
        """The image whose labels `read` has, which has no file of its own."""
        return self._meant.get(id(read))

    @property
    def is_sure(self) -> bool:
        """Whether every image that has labels and no file was found."""
        return bool(self._meant)

    @functools.cached_property
    def _meant(self) -> Mapping[int, Image]:
        """By the identity of each read image without a file; {} if it is not sure of each."""
        lone = [read for read in self._reading.images if read.file is None]
        asked = [read for read in lone if read.boxes or read.state is not State.UNLABELLED]
        if not asked or not self._digests:
            return {}
        snapshot, member = self._document.snapshot(), formats.load_all().get(self._reading.format)
        meant: dict[int, Image] = {}
        for last in dict.fromkeys(last for last, _ in self._digests):
            older = _up_to(snapshot, last)
            places = member.places(older)
            if {digest_of(older.images, places)} != {one for one in self._digests if one[0] == last}:
                return {}
            found = _found(asked, _Names(older.images, places), ExportedSources(member, [older]))
            if meant and found and meant != found:
                return {}
            meant = meant or found
        return meant


def _up_to(snapshot: Snapshot, last: int) -> Snapshot:
    """Without the images that came after the one of this id."""
    rows = [row for row, image in enumerate(snapshot.images) if image.id <= last]
    return snapshot if len(rows) == len(snapshot) else snapshot.take(rows)


def _found(asked: Sequence[ReadImage], names: _Names, by_source: ExportedSources) -> dict[int, Image]:
    """{} unless each of `asked` is another image, and the name of at least one is none that any image has."""
    found = dict[int, Image]()
    for read in asked:
        meant = by_source.of(read.source, 1) if read.source is not None else []
        meant = meant if len(meant) == 1 else names.like(read.name)
        if len(meant) != 1 or not _has_size(read, meant[0]):
            return {}
        found[id(read)] = meant[0]
    is_ours = any(names.is_made_up(read.name) for read in asked)
    return found if is_ours and len({image.id for image in found.values()}) == len(found) else {}


class _Names:
    """The images of an export by their places in it."""

    def __init__(self, images: Sequence[Image], places: Sequence[str]) -> None:
        self._by_stem: dict[str, list[tuple[str, Image]]] = {}
        for image, place in zip(images, map(to_nfc, places), strict=True):
            self._by_stem.setdefault(_last(place), []).append((place, image))
        self._own = {_last(to_nfc(image.name)) for image in images}

    def is_made_up(self, name: str) -> bool:
        """Whether no image has this name, so that only the export can have given it."""
        return _last(to_nfc(to_posix(name))) not in self._own

    def like(self, name: str) -> list[Image]:
        """The images whose places are most like a name in a file."""
        name = to_nfc(to_posix(name))
        alike = [(_likeness(name, place), image) for place, image in self._by_stem.get(_last(name), ())]
        most = max((likeness for likeness, _ in alike), default=0)
        return [image for likeness, image in alike if likeness == most > 0]


def _likeness(name: str, place: str) -> int:
    """Whether a name means the file at a place of the export: 2 if it is its path, 1 if folders before it are left out
    or added, as programs do, 0 if not.
    """
    if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and name.rsplit("/", 1)[-1] != place.rsplit("/", 1)[-1]:
        return 0
    name, place = _stem(name), _stem(place)
    inner = place.partition("/")[2] or place  # without the folder of all images
    if name in (place, inner):
        return 2
    return int(f"/{place}".endswith(f"/{name}") or f"/{name}".endswith(f"/{inner}"))


def _has_size(read: ReadImage, image: Image) -> bool:
    """Whether the size that the files give, perhaps as stored, is the image's, as far as both are known."""
    told, real = sorted((read.width, read.height)), sorted((image.width, image.height))
    return not all(told) or not all(real) or told == real


def _stem(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in IMAGE_SUFFIXES else name


def _last(name: str) -> str:
    return _stem(name).rsplit("/", 1)[-1]
