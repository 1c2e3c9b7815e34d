"""A 16-byte hash of an image's labels as one format sees them: tells whether a file, or its import, has changed since.

Two contents are equal when the format would write the same for both, so an edit that it can't hold (a note on a VOC
box) does not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence

from workbench.core.project import FLAGS, XYXY, Snapshot, State
from workbench.exchange.matching import MatchedImage

Row = tuple[str, XYXY, Sequence[bool], str, str]
"""Label, edges, marks in the order of FLAGS, note, extra."""
SIZE = 16  # bytes
_AS_THEY_ARE: Mapping[str, str] = {}


def of(rows: Iterable[Row], state: State, cannot_store: Collection[str]) -> bytes:
    """The content of these boxes and state, 16 bytes; the order of the boxes does not matter."""
    held = [flag not in cannot_store for flag in FLAGS]
    boxes = sorted(
        (
            label,
            tuple(map(float, xyxy)),
            tuple(bool(flag) and is_held for flag, is_held in zip(flags, held, strict=True)),
            "" if "note" in cannot_store else note,
            extra,
        )
        for label, xyxy, flags, note, extra in rows
    )
    words = repr((boxes, str(state_as_read(state, cannot_store))))
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=SIZE).digest()


def state_as_read(state: State, cannot_store: Collection[str]) -> State:
    """A state as the format would read it back."""
    return State.DONE if str(state) in cannot_store else state


def of_read(one: MatchedImage, cannot_store: Collection[str], names: Mapping[str, str] = _AS_THEY_ARE) -> bytes:
    """The content of an image as a file describes it; `names` replace those of its labels."""
    rows = [
        (
            names.get(label, label),
            box.xyxy,
            (box.difficult, box.truncated, box.occluded, box.crowd),
            box.note,
            box.extra,
        )
        for label, box in one.boxes
    ]
    return of(rows, one.state, cannot_store)


def of_image(
    snapshot: Snapshot, index: int, cannot_store: Collection[str], names: Mapping[str, str] = _AS_THEY_ARE
) -> bytes:
    """The content of image `index` as it is in the project; `names` replace those of its labels."""
    rows = snapshot.rows(index)
    notes = snapshot.notes[rows] if snapshot.notes else [("", "")] * (rows.stop - rows.start)
    boxes: list[Row] = [
        (names.get(name := snapshot.labels[label].name, name), (x0, y0, x1, y1), flags, note, extra)
        for label, (x0, y0, x1, y1), flags, (note, extra) in zip(
            snapshot.label_index[rows].tolist(), snapshot.boxes[rows].tolist(), snapshot.flags[rows].tolist(), notes,
            strict=True,
        )
    ]  # fmt: skip
    return of(boxes, snapshot.images[index].state, cannot_store)
