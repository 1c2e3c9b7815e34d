"""The four decisions about an item of the review queue, each one edit of the project, undone as one.

An item (review.ReviewItem) has a labelled box, a prediction, or both.

- *take* the prediction as the label: the box gets its place and label; without a box one is added; a box without a
  prediction is removed. If they are probably two objects (`apart`), one is added beside the box: in crowds, where
  a neighbour is not labelled, a correct label would otherwise be lost.
- *wrong*: my label was wrong. If two labels compete for one place, the box keeps its place and gets the other; a box
  without a prediction, or with a misplaced one, is removed; an unlabelled object is added.
- *ignore*: neither right nor wrong from now on. The box becomes a crowd region, or one is added at the prediction, also
  if they are probably two objects. Every rule ignores a crowd region: matching, training and anchors. A difficult box
  counts like any other; formats without crowds write crowds as difficult boxes.
- *keep* the labels unchanged, and remember that this was reviewed ("not an object", "my label stands").

It is remembered in a project setting for each image, "reviewed/ID": [label id, box id or 0, x0, y0, x1, y1] of every
reviewed place, so that the next run doesn't bring it up again. It applies to a box as long as that is unchanged, and to
a prediction of the same label that overlaps by at least SAME. One setting for all images was refused: the journal would
record all of it with every decision.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from workbench.core import edits
from workbench.core.project import XYXY, Box, Label, Snapshot, State
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.core.document import Document
    from workbench.core.edits import Edit
    from workbench.inference.evaluating.review import ReviewItem

SETTING = "reviewed/"
SAME = 0.5  # IoU from which a prediction counts as reviewed: as for a match
STILL = 0.01  # px by which a box may differ from itself after JSON
Memory = Mapping[int, Sequence[Sequence[Any]]]
"""What was reviewed, by image id: rows as in the module's docstring."""


class Decision(StrEnum):
    TAKE = "take"
    WRONG = "wrong"
    IGNORE = "ignore"
    KEEP = "keep"


TITLES = {
    Decision.TAKE: "Take the prediction as the label",
    Decision.WRONG: "My label was wrong",
    Decision.IGNORE: "Ignore in review",
    Decision.KEEP: "Not an object, labels stay",
}


def words(item: ReviewItem, decision: Decision) -> str:
    """A sentence that tells what the decision does to this item."""
    if decision is Decision.KEEP:
        return "The labels stay as they are." if item.box else "Not an object: nothing is labelled here."
    if decision is Decision.IGNORE:
        if item.apart:
            return "Adds an ignore region at the prediction. Your box stays: they look like two objects."
        return "The box becomes an ignore region." if item.box else "Adds an ignore region here."
    if not item.box:
        return "The prediction becomes a labelled box."
    if item.prediction is None or (decision is Decision.WRONG and removes(item)):
        return "The labelled box is removed."
    if decision is Decision.WRONG:
        return "The box keeps its place and gets the predicted label."
    if item.apart:
        return "Adds the prediction as a labelled box beside yours, which stays: they look like two objects."
    return "The box gets the prediction's place and label."


def removes(item: ReviewItem) -> bool:
    """Whether the item's box can only be removed, if it is wrong."""
    return bool(item.box) and (item.prediction is None or not item.labels_differ)


def edit(item: ReviewItem, decision: Decision, document: Document) -> edits.Batch:
    """The decision as one edit. Applying it raises WorkbenchError if the item's box is gone.

    WorkbenchError if the label that a box is to get is gone.
    """
    parts = _keep(item) if decision is Decision.KEEP else _change(item, decision, document)
    done: list[Edit] = [part for part in parts if not isinstance(part, edits.ChangeSetting)]
    labels = {label.id for label in document.labels()}
    changed = [part for part in done if isinstance(part, edits.AddBoxes | edits.ReplaceBoxes)]
    if any(box.label not in labels for part in changed for box in part.boxes):
        raise WorkbenchError("This label was deleted or merged since the detector looked. Press Look on Inspect again.")
    looked_at = [part.value for part in parts if isinstance(part, edits.ChangeSetting)]
    if looked_at:
        known = document.setting(f"{SETTING}{item.image}", [])
        done.append(edits.ChangeSetting(f"{SETTING}{item.image}", [*known, *looked_at]))
    fresh = document.image(item.image).state is State.UNLABELLED
    if fresh and any(isinstance(part, edits.AddBoxes) for part in done):
        done.append(edits.SetState((item.image,), State.IN_WORK))  # as for a box that is drawn
    return edits.Batch(tuple(done), TITLES[decision])


def _change(item: ReviewItem, decision: Decision, document: Document) -> list[Edit]:
    prediction, crowd = item.prediction, decision is Decision.IGNORE
    if not item.box or (decision is not Decision.WRONG and item.apart):
        assert prediction is not None, "an item has a box or a prediction"
        xyxy = _inside(prediction.xyxy, document, item.image)
        return [edits.AddBoxes((Box(0, item.image, prediction.label, xyxy, crowd=crowd),))]
    seen = [] if prediction is None else [_reviewed_row(item, prediction.label, 0, prediction.xyxy)]
    if crowd:
        return [edits.ReplaceBoxes((replace(_box(item, document), crowd=True),)), *seen]
    if prediction is None or (decision is Decision.WRONG and not item.labels_differ):
        return [edits.RemoveBoxes((item.box,)), *seen]
    changed = replace(_box(item, document), label=prediction.label)
    if decision is Decision.TAKE:
        changed = replace(changed, xyxy=_inside(prediction.xyxy, document, item.image))
    return [edits.ReplaceBoxes((changed,))]


