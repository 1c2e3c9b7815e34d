"""What a project must hold after a soak: its beginning and each deed of the hand, written down apart from the program.

The session writes a deed as one line of JSON when the hand has done it; `Ledger` works out what must come of them all.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.promises.walk_model import IN_WORK, UNLABELLED, XYXY, Thing, on_disk

SLIP = 1.0
"""Image pixels by which a box that the mouse drew may be off: the screen's pixels are smaller."""


@dataclass(frozen=True)
class Held:
    """One image: its state, and its boxes in the order in which they came."""

    state: str
    things: tuple[Thing, ...]


@dataclass
class Ledger:
    """By path; an image that is not in the project is not here."""

    images: dict[str, Held]
    steps: list[dict[str, tuple[Held | None, Held | None]]] = field(default_factory=list)
    at: int = 0  # steps[:at] are done, the others undone

    def read(self, lines: Iterable[str]) -> None:
        for line in lines:
            deed: dict[str, Any] = json.loads(line)
            getattr(self, deed.pop("deed"))(**deed)

    # --- deeds ---

    def draw(self, image: str, label: str, xyxy: list[float]) -> None:
        held = self.images[image]
        x0, y0, x1, y1 = xyxy
        state = IN_WORK if held.state == UNLABELLED else held.state
        self._change({image: Held(state, (*held.things, Thing(label, (x0, y0, x1, y1), loose=True)))})

    def relabel(self, image: str, label: str) -> None:
        """All boxes of the image; nothing happens where all have the label."""
        held = self.images[image]
        things = tuple(replace(thing, label=label) for thing in held.things)
        if things != held.things:
            self._change({image: replace(held, things=things)})

    def clear(self, image: str) -> None:
        self._change({image: replace(self.images[image], things=())})

    def mark(self, images: list[str], state: str) -> None:
        """Nothing happens to images that have the state."""
        before = {image: self.images[image] for image in images if self.images[image].state != state}
        if before:
            self._change({image: replace(held, state=state) for image, held in before.items()})

    def drop(self, images: list[str]) -> None:
        """Taken out of the project."""
        self._change(dict.fromkeys(images))

    def undo(self) -> None:
        self.at -= 1
        self._put({image: before for image, (before, _) in self.steps[self.at].items()})

    def redo(self) -> None:
        self._put({image: after for image, (_, after) in self.steps[self.at].items()})
        self.at += 1

    def _change(self, changed: dict[str, Held | None]) -> None:
        self.steps[self.at :] = [{image: (self.images[image], held) for image, held in changed.items()}]
        self.at += 1
        self._put(changed)

    def _put(self, changed: dict[str, Held | None]) -> None:
        for image, held in changed.items():
            if held is None:
                del self.images[image]
            else:
                self.images[image] = held


def differences(ledger: Ledger, project: Path, most: int = 5) -> list[str]:
    """What the project's file has otherwise, as another program reads it."""
    boxes, states = on_disk(project)
    found = [f"{image} is gone" for image in ledger.images.keys() - states.keys()]
    found += [f"{image} should not be there" for image in states.keys() - ledger.images.keys()]
    for image in ledger.images.keys() & states.keys():
        wanted, there = ledger.images[image], boxes.get(image, ())
        if states[image] != wanted.state:
            found.append(f"{image} is {states[image]}, expected {wanted.state}")
        if len(there) != len(wanted.things):
            found.append(f"{image} has {len(there)} boxes, expected {len(wanted.things)}")
        elif not all(map(_same, there, wanted.things)):
            found.append(f"{image} has {there}, expected {wanted.things}")
        if len(found) >= most:
            break
    return found


def _same(one: Thing, wanted: Thing) -> bool:
    return one.label == wanted.label and _away(one.xyxy, wanted.xyxy) <= (SLIP if wanted.loose else 0.0)


def _away(one: XYXY, other: XYXY) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def damage(project: Path) -> str:
    """What SQLite itself finds wrong, "" if nothing."""
    with contextlib.closing(sqlite3.connect(f"file:{project / 'project.sqlite'}?mode=ro", uri=True)) as connection:
        sound = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        loose = connection.execute("PRAGMA foreign_key_check").fetchall()
    return "" if sound == ["ok"] and not loose else f"{sound[:3]} {loose[:3]}"
