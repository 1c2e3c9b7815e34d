"""Writes a snapshot as a CVAT document of one image task."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape

from workbench.core.parsing.strict_xml import ILLEGAL
from workbench.core.project import FLAGS, Snapshot, Split, State
from workbench.formats.parts.cvat_shapes import CORNERS, OWN, USUAL, free_attributes, mark_of
from workbench.formats.parts.json_values import sane
from workbench.formats.parts.layout import from_extra

_SUBSETS = {Split.TRAIN: "Train", Split.VALIDATION: "Validation", Split.TEST: "Test", Split.NONE: "default"}
_IN_QUOTES = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
_Free = list[tuple[str, str]]


def to_xml(snapshot: Snapshot, names: Sequence[str]) -> str:
    """The document; `names` are the images' paths below images/. As in CVAT, ids number them in lexical order."""
    notes = [(note, sane(from_extra(extra, "cvat"))) for note, extra in snapshot.notes] or [("", {})] * len(
        snapshot.boxes
    )
    free = [_free(snapshot, row, *note) for row, note in enumerate(notes)]
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    lines += _meta(snapshot, free)
    for id, index in enumerate(sorted(range(len(names)), key=lambda i: names[i])):
        lines += _image(snapshot, index, id, names[index], notes, free)
    return "\n".join([*lines, "</annotations>\n"])


def _free(snapshot: Snapshot, row: int, note: str, kept: dict[str, Any]) -> _Free:
    marks = dict(zip(FLAGS, snapshot.flags[row].tolist(), strict=True))
    return list(free_attributes(sane(kept.get("attributes")), marks, note))


def _meta(snapshot: Snapshot, free: Sequence[_Free]) -> Iterator[str]:
    """Labels in order, with the free attributes of their boxes: CVAT imports no others."""
    used: dict[int, dict[str, None]] = {}
    for row, attributes in enumerate(free):
        used.setdefault(int(snapshot.label_index[row]), {}).update((name, None) for name, _ in attributes)
    yield "  <meta>\n    <task>"
    yield f"      <size>{len(snapshot)}</size>\n      <mode>annotation</mode>\n      <start_frame>0</start_frame>"
    yield f"      <stop_frame>{max(len(snapshot) - 1, 0)}</stop_frame>\n      <labels>"
    for index, label in enumerate(snapshot.labels):
        yield f"        <label>\n          <name>{_text(label.name)}</name>"
        yield f"          <color>{_text(label.colour)}</color>\n          <type>any</type>"
        definitions = [_definition(name) for name in sorted(used.get(index, {}))]
        yield "\n".join(["          <attributes>", *definitions, "          </attributes>\n        </label>"])
    yield "      </labels>\n    </task>\n  </meta>"


def _definition(name: str) -> str:
    kind, default = ("checkbox", "false") if mark_of(name) in FLAGS else ("text", "")
    values = (
        ("name", name), ("mutable", "False"), ("input_type", kind), ("default_value", default), ("values", default),
    )  # fmt: skip
    inner = "".join(f"<{tag}>{_text(value)}</{tag}>" for tag, value in values)
    return f"            <attribute>{inner}</attribute>"


def _image(
    snapshot: Snapshot, index: int, id: int, name: str, notes: Sequence[tuple[str, dict[str, Any]]],
    free: Sequence[_Free],
) -> Iterator[str]:  # fmt: skip
    image, rows = snapshot.images[index], snapshot.rows(index)
    attributes: dict[str, object] = {"id": id, "name": name, "subset": _SUBSETS[image.split]}
    if image.width and image.height:
        attributes |= {"width": image.width, "height": image.height}
    if image.state is not State.DONE or rows.start == rows.stop:  # CVAT has no such attribute and ignores ours
        attributes["state"] = image.state
    yield f"  <image{_quoted(attributes)}>"
    for row in range(rows.start, rows.stop):
        yield _box(snapshot, row, notes[row][1], free[row])
    yield "  </image>"


def _box(snapshot: Snapshot, row: int, kept: dict[str, Any], free: _Free) -> str:
    corners = zip(CORNERS, map(_pixels, snapshot.boxes[row].tolist()), strict=True)
    own = {name: value for name, value in sane(kept.get("xml")).items() if _is_attribute(name, value)}
    attributes = {
        "label": snapshot.labels[int(snapshot.label_index[row])].name,
        "occluded": int(snapshot.flags[row, FLAGS.index("occluded")]),
        **dict(corners),
        **(USUAL | own),
    }
    if not free:
        return f"    <box{_quoted(attributes)}></box>"
    inner = [f'      <attribute name="{_text(n, quote=True)}">{_text(value)}</attribute>' for n, value in free]
    return "\n".join([f"    <box{_quoted(attributes)}>", *inner, "    </box>"])


def _is_attribute(name: str, value: object) -> bool:
    """Whether a value kept in a box (which may be anything) can be an XML attribute beside those we write."""
    if name in OWN or not _NAME.fullmatch(name) or name.lower().startswith("xml") or not isinstance(value, str):
        return False
    # otherwise CVAT can't open the file
    return name not in ("z_order", "group_id") or re.fullmatch(r"-?[0-9]{1,9}", value, re.ASCII) is not None


def _pixels(value: float) -> str:
    """With two decimals as in CVAT, or as many as are needed to read back the same number."""
    plain = f"{value + 0.0:.2f}"
    return plain if float(plain) == value else repr(value)


def _quoted(attributes: dict[str, Any]) -> str:
    return "".join(f' {name}="{_text(str(value), quote=True)}"' for name, value in attributes.items())


def _text(text: str, quote: bool = False) -> str:
    """Escaped; characters that XML 1.0 can't hold become U+FFFD."""
    return escape(ILLEGAL.sub("\ufffd", text), _IN_QUOTES if quote else {"\r": "&#13;"})
