"""Writes a project for Label Studio to import: one task per image, and a labelling interface that fits the results."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from workbench.core.parsing.strict_xml import ILLEGAL
from workbench.core.project import FINISHED, FLAGS, Snapshot, Split, State
from workbench.formats.parts.json_values import sane
from workbench.formats.parts.labelstudio_results import RESULT_KEYS
from workbench.formats.parts.layout import SPLIT_NAMES, from_extra

_NAMES = {"from_name": "label", "to_name": "image", "attributes": "attributes"}  # the keys boxes keep, our values
LOCAL_FILES = "/data/local-files/?d="


@dataclass(frozen=True, slots=True)
class ControlNames:
    """The names of the tags that results refer to: those the boxes were imported with if all agree, else our own."""

    label: str = _NAMES["from_name"]
    image: str = _NAMES["to_name"]
    attributes: str = _NAMES["attributes"]


def control_names(snapshot: Snapshot) -> ControlNames:
    notes = [note for index in range(len(snapshot)) for note in _notes(snapshot, index)]
    found = [{note[key] for note in notes if isinstance(note.get(key), str)} for key in _NAMES]
    label, image, attributes = (
        next(iter(some)) if len(some) == 1 else own for some, own in zip(found, _NAMES.values(), strict=True)
    )
    if attributes.lower() in FLAGS:  # a question for one mark
        attributes = _NAMES["attributes"]
    if len({label, image, attributes}) < 3 or ILLEGAL.search(label + image + attributes):
        return ControlNames()
    return ControlNames(label, image, attributes)


def to_config(snapshot: Snapshot, names: ControlNames) -> str:
    """The labelling interface. Labels with characters that XML can't hold are left out."""
    labels = [label for label in snapshot.labels if not ILLEGAL.search(label.name)]
    lines = [
        "<View>",
        f'  <Image name={quoteattr(names.image)} value="$image"/>',
        f"  <RectangleLabels name={quoteattr(names.label)} toName={quoteattr(names.image)}>",
        *(f'    <Label value={quoteattr(label.name)} background="{label.colour}"/>' for label in labels),
        "  </RectangleLabels>",
        f"  <Choices name={quoteattr(names.attributes)} toName={quoteattr(names.image)}"
        ' choice="multiple" perRegion="true">',
        *(f'    <Choice value="{flag}"/>' for flag in FLAGS),
        "  </Choices>",
        "</View>",
    ]
    return "\n".join(lines) + "\n"


def to_task(snapshot: Snapshot, index: int, place: str, names: ControlNames) -> dict[str, Any]:
    """One task. Images not labelled yet, and boxes of images of unknown size, get no annotation."""
    image, rows, notes = snapshot.images[index], snapshot.rows(index), _notes(snapshot, index)
    foreign = next((sane(note["task"]) for note in notes if "task" in note), {})
    data: dict[str, Any] = {"image": LOCAL_FILES + quote(place)}
    if image.split is not Split.NONE:
        data["split"] = SPLIT_NAMES[image.split]
    if image.state is State.IN_WORK:
        data["state"] = str(image.state)
    data |= {key: value for key, value in sane(foreign.get("data")).items() if key not in ("image", "split", "state")}
    has_boxes = rows.stop > rows.start
    sized = bool(image.width and image.height)
    labelled = image.state in FINISHED or has_boxes
    task: dict[str, Any] = {"id": index + 1, "data": data, "annotations": []}
    if labelled and (sized or not has_boxes):
        verified = image.state is State.VERIFIED
        result = _results(snapshot, index, notes, names)
        task["annotations"] = [{"result": result, "was_cancelled": False, "ground_truth": verified}]
    if isinstance(foreign.get("meta"), dict):
        task["meta"] = foreign["meta"]
    return task


def _notes(snapshot: Snapshot, index: int) -> list[dict[str, Any]]:
    rows = snapshot.rows(index)
    found = [sane(from_extra(extra, "labelstudio")) for _, extra in snapshot.notes[rows]]
    return found or [{}] * (rows.stop - rows.start)


