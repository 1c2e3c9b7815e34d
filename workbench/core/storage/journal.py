"""Edits as stored in the journal: one line of JSON each, which later versions can read, too.

So the names of the edits' classes and fields, and the order of the fields of boxes, labels and images, are those of a
file format: a new field goes to the end and has a default, and what is renamed is still read by its former name.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
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
_PART = 10_000
_encode = json.JSONEncoder(ensure_ascii=False).encode
_VALUES = {kind: attrgetter(*names) for kind, names in _FIELDS.items()}


def to_json(edit: Edit) -> str:
    """The edit as stored in the journal."""
    if isinstance(edit, edits.Batch):
        parts = ", ".join(map(to_json, edit.edits))
        return f'{{"edit": "Batch", "title": {_encode(edit.title)}, "edits": [{parts}]}}'
    texts = [f'"edit": {_encode(type(edit).__name__)}']
    for field in dataclasses.fields(edit):
        value, kind = getattr(edit, field.name), _NESTED.get(field.name)
        if isinstance(value, tuple):
            text = f"[{', '.join(_encode_parts(value, kind))}]"
        else:
            text = _encode(value if kind is None else _VALUES[kind](value))
        texts.append(f"{_encode(field.name)}: {text}")
    return f"{{{', '.join(texts)}}}"


def _encode_parts(values: tuple[Any, ...], kind: type[Any] | None) -> Iterator[str]:
    """Some at a time: a million boxes in one call would hold all other threads for three seconds."""
    for first in range(0, len(values), _PART):
        some = values[first : first + _PART]
        yield _encode(some if kind is None else [*map(_VALUES[kind], some)])[1:-1]


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
