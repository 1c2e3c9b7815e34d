"""Values in foreign JSON: which are numbers of pixels, which can be kept, how messages show them; and its documents."""

from __future__ import annotations

import json
from typing import Any

from workbench.core.formatting import visible
from workbench.errors import Refused
from workbench.formats.parts.corners import SANE


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= SANE


def is_clean(text: str) -> bool:
    """Whether text can be written as UTF-8, i.e. has no lone surrogates."""
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def is_small(value: Any) -> bool:
    """Whether a value can be kept: finite, clean, not nested too deep, and of less than 4,000 characters."""
    return _is_finite(value, 6) and len(json.dumps(value)) < 4000


def _is_finite(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(is_clean(k) and _is_finite(v, depth - 1) for k, v in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_is_finite(v, depth - 1) for v in value)
    if isinstance(value, str):
        return is_clean(value)
    return value is None or isinstance(value, bool) or (isinstance(value, int | float) and abs(value) < 2**63)


def sane(values: Any) -> dict[str, Any]:
    """What a box's `extra` holds (it may be anything), as far as it can be written."""
    if not isinstance(values, dict):
        return {}
    return {key: value for key, value in values.items() if is_clean(key) and is_small(value)}


def storable_values(values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Those of `values` that are not empty and are small enough, taken together; and the keys of those too long."""
    filled = {key: value for key, value in values.items() if value not in (None, "", [], {})}
    if not filled or is_small(filled):
        return filled, []
    small: dict[str, Any] = {}
    for key, value in filled.items():
        if is_small(small | {key: value}):
            small[key] = value
    return small, [key for key in filled if key not in small]


def short(value: Any) -> str:
    """A value for a message; nested ones are not printed, because they may be very long."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value):,}"
    if isinstance(value, int) and abs(value) > 10**30:
        return "an enormous number"
    if isinstance(value, str):
        return f"'{visible(value, 60)}'"
    text = "nothing" if value is None else ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def key_shown(key: str) -> str:
    """A foreign key for a message, as part of a place such as assets.KEY.regions[0]."""
    return visible(key, 60)


class JsonDocument:
    """A foreign document being parsed: its damage, and remarks (level, sentence, kind), which say the place inside."""

    def __init__(self, root: Any, file: str) -> None:
        self.root, self.file = root, file
        self.broken: list[Refused] = []
        self.remarks: list[tuple[str, str, str]] = []

    def refuse(self, place: str, reason: str) -> Refused:
        return Refused(self.file, f"{place.strip('.')}: {reason}")

    def text(self, value: Any, place: str) -> str:
        """A text without the space around it; Refused if it is none, or blank."""
        if not isinstance(value, str) or not value.strip():
            raise self.refuse(place, f"expected text, found {short(value)}")
        if not is_clean(value):
            raise self.refuse(place, "half of a character (a lone surrogate)")
        return value.strip()

    def small(self, values: dict[str, Any], place: str) -> dict[str, Any]:
        """Those of `values` that are not empty and are small enough to be kept, taken together; the others are told."""
        small, others = storable_values(values)
        for key in others:
            where = f"{place.strip('.')}.{key_shown(key)}".lstrip(".")
            self.remarks.append(("read", f"{where} was not kept: it is too long.", "values too long to be kept"))
        return small
