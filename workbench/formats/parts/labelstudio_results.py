"""Reads the results of one Label Studio annotation: shapes in percent of the image, and what shares their id."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.core.project import FLAGS, XYXY
from workbench.errors import Refused
from workbench.formats import ReadBox
from workbench.formats.parts.json_values import is_clean, is_number, key_shown, short, storable_values
from workbench.formats.parts.layout import to_extra

_SIDES = {"rectangle": ("x", "y", "width", "height"), "ellipse": ("x", "y", "radiusX", "radiusY"), "polygon": ()}
_OUTLINES = {"ellipse": "ellipses", "polygon": "polygons"}  # read as their bounding box
_NO_BOXES = {
    "brush": "brush masks", "bitmask": "bitmasks", "keypoint": "key points", "vector": "vectors",
    "videorectangle": "boxes of videos", "relation": "relations between boxes",
}  # fmt: skip
_GEOMETRY = {"x", "y", "width", "height", "rotation", "radiusX", "radiusY", "points", "closed"}
RESULT_KEYS = {"id", "type", "from_name", "to_name", "value", "original_width", "original_height", "meta"}
_USUAL = {"origin": "manual", "image_rotation": 0}  # not worth keeping


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangle (x, y, width, height), an ellipse (x, y of its centre, two radii) or a polygon (x, y, x, y ...).

    All in percent of the image's width and height; `rotation` in degrees, clockwise on the screen, around the top left
    corner of a rectangle or the centre of an ellipse. The rotation of the view (image_rotation) does not affect them.
    """

    kind: str
    numbers: tuple[float, ...]
    rotation: float = 0.0

    def pixels(self, width: int, height: int) -> XYXY:
        """Its bounding box in an image of this size: rotation applies to pixels, not to percentages."""
        if self.kind == "rectangle" and not self.rotation:
            x, y, w, h = self.numbers
            return x * width / 100, y * height / 100, (x + w) * width / 100, (y + h) * height / 100
        flat = [n * (height if place % 2 else width) / 100 for place, n in enumerate(self.numbers)]
        cos, sin = math.cos(math.radians(self.rotation)), math.sin(math.radians(self.rotation))
        if self.kind == "ellipse":
            x, y, a, b = flat
            w, h = math.hypot(a * cos, b * sin), math.hypot(a * sin, b * cos)
            return x - w, y - h, x + w, y + h
        if self.kind == "rectangle":
            x, y, w, h = flat
            flat = [x, y, x + w * cos, y + w * sin, x - h * sin, y + h * cos]
            flat += [flat[2] + flat[4] - x, flat[3] + flat[5] - y]
        return min(flat[0::2]), min(flat[1::2]), max(flat[0::2]), max(flat[1::2])


@dataclass(frozen=True, slots=True)
class Region:
    """A box whose xyxy is still its `shape`; `sides` are original_width and original_height, 0 = not given."""

    shape: Shape
    box: ReadBox
    sides: tuple[int, int]
    item: int  # index of the image in its task


@dataclass(frozen=True, slots=True)
class Result:
    """One entry of a result list, with its place and that of its value in the document."""

    place: str
    value_place: str
    kind: str  # its type without "labels"; "" for type "labels"
    content: dict[str, Any]
    value: dict[str, Any]

    @property
    def id(self) -> str | None:
        id = self.content.get("id")
        return id if isinstance(id, str) else None

    @property
    def is_bare_label(self) -> bool:
        """Whether it is a label with its own geometry, as the first versions wrote it for <Labels>."""
        return self.kind == "" and bool({"x", "points"} & self.value.keys())

    @property
    def labels(self) -> list[Any] | None:
        labels = self.value.get(self.content["type"])
        return labels if isinstance(labels, list) and self.content["type"].endswith("labels") else None


