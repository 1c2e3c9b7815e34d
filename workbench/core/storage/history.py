"""The history of a project or of one image, and an image as it was at any point: read from the journal.

The journal keeps the inverse of each edit. Applying the inverses backwards from the present boxes gives the boxes at
any earlier moment, without touching the project; restoring them is an edit like any other, and can be undone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from workbench.core import edits, new_sizes
from workbench.core.document import Document
from workbench.core.edits import Edit
from workbench.core.project import Box, State
from workbench.core.storage import journal, journal_index
from workbench.errors import WorkbenchError

MOST = 1_000
"""Entries that are read at a time."""


@dataclass(frozen=True, slots=True)
class PastImage:
    """An image at one point: its state, and its boxes in pixels of the size that it has now."""

    boxes: tuple[Box, ...]
    state: State


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One edit. `undone` ones can be redone. `past`: the image after it, in the history of one image."""

    seq: int
    time: float  # seconds since 1970
    title: str
    undone: bool
    past: PastImage | None = None


def of_project(document: Document, most: int = MOST) -> list[HistoryEntry]:
    """The newest `most` edits, newest first. Undone edits come first, as they were made after those still in force."""
    rows = document.store.rows("SELECT seq, time, title, undone FROM journal ORDER BY seq DESC LIMIT ?", most)
    return [HistoryEntry(row["seq"], row["time"], row["title"], bool(row["undone"])) for row in rows]


def of_image(document: Document, image: int, most: int = MOST) -> list[HistoryEntry]:
    """The edits that touched one image, newest first, each with the image as it was after it.

    If the journal reaches back far enough, a last entry (seq 0) has the image before the first of them. The list stops
    at the edit that added the image, and at an edit that is too long to be looked into or that can't be read.
    """
    return list(_walk(document, image, most))


def restore_edit(document: Document, image: int, past: PastImage, title: str) -> Edit | None:
    """The edit that makes `image` what it was, or None if it is that already.

    A box whose label no longer exists keeps its present label; if the box is gone too, it is left out.
    """
    labels = {label.id for label in document.labels()}
    present = {box.id: box for box in document.boxes(image)}
    wanted = {}
    for box in past.boxes:
        if box.label in labels:
            wanted[box.id] = box
        elif box.id in present:
            wanted[box.id] = dataclasses.replace(box, label=present[box.id].label)
    extra = tuple(id for id in present if id not in wanted)
    changed = tuple(box for id, box in wanted.items() if id in present and present[id] != box)
    missing = tuple(box for id, box in wanted.items() if id not in present)
    parts: list[Edit] = []
    if extra:
        parts.append(edits.RemoveBoxes(extra))
    if changed:
        parts.append(edits.ReplaceBoxes(changed))
    if missing:
        parts.append(edits.AddBoxes(missing))
    if document.image(image).state is not past.state:
        parts.append(edits.SetState((image,), past.state))
    return edits.Batch(tuple(parts), title) if parts else None


def _walk(document: Document, image: int, most: int) -> Iterator[HistoryEntry]:
    boxes = {box.id: box for box in document.boxes(image)}
    now = document.image(image)
    sizes, state = [(now.width, now.height)], now.state  # width and height, newest first
    count, mentions = 0, [f"{before}{image}{after}" for before in "[ " for after in ",]"]

    def past() -> PastImage:
        found = [boxes[id] for id in sorted(boxes)]
        for size, following in pairwise(reversed(sizes)):  # resized and then cropped, it has another shape in the end
            found = new_sizes.brought_along(found, size, following)
        return PastImage(tuple(found), state)

    for row in _done(document, image):
        if row["edit"] is not None and not any(one in row["edit"] or one in row["inverse"] for one in mentions):
            continue  # an edit of many images: searching its text is a hundred times faster than parsing it
        edit, inverse = _read(row["edit"]), _read(row["inverse"])
        if edit is None or inverse is None or image in edit.touches() | inverse.touches():
            count += 1
            yield HistoryEntry(row["seq"], row["time"], row["title"], undone=False, past=past())
        if count == most or edit is None or inverse is None:
            return
        undone = list(edits.walk(inverse))
        gone = {id for part in undone if isinstance(part, edits.RemoveImages) for id in part.ids}
        back = {one.id: one for part in undone if isinstance(part, edits.AddImages) for one in part.images}
        if image in gone.difference(back):  # in both if the edit took over its file's new name or size
            return  # it was added by this edit
        if image in back and back[image].width and now.width:
            sizes.append((back[image].width, back[image].height))
        for part in undone:
            state = _applied(part, image, boxes, state)
    if count:
        yield HistoryEntry(0, 0.0, "Before that", undone=False, past=past())


def _done(document: Document, image: int) -> Iterator[Any]:
    """Rows of the journal that may be of this image, newest first, read in batches; edit and inverse are None if they
    are too long.
    """
    is_long = "WHEN seq IN (SELECT seq FROM touched WHERE image = ?5) OR length(edit) + length(inverse) > ?1 THEN NULL"
    texts = ", ".join(f"CASE {is_long} ELSE {text} END AS {text}" for text in ("edit", "inverse"))
    seq = (document.store.rows("SELECT max(seq) FROM journal")[0][0] or 0) + 1
    while True:
        rows = document.store.rows(
            f"SELECT seq, time, title, {texts} FROM journal"
            " WHERE seq IN (SELECT seq FROM touched WHERE image IN (?3, ?4, ?5)) AND seq < ?2 AND undone = 0"
            " ORDER BY seq DESC LIMIT 500",
            journal_index.LONG, seq, image, journal_index.ANY_IMAGE, journal_index.TOO_LONG,
        )  # fmt: skip
        if not rows:
            return
        yield from rows
        seq = rows[-1]["seq"]


def _read(text: str | None) -> Edit | None:
    """None for an edit that is too long, or that this version can't read."""
    try:
        return None if text is None else journal.from_json(text)
    except WorkbenchError:
        return None


def _applied(part: Edit, image: int, boxes: dict[int, Box], state: State) -> State:
    """Apply the edit to `boxes`, those of this image; returns the image's new state."""
    match part:
        case edits.AddBoxes() | edits.ReplaceBoxes():
            for box in part.boxes:
                boxes.pop(box.id, None)
                if box.image == image:
                    boxes[box.id] = box
        case edits.RemoveBoxes():
            for id in part.ids:
                boxes.pop(id, None)
        case edits.RemoveLabel():
            for box in [box for box in boxes.values() if box.label == part.id]:
                del boxes[box.id]
        case edits.MergeLabels():
            for box in [box for box in boxes.values() if box.label == part.source]:
                boxes[box.id] = dataclasses.replace(box, label=part.target)
        case edits.SetState() if image in part.ids:
            return part.state
        case edits.AddImages():
            return next((one.state for one in part.images if one.id == image), state)
    return state
