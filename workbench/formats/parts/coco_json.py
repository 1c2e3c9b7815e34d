"""Parses one COCO file: bytes to labels, images and boxes; every refusal names the path inside the document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeGuard

from workbench.core.formatting import count, named
from workbench.core.parsing import strict_json
from workbench.core.project import XYXY, State
from workbench.errors import Refused
from workbench.formats import Id, ReadBox
from workbench.formats.parts.corners import SANE, rotated_bounds
from workbench.formats.parts.json_values import JsonDocument, is_clean, is_number, key_shown
from workbench.formats.parts.layout import parse_number, to_extra
from workbench.formats.parts.reading_progress import counted

_STANDARD = {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "ignore", "segmentation", "attributes"}
_FLAGS = ("difficult", "truncated", "occluded")
_EMPTY = frozenset({"empty", "blank"})
"""The category by which COCO Camera Traps say that there is nothing in an image, in lower case."""
_OF_ENTRIES = {"images": {"id", "file_name", "width", "height", "state"}, "categories": {"id", "name"}}


@dataclass(frozen=True, slots=True)
class CocoImage:
    name: str
    width: int  # 0 = not said
    height: int
    boxes: tuple[ReadBox, ...]
    state: State
    has_broken: bool


@dataclass(frozen=True, slots=True)
class CocoFile:
    """One document. `labels` in the order of its categories; `groups`: those that only group other categories.

    `remarks` are (level, sentence, kind).
    """

    labels: tuple[str, ...]
    groups: frozenset[str]
    images: tuple[CocoImage, ...]
    remarks: tuple[tuple[str, str, str], ...]
    broken: tuple[Refused, ...]


def parse_coco(data: bytes, file: str) -> CocoFile:
    """Read one document. Raises Refused if it is not a COCO file; damaged entries go to `broken`."""
    root = strict_json.parse(data, file)
    if not isinstance(root, dict) or not isinstance(root.get("images"), list):
        raise Refused(file, 'not COCO: expected an object with a list "images"', line=1)
    for key in ("categories", "annotations"):
        if not isinstance(root.get(key, []), list):
            raise Refused(file, f"{key}: expected a list")
    return _Document(root, file).read()


def ids_in(data: bytes) -> tuple[dict[str, Id], dict[str, Id]]:
    """The ids of images and of categories by name, in a document that was read before; the first id of each name."""
    try:
        root = strict_json.parse(data, "")
    except Refused:
        return {}, {}
    found: list[dict[str, Id]] = []
    for key in ("images", "categories"):
        listed = root.get(key) if isinstance(root, dict) else None
        entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        ids = [(_named(one)[1] if key == "images" else one.get("name"), one.get("id")) for one in reversed(entries)]
        found.append({text.strip(): id for text, id in ids if isinstance(text, str) and is_id(id)})
    return found[0], found[1]


def _named(image: dict[str, Any]) -> tuple[str, Any]:
    """The key that names an image's file, and the name.

    LVIS gives addresses: http://images.cocodataset.org/train2017/000000391895.jpg.
    """
    url = image.get("coco_url")
    if "file_name" in image or not isinstance(url, str):
        return "file_name", image.get("file_name")
    return "coco_url", url.partition("://")[2].partition("/")[2]


class _Document(JsonDocument):
    def __init__(self, root: dict[str, Any], file: str) -> None:
        super().__init__(root, file)
        self.outlines = 0
        self.respelt = 0  # ids
        self.whole: dict[Id, list[str]] = {}  # by image, its categories as a whole, without a box
        self.turned = 0

    def read(self) -> CocoFile:
        labels = self.labels()
        entries = self.entries("images", self.image)
        boxes: dict[Id, list[ReadBox]] = {id: [] for id in entries}
        damaged: set[Id] = set()
        seen: set[Id] = set()
        for at, annotation in enumerate(counted(self.root.get("annotations", []), "thousand boxes read")):
            place = f"annotations[{at}]"
            try:
                image, box = self.annotation(annotation, place, labels, boxes.keys(), seen)
            except Refused as error:
                self.broken.append(error)
                if isinstance(annotation, dict) and (of := self.listed(annotation.get("image_id"), boxes)) is not None:
                    damaged.add(of)
            else:
                if box is not None:
                    boxes[image].append(box)
        if self.outlines:
            outlines = count(self.outlines, "outline", "was")
            self.say("read", f"{outlines} ignored (segmentation): only boxes were read.")
        if self.turned:
            self.say("repaired", f"{self.turned:,} turned boxes were read as the boxes around them.")
        if self.respelt:
            sentence = (
                f"{self.respelt:,} ids are text in one place and numbers in another; they were taken as the same."
            )
            self.say("repaired", sentence)
        silent = "annotations" not in self.root
        if silent and entries:
            self.say("refused", 'There is no list "annotations", so its images are unlabelled.')
        self.tell_ignored()
        self.tell_whole()
        images = []
        for id, (name, width, height, state) in entries.items():
            lacks_boxes = set(filter(_is_object, self.whole.get(id, ()))) - {box.label for box in boxes[id]}
            is_unlabelled = silent or (bool(lacks_boxes) and not boxes[id])
            state, is_broken = State.UNLABELLED if is_unlabelled else state, id in damaged or bool(lacks_boxes)
            images.append(CocoImage(name, width, height, tuple(boxes[id]), state, is_broken and not is_unlabelled))
        used = {box.label for some in boxes.values() for box in some}
        names = [name for name in dict.fromkeys(labels.values()) if _is_object(name) or name in used or not self.whole]
        return CocoFile(tuple(names), self.groups(labels), tuple(images), tuple(self.remarks), tuple(self.broken))

    def tell_whole(self) -> None:
        """Report the annotations of whole images, as COCO Camera Traps have them."""
        objects = sum(_is_object(name) for names in self.whole.values() for name in names)
        if objects:
            these = count(objects, "annotation", "was")
            self.say("refused", f"{these} left out, as without a bbox they say what an image shows, but not where.")
        if empty := sum(not any(map(_is_object, names)) for names in self.whole.values()):
            self.say("read", f"{count(empty, 'image')} labelled as empty: done, without boxes.")

    def tell_ignored(self) -> None:
        """Report what describes images and categories: a project has no place for it."""
        for key, known in _OF_ENTRIES.items():
            entries = [entry for entry in self.root.get(key, []) if isinstance(entry, dict)]
            others = {
                name: None
                for entry in entries
                for name, value in entry.items()
                if name not in known and value not in (None, "", "none", [], {}, entry.get("name"))
            }
            if others:
                words = named([f"'{key_shown(name)}'" for name in others], 6)
                sentence = f"A project has no place for {words} of the {key}: only a file exported unedited has them."
                self.say("read", sentence, f"values of {key} that a project has no place for")

    def say(self, level: str, sentence: str, kind: str = "") -> None:
        self.remarks.append((level, sentence, kind or sentence))

    def entries(self, key: str, read: Any) -> dict[Id, Any]:
        """The entries of a list by their ids, which must be present and unique."""
        found: dict[Id, Any] = {}
        for at, entry in enumerate(self.root.get(key, [])):
            place = f"{key}[{at}]"
            try:
                if not isinstance(entry, dict) or not is_id(entry.get("id")):
                    raise self.refuse(f"{place}.id", "expected a number or text")
                if entry["id"] in found:
                    raise self.refuse(f"{place}.id", f"{_short(entry['id'])} is used twice")
                found[entry["id"]] = read(entry, place)
            except Refused as error:
                self.broken.append(error)
        return found

    def labels(self) -> dict[Id, str]:
        labels = self.entries("categories", lambda entry, place: self.text(entry.get("name"), f"{place}.name"))
        twice = sorted(name for name, count in Counter(labels.values()).items() if count > 1)
        for name in twice:
            sentence = f"Several categories are called '{name}'; they became one label."
            self.say("repaired", sentence, "categories of one name, which became one label")
        ids = [id for id in labels if isinstance(id, int)]
        if ids:
            gaps = max(ids) - min(ids) + 1 - len(ids)
            sparse = f", with {gaps:,} left out between them" if gaps > 0 else ""
            sentence = f"The ids of categories are counted from {min(ids)}{sparse}; labels go by their names."
            self.say("read", sentence)
        return labels

    def groups(self, labels: dict[Id, str]) -> frozenset[str]:
        """Labels that only group others. In COCO's files "person" is its own supercategory, so it is none; labelme2coco
        lists the background."""
        above = [
            (e.get("name"), e.get("supercategory")) for e in self.root.get("categories", []) if isinstance(e, dict)
        ]
        groups = {group for name, group in above if isinstance(group, str) and group != name}
        return frozenset(labels.values()) & (groups | {"_background_"})

    def image(self, entry: dict[str, Any], place: str) -> tuple[str, int, int, State]:
        sides = []
        for key in ("width", "height"):
            given = 0 if entry.get(key) is None else entry[key]
            value = parse_number(given) if isinstance(given, str) else given
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= SANE:
                raise self.refuse(f"{place}.{key}", f"expected a number of pixels, found {_short(given)}")
            sides.append(int(value))
        state = entry.get("state")
        known = State(state) if isinstance(state, str) and state in set(State) else State.DONE
        key, name = _named(entry)
        return self.text(name, f"{place}.{key}"), sides[0], sides[1], known

    def annotation(
        self, entry: Any, place: str, labels: dict[Id, str], images: Any, seen: set[Id]
    ) -> tuple[Id, ReadBox | None]:
        """The image of an annotation, and its box; None if the annotation is of the image as a whole."""
        if not isinstance(entry, dict):
            raise self.refuse(place, "expected an object")
        image, category = self.listed(entry.get("image_id"), images), self.listed(entry.get("category_id"), labels)
        if image is None:
            raise self.refuse(f"{place}.image_id", f"there is no image with the id {_short(entry.get('image_id'))}")
        if category is None:
            shown = _short(entry.get("category_id"))
            raise self.refuse(f"{place}.category_id", f"there is no category with the id {shown}")
        if is_id(entry.get("id")):
            if entry["id"] in seen:
                sentence = f"{place}.id: {_short(entry['id'])} is used twice; both boxes were kept."
                self.say("read", sentence, "boxes whose id is used twice, kept")
            seen.add(entry["id"])
        if "bbox" not in entry and not entry.get("segmentation"):
            self.whole.setdefault(image, []).append(labels[category])
            return image, None
        attributes = entry.get("attributes")
        attributes = attributes if isinstance(attributes, dict) else {}
        xyxy, rotation = self.box(entry, place), attributes.get("rotation", 0)
        if is_number(rotation) and rotation % 360:  # CVAT's: the bbox is that of the box before its rotation
            xyxy, attributes = rotated_bounds(xyxy, rotation), {k: v for k, v in attributes.items() if k != "rotation"}
            self.turned += 1
        if xyxy[0] == xyxy[2] or xyxy[1] == xyxy[3]:
            sentence = f"{place}.bbox: the box of '{labels[category]}' has zero size; it was kept."
            self.say("read", sentence, "boxes of zero size, kept")
        self.outlines += bool(entry.get("segmentation")) and "bbox" in entry
        flags = {flag: _is_true(attributes.get(flag)) for flag in _FLAGS}
        flags["difficult"] |= _is_true(entry.get("ignore"))
        note = attributes.get("note")
        return image, ReadBox(
            label=labels[category],
            xyxy=xyxy,
            **flags,
            crowd=_is_true(entry.get("iscrowd")),
            note=note if isinstance(note, str) and is_clean(note) else "",
            extra=to_extra("coco", self.others(entry, place, image, category, attributes)),
        )

    def others(
        self, entry: dict[str, Any], place: str, image: Id, category: Id, attributes: dict[str, Any]
    ) -> dict[str, Any]:
        """What is kept for writing the file again: the original ids, and values for which a box has no field."""
        own = {"id": entry["id"]} if is_id(entry.get("id")) else {}
        more = self.small({k: v for k, v in entry.items() if k not in _STANDARD}, place)
        free = {k: v for k, v in attributes.items() if k not in (*_FLAGS, "note")}
        kept = self.small(free, f"{place}.attributes")
        both = self.small({"more": more, "attributes": kept}, place)
        return own | {"image_id": image, "category_id": category} | both

    def listed(self, id: Any, listed: Collection[Id]) -> Id | None:
        """`id` as in its list, or None: VIA (up to 2.0.10) numbers images 0, 1 ... but refers to them as "0", "1"."""
        if not is_id(id):
            return None
        if id in listed:
            return id
        other: Id = (
            str(id) if isinstance(id, int) else int(id) if re.fullmatch(r"0|[1-9][0-9]{0,17}", id, re.ASCII) else id
        )
        if other not in listed:
            return None
        self.respelt += 1
        return other

    def box(self, entry: dict[str, Any], place: str) -> XYXY:
        box = entry.get("bbox")
        if box in (None, []) and isinstance(entry.get("segmentation"), list) and entry["segmentation"]:
            return self.box_of_outline(entry["segmentation"], place)
        if not isinstance(box, list) or len(box) != 4:
            raise self.refuse(f"{place}.bbox", f"expected [x, y, width, height], found {_short(box)}")
        if not all(is_number(value) for value in box):
            raise self.refuse(f"{place}.bbox", f"expected four finite numbers of pixels, found {_short(box)}")
        x, y, w, h = map(float, box)
        if w < 0 or h < 0:
            raise self.refuse(f"{place}.bbox", f"width and height must not be negative, found {_short(box)}")
        return x, y, x + w, y + h

    def box_of_outline(self, outline: list[Any], place: str) -> XYXY:
        flat = [value for part in outline for value in (part if isinstance(part, list) else [part])]  # VIA's is flat
        if len(flat) < 6 or len(flat) % 2 or not all(is_number(value) for value in flat):
            raise self.refuse(f"{place}.bbox", "there is no box, and no outline to make one from")
        self.say("repaired", f"{place}: it has no bbox; one was made from the outline.", "boxes made from outlines")
        xs, ys = flat[0::2], flat[1::2]
        return float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))


def is_id(value: Any) -> TypeGuard[Id]:
    """Whether it can be the id of an image, a category or an annotation: an integer or a text."""
    return (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63) or (
        isinstance(value, str) and 0 < len(value) <= 200 and is_clean(value)
    )


def _is_object(category: str) -> bool:
    return category.lower() not in _EMPTY


def _is_true(value: Any) -> bool:
    return value in (True, 1, "1", "true", "True", "yes") and not isinstance(value, list | dict)


def _short(value: Any) -> str:
    """A value for a message: like json_values.short, but boxes show their numbers and names their letters."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        inner = ", ".join(_short(v) for v in value[:6])
        return (
            f"[{inner}{', ...' if len(value) > 6 else ''}]"
            if not any(isinstance(v, list) for v in value[:6])
            else "a list"
        )
    if isinstance(value, int) and abs(value) > 10**30:
        return "an enormous number"
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
