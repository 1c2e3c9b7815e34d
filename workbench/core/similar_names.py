"""Label names that probably mean the same: they differ only in case, spaces, punctuation or a plural s."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence


def group_similar(names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of at least two similar names, in the order of `names`."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[_core(name)].append(name)
    return tuple(tuple(group) for core, group in groups.items() if core and len(group) > 1)


def sentence(group: Sequence[str]) -> str:
    """The sentence shown to the user about one group."""
    named = [f"'{name}'" for name in group]
    return f"{', '.join(named[:-1])} and {named[-1]} differ only slightly: are they one label?"


def _core(name: str) -> str:
    # composed: é may also be an e and an accent, which looks the same, as in file names on a Mac
    bare = re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", name).casefold())
    return bare[:-1] if len(bare) > 3 and bare.endswith("s") and not bare.endswith("ss") else bare
