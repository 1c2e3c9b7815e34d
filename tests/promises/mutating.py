"""Damage at random, of which it is known what it left whole: bytes carry the place that they came from."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

PIECES = [
    b"<", b">", b"&a;", b'"', b"{", b"}", b"[" * 300, b"<a>" * 40, b"nan", b"NaN", b"-Infinity", b"1e999", b"1_0",
    b"\0", b"\xff", b"\xed\xa0\x80", "٣".encode(), b"<!DOCTYPE x>", b'"id": 1, ', b"null", b"true", b"9" * 5000,
    b"\n", b"-", b" ", b"\xfe\xff", b'<?xml encoding="utf-7"?>', b"\\ud800", b"[]", b"{}", b"\r", b",", b"\t", b"0",
    "\u202e".encode(), b"'", b"\\", b"1e308", b": ",
]  # fmt: skip
_OPEN, _NAME, _CLOSE = "\ue000", "\ue001", "\ue002"


def mark(key: str, text: str) -> str:
    """`text` as the part `key` of a template; parts may lie inside one another."""
    return f"{_OPEN}{key}{_NAME}{text}{_CLOSE}"


@dataclass(frozen=True)
class Template:
    """A file and where in it (bytes, half-open) its marked parts lie."""

    data: bytes
    parts: Mapping[str, tuple[int, int]]


def template(text: str) -> Template:
    """A text with parts made by `mark`."""
    data, parts, opened, place = bytearray(), dict[str, tuple[int, int]](), list[tuple[str, int]](), 0
    while place < len(text):
        if text[place] == _OPEN:
            end = text.index(_NAME, place)
            opened.append((text[place + 1 : end], len(data)))
            place = end
        elif text[place] == _CLOSE:
            key, begin = opened.pop()
            parts[key] = (begin, len(data))
        else:
            data += text[place].encode()
        place += 1
    return Template(bytes(data), parts)


@dataclass
class Mutant:
    """A damaged file. `origin` says for each byte where it stood, -1 for bytes that were not there."""

    data: bytes
    origin: list[int]
    length: int  # of the original

    def has_whole(self, begin: int, end: int) -> bool:
        """Whether these bytes of the original, and what stands on each side of them, still follow one another, once."""
        around = [-2, *self.origin, self.length]  # before the first byte, and after the last
        first, wanted = begin - 1 if begin else -2, [begin - 1 if begin else -2, *range(begin, end + 1)]
        runs = [around[n : n + len(wanted)] for n, origin in enumerate(around) if origin == first]
        return runs == [wanted] and self.origin.count(begin) == 1

    def share(self, begin: int, end: int) -> float:
        """How much of these bytes of the original is left."""
        return len({o for o in self.origin if begin <= o < end}) / max(end - begin, 1)


def mutated(data: bytes, chance: random.Random, most: int = 4) -> Mutant:
    """One to `most` of: a piece put in, some bytes cut out, a byte changed, the end cut off, a part copied."""
    origin, length = list(range(len(data))), len(data)
    for _ in range(chance.randint(1, most)):
        place, kind = chance.randrange(len(data) + 1), chance.randrange(5)
        if kind == 0:
            piece = chance.choice(PIECES)
            data, origin = data[:place] + piece + data[place:], origin[:place] + [-1] * len(piece) + origin[place:]
        elif kind == 1:
            end = place + chance.randint(1, 30)
            data, origin = data[:place] + data[end:], origin[:place] + origin[end:]
        elif kind == 2:
            data = data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]
            origin = [*origin[:place], -1, *origin[place + 1 :]]
        elif kind == 3:
            data, origin = data[:place], origin[:place]
        else:
            other = chance.randrange(len(data) + 1)
            part = slice(min(place, other), max(place, other))
            data, origin = data[:place] + data[part] + data[place:], origin[:place] + origin[part] + origin[place:]
    return Mutant(data, origin, length)
