"""Parses one LabelMe file: bytes to boxes as given there; every refusal names the path inside the document."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from workbench.core.formatting import visible
from workbench.core.parsing import strict_json
from workbench.core.project import FLAGS, XYXY, Split, State
from workbench.errors import Refused
from workbench.formats import ReadBox
from workbench.formats.parts.json_values import JsonDocument, is_clean, is_number, short
from workbench.formats.parts.layout import SPLIT_NAMES, SPLIT_WORDS, from_extra, to_extra

_POINTS = {"rectangle": (2, 4), "circle": (2,), "mask": (2,)}  # how many each may have; the others one or more
_OUTLINES = {  # those read as their bounding box, with the plural for the remark
    "polygon": "polygons", "circle": "circles", "line": "lines", "linestrip": "line strips", "mask": "masks",
    "oriented_rectangle": "turned rectangles", "rotation": "turned rectangles", "quadrilateral": "quadrilaterals",
    "cuboid": "cuboids",
}  # fmt: skip
_DOTS = {"point": "single points", "points": "groups of points"}  # can't become boxes
SHAPE_KEYS = {"label", "points", "shape_type", "flags", "description", "group_id", "difficult", "mask"}
TOP_KEYS = {
    "version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth", "checked", "state", "split",
    "lineColor", "fillColor",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LabelMeFile:
    """One annotation file. `width` and `height` are 0 if it does not give them.

    `counts` are by (level, words), `remarks` are (level, sentence, kind).
    """

    image: str  # imagePath as in the file; "" if absent
    width: int
    height: int
    boxes: tuple[ReadBox, ...]
    state: State
    split: Split | None  # None: not given; NONE: given as none
    has_picture: bool  # whether it contains the picture, as imageData
    counts: Counter[tuple[str, str]]
    fours: int  # upright rectangles of four points
    remarks: tuple[tuple[str, str, str], ...]
    broken: tuple[Refused, ...]


def parse_labelme(data: bytes, file: str) -> LabelMeFile:
    """Read one document. Raises Refused if it is not a LabelMe file; damaged shapes go to `broken`."""
    root = strict_json.parse(data, file)
    if not isinstance(root, dict) or not isinstance(root.get("shapes"), list):
        raise Refused(file, 'not LabelMe: expected an object with a list "shapes"', line=1)
    return _Document(root, file).read()


class _Document(JsonDocument):
    def __init__(self, root: dict[str, Any], file: str) -> None:
        super().__init__(root, file)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.fours = 0

    def read(self) -> LabelMeFile:
        image, sides = "", [0, 0]
        try:
            image = self.optional_text(self.root, "imagePath", "").strip()
            sides = [self.side(key) for key in ("imageWidth", "imageHeight")]
        except Refused as error:
            self.broken.append(error)
        boxes = []
        for number, shape in enumerate(self.root["shapes"]):
            try:
                box = self.shape(shape, f"shapes[{number}]")
            except Refused as error:
                self.broken.append(error)
            else:
                boxes += [box] if box else []
        return LabelMeFile(
            image=image,
            width=sides[0],
            height=sides[1],
            boxes=self.with_others(boxes),
            state=State.IN_WORK if self.broken else self.state(),
            split=self.split(),
            has_picture=bool(self.root.get("imageData")),
            counts=self.counts,
            fours=self.fours,
            remarks=tuple(self.remarks),
            broken=tuple(self.broken),
        )

    def optional_text(self, entry: dict[str, Any], key: str, place: str) -> str:
        """The text at `key`; "" if absent."""
        value = entry.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.refuse(f"{place}{key}", f"expected text, found {short(value)}")
        if not is_clean(value):
            raise self.refuse(f"{place}{key}", "half of a character (a lone surrogate)")
        return value

    def side(self, key: str) -> int:
        """Pixels, 0 if absent; X-AnyLabeling writes -1 for unknown."""
        value = self.root.get(key)
        if value is None or value == -1:
            return 0
        if not is_number(value) or value < 0 or value != int(value):
            raise self.refuse(key, f"expected a number of pixels, found {short(value)}")
        return int(value)

    def state(self) -> State:
        """X-AnyLabeling's `checked` is true for an image that a person approved, "failed" for one sent back."""
        checked, state = self.root.get("checked"), self.root.get("state")
        if checked is True:
            return State.VERIFIED
        return State.IN_WORK if checked == "failed" or state == State.IN_WORK else State.DONE

    def split(self) -> Split | None:
        words = SPLIT_WORDS | {SPLIT_NAMES[Split.NONE]: Split.NONE}
        split = self.root.get("split")
        return words.get(split.lower()) if isinstance(split, str) else None

    def shape(self, shape: Any, place: str) -> ReadBox | None:
        if not isinstance(shape, dict):
            raise self.refuse(place, f"expected an object, found {short(shape)}")
        label = self.optional_text(shape, "label", f"{place}.").strip()
        if not label:
            raise self.refuse(f"{place}.label", "a shape without a label")
        kind = shape.get("shape_type") or "polygon"  # labelme's default for files of its first versions
        if not isinstance(kind, str) or not (kind == "rectangle" or kind in _OUTLINES or kind in _DOTS):
            raise self.refuse(f"{place}.shape_type", f"{short(kind)} is none of the shapes that are known")
        points = self.points(shape.get("points"), kind, f"{place}.points")
        if kind in _DOTS or len(points) == 1:
            plural = _DOTS.get(kind, f"{_OUTLINES.get(kind, kind)} of a single point")
            self.counts["refused", f"{plural} were left out: they can't become boxes"] += 1
            return None
        xyxy = _bounds(points, kind)
        if kind == "rectangle" and _is_upright(points, xyxy):
            self.fours += len(points) == 4
        else:
            plural = _OUTLINES.get(kind, "turned rectangles")
            self.counts["repaired", f"{plural} were read as their bounding boxes"] += 1
        if xyxy[0] == xyxy[2] or xyxy[1] == xyxy[3]:
            sentence = f"{place}: the box of '{label[:60]}' has zero size; it was kept."
            self.remarks.append(("read", sentence, "boxes of zero size, kept"))
        flags = self.flags(shape, place)
        marks = {flag: flags.get(flag, False) for flag in FLAGS}
        marks["difficult"] |= shape.get("difficult") in (True, 1)
        note = self.optional_text(shape, "description", f"{place}.")
        return ReadBox(label, xyxy, **marks, note=note, extra=to_extra("labelme", self.others(shape, flags, place)))

    def points(self, points: Any, kind: str, place: str) -> list[tuple[float, float]]:
        if not isinstance(points, list) or not points:
            raise self.refuse(place, f"expected a list of [x, y], found {short(points)}")
        allowed = _POINTS.get(kind)
        if allowed and len(points) not in allowed:
            wanted = " or ".join(map(str, allowed))
            raise self.refuse(place, f"a {kind} has {wanted} points, found {len(points)}")
        for number, point in enumerate(points):
            if not isinstance(point, list) or len(point) != 2 or not all(map(is_number, point)):
                raise self.refuse(f"{place}[{number}]", f"expected two finite numbers of pixels, found {short(point)}")
        return [(float(x), float(y)) for x, y in points]

    def flags(self, entry: dict[str, Any], place: str) -> dict[str, bool]:
        flags = entry.get("flags") or {}
        if not isinstance(flags, dict):
            raise self.refuse(f"{place}.flags", f"expected an object, found {short(flags)}")
        for key, value in flags.items():
            if not isinstance(value, bool):
                self.left_out(f"{place}.flags.{key[:60]}", "flags that are neither true nor false")
        return {key: value for key, value in flags.items() if isinstance(value, bool) and is_clean(key)}

    def others(self, shape: dict[str, Any], flags: dict[str, bool], place: str) -> dict[str, Any]:
        """What is kept for writing the file again: group, flags, and small values for which a box has no field."""
        group = shape.get("group_id")
        if group is not None and (isinstance(group, bool) or not isinstance(group, int)):
            self.left_out(f"{place}.group_id", "groups that are not whole numbers")
            group = None
        more = self.small({key: value for key, value in shape.items() if key not in SHAPE_KEYS}, place)
        return self.small({"flags": flags, "group_id": group, "more": more}, place)

    def left_out(self, place: str, kind: str) -> None:
        place = visible(place.lstrip("."), 200)  # it contains foreign keys
        self.remarks.append(("read", f"{place} was not kept: {kind}.", kind))

    def with_others(self, boxes: list[ReadBox]) -> tuple[ReadBox, ...]:
        """What the file says about its image is kept with each box, because a project has no other place for it."""
        try:
            flags = {key: value for key, value in self.flags(self.root, "").items() if value}
        except Refused as error:
            self.broken.append(error)
            flags = {}
        more = {key: value for key, value in self.root.items() if key not in TOP_KEYS}
        foreign = self.small({"flags": flags} | more, "")
        if foreign and not boxes:
            for key in foreign:
                sentence = f"'{key[:60]}' describes the image, but a project has no place for it; it was ignored."
                self.remarks.append(("read", sentence, sentence))
        if not foreign:
            return tuple(boxes)
        return tuple(
            replace(b, extra=to_extra("labelme", (from_extra(b.extra, "labelme") or {}) | {"image": foreign}))
            for b in boxes
        )


def _bounds(points: list[tuple[float, float]], kind: str) -> XYXY:
    if kind == "circle":  # its centre and a point on its outline
        (x, y), edge = points
        radius = math.dist((x, y), edge)
        return x - radius, y - radius, x + radius, y + radius
    xs, ys = [x for x, _ in points], [y for _, y in points]
    last = 1.0 if kind == "mask" else 0.0  # its second point is its last pixel (labelme's utils/shape.py)
    return min(xs), min(ys), max(xs) + last, max(ys) + last


def _is_upright(points: list[tuple[float, float]], xyxy: XYXY) -> bool:
    """Whether there are two points, or four that are the corners of their bounding box, to a hundredth of a pixel."""
    corners = [(x, y) for x in xyxy[0::2] for y in xyxy[1::2]]
    return len(points) == 2 or all(any(math.dist(corner, point) < 0.01 for point in points) for corner in corners)