class ResultReader:
    """Reads the result lists of one document; counts what happened and collects damage."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.broken: list[Refused] = []
        self.counts: Counter[tuple[str, str]] = Counter()  # (level, what): how many
        self.unfinished = 0  # regions without a label

    def refuse(self, place: str, reason: str) -> Refused:
        return Refused(self.file, f"{place}: {reason}")

    def read(self, entries: Iterable[tuple[str, str, Any]]) -> list[Region]:
        """The regions from (place, place of the value, entry), in order."""
        results = []
        for place, value_place, entry in entries:
            try:
                results.append(self.result(place, value_place, entry))
            except Refused as error:
                self.broken.append(error)
        shapes = {r.id for r in results if r.kind in _SIDES and r.id is not None}
        names = {r.id: r for r in results if r.content["type"] == "labels" and r.id is not None}
        beside: dict[str | None, list[Result]] = {}
        regions = []
        for result in results:
            if result.id in shapes and result.kind not in (*_SIDES, *_NO_BOXES, ""):
                beside.setdefault(result.id, []).append(result)
        for result in results:
            try:
                if result.kind in _SIDES or (result.is_bare_label and result.id not in shapes):
                    regions += self.regions(result, names.get(result.id or ""), beside.get(result.id, []))
                elif result.id not in shapes or result.kind in _NO_BOXES:
                    kind = key_shown(result.content["type"])
                    what = _NO_BOXES.get(result.kind, f"results of the kind '{kind}' without a box")
                    self.counts["refused", f"{what} were left out"] += 1
            except Refused as error:
                self.broken.append(error)
        return regions

    def result(self, place: str, value_place: str, entry: Any) -> Result:
        if not isinstance(entry, dict):
            raise self.refuse(place, f"expected an object, found {short(entry)}")
        kind, value = entry.get("type"), entry.get("value", {})
        if not isinstance(kind, str) or not kind:
            raise self.refuse(f"{place}.type", f"expected text, found {short(kind)}")
        if not isinstance(value, dict):
            raise self.refuse(value_place, f"expected an object, found {short(value)}")
        return Result(place, value_place, kind.removesuffix("labels"), entry, value)

    def regions(self, result: Result, names: Result | None, beside: Sequence[Result]) -> list[Region]:
        """One region for each label of a result. `names`: the result that holds its labels, if that is another one."""
        shape = self.shape(result)
        found = result.labels if result.labels is not None else names.labels if names else None
        labels = dict.fromkeys(self.label(label, f"{result.value_place}") for label in found or [])
        if not labels:
            self.counts["refused", "regions without a label were left out"] += 1
            self.unfinished += 1
            return []
        if shape.kind in _OUTLINES or shape.rotation:
            what = _OUTLINES.get(shape.kind, "turned rectangles")
            self.counts["repaired", f"{what} were read as their bounding boxes"] += 1
        if len(labels) > 1:
            self.counts["read", "regions with several labels became one box for each label"] += 1
        flags, kept = self.flags(beside)
        meta = result.content.get("meta")
        meta = dict(meta) if isinstance(meta, dict) else {}
        note = _note(meta.pop("text", None))
        more = {k: v for k, v in result.content.items() if k not in RESULT_KEYS and v != _USUAL.get(k, result)}
        value = {k: v for k, v in result.value.items() if k not in _GEOMETRY and k != result.content["type"]}
        names_kept = {key: result.content.get(key) for key in ("id", "from_name", "to_name")}
        extra = self.small(names_kept | {"meta": meta, "more": more, "value": value} | kept)
        sides = self.side(result, "original_width"), self.side(result, "original_height")
        item = result.content.get("item_index")
        item = item if isinstance(item, int) and not isinstance(item, bool) else 0
        return [
            Region(
                shape,
                ReadBox(label, (0, 0, 0, 0), **flags, note=note, extra=to_extra("labelstudio", extra)),
                sides,
                item,
            )
            for label in labels
        ]

    def label(self, label: Any, place: str) -> str:
        if not isinstance(label, str) or not label.strip() or not is_clean(label):
            raise self.refuse(place, f"expected labels as text, found {short(label)}")
        return label.strip()

    def shape(self, result: Result) -> Shape:
        value = result.value
        kind = result.kind or ("polygon" if "points" in value else "rectangle")
        if kind != "polygon":
            rotation = 0.0 if value.get("rotation") is None else self.number(result, "rotation")
            return Shape(kind, tuple(self.number(result, side) for side in _SIDES[kind]), rotation % 360)
        points = value.get("points")
        if not isinstance(points, list) or not points:
            raise self.refuse(f"{result.value_place}.points", f"expected a list of [x, y], found {short(points)}")
        for number, point in enumerate(points):
            if not isinstance(point, list) or len(point) != 2 or not all(map(is_number, point)):
                reason = f"expected two finite numbers, found {short(point)}"
                raise self.refuse(f"{result.value_place}.points[{number}]", reason)
        return Shape(kind, tuple(float(n) for point in points for n in point))

    def number(self, result: Result, key: str) -> float:
        value = result.value.get(key)
        if value is None or not is_number(value):
            raise self.refuse(f"{result.value_place}.{key}", f"expected a finite number, found {short(value)}")
        if value < 0 and key not in ("x", "y", "rotation"):
            raise self.refuse(f"{result.value_place}.{key}", f"must not be negative, found {value:g}")
        return float(value)

    def side(self, result: Result, key: str) -> int:
        value = result.content.get(key)
        if value is None:
            return 0
        if not is_number(value) or value < 0 or value != int(value):
            raise self.refuse(f"{result.place}.{key}", f"expected a number of pixels, found {short(value)}")
        return int(value)

    def flags(self, beside: Sequence[Result]) -> tuple[dict[str, bool], dict[str, Any]]:
        """The marks among the choices made for a region, and anything else said about it, to be kept.

        A mark is a choice with its name ("difficult"), or "yes" or "true" for a question with its name.
        """
        flags, kept, rest = dict.fromkeys(FLAGS, False), dict[str, Any](), []
        for result in beside:
            value = {key: one for key, one in result.value.items() if key not in _GEOMETRY}
            choices, name = value.get("choices"), result.content.get("from_name")
            if isinstance(choices, list):
                question = name.lower() if isinstance(name, str) else ""
                words = [c.strip().lower() if isinstance(c, str) else "" for c in choices]
                marks = [question if question in FLAGS and w in ("yes", "true") else w for w in words]
                flags |= {mark: True for mark in marks if mark in FLAGS}
                if any(mark in FLAGS for mark in marks):
                    kept["attributes"] = name
                value["choices"] = [c for c, mark in zip(choices, marks, strict=True) if mark not in FLAGS]
            if value.get("choices") != []:
                head = {key: result.content.get(key) for key in ("type", "from_name", "to_name")}
                rest.append(head | {"value": value})
        return flags, kept | {"results": rest}

    def small(self, values: dict[str, Any]) -> dict[str, Any]:
        """Those of `values` that are not empty and are small enough to be kept, taken together."""
        small, others = storable_values(values)
        for key, fault in others.items():
            self.counts["read", f"values of '{key_shown(key)}' were not kept: they are {fault}"] += 1
        return small


def _note(text: Any) -> str:
    """A region's notes as one text; Label Studio keeps them as a list."""
    lines = text if isinstance(text, list) else [text]
    return "\n".join(line for line in lines if isinstance(line, str) and is_clean(line))
