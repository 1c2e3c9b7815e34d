"""Every change of a project as a value: applying it to the store returns its inverse, so everything can be undone.

`apply(connection)` returns (the edit with its new ids filled in, the inverse). Redo applies the first of
these again and gets the same ids. An id of 0 in a new box, label or image requests the next free one; ids are never
reused.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from workbench.core import formatting
from workbench.core.project import Box, Image, Label, Split, State, colour_for
from workbench.core.storage.rows import (
    GIVEN,
    IMAGE_COLUMNS,
    Connection,
    box_of,
    box_row,
    boxes_with,
    given,
    image_row,
    images_with,
    label_with,
    next_ids,
    values_of,
)
from workbench.errors import WorkbenchError

_T = TypeVar("_T", Box, Image)


@dataclass(frozen=True, slots=True)
class AddBoxes:
    boxes: tuple[Box, ...]

    @property
    def title(self) -> str:
        return _count("Add {}", len(self.boxes), "box")

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        ids = next_ids(connection, "box", [box.id for box in self.boxes])
        boxes = tuple(_with_id(box, i) for box, i in zip(self.boxes, ids, strict=True))
        connection.executemany(
            "INSERT INTO box VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (box_row(b) for b in boxes)
        )
        return AddBoxes(boxes), RemoveBoxes(tuple(ids))

    def touches(self) -> set[int]:
        return {box.image for box in self.boxes}


@dataclass(frozen=True, slots=True)
class RemoveBoxes:
    ids: tuple[int, ...]

    @property
    def title(self) -> str:
        return _count("Delete {}", len(self.ids), "box")

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        boxes = boxes_with(connection, tuple(dict.fromkeys(self.ids)))  # each comes back once
        connection.execute(f"DELETE FROM box WHERE id IN {GIVEN}", (given(self.ids),))
        return self, AddBoxes(boxes)

    def touches(self) -> set[int]:
        return set()  # known from the inverse


@dataclass(frozen=True, slots=True)
class ReplaceBoxes:
    """Replace the boxes that have the same ids: moved, resized, relabelled, flagged."""

    boxes: tuple[Box, ...]

    @property
    def title(self) -> str:
        return _count("Change {}", len(self.boxes), "box")

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        old = boxes_with(connection, [box.id for box in self.boxes])
        connection.executemany(
            "UPDATE box SET image = ?2, label = ?3, x0 = ?4, y0 = ?5, x1 = ?6, y1 = ?7, difficult = ?8,"
            " truncated = ?9, occluded = ?10, crowd = ?11, note = ?12, extra = ?13 WHERE id = ?1",
            (box_row(box) for box in self.boxes),
        )
        return self, ReplaceBoxes(old)

    def touches(self) -> set[int]:
        return {box.image for box in self.boxes}


@dataclass(frozen=True, slots=True)
class AddLabels:
    labels: tuple[Label, ...]

    @property
    def title(self) -> str:
        names = ", ".join(f"'{label.name}'" for label in self.labels[:3])
        return f"Add label {names}" if len(self.labels) <= 3 else f"Add {len(self.labels)} labels"

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        ids = next_ids(connection, "label", [label.id for label in self.labels])
        last = connection.execute("SELECT coalesce(max(position), -1) FROM label").fetchone()[0]
        labels = []
        for place, (label, i) in enumerate(zip(self.labels, ids, strict=True)):
            if not label.id:
                colour = colour_for(i) if label.colour == Label(0, "").colour else label.colour
                label = dataclasses.replace(label, id=i, colour=colour, position=last + 1 + place)
            _check_name(connection, label)
            labels.append(label)
            connection.execute(
                "INSERT INTO label VALUES (?, ?, ?, ?, ?)",
                (label.id, label.name, label.colour, label.key, label.position),
            )
        return AddLabels(tuple(labels)), Batch(tuple(RemoveLabel(i) for i in ids), self.title)

    def touches(self) -> set[int]:
        return set()


@dataclass(frozen=True, slots=True)
class ChangeLabel:
    """Rename a label or change its colour, key or position; its id stays."""

    label: Label

    @property
    def title(self) -> str:
        return f"Change label '{self.label.name}'"

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        old = label_with(connection, self.label.id)
        _check_name(connection, self.label)
        connection.execute(
            "UPDATE label SET name = ?, colour = ?, key = ?, position = ? WHERE id = ?",
            (self.label.name, self.label.colour, self.label.key, self.label.position, self.label.id),
        )
        return self, ChangeLabel(old)

    def touches(self) -> set[int]:
        return set()


@dataclass(frozen=True, slots=True)
class RemoveLabel:
    """Delete a label and its boxes."""

    id: int

    @property
    def title(self) -> str:
        return "Delete label"

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        label = label_with(connection, self.id)
        boxes = tuple(box_of(r) for r in connection.execute("SELECT * FROM box WHERE label = ?", (self.id,)))
        connection.execute("DELETE FROM box WHERE label = ?", (self.id,))
        connection.execute("DELETE FROM label WHERE id = ?", (self.id,))
        return self, Batch((AddLabels((label,)), AddBoxes(boxes)), self.title)

    def touches(self) -> set[int]:
        return set()


@dataclass(frozen=True, slots=True)
class MergeLabels:
    """Give all boxes of `source` the label `target`; `source` is gone afterwards."""

    source: int
    target: int

    @property
    def title(self) -> str:
        return "Merge labels"

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        label, _ = label_with(connection, self.source), label_with(connection, self.target)
        if self.source == self.target:
            raise WorkbenchError("A label can't be merged with itself. Choose another target.")
        boxes = tuple(box_of(r) for r in connection.execute("SELECT * FROM box WHERE label = ?", (self.source,)))
        connection.execute("UPDATE box SET label = ? WHERE label = ?", (self.target, self.source))
        connection.execute("DELETE FROM label WHERE id = ?", (self.source,))
        return self, Batch((AddLabels((label,)), ReplaceBoxes(boxes)), self.title)

    def touches(self) -> set[int]:
        return set()


@dataclass(frozen=True, slots=True)
class SetState:
    ids: tuple[int, ...]
    state: State

    @property
    def title(self) -> str:
        return _count(f"Mark {{}} {self.state}", len(self.ids), "image")

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        old = values_of(connection, "state", self.ids)
        connection.execute(f"UPDATE image SET state = ? WHERE id IN {GIVEN}", (str(self.state), given(self.ids)))
        return self, _one_or_batch([SetState(ids, State(state)) for state, ids in old.items()], self.title)

    def touches(self) -> set[int]:
        return set(self.ids)


@dataclass(frozen=True, slots=True)
class SetSplit:
    ids: tuple[int, ...]
    split: Split

    @property
    def title(self) -> str:
        return _count(f"Put {{}} into {self.split.words}", len(self.ids), "image")

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        old = values_of(connection, "split", self.ids)
        connection.execute(f"UPDATE image SET split = ? WHERE id IN {GIVEN}", (str(self.split), given(self.ids)))
        return self, _one_or_batch([SetSplit(ids, Split(split)) for split, ids in old.items()], self.title)

    def touches(self) -> set[int]:
        return set(self.ids)


@dataclass(frozen=True, slots=True)
class SetNote:
    """Images get this note, "" for none."""

    ids: tuple[int, ...]
    note: str

    @property
    def title(self) -> str:
        return _count("Note on {}" if self.note else "Remove the note on {}", len(self.ids), "image")

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        old = values_of(connection, "note", self.ids)
        connection.execute(f"UPDATE image SET note = ? WHERE id IN {GIVEN}", (self.note, given(self.ids)))
        return self, _one_or_batch([SetNote(ids, note) for note, ids in old.items()], self.title)

    def touches(self) -> set[int]:
        return set(self.ids)


@dataclass(frozen=True, slots=True)
class AddImages:
    images: tuple[Image, ...]

    @property
    def title(self) -> str:
        return _count("Add {}", len(self.images), "image")

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        ids = next_ids(connection, "image", [image.id for image in self.images])
        images = tuple(_with_id(image, i) for image, i in zip(self.images, ids, strict=True))
        added, again = AddImages(images), self._again(connection)
        if again:  # found again by a reading of the folder; edits of them were undone before this
            removed, back = RemoveImages(again).apply(connection)
        connection.executemany(
            f"INSERT INTO image ({IMAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(image_row, images)
        )
        if again:
            return Batch((removed, added), self.title), Batch((RemoveImages(tuple(ids)), back), self.title)
        return added, RemoveImages(tuple(ids))

    def _again(self, connection: Connection) -> tuple[int, ...]:
        """Ids of other images at the paths of those being restored."""
        paths = json.dumps([(image.root, image.path) for image in self.images if image.id])
        rows = connection.execute(
            "SELECT image.id FROM json_each(?) AS given JOIN image ON image.root = json_extract(given.value, '$[0]')"
            " AND image.path = json_extract(given.value, '$[1]')",
            (paths,),
        )
        return tuple(row[0] for row in rows)

    def touches(self) -> set[int]:
        return {image.id for image in self.images}


@dataclass(frozen=True, slots=True)
class RemoveImages:
    """Take images and their boxes out of the project; the files stay where they are."""

    ids: tuple[int, ...]

    @property
    def title(self) -> str:
        return _count("Remove {} from the project", len(self.ids), "image")

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        images, ids = images_with(connection, tuple(dict.fromkeys(self.ids))), (given(self.ids),)
        rows = connection.execute(f"SELECT * FROM box WHERE image IN {GIVEN} ORDER BY image, id", ids)
        boxes = tuple(box_of(row) for row in rows)
        connection.execute(f"DELETE FROM box WHERE image IN {GIVEN}", ids)
        connection.execute(f"DELETE FROM image WHERE id IN {GIVEN}", ids)
        return self, Batch((AddImages(tuple(images)), AddBoxes(boxes)), self.title)

    def touches(self) -> set[int]:
        return set(self.ids)


_SETTINGS = {"anchors": "Change the anchors in training", "anchor sets": "Change the kept sets of anchors"}


@dataclass(frozen=True, slots=True)
class ChangeSetting:
    """A value kept with the project (JSON): anchors in use, the window for 16-bit images ... None forgets it."""

    key: str
    value: Any

    @property
    def title(self) -> str:
        return _SETTINGS.get(self.key, f"Change {self.key}")

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        found = connection.execute("SELECT value FROM meta WHERE key = ?", (self.key,)).fetchone()
        if self.value is None:
            connection.execute("DELETE FROM meta WHERE key = ?", (self.key,))
        else:
            connection.execute(
                "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
                (self.key, json.dumps(self.value)),
            )
        return self, ChangeSetting(self.key, json.loads(found[0]) if found else None)

    def touches(self) -> set[int]:
        return set()


@dataclass(frozen=True, slots=True)
class Batch:
    """Several edits as one: one transaction, one step of undo."""

    edits: tuple[Edit, ...]
    title: str = "Change"

    def apply(self, connection: Connection) -> tuple[Edit, Edit]:
        done, inverses = [], []
        for edit in self.edits:
            with_ids, inverse = edit.apply(connection)
            done.append(with_ids)
            inverses.append(inverse)
        return Batch(tuple(done), self.title), Batch(tuple(reversed(inverses)), self.title)

    def touches(self) -> set[int]:
        return set().union(*(edit.touches() for edit in self.edits))


Edit = (
    AddBoxes | RemoveBoxes | ReplaceBoxes | AddLabels | ChangeLabel | RemoveLabel | MergeLabels
    | SetState | SetSplit | SetNote | AddImages | RemoveImages | ChangeSetting | Batch
)  # fmt: skip


def walk(edit: Edit) -> Iterable[Edit]:
    """The edit itself, or the parts of a batch, flat."""
    if isinstance(edit, Batch):
        for part in edit.edits:
            yield from walk(part)
    else:
        yield edit


def _check_name(connection: Connection, label: Label) -> None:
    if not label.name.strip():
        raise WorkbenchError("A label needs a name.")
    taken = connection.execute("SELECT 1 FROM label WHERE name = ? AND id <> ?", (label.name, label.id)).fetchone()
    if taken:
        raise WorkbenchError(f"There is already a label '{label.name}'. Choose another name, or merge the two.")


def _with_id(thing: _T, id: int) -> _T:
    if thing.id == id:
        return thing
    if isinstance(thing, Box):
        return thing.with_ids(id, thing.image, thing.label)
    return dataclasses.replace(thing, id=id)


def _one_or_batch(edits: list[Edit], title: str) -> Edit:
    return edits[0] if len(edits) == 1 else Batch(tuple(edits), title)


def _count(phrase: str, number: int, noun: str) -> str:
    return phrase.format(noun if number == 1 else formatting.count(number, noun))
