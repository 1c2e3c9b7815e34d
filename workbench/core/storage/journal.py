"""Edits as stored in the journal: one line of JSON each, which later versions can read, too.

So the names of the edits' classes and fields, and the order of the fields of boxes, labels and images, are those of a
file format: a new field goes to the end and has a default, and what is renamed is still read by its former name.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from workbench.core import edits
from workbench.core.edits import Edit
from workbench.core.project import Box, Image, Label, Split, State
from workbench.errors import WorkbenchError

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in edits.Edit.__args__}
_NESTED: dict[str, Any] = {"boxes": Box, "labels": Label, "label": Label, "images": Image}
_CONVERT: dict[str, Callable[[Any], Any]] = {"xyxy": tuple, "state": State, "split": Split}
# computed once: an edit of 100,000 boxes would need it that many times
_FIELDS = {kind: tuple(field.name for field in dataclasses.fields(kind)) for kind in (Box, Label, Image)}
_CONVERTED: dict[type[Any], list[tuple[int, Callable[[Any], Any]]]] = {
    kind: [(names.index(name), convert) for name, convert in _CONVERT.items() if name in names]
    for kind, names in _FIELDS.items()
}
_VALUES = {kind: attrgetter(*names) for kind, names in _FIELDS.items()}


def to_json(edit: Edit) -> str:
    """The edit as stored in the journal."""
    return json.dumps(_plain(edit), ensure_ascii=False)


def _plain(edit: Edit) -> dict[str, Any]:
    if isinstance(edit, edits.Batch):
        return {"edit": "Batch", "title": edit.title, "edits": [_plain(part) for part in edit.edits]}
    values: dict[str, Any] = {"edit": type(edit).__name__}
    for field in dataclasses.fields(edit):
        value = getattr(edit, field.name)
        kind = _NESTED.get(field.name)
        if kind is not None:
            value = [*map(_VALUES[kind], value)] if isinstance(value, tuple) else _VALUES[kind](value)
        values[field.name] = value
    return values


def from_json(text: str) -> Edit:
    """The inverse of to_json(). WorkbenchError for an edit that only a newer version knows, or that is damaged."""
    try:
        return _edit(json.loads(text))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise WorkbenchError(
            "This step was made by a newer Workbench, or its record is damaged, so it can't be undone or done again"
            " here. Update Workbench, or change what it changed by hand.",
            error,
        ) from error


def _edit(values: dict[str, Any]) -> Edit:
    kind = _KINDS[values.pop("edit")]
    if kind is edits.Batch:
        return edits.Batch(tuple(_edit(part) for part in values["edits"]), values["title"])
    for name, value in values.items():
        if name == "label":
            values[name] = _noun(Label, value)
        elif name in _NESTED:
            for place, item in enumerate(value):  # in place: both forms of a million boxes would take twice the memory
                value[place] = _noun(_NESTED[name], item)
            values[name] = tuple(value)
        elif name == "ids":
            values[name] = tuple(value)
        elif name == "state":
            values[name] = State(value)
        elif name == "split":
            values[name] = Split(value)
    return kind(**values)  # type: ignore[no-any-return]


def _noun(kind: type[Any], values: list[Any]) -> Any:
    """`values` is changed; it has fewer than there are fields now if an older version wrote it."""
    for place, convert in _CONVERTED[kind]:
        values[place] = convert(values[place])
    return kind(*values)
