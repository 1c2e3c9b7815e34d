"""What is found about a training before it starts: a sentence, what to do, and the images that are meant. No torch."""

from __future__ import annotations

from dataclasses import dataclass

STOPS, WARNING, INFO = "stops", "warning", "info"
LEVELS = (STOPS, WARNING, INFO)


@dataclass(frozen=True, slots=True)
class Finding:
    """`level`: "stops" where nothing could be learnt, "warning" what is probably not meant, "info" what to know.

    `kind` names the check, for programs. `count` is how many boxes, labels or images it is about, 0 where it is none.
    `images` are ids, those with the most first; `boxes` the ids of the boxes on them.
    """

    level: str
    kind: str
    sentence: str
    advice: str = ""
    count: int = 0
    images: tuple[int, ...] = ()
    boxes: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        return f"{self.sentence} {self.advice}".strip()


def in_order(found: list[Finding]) -> tuple[Finding, ...]:
    """What stops a training first, what is only to know last; else as found."""
    return tuple(sorted(found, key=lambda one: LEVELS.index(one.level)))


def named(names: list[str], most: int = 5) -> str:
    """ "a, b and 3 more"."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
