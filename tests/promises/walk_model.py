"""What a project must hold after each move of a random walk: a plain model, and a look at what the disk holds.

It knows nothing of the program: a dictionary from image to boxes, and the whole dictionaries of before for undo.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

XYXY = tuple[float, float, float, float]
UNLABELLED, IN_WORK, DONE, VERIFIED = "unlabelled", "in work", "done", "verified"
ASIDE, LEAST, TRIES = 10.0, 3.0, 20
"""Image pixels: a copy lies so far aside of a box in its place; smaller boxes are not kept. How often that is tried."""


@dataclass(frozen=True)
class Thing:
    """A box. `loose`: drawn by the mouse, whose pixels are smaller than the image's, so right to within one."""

    label: str
    xyxy: XYXY
    difficult: bool = False
    note: str = ""
    loose: bool = False

    def as_told(self) -> tuple[str, XYXY, bool, str]:
        return self.label, self.xyxy, self.difficult, self.note


@dataclass(frozen=True)
class Held:
    """All that undo brings back. Boxes of an image are in the order in which they came."""

    boxes: dict[str, tuple[Thing, ...]]
    states: dict[str, str]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    before: Held
    after: Held
    touched: frozenset[str]


@dataclass
class Model:
    """Images are named by their paths, in their order; `sizes` in pixels."""

    sizes: dict[str, tuple[float, float]]
    held: Held
    shown: str
    label: str
    copied: tuple[Thing, ...] = ()
    steps: list[Step] = field(default_factory=list)
    at: int = 0  # steps[:at] are done, the others undone

    @property
    def names(self) -> list[str]:
        return list(self.sizes)

    @property
    def here(self) -> tuple[Thing, ...]:
        return self.held.boxes[self.shown]

    # --- edits ---

    def change(
        self, boxes: dict[str, tuple[Thing, ...]] | None = None, states: dict[str, str] | None = None, label: str = ""
    ) -> None:
        """One step of undo: these images have these boxes now, and these states; a new label came.

        None where all that it would do is to give images the states that they have.
        """
        before = self.held
        boxes = boxes or {}
        states = {image: state for image, state in (states or {}).items() if before.states[image] != state}
        if not (boxes or states or label):
            return
        labels = (*before.labels, label) if label else before.labels
        self.held = Held({**before.boxes, **boxes}, {**before.states, **states}, labels)
        self.steps[self.at :] = [Step(before, self.held, frozenset({*boxes, *states}))]
        self.at += 1

    def add(self, things: tuple[Thing, ...]) -> None:
        """As by hand: an image without a state is in work then."""
        fresh = self.held.states[self.shown] == UNLABELLED
        self.change({self.shown: (*self.here, *things)}, {self.shown: IN_WORK} if fresh else {})

    def replace(self, rows: tuple[int, ...], image: str = "", **changes: object) -> None:
        image = image or self.shown
        new = list(self.held.boxes[image])
        for row in rows:
            new[row] = dataclasses.replace(new[row], **changes)  # type: ignore[arg-type]
        self.change({image: tuple(new)})

    def remove(self, rows: tuple[int, ...]) -> None:
        self.change({self.shown: tuple(thing for row, thing in enumerate(self.here) if row not in rows)})

    def undo(self) -> None:
        if self.at:
            self.at -= 1
            self._jump(self.steps[self.at].before, self.steps[self.at].touched)

    def redo(self) -> None:
        if self.at < len(self.steps):
            self.at += 1
            self._jump(self.steps[self.at - 1].after, self.steps[self.at - 1].touched)

    def _jump(self, held: Held, touched: frozenset[str]) -> None:
        self.held = held
        if self.label not in held.labels:
            self.label = held.labels[0]
        if touched and self.shown not in touched:
            self.shown = next(name for name in self.names if name in touched)

    # --- what is copied ---

    def pasted(self, things: tuple[Thing, ...]) -> tuple[Thing, ...]:
        """Copies in the shown image, beside what lies there already."""
        there = {thing.xyxy for thing in self.here}
        tried = [self.fitting(things, number * ASIDE) for number in range(TRIES)]
        free = [made for made in tried if there.isdisjoint(thing.xyxy for thing in made)]
        return free[0] if free else tried[1]

    def fitting(self, things: tuple[Thing, ...], aside: float = 0.0) -> tuple[Thing, ...]:
        """Copies as they fit into the shown image."""
        width, height = self.sizes[self.shown]
        made = []
        for thing in things:
            for x0, y0, x1, y1 in (tuple(side + aside for side in thing.xyxy), thing.xyxy):
                cut = (_inside(x0, width), _inside(y0, height), _inside(x1, width), _inside(y1, height))
                if cut[2] - cut[0] >= LEAST and cut[3] - cut[1] >= LEAST:
                    made.append(dataclasses.replace(thing, xyxy=cut))
                    break
        return tuple(made)

    # --- going ---

    def neighbour(self, step: int) -> str:
        """The shown image itself at the ends."""
        names = self.names
        row = names.index(self.shown) + step
        return names[row] if 0 <= row < len(names) else self.shown

    def unlabelled(self, step: int) -> str:
        """The next one in that state; if there is none, the next in work."""
        names = self.names
        start = names.index(self.shown)
        others = [names[(start + step * away) % len(names)] for away in range(1, len(names))]
        for state in (UNLABELLED, IN_WORK):
            for name in others:
                if self.held.states[name] == state:
                    return name
        return self.shown

    def reopened(self) -> None:
        self.copied = ()
        self.label = self.held.labels[0]


