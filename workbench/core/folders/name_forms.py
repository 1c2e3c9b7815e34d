"""Shorter forms of a file's name that still identify it: checksums, which nobody reads, are dropped."""

from __future__ import annotations

import re

_BY_LOT = re.compile(r"(?=[0-9-]*[a-f][0-9-]*[a-f])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){2,}[0-9a-f]*", re.IGNORECASE)
"""A checksum or UUID, as in frame-15_jpg.rf.0d6ae2d84de5f4040d7f7bf05d7f7bf0.jpg; dates and counters are all digits."""
_MADE_BY = re.compile(r"[_.](?:jpe?g|png|bmp|webp|tiff?)\.rf\.\Z", re.IGNORECASE)
"""What Roboflow puts before it."""
SEPARATORS = "_-. "
DOTS = "\N{HORIZONTAL ELLIPSIS}"


def forms(name: str) -> tuple[str, ...]:
    """The name and shorter forms of it: with four digits of its checksum, then without checksum and ending."""
    found = _BY_LOT.search(name)
    if found is None:
        return (name,)
    before, after = name[: found.start()], name[found.end() :]
    shorter = f"{before}{found[0][:4]}{DOTS}{after}"
    rest = _MADE_BY.sub("", before).rstrip(SEPARATORS)
    return (name, shorter, f"{rest}{DOTS}") if len(rest) > 2 else (name, shorter)


def short(name: str) -> str:
    """The name for use in a sentence: with only four digits of its checksum."""
    return forms(name)[:2][-1]
