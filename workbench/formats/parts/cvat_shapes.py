"""Reads one shape of a CVAT document: its bounding box, its marks, and what is kept for writing it again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.core.parsing.strict_xml import Element
from workbench.core.project import FLAGS, XYXY
from workbench.errors import Refused
from workbench.formats import ReadBox
from workbench.formats.parts.corners import SANE, order_corners, remarks, rotated_bounds
from workbench.formats.parts.json_values import is_small
from workbench.formats.parts.layout import parse_number, to_extra

CORNERS = ("xtl", "ytl", "xbr", "ybr")
SHAPES = {  # those read as their bounding box, with the plural for the remark
    "box": "boxes", "polygon": "polygons", "polyline": "polylines", "ellipse": "ellipses", "cuboid": "cuboids",
    "mask": "masks", "skeleton": "skeletons",
}  # fmt: skip
NO_BOXES = {"points": "groups of points", "tag": "tags of whole images"}  # can't become boxes
_CUBOID = tuple(f"{axis}{corner}{face}" for face in "12" for corner in ("tl", "bl", "tr", "br") for axis in "xy")
_GEOMETRY = {*CORNERS, *_CUBOID, "points", "rle", "left", "top", "width", "height", "cx", "cy", "rx", "ry", "rotation"}
OWN = {"label", "occluded", *_GEOMETRY}  # XML attributes of a shape for which a box has a field
_OF_TRACKS = {"frame", "outside"}
USUAL = {"source": "manual", "z_order": "0"}  # what we write if a box has no other value
NOTE = "note"
_ALIASES = {"iscrowd": "crowd", "is_crowd": "crowd", "ignore": "difficult"}


@dataclass
class ShapeReport:
    """What to report about a document. `counts`: by (level, words); `remarks`: (level, sentence, line, kind)."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    remarks: list[tuple[str, str, int, str]] = field(default_factory=list)
    broken: list[Refused] = field(default_factory=list)

    def left_out(self, plural: str) -> None:
        self.counts["refused", f"{plural} were left out: no box can be made of them"] += 1


def mark_of(name: str) -> str:
    """The mark (or "note") that a free attribute with this name stands for, or ""."""
    plain = name.strip().casefold()
    plain = _ALIASES.get(plain, plain)
    return plain if plain in (*FLAGS, NOTE) else ""


def is_true(text: str) -> bool | None:
    """A mark's value: CVAT's checkboxes use true and false, its own XML attributes 1 and 0. None: anything else."""
    plain = text.strip().lower()
    return {"": False, "0": False, "no": False, "false": False, "1": True, "yes": True, "true": True}.get(plain)


def read_shape(element: Element, report: ShapeReport, file: str, track: Element | None = None) -> ReadBox | None:
    """The box of a shape in SHAPES, or None if it has none. Raises Refused (file, line) on damage."""
    named = element if track is None else track
    if "label" not in named.attributes:
        raise Refused(file, f"<{named.tag}> has no label", named.line)
    label, plural = named.attributes["label"].strip(), SHAPES[element.tag]
    if not label:  # datumaro writes unlabelled shapes like this; CVAT never does
        report.counts["refused", "shapes without a label were left out"] += 1
        return None
    xyxy = _bounds(element, file)
    if xyxy is None:
        report.left_out(f"{plural} of fewer than two visible points")
        return None
    turned = element.tag == "box" and _angle(element, file) % 360 != 0
    if turned or element.tag != "box":
        plural = "turned boxes" if turned else plural
        report.counts["repaired", f"{plural} were read as their bounding boxes"] += 1
    report.remarks += remarks(xyxy, f"The box of '{label[:60]}' has zero size; it was kept.", element.line)
    occluded = is_true(element.attributes.get("occluded", ""))
    if occluded is None:
        sentence = "occluded is neither 0 nor 1; it was read as 0."
        report.remarks.append(("repaired", sentence, element.line, sentence))
    free = _free(element, file)
    flags = {flag: any(is_true(value) for name, value in free.items() if mark_of(name) == flag) for flag in FLAGS}
    flags["occluded"] |= bool(occluded)
    note = next((value for name, value in free.items() if mark_of(name) == NOTE), "")
    return ReadBox(
        label, order_corners(xyxy), **flags, note=note, line=element.line,
        extra=to_extra("cvat", _others(element, track, free, report)),
    )  # fmt: skip


