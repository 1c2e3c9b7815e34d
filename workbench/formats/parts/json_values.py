"""Values in foreign JSON: which are numbers of pixels, which can be kept, how messages show them; and its documents."""

from __future__ import annotations

import json
from typing import Any

from workbench.core.formatting import visible
from workbench.errors import Refused
from workbench.formats.parts.corners import SANE

_UNWRITABLE = "no text or number that can be written"


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= SANE


def is_clean(text: str) -> bool:
    """Whether text can be written as UTF-8, i.e. has no lone surrogates."""
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def is_small(value: Any) -> bool:
    """Whether a value can be kept: finite, clean, not nested too deep, and of less than 4,000 characters."""
    return not _fault(value)


def _fault(value: Any) -> str:
    """What keeps a value from being kept, as what it "is"; "" if nothing does."""
    return _oddity(value, 6) or ("" if len(json.dumps(value)) < 4000 else "too long")


def _oddity(value: Any, depth: int) -> str:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        is_odd = isinstance(value, dict) and not all(map(is_clean, value))
        found = next(filter(None, (_oddity(one, depth - 1) for one in inner)), "") if depth > 0 else "nested too deep"
        return _UNWRITABLE if is_odd else found
    if isinstance(value, str):
        return "" if is_clean(value) else _UNWRITABLE
    is_plain = value is None or isinstance(value, bool) or (isinstance(value, int | float) and abs(value) < 2**63)
    return "" if is_plain else _UNWRITABLE


def sane(values: Any) -> dict[str, Any]:
    """What a box's `extra` holds (it may be anything), as far as it can be written."""
    if not isinstance(values, dict):
        return {}
    return {key: value for key, value in values.items() if is_clean(key) and is_small(value)}


def storable_values(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Those of `values` that are not empty and are small enough, taken together; and by key what the others are."""
    filled = {key: value for key, value in values.items() if value not in (None, "", [], {})}
    if not filled or is_small(filled):
        return filled, {}
    small: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for key, value in filled.items():
        if fault := _fault(small | {key: value}):
            faults[key] = fault
        else:
            small[key] = value
    return small, faults


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
        for key, fault in others.items():
            where = f"{place.strip('.')}.{key_shown(key)}".lstrip(".")
            self.remarks.append(("read", f"{where} was not kept: it is {fault}.", f"values not kept: {fault}"))
        return small
