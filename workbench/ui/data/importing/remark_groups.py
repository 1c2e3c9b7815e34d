"""Remarks of an import that say the same of several files, put together and counted; what matters most comes first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.errors import Refused, WorkbenchError
from workbench.formats import Remark
from workbench.formats.parts.report import SHOWN

LISTED = 500
"""Groups that are listed at most; more than a person reads."""
_FIRST = (r"counted from", r"sixth", r"\bids?\b", r"EXIF", r"split")
"""What must be right before anything else is: the base, what a number means, which ids, which way up, which splits."""
_VARIES = re.compile(r"'[^']*'|\d[\d.,]*\d|\d")
_BRACKETS = re.compile(r" \([^()]*…[^()]*\)")  # what is said of each file only
_MORE = re.compile(r"^([\d,]+) more like this: (.*)$", re.DOTALL)
_PLACED = re.compile(r"^(.+?):(\d+): (.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RemarkGroup:
    """Remarks of one kind: what they say, how many there are, and those that are shown."""

    sentence: str
    count: int
    remarks: tuple[Remark, ...]

    @property
    def heading(self) -> str:
        """What a list says of them: where they differ in more than brackets, the first, and how many are like it."""
        if "…" not in self.sentence or not self.remarks or self.count < 2:
            return self.sentence
        return f"{self.remarks[0].sentence} {self.count - 1:,} more like this."


def location(remark: Remark) -> str:
    """As in "labels/a.txt:3"."""
    return f"{remark.file}:{remark.line}" if remark.line else remark.file


def clipboard_text(groups: Iterable[RemarkGroup]) -> str:
    """All of them, a line each, for the clipboard."""
    lines = []
    for group in groups:
        lines += [": ".join(filter(None, (location(remark), remark.sentence))) for remark in group.remarks]
        if group.count > len(group.remarks):
            lines.append(f"... and {group.count - len(group.remarks):,} more: {group.sentence}")
    return "\n".join(lines)


def count(groups: Iterable[RemarkGroup]) -> int:
    return sum(group.count for group in groups)


def group_remarks(remarks: Iterable[Remark], level: str) -> tuple[RemarkGroup, ...]:
    """Those of a level. Sentences are of one kind that differ in numbers and names only."""
    kinds: dict[str, list[Remark]] = {}
    uncounted: list[tuple[int, str]] = []
    for remark in remarks:
        if remark.level != level:
            continue
        more = _MORE.match(remark.sentence) if not remark.file else None
        if more is not None:
            uncounted.append((int(more[1].replace(",", "")), more[2]))
        else:
            kinds.setdefault(_VARIES.sub("…", remark.sentence), []).append(remark)
    more_of = _assigned(kinds, uncounted)
    found = []
    for kind, several in kinds.items():
        sentences = {remark.sentence for remark in several}
        sentence = several[0].sentence if len(sentences) == 1 else _BRACKETS.sub("", kind)
        found.append(RemarkGroup(sentence, len(several) + more_of.get(kind, 0), tuple(several)))
    found += [RemarkGroup(f"More like this: {kind}", number, ()) for number, kind in uncounted]
    return tuple(sorted(found, key=lambda group: (_weight(group.sentence), -group.count)))


def _assigned(kinds: dict[str, list[Remark]], uncounted: list[tuple[int, str]]) -> dict[str, int]:
    """Which group the remarks that were only counted belong to, where that is certain; those are taken off the list."""
    found: dict[str, int] = {}
    for entry in list(uncounted):
        number, words = entry
        full = [kind for kind, several in kinds.items() if len(several) == SHOWN and kind not in found]
        named = [kind for kind in full if any(remark.sentence == words for remark in kinds[kind])]
        one = named or (full if len(full) == 1 else [])
        if one:
            found[one[0]] = number
            uncounted.remove(entry)
    return found


def _weight(sentence: str) -> int:
    return next((rank for rank, words in enumerate(_FIRST) if re.search(words, sentence)), len(_FIRST))


def damage_groups(error: WorkbenchError) -> tuple[tuple[RemarkGroup, ...], str]:
    """What is wrong in each file by the lines of an error, and the words that end it ("" where it is one thing)."""
    lines = (error.reason if isinstance(error, Refused) else error.sentence).split("\n")
    first = Remark("refused", error.file, error.line, lines[0]) if isinstance(error, Refused) else _remark(lines[0])
    words = lines.pop() if len(lines) > 1 else ""
    return tuple(RemarkGroup(r.sentence, 1, (r,)) for r in (first, *map(_remark, lines[1:]))), words


def _remark(line: str) -> Remark:
    placed = _PLACED.match(line)
    if placed is not None:
        return Remark("refused", placed[1], int(placed[2]), placed[3])
    file, found, sentence = line.partition(": ")
    return Remark("refused", file, 0, sentence) if found and " " not in file.strip() else Remark("refused", "", 0, line)


def listed_groups(groups: Sequence[RemarkGroup]) -> tuple[RemarkGroup, ...]:
    """As many as a list shows."""
    if len(groups) <= LISTED:
        return tuple(groups)
    rest = groups[LISTED:]
    return (*groups[:LISTED], RemarkGroup("Copy all has the others, which are too many to list here.", count(rest), ()))