def _inside(value: float, size: float) -> float:
    return min(max(value, 0.0), size)


def compare(model: Model, project: Path) -> str:
    """What the disk has otherwise than the model, "" if nothing. Takes over what the hand could not do exactly."""
    found, states = on_disk(project)
    if states != model.held.states:
        return f"states: {states} on disk, expected {model.held.states}"
    taken: dict[str, tuple[Thing, ...]] = {}
    for image, wanted in model.held.boxes.items():
        there = found.get(image, ())
        if len(there) != len(wanted):
            return f"{image}: {len(there)} boxes on disk, expected {len(wanted)}: {_told(there)}, {_told(wanted)}"
        for one, other in zip(there, wanted, strict=True):
            slip = max(abs(a - b) for a, b in zip(one.xyxy, other.xyxy, strict=True))
            if slip > (1.0 if other.loose else 0.0) or one.as_told()[::2] != other.as_told()[::2]:
                return f"{image}: {one} on disk, expected {other}"
            if one.note != other.note:
                return f"{image}: the note {one.note!r} on disk, expected {other.note!r}"
        if any(thing.loose for thing in wanted):
            taken[image] = there
    if set(found) - set(model.held.boxes):
        return f"boxes in {set(found) - set(model.held.boxes)}"
    if taken:
        model.held = dataclasses.replace(model.held, boxes={**model.held.boxes, **taken})
        if model.at:
            model.steps[model.at - 1] = dataclasses.replace(model.steps[model.at - 1], after=model.held)
    return ""


def _told(things: tuple[Thing, ...]) -> list[tuple[str, XYXY, bool, str]]:
    return [thing.as_told() for thing in things]


def on_disk(project: Path) -> tuple[dict[str, tuple[Thing, ...]], dict[str, str]]:
    """Boxes and states by image, as another program reads the project's file."""
    with contextlib.closing(sqlite3.connect(f"file:{project / 'project.sqlite'}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT image.path, label.name, x0, y0, x1, y1, difficult, box.note FROM box"
            " JOIN image ON image.id = box.image JOIN label ON label.id = box.label ORDER BY box.id"
        ).fetchall()
        states = dict(connection.execute("SELECT path, state FROM image").fetchall())
    boxes: dict[str, tuple[Thing, ...]] = {}
    for path, label, x0, y0, x1, y1, difficult, note in rows:
        boxes[path] = (*boxes.get(path, ()), Thing(label, (x0, y0, x1, y1), bool(difficult), note))
    return boxes, states
