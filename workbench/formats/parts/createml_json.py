"""Parses one Create ML file: bytes to images and boxes; every refusal names the path inside the document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from workbench.core.formatting import visible
from workbench.core.parsing import strict_json
from workbench.core.project import XYXY
from workbench.errors import Refused
from workbench.formats import ReadBox
from workbench.formats.parts.json_values import JsonDocument, is_number, short
from workbench.formats.parts.layout import to_extra

IMAGE_KEYS = ("image", "imagefilename")  # as in the Create ML app and most tools; as in Apple's documentation
LIST_KEYS = ("annotations", "annotation")
_SIDES = ("x", "y", "width", "height")


@dataclass
class CreateMLImage:
    """What all records of one image say. `place`: where its first record is in the document."""

    name: str
    place: str
    boxes: list[ReadBox] = field(default_factory=list)
    verified: bool = False
    has_broken: bool = False


@dataclass(frozen=True, slots=True)
class CreateMLFile:
    """One document, in its own order. `remarks` are (level, sentence, kind)."""

    images: tuple[CreateMLImage, ...]
    remarks: tuple[tuple[str, str, str], ...]
    broken: tuple[Refused, ...]


def parse_createml(data: bytes, file: str) -> CreateMLFile:
    """Read one document. Raises Refused if it is not a Create ML file; damaged records and boxes go to `broken`."""
    root = strict_json.parse(data, file)
    if not isinstance(root, list):
        raise Refused(file, "not Create ML: expected a list of images", line=1)
    return _Document(root, file).read()


class _Document(JsonDocument):
    def read(self) -> CreateMLFile:
        images: dict[str, CreateMLImage] = {}
        for number, record in enumerate(self.root):
            try:
                self.record(record, f"[{number}]", images)
            except Refused as error:
                self.broken.append(error)
        self.tell_numbers([box.xyxy for image in images.values() for box in image.boxes])
        return CreateMLFile(tuple(images.values()), tuple(self.remarks), tuple(self.broken))

    def record(self, record: Any, place: str, images: dict[str, CreateMLImage]) -> None:
        if not isinstance(record, dict):
            raise self.refuse(place, f"expected an object, found {short(record)}")
        key = next((key for key in IMAGE_KEYS if key in record), IMAGE_KEYS[0])
        name = self.text(record.get(key), f"{place}.{key}")
        if name in images:
            sentence = f"{place}: '{name[:60]}' occurs again ({images[name].place}); all its boxes were read."
            self.remarks.append(("repaired", sentence, "images with several records, merged"))
        image = images.setdefault(name, CreateMLImage(name, place))
        image.verified |= record.get("verified") is True
        for other in [key for key in record if key not in (*IMAGE_KEYS, *LIST_KEYS, "verified")]:
            sentence = f"'{visible(other, 60)}' describes the image, but a project has no place for it; it was ignored."
            self.remarks.append(("read", sentence, "values of images that a project has no place for"))
        key = next((key for key in LIST_KEYS if key in record), LIST_KEYS[0])
        annotations = record.get(key)
        if not isinstance(annotations, list):
            image.has_broken = True
            raise self.refuse(f"{place}.{key}", f"expected a list, found {short(annotations)}")
        for number, annotation in enumerate(annotations):
            try:
                image.boxes.append(self.box(annotation, f"{place}.{key}[{number}]"))
            except Refused as error:
                image.has_broken = True
                self.broken.append(error)

    def box(self, annotation: Any, place: str) -> ReadBox:
        if not isinstance(annotation, dict):
            raise self.refuse(place, f"expected an object, found {short(annotation)}")
        label = self.text(annotation.get("label"), f"{place}.label")
        sides = annotation.get("coordinates")
        if not isinstance(sides, dict):
            raise self.refuse(f"{place}.coordinates", f"expected x, y, width and height, found {short(sides)}")
        for side in _SIDES:
            if not is_number(sides.get(side)):
                found = short(sides.get(side))
                raise self.refuse(f"{place}.coordinates.{side}", f"expected a finite number of pixels, found {found}")
        x, y, width, height = (float(sides[side]) for side in _SIDES)
        if width < 0 or height < 0:
            reason = f"width and height must not be negative, found {width:g} x {height:g}"
            raise self.refuse(f"{place}.coordinates", reason)
        if width == 0 or height == 0:
            sentence = f"{place}: the box of '{label[:60]}' has zero size; it was kept."
            self.remarks.append(("read", sentence, "boxes of zero size, kept"))
        more = {key: value for key, value in annotation.items() if key not in ("label", "coordinates")}
        xyxy = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        return ReadBox(label, xyxy, extra=to_extra("createml", self.small(more, place)))

    def tell_numbers(self, boxes: list[XYXY]) -> None:
        """Report signs that the numbers are not pixels of the centre; the files don't say what they are."""
        before = sum(1 for box in boxes if min(box) < -1)
        if before:
            sentence = (
                f"{before:,} of {len(boxes):,} boxes begin left of or above their image. Create ML's x and y are the"
                " centre of a box; if this file means its top left corner, it must be converted first."
            )
            self.remarks.append(("read", sentence, "files whose boxes begin outside the image"))
        if len(boxes) > 1 and all(max(box) <= 1.5 for box in boxes):
            sentence = (
                "All its boxes end within the first pixel of their image: its numbers may be fractions of the image's"
                " size; they were read as pixels."
            )
            self.remarks.append(("read", sentence, "files whose numbers may be fractions"))
