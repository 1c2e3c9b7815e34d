"""The marks that git leaves in a file of a project's text (mirror) around lines that it could not merge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

_BEHIND = {b"<": (True, False), b"|": (False, False), b"=": (False, True), b">": (True, True)}
"""Which side's lines are behind each mark: ours, theirs."""
_MARKS = tuple(7 * mark for mark in _BEHIND)


def is_mark(line: bytes) -> bool:
    return line.startswith(_MARKS)


def is_last(line: bytes) -> bool:
    """Whether this mark ends the lines of both sides."""
    return line.startswith(b">")


def first(data: bytes) -> int:
    """The number of the first line with a mark, 0 for none."""
    return next((number for number, line in enumerate(data.splitlines(), 1) if is_mark(line)), 0)


def sides(lines: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The lines of either side where git left both; what they had in common before, if it is there, is left out."""
    both, now = ([], []), (True, True)  # type: tuple[list[bytes], list[bytes]], tuple[bool, bool]
    for line in lines:
        if is_mark(line):
            now = _BEHIND[line[:1]]
        else:
            for side, is_in in zip(both, now, strict=True):
                side += [line] * is_in
    return both


def numbered(lines: Iterable[bytes], but: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Number and content of the lines without those in `but`, of which only those between marks are among them."""
    left_out, is_between = frozenset(but), False
    for number, line in enumerate(lines, 1):
        if is_mark(line):
            is_between = not is_last(line)
        if is_between or line not in left_out:
            yield number, line