def _keep(item: ReviewItem) -> list[Edit]:
    parts: list[Edit] = []
    if item.xyxy is not None:
        parts.append(_reviewed_row(item, item.label, item.box, item.xyxy))
    if item.prediction is not None:
        parts.append(_reviewed_row(item, item.prediction.label, 0, item.prediction.xyxy))
    return parts


def _reviewed_row(item: ReviewItem, label: int, box: int, xyxy: XYXY) -> edits.ChangeSetting:
    """One row of the setting; edit() puts the rows of an image together."""
    return edits.ChangeSetting(f"{SETTING}{item.image}", [label, box, *(round(side, 3) for side in xyxy)])


def _box(item: ReviewItem, document: Document) -> Box:
    """The current box, with its marks and notes; the item's if it is gone, which applying refuses."""
    assert item.xyxy is not None
    boxes = {box.id: box for box in document.boxes(item.image)}
    return boxes.get(item.box, Box(item.box, item.image, item.label, item.xyxy))


def _inside(xyxy: XYXY, document: Document, image: int) -> XYXY:
    """The part of a predicted box that lies in the image, if the image's size is known."""
    size = document.image(image)
    if not size.width:
        return xyxy
    x0, x1 = (min(max(x, 0.0), float(size.width)) for x in xyxy[::2])
    y0, y1 = (min(max(y, 0.0), float(size.height)) for y in xyxy[1::2])
    return x0, y0, x1, y1


# --- what was looked at ---


def memory(document: Document) -> dict[int, Sequence[Sequence[Any]]]:
    """What was looked at and left as it is, by image id: all that the project remembers of the queue."""
    rows = document.store.rows("SELECT key, value FROM meta WHERE key GLOB ?", f"{SETTING}*")
    return {int(key.removeprefix(SETTING)): json.loads(value) for key, value in map(tuple, rows)}


def touched_images(edit: Edit) -> frozenset[int]:
    """Ids of the images whose memory this edit changes."""
    keys = (part.key for part in edits.walk(edit) if isinstance(part, edits.ChangeSetting))
    return frozenset(int(key.removeprefix(SETTING)) for key in keys if key.startswith(SETTING))


def is_settled(item: ReviewItem, known: Memory) -> bool:
    """Whether somebody looked at this item and left it: its box, if it has one, otherwise its prediction."""
    rows = known.get(item.image, ())
    if item.xyxy is not None:
        return any(row[1] == item.box and row[0] == item.label and _still(row[2:], item.xyxy) for row in rows)
    assert item.prediction is not None
    place, label = item.prediction.xyxy, item.prediction.label
    return any(not row[1] and row[0] == label and _iou(row[2:], place) >= SAME for row in rows)


def _still(one: Sequence[float], other: XYXY) -> bool:
    return all(abs(a - b) <= STILL for a, b in zip(one, other, strict=True))


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    shared = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


# --- the labels after an edit ---


def replace_images(truth: Snapshot, fresh: Snapshot) -> Snapshot:
    """`truth` with the images of `fresh` (document.snapshot(changed ids)) as they are there.

    Images keep their places, so that candidates still belong to them; images of `fresh` that `truth` lacks are left
    out. ValueError if the two have different labels: the detector's labels must then be looked up again.
    """
    import numpy as np

    if _names(truth.labels) != _names(fresh.labels):
        raise ValueError("the labels of the project have changed")
    places = {image.id: place for place, image in enumerate(fresh.images)}
    chosen = np.array([places.get(image.id, -1) for image in truth.images], np.int64)  # row in fresh, -1 for none
    new, own = np.maximum(chosen, 0), np.arange(len(truth))
    with_none = np.append(fresh.offsets, fresh.offsets[-1])  # so that row 0 exists where fresh is empty
    starts = np.where(chosen >= 0, len(truth.boxes) + with_none[new], truth.offsets[own])
    counts = np.where(chosen >= 0, with_none[new + 1] - with_none[new], np.diff(truth.offsets))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    rows = np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1])
    notes = [*_notes(truth), *_notes(fresh)] if truth.notes or fresh.notes else []
    return replace(
        truth,
        labels=fresh.labels,
        images=tuple(
            fresh.images[place] if place >= 0 else image
            for place, image in zip(chosen.tolist(), truth.images, strict=True)
        ),
        offsets=offsets,
        notes=tuple(notes[row] for row in rows.tolist()) if notes else (),
        boxes=np.concatenate([truth.boxes, fresh.boxes])[rows],
        label_index=np.concatenate([truth.label_index, fresh.label_index])[rows],
        flags=np.concatenate([truth.flags, fresh.flags])[rows],
        box_ids=np.concatenate([truth.box_ids, fresh.box_ids])[rows],
    )


def _notes(snapshot: Snapshot) -> Sequence[tuple[str, str]]:
    return snapshot.notes or [("", "")] * len(snapshot.boxes)


def _names(labels: Iterable[Label]) -> list[tuple[int, str]]:
    return [(label.id, label.name) for label in labels]