def _bounds(element: Element, file: str) -> XYXY | None:
    """The bounding box of a shape (for a box without rotation, its corners in their order); None: too few points."""

    def values(*names: str) -> list[float]:
        return [_value(element, name, file) for name in names]

    match element.tag:
        case "box":
            x0, y0, x1, y1 = values(*CORNERS)
            angle = _angle(element, file) % 360
            return rotated_bounds((x0, y0, x1, y1), angle) if angle else (x0, y0, x1, y1)
        case "ellipse":
            cx, cy, rx, ry = values("cx", "cy", "rx", "ry")
            turn = math.radians(_angle(element, file))
            across, along = math.cos(turn), math.sin(turn)
            return _around(cx, cy, math.hypot(rx * across, ry * along), math.hypot(rx * along, ry * across))
        case "mask":  # its rectangle, in whole pixels, is given beside its run lengths
            left, top, width, height = values("left", "top", "width", "height")
            if width <= 0 or height <= 0:
                raise Refused(file, f"a mask of {width:g} x {height:g} pixels", element.line)
            return left, top, left + width, top + height
        case "cuboid":
            flat = values(*_CUBOID)
            return _hull(list(zip(flat[0::2], flat[1::2], strict=True)))
        case "skeleton":
            visible = (c for c in element.children if c.tag in ("points", *SHAPES) and not is_outside(c, file))
            points = [point for child in visible if "points" in child.attributes for point in _points(child, file)]
            return _hull(points) if len(points) > 1 else None
        case _:
            points = _points(element, file)
            return _hull(points) if len(points) > 1 else None


def _around(cx: float, cy: float, half_width: float, half_height: float) -> XYXY:
    return cx - half_width, cy - half_height, cx + half_width, cy + half_height


def _hull(points: list[tuple[float, float]]) -> XYXY:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _angle(element: Element, file: str) -> float:
    """Degrees clockwise."""
    return _value(element, "rotation", file) if "rotation" in element.attributes else 0.0


def is_outside(element: Element, file: str) -> bool:
    """Whether the element says that its object is not visible; a skeleton isn't if none of its points is."""
    if element.tag == "skeleton" and (parts := [child for child in element.children if "outside" in child.attributes]):
        return all(is_outside(part, file) for part in parts)
    outside = is_true(element.attributes.get("outside", "0"))
    if outside is None:
        raise Refused(file, f"outside must be 0 or 1, not '{element.attributes['outside'][:40]}'", element.line)
    return outside


def _value(element: Element, name: str, file: str) -> float:
    text = element.attributes.get(name)
    if text is None:
        raise Refused(file, f"<{element.tag}> has no {name}", element.line)
    value = parse_number(text.strip())
    if value is None or abs(value) > SANE:
        raise Refused(file, f"{name} must be a number of pixels, not '{text[:40]}'", element.line)
    return value


def _points(element: Element, file: str) -> list[tuple[float, float]]:
    text = element.attributes.get("points")
    if not text:
        raise Refused(file, f"<{element.tag}> has no points", element.line)
    points = []
    for pair in text.split(";"):
        values = [parse_number(value.strip()) for value in pair.split(",")]
        if len(values) != 2 or any(value is None or abs(value) > SANE for value in values):
            raise Refused(file, f"points must be pairs of numbers of pixels, not '{pair[:40]}'", element.line)
        points.append((values[0] or 0.0, values[1] or 0.0))
    return points


def _free(element: Element, file: str) -> dict[str, str]:
    """The free attributes of a shape, by their user-defined names."""
    free = {}
    for child in element.all("attribute"):
        name = child.attributes.get("name", "").strip()
        if not name:
            raise Refused(file, "an <attribute> without a name", child.line)
        free[name] = child.text
    return free


def _others(element: Element, track: Element | None, free: Mapping[str, str], report: ShapeReport) -> dict[str, Any]:
    """What is kept for writing the file again: XML attributes and free ones for which a box has no field."""
    own = {name: value for name, value in element.attributes.items() if name not in (OWN | _OF_TRACKS)}
    kept = {name: value for name, value in free.items() if not _comes_back(name, value)}
    if track is not None:
        own = {n: v for n, v in track.attributes.items() if n in ("source", "group_id")} | own
        if own.get("keyframe") == "1":  # 0: CVAT interpolated it between two that a person drew
            del own["keyframe"]
        if "id" in track.attributes:
            kept = {"track_id": track.attributes["id"]} | kept
    own = {name: value for name, value in own.items() if USUAL.get(name) != value}
    others = {key: value for key, value in (("xml", own), ("attributes", kept)) if value}
    if is_small(others):
        return others
    report.counts["read", "boxes have attributes that are too long to be kept"] += 1
    return {}


def _comes_back(name: str, value: str) -> bool:
    """Whether a free attribute is exactly how we write a mark or a note, so that it need not be kept."""
    return name == NOTE or (name in FLAGS and value == "true")


def free_attributes(kept: Mapping[str, Any], marks: Mapping[str, bool], note: str) -> Iterator[tuple[str, str]]:
    """The free attributes of a box to write: those the file had, with their present values, then new marks.

    `marks` are difficult, truncated, crowd; occluded has an XML attribute of its own and is only changed here.
    """
    written = set()
    for name, value in kept.items():
        if not isinstance(value, str) or not name.strip():
            continue
        mark, now = mark_of(name), marks.get(mark_of(name), False)
        was = is_true(value)
        if mark == NOTE:
            value = note
        elif mark and was is None:
            value = "true" if now else value
        elif mark and was is not now:
            value = "true" if now else "false"
        written.add(mark)
        yield name, value
    yield from ((mark, "true") for mark, on in marks.items() if on and mark not in written and mark != "occluded")
    if note and NOTE not in written:
        yield NOTE, note
