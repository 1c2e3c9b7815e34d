"""Names of labels that are probably meant as one: they differ by case, spaces, marks or a plural's s."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence


def alike(names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of at least two, in the order of the names."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[_core(name)].append(name)
    return tuple(tuple(group) for core, group in groups.items() if core and len(group) > 1)


def sentence(group: Sequence[str]) -> str:
    """What a person is told of one group."""
    named = [f"'{name}'" for name in group]
    return f"{', '.join(named[:-1])} and {named[-1]} differ by little: are they one label?"


def _core(name: str) -> str:
    # as one letter each: é may be an e and a mark, which looks the same, as file names of a Mac have it
    bare = re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", name).casefold())
    return bare[:-1] if len(bare) > 3 and bare.endswith("s") and not bare.endswith("ss") else bare
