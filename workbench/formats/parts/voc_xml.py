"""Parses one Pascal VOC annotation file (bytes to objects as given there), and writes a strict one from a snapshot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from xml.sax.saxutils import escape

from workbench.core import boxes
from workbench.core.parsing import strict_xml
from workbench.core.parsing.strict_xml import Element
from workbench.core.project import XYXY, Snapshot, State
from workbench.errors import Refused
from workbench.formats import ReadBox
from workbench.formats.parts.corners import SANE, order_corners, rotated_bounds
from workbench.formats.parts.layout import from_extra, parse_number, to_extra

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_KNOWN = {"name", "truncated", "occluded", "difficult", "bndbox"}
_ROTATION = "rotation"  # CVAT's name for it
_KNOWN_TOP = {"folder", "filename", "path", "source", "size", "segmented", "object"}


@dataclass(frozen=True, slots=True)
class VocObject:
    """One <object>: `corners` are xmin, ymin, xmax, ymax as in the file, put in order."""

    box: ReadBox  # xyxy still as in the file
    swapped: bool
    unclear: tuple[str, ...]  # flags whose value is not 0 or 1
    turned: bool  # it was rotated; this is its bounding box


@dataclass(frozen=True, slots=True)
class VocFile:
    """One annotation file. `width` and `height` are 0 if it does not give them; `broken` are damaged objects."""

    filename: str
    width: int
    height: int
    verified: bool
    objects: tuple[VocObject, ...]
    unknown: tuple[str, ...]  # elements about the image for which a project has no place
    broken: tuple[Refused, ...]


def parse_voc(data: bytes, file: str) -> VocFile:
    """Read one annotation file. Raises Refused (file, line) if it is not a VOC file; damaged objects go to `broken`."""
    root = strict_xml.parse(data, file)
    if root.tag != "annotation":
        raise Refused(file, f"not Pascal VOC: the outermost element is <{root.tag[:40]}>, not <annotation>", root.line)
    objects, broken = [], []
    for element in root.all("object"):
        try:
            objects.append(_object(element, file))
        except Refused as error:
            broken.append(error)
    size, name = root.first("size"), root.first("filename")
    return VocFile(
        filename=name.text if name else "",
        width=_side(size, "width"),
        height=_side(size, "height"),
        verified=root.attributes.get("verified", "").lower() in ("yes", "true", "1"),
        objects=tuple(objects),
        unknown=tuple(dict.fromkeys(child.tag for child in root.children if child.tag not in _KNOWN_TOP)),
        broken=tuple(broken),
    )


def _side(size: Element | None, tag: str) -> int:
    element = size.first(tag) if size else None
    value = parse_number(element.text) if element else None
    return int(value) if value is not None and 0 < value <= SANE and value.is_integer() else 0


def _object(element: Element, file: str) -> VocObject:
    name = element.first("name")
    if name is None or not name.text:
        raise Refused(file, "an object without a name", element.line)
    corners, turn = _box(element, name.text, file)
    xyxy = rotated_bounds(corners, turn) if turn else order_corners(corners)
    flags = {tag: _flag(element.first(tag)) for tag in ("difficult", "truncated", "occluded")}
    children = [child for child in element.children if not (turn and child.tag in ("robndbox", "type"))]
    others = [_plain(child, _ROTATION if turn else "") for child in children if not _is_known(child)]
    box = ReadBox(
        label=name.text,
        xyxy=xyxy,
        difficult=bool(flags["difficult"]),
        truncated=bool(flags["truncated"]),
        occluded=bool(flags["occluded"]),
        extra=to_extra("voc", others),
        line=element.line,
    )
    unclear = tuple(tag for tag, value in flags.items() if value is None)
    return VocObject(box, order_corners(corners) != corners, unclear, bool(turn))


def _box(element: Element, name: str, file: str) -> tuple[XYXY, float]:
    """The corners as in the file, and by how many degrees the box is rotated about its centre (clockwise).

    roLabelImg has a <robndbox> instead; CVAT and Datumaro have the box before its rotation, and an attribute.
    """
    found = list(element.all("bndbox"))
    if not found and (turned := element.first("robndbox")):
        x, y, w, h, angle = _values(turned, ("cx", "cy", "w", "h", "angle"), name, file)
        return (x - w / 2, y - h / 2, x + w / 2, y + h / 2), math.degrees(angle) % 360
    if len(found) != 1:
        raise Refused(file, f"the object '{name[:60]}' has {len(found) or 'no'} <bndbox>, expected one", element.line)
    x0, y0, x1, y1 = _values(found[0], _CORNERS, name, file)
    values = [attribute.first("value") for attribute in _attributes(element) if _is_called(attribute, _ROTATION)]
    turn = parse_number(values[0].text) if values and values[0] else None
    return (x0, y0, x1, y1), (turn or 0.0) % 360


def _values(element: Element, tags: Sequence[str], name: str, file: str) -> list[float]:
    values = []
    for tag in tags:
        child = element.first(tag)
        if child is None:
            raise Refused(file, f"the box of '{name[:60]}' has no <{tag}>", element.line)
        value = parse_number(child.text)
        if value is None or abs(value) > SANE:
            raise Refused(file, f"<{tag}> must be a number of pixels, not '{child.text[:40]}'", child.line)
        values.append(value)
    return values


def _attributes(element: Element) -> list[Element]:
    return [attribute for several in element.all("attributes") for attribute in several.all("attribute")]


def _is_called(attribute: Element, name: str) -> bool:
    found = attribute.first("name")
    return found is not None and found.text == name


def _flag(element: Element | None) -> bool | None:
    """False if absent or 0; None if it is neither yes nor no."""
    text = element.text.lower() if element else ""
    return {"": False, "0": False, "no": False, "false": False, "1": True, "yes": True, "true": True}.get(text)


def _is_known(element: Element) -> bool:
    return element.tag in _KNOWN or (element.tag == "pose" and element.text in ("", "Unspecified"))


def _plain(element: Element, without: str = "") -> list[Any]:
    """What is kept of an element; without its attribute elements (CVAT's) called `without`."""
    children = [child for child in element.children if not (without and _is_called(child, without))]
    return [element.tag, element.attributes, element.text, [_plain(child) for child in children]]


def to_xml(snapshot: Snapshot, index: int, place: str, base: int = 1) -> str:
    """One strict annotation file: 1-based inclusive whole numbers; `base` 0 for folders whose files count from 0."""
    image, path = snapshot.images[index], PurePosixPath(place)
    verified = ' verified="yes"' if image.state is State.VERIFIED else ""
    lines = [
        f"<annotation{verified}>",
        f"  <folder>{_text(path.parent.name)}</folder>",
        f"  <filename>{_text(path.name)}</filename>",
        "  <source>\n    <database>Unknown</database>\n  </source>",
        "  <size>",
        f"    <width>{image.width}</width>\n    <height>{image.height}</height>\n    <depth>3</depth>\n  </size>",
        "  <segmented>0</segmented>",
    ]
    rows = snapshot.rows(index)
    is_beyond = boxes.are_outside(snapshot.boxes[rows], image.width, image.height).tolist()
    for row, is_out in enumerate(is_beyond, start=rows.start):
        if not is_out:  # otherwise it would become a pixel on the border
            lines += _xml_object(snapshot, row, image.width, image.height, base)
    return "\n".join([*lines, "</annotation>\n"])


def _xml_object(snapshot: Snapshot, row: int, width: int, height: int, base: int) -> list[str]:
    x0, y0, x1, y1 = snapshot.boxes[row].tolist()
    difficult, truncated, occluded, crowd = snapshot.flags[row].tolist()
    (xmin, xmax), (ymin, ymax) = _inclusive(x0, x1, width), _inclusive(y0, y1, height)
    others = from_extra(snapshot.notes[row][1], "voc") if snapshot.notes else None
    others = [other for other in others or [] if _is_sane(other)]
    pose = [] if any(other[0] == "pose" for other in others) else ["    <pose>Unspecified</pose>"]
    corners = zip(_CORNERS, (xmin - 1 + base, ymin - 1 + base, xmax, ymax), strict=True)
    return [
        "  <object>",
        f"    <name>{_text(snapshot.labels[int(snapshot.label_index[row])].name)}</name>",
        *pose,
        f"    <truncated>{int(truncated)}</truncated>",
        f"    <occluded>{int(occluded)}</occluded>",
        f"    <difficult>{int(difficult or crowd)}</difficult>",
        "    <bndbox>",
        *(f"      <{tag}>{value}</{tag}>" for tag, value in corners),
        "    </bndbox>",
        *(_xml_other(other, "    ") for other in others),
        "  </object>",
    ]


def _inclusive(low: float, high: float, side: int) -> tuple[int, int]:
    """Half-open edges as 1-based numbers of the first and last pixel, inside the image if `side` is known."""
    limit = side or int(SANE)
    first = min(max(round(low) + 1, 1), limit)
    return first, min(max(round(high), first), limit)


def _is_sane(other: Any) -> bool:
    match other:
        case [str(tag), dict(attributes), str(), list(children)]:
            names = [tag, *attributes]
            return all(n.isascii() and n.isidentifier() for n in names) and all(map(_is_sane, children))
    return False


def _xml_other(other: Any, indent: str) -> str:
    tag, attributes, text, children = other
    opened = f"{indent}<{tag}" + "".join(f' {k}="{_text(str(v), quote=True)}"' for k, v in attributes.items()) + ">"
    if not children:
        return f"{opened}{_text(text)}</{tag}>"
    inner = [_xml_other(child, indent + "  ") for child in children]
    return "\n".join([opened + _text(text), *inner, f"{indent}</{tag}>"])


def _text(text: str, quote: bool = False) -> str:
    """Escaped; characters that XML 1.0 can't hold become U+FFFD. A bare CR is escaped, since it would be read as LF."""
    return escape(strict_xml.ILLEGAL.sub("\ufffd", text), {"\r": "&#13;"} | ({'"': "&quot;"} if quote else {}))
