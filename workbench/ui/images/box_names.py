"""Which names of boxes stand on a picture of detections, and where: the surest first, none over another.

A low confidence leaves hundreds of detections, whose names together would hide the photograph: it keeps most of its
area. The names of the other boxes are told at the pointer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QFontMetricsF

from workbench.ui.images.boxes_painter import elided_name
from workbench.ui.images.view_transform import ViewTransform

Floats = NDArray[np.floating]
NAMED_BELOW = ("miss", "second", "second_wrong")  # in the lower corner, so that other boxes there keep their names
NAMELESS = ("label", "truth")  # until the pointer is over them
UNSCORED = ("miss", *NAMELESS)  # the names of all other kinds end in a score
FOUND = "found: "  # before a label in the kind of its detections: a label may be called as another kind is
COVERED = 0.2  # of the photograph in sight, that names may hide
PLACES = 3  # in a box, from its corner inwards
IN_VAIN = 100  # boxes in a row without a place, after which no more are tried: each is compared with all names
LISTED, BESIDE = 6, 14  # boxes at the pointer; px between it and their names


@dataclass(frozen=True, slots=True, eq=False)
class BoxGroup:
    """Boxes of one kind with their names and scores: (n, 4) xyxy image pixels, n names, (n,) or none at all."""

    kind: str
    boxes: Floats
    names: tuple[str, ...] = ()
    scores: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class NamePlate:
    """A name on the picture: its place in widget pixels, and the kind of its box."""

    area: QRectF
    words: str
    kind: str


def found_by_label(boxes: Floats, labels: Sequence[str], scores: Floats) -> list[BoxGroup]:
    """Detections with those of each label together: (n, 4) xyxy image pixels, n names of labels, (n,)."""
    rows_of: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        rows_of.setdefault(label, []).append(row)
    return [
        BoxGroup(f"{FOUND}{label}", boxes[rows], tuple(f"{label} {scores[row]:.2f}" for row in rows), scores[rows])
        for label, rows in rows_of.items()
    ]


def name_plates(
    groups: Sequence[BoxGroup], view: ViewTransform, metrics: QFontMetricsF, sight: QRectF
) -> tuple[NamePlate, ...]:
    """`sight`: the photograph's visible part. Boxes without a score, the missed ones, get their names first."""
    left, taken, in_vain = COVERED * sight.width() * sight.height(), np.zeros((0, 4)), 0
    found: list[NamePlate] = []
    for group, row in _surest_first([group for group in groups if group.kind not in NAMELESS], view, sight):
        plate = _plate(group, row, view, metrics)
        if plate is None or not plate.area.intersects(sight):
            continue
        box = view.rect(tuple(group.boxes[row].tolist()))
        step = plate.area.height() * (-1 if group.kind in NAMED_BELOW else 1)
        place = free_place(plate.area, step, box, taken)
        in_vain = in_vain + 1 if place is None else 0
        left -= place.width() * place.height() if place is not None else 0.0
        if in_vain > IN_VAIN or (left < 0 and found):
            break
        if place is None:
            continue
        found.append(NamePlate(place, plate.words, group.kind))
        taken = np.vstack([taken, [place.left(), place.top(), place.right(), place.bottom()]])
    return tuple(found)


def _surest_first(groups: Sequence[BoxGroup], view: ViewTransform, sight: QRectF) -> Iterator[tuple[BoxGroup, int]]:
    """Each box in sight as its group and its row there: of a photograph in tiles many thousands are not."""
    visible = [_in_sight(group, view, sight) for group in groups]
    scores = [
        group.scores[rows] if len(group.scores) else np.full(len(rows), np.inf)
        for group, rows in zip(groups, visible, strict=True)
    ]
    owners = np.repeat(np.arange(len(groups)), [len(rows) for rows in visible])
    all_rows = np.concatenate([np.zeros(0, np.int64), *visible])
    for place in np.argsort(-np.concatenate([np.zeros(0), *scores]), kind="stable").tolist():
        yield groups[int(owners[place])], int(all_rows[place])


def _in_sight(group: BoxGroup, view: ViewTransform, sight: QRectF) -> NDArray[np.int64]:
    """The rows of the boxes that lie at least partly in `sight`, in widget pixels."""
    x, y, wide, high = view.rects(np.asarray(group.boxes, np.float64).reshape(-1, 4)).T
    across = (x < sight.right()) & (x + wide > sight.left())
    return np.flatnonzero(across & (y < sight.bottom()) & (y + high > sight.top()))


def _plate(group: BoxGroup, row: int, view: ViewTransform, metrics: QFontMetricsF) -> NamePlate | None:
    """In its corner of the box; None if it has no room there. A long name is elided, its score is not."""
    box, words, height = view.rect(tuple(group.boxes[row].tolist())), group.names[row], metrics.height() + 2
    if box.width() < metrics.horizontalAdvance(words) + 8:
        label, space, score = (words, "", "") if group.kind in UNSCORED else words.rpartition(" ")
        words = elided_name(label, space + score, metrics, box.width() - 8)
    if not words or box.height() < height:
        return None
    top = box.bottom() - height if group.kind in NAMED_BELOW else box.top()
    return NamePlate(QRectF(box.left(), top, metrics.horizontalAdvance(words) + 8, height), words, group.kind)


def free_place(plate: QRectF, step: float, box: QRectF, taken: Floats) -> QRectF | None:
    """Where a name covers none of those at `taken` (n, 4) xyxy: its place, or one of the next in its box, or None."""
    moved = QRectF(plate)
    for _ in range(PLACES):
        across = (taken[:, 0] < moved.right()) & (taken[:, 2] > moved.left())
        if not (across & (taken[:, 1] < moved.bottom()) & (taken[:, 3] > moved.top())).any():
            return moved
        moved.translate(0, step)
        if not box.contains(moved):
            break
    return None


def boxes_at(groups: Sequence[BoxGroup], at: QPointF) -> tuple[tuple[BoxGroup, int], ...]:
    """The boxes over a point of the image, the smallest first, each as its group and its row there."""
    found: list[tuple[float, BoxGroup, int]] = []
    for group in groups:
        x0, y0, x1, y1 = np.asarray(group.boxes, np.float64).reshape(-1, 4).T
        inside = (x0 <= at.x()) & (at.x() < x1) & (y0 <= at.y()) & (at.y() < y1)
        found += [
            (float((x1[row] - x0[row]) * (y1[row] - y0[row])), group, row) for row in np.flatnonzero(inside).tolist()
        ]
    return tuple((group, row) for _, group, row in sorted(found, key=lambda one: one[0]))


def pointer_plates(
    found: Sequence[tuple[BoxGroup, int]], at: QPointF, metrics: QFontMetricsF, inside: QRectF
) -> tuple[NamePlate, ...]:
    """The names of these boxes below each other beside the pointer; `at` and `inside` in widget pixels."""
    words = [(group.names[row], group.kind) for group, row in found[:LISTED]]
    if len(found) > LISTED:
        words.append((f"… and {len(found) - LISTED} more", words[-1][1]))
    height, wide = metrics.height() + 2, max(metrics.horizontalAdvance(name) for name, _ in words) + 8
    right, below = at.x() + BESIDE + wide < inside.right(), at.y() + BESIDE + len(words) * height < inside.bottom()
    x = at.x() + BESIDE if right else at.x() - BESIDE - wide
    y = at.y() + BESIDE if below else at.y() - BESIDE - len(words) * height
    return tuple(
        NamePlate(QRectF(x, y + line * height, wide, height), name, kind) for line, (name, kind) in enumerate(words)
    )