def _results(
    snapshot: Snapshot, index: int, notes: Sequence[dict[str, Any]], names: ControlNames
) -> list[dict[str, Any]]:
    """The results of one image: for each box its rectangle, then everything else about it with the same id."""
    rows = snapshot.rows(index)
    shapes = [_entries(snapshot, index, row, notes[row - rows.start], names) for row in range(rows.start, rows.stop)]
    results: list[dict[str, Any]] = []
    taken: set[str] = set()
    for _, several in groupby(shapes, key=_without_label):
        same = list(several)
        labels = [label for entries in same for label in entries[0]["value"]["rectanglelabels"]]
        if same[0][0]["id"] and len(set(labels)) == len(labels):  # from one region with several labels
            same = same[:1]
            same[0][0]["value"]["rectanglelabels"] = labels
        for entries in same:
            id = entries[0]["id"]
            while not id or id in taken:
                id = hashlib.md5(f"{index} {len(taken)} {id}".encode(), usedforsecurity=False).hexdigest()[:10]
            taken.add(id)
            results += [entry | {"id": id} for entry in entries]
    return results


def _without_label(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entries[0] | {"value": entries[0]["value"] | {"rectanglelabels": []}}, *entries[1:]]


def _entries(
    snapshot: Snapshot, index: int, row: int, note: dict[str, Any], names: ControlNames
) -> list[dict[str, Any]]:
    """The rectangle of a box, with its original id or "", and the results that go with it."""
    image = snapshot.images[index]
    x0, y0, x1, y1 = snapshot.boxes[row].tolist()
    place = {
        "x": x0 / image.width * 100,
        "y": y0 / image.height * 100,
        "width": (x1 - x0) / image.width * 100,
        "height": (y1 - y0) / image.height * 100,
        "rotation": 0,
    }
    id = note.get("id")
    common = {
        "id": id if isinstance(id, str) else "",
        "to_name": names.image,
        "original_width": image.width,
        "original_height": image.height,
        "image_rotation": 0,
        "origin": "manual",
    }
    label = snapshot.labels[int(snapshot.label_index[row])].name
    value = {k: v for k, v in sane(note.get("value")).items() if not k.endswith("labels")}
    first = common | {k: v for k, v in sane(note.get("more")).items() if k not in RESULT_KEYS and k != "item_index"}
    first |= {
        "type": "rectanglelabels",
        "from_name": names.label,
        "value": value | place | {"rectanglelabels": [label]},
    }
    meta = sane(note.get("meta"))
    if snapshot.notes and snapshot.notes[row][0]:
        meta["text"] = [snapshot.notes[row][0]]
    if meta:
        first["meta"] = meta
    return [first, *_beside(snapshot, row, note, names, common, place)]


def _beside(
    snapshot: Snapshot,
    row: int,
    note: dict[str, Any],
    names: ControlNames,
    common: dict[str, Any],
    place: dict[str, Any],
) -> list[dict[str, Any]]:
    """The marks of a box as choices, added to its former ones in the same control, and its other former results."""
    marks = [flag for flag, on in zip(FLAGS, snapshot.flags[row].tolist(), strict=True) if on]
    results = []
    others = note.get("results")
    for other in others if isinstance(others, list) else []:
        other, value = sane(other), sane(sane(other).get("value"))
        if not isinstance(other.get("type"), str) or not isinstance(other.get("from_name"), str):
            continue
        if (
            other["type"] == "choices"
            and other["from_name"] == names.attributes
            and isinstance(value.get("choices"), list)
        ):
            value, marks = value | {"choices": [*value["choices"], *marks]}, []
        results.append(common | other | {"to_name": names.image, "value": value | place})
    if marks:
        value = place | {"choices": marks}
        results.append(common | {"type": "choices", "from_name": names.attributes, "value": value})
    return results
