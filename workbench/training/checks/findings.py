"""A finding about a training before it starts: a sentence, what to do, and the images concerned. No torch."""

from __future__ import annotations

from dataclasses import dataclass

STOPS, WARNING, INFO = "stops", "warning", "info"
LEVELS = (STOPS, WARNING, INFO)


@dataclass(frozen=True, slots=True)
class Finding:
    """`level`: "stops" if nothing could be learnt, "warning" for what is probably not intended, "info" for the rest.

    `kind` names the check, for programs. `count`: how many boxes, labels or images are concerned, 0 if none.
    `images` are ids, those with the most first; `boxes` the ids of the boxes in them.
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


def sort_by_level(found: list[Finding]) -> tuple[Finding, ...]:
    """By level: "stops" first, "info" last; else as found."""
    return tuple(sorted(found, key=lambda one: LEVELS.index(one.level)))
