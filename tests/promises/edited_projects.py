"""A project, all that it holds as one value, and edits of every kind that a chance chooses."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.edits import Edit
from workbench.core.former_names import UNDONE
from workbench.core.project import Box, Image, Label, Split, State

IMAGES, MANY = 6, 400
"""`MANY` boxes in one edit: some ten pages of the file, which a broken save would leave half done."""


def make(folder: Path) -> Path:
    """A project of six images and three labels, closed."""
    with Document.create(folder) as document:
        document.do(edits.AddLabels(tuple(Label(0, name) for name in ("cat", "dog", "bird"))))
        root = document.add_root(folder)
        document.do(edits.AddImages(tuple(Image(0, f"{n}.jpg", 100, 50, root=root) for n in range(IMAGES))))
    return folder


def contents(document: Document, journal: bool = False) -> str:
    """A digest of all rows of labels, images, boxes and settings; `journal`: and of the edits that can be undone.

    Without the names that undo took from labels: it must take back all but those.
    """
    digest = hashlib.sha256()
    meta = f"(SELECT * FROM meta WHERE key != '{UNDONE}')"
    for table in ("label", "image", "box", meta, "root", *(("journal",) if journal else ())):
        for row in document.store.rows(f"SELECT * FROM {table} ORDER BY 1"):
            digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def act(document: Document, chance: random.Random) -> str:
    """One edit, undo or redo; which: "do", "undo" or "redo"."""
    kind = next_kind(document, chance)
    if kind == "do":
        document.do(some_edit(document, chance))
    else:
        getattr(document, kind)()
    return kind


def next_kind(document: Document, chance: random.Random) -> str:
    """The first two edits of a project, which make it, are not undone."""
    luck = chance.random()
    if luck < 0.2 and document.undo_title and not document.undo_title.startswith(("Add label", "Add 6 images")):
        return "undo"
    return "redo" if luck < 0.3 and document.redo_title else "do"


def some_edit(document: Document, chance: random.Random) -> Edit:
    """Of boxes, labels, states, splits or settings; one in four is of some 400 boxes."""
    there = [box for image in range(1, IMAGES + 1) for box in document.boxes(image)]
    if len(there) > 4 * MANY:
        return edits.RemoveBoxes(tuple(box.id for box in chance.sample(there, 2 * MANY)))
    count = MANY if chance.random() < 0.25 else 3
    some = tuple(chance.sample(there, min(count, len(there))))
    label, image = chance.choice(document.labels()), chance.randint(1, IMAGES)
    added = edits.AddBoxes(tuple(_box(image, label.id, chance) for _ in range(count)))
    moved = edits.ReplaceBoxes(tuple(replace(box, xyxy=_box(1, 1, chance).xyxy) for box in some))
    state = edits.SetState((image, 1 + image % IMAGES), chance.choice(list(State)))
    choices: tuple[Edit, ...] = (
        added, added, moved, moved,
        edits.RemoveBoxes(tuple(box.id for box in some[: count // 2])),
        edits.ChangeLabel(replace(label, name=f"{label.id} {chance.randrange(10**6)}")),
        edits.Batch((added, moved, state), "Add and move"),
        edits.SetSplit((image,), chance.choice(list(Split))),
        edits.SetNote((image,), chance.choice(["", "dark", "ask Anna"])),
        edits.ChangeSetting("a setting", chance.random()),
    )  # fmt: skip
    return chance.choice(choices)


def _box(image: int, label: int, chance: random.Random) -> Box:
    x, y = chance.uniform(0, 80), chance.uniform(0, 30)
    return Box(0, image, label, (x, y, x + 9.5, y + 7.25), note="x" * chance.randrange(60))
