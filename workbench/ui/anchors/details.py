"""What a set of anchors means for each label and for each output level of a detector, worked out behind the window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench import anchors
from workbench.anchors.overlap import answer
from workbench.core import words
from workbench.ui.anchors.work import Boxes


@dataclass(frozen=True, slots=True)
class Need:
    """What a detector wants of anchors. `levels`: (stride in px, its anchors by ascending area), () without anchors.

    `cells`: per side of a grid whose cells learn one box each, 0 where anchors tell boxes of one cell apart.
    """

    name: str
    title: str
    count: int
    levels: tuple[tuple[int, tuple[int, ...]], ...]
    cells: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    boxes: Boxes
    centres: NDArray[np.float64]
    need: Need | None
    px: int


@dataclass(frozen=True, slots=True)
class OfLabel:
    """Of one label: its boxes, their mean IoU with their best anchors, the worst and whose, and how many are below
    an IoU of one half."""

    number: int
    boxes: int
    mean_iou: float
    worst: float
    worst_row: int
    below: int


@dataclass(frozen=True, slots=True)
class OfLevel:
    stride: int
    anchors: tuple[tuple[float, float], ...]
    boxes: int
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Details:
    labels: tuple[OfLabel, ...]
    levels: tuple[OfLevel, ...]
    sentences: tuple[tuple[bool, str], ...]  # whether it is a warning, and what


def details(wish: Wish) -> Details:
    """Some tenths of a second for a million boxes."""
    boxes, centres = wish.boxes, wish.centres
    nearest, quality = answer(boxes.sizes, centres)
    levels, sentences = _levels(wish, nearest)
    return Details(_labels(boxes, quality), levels, tuple(sentences))


def _labels(boxes: Boxes, quality: NDArray[np.float64]) -> tuple[OfLabel, ...]:
    found = []
    for number in np.unique(boxes.labels).tolist():
        rows = np.flatnonzero(boxes.labels == number)
        its = quality[rows]
        worst = int(its.argmin())
        below = int((its < anchors.RECALL_IOU).sum())
        found.append(OfLabel(number, len(rows), float(its.mean()), float(its[worst]), int(rows[worst]), below))
    return tuple(found)


def _levels(wish: Wish, nearest: NDArray[np.int64]) -> tuple[tuple[OfLevel, ...], list[tuple[bool, str]]]:
    need, boxes, k = wish.need, wish.boxes, len(wish.centres)
    if need is None:
        return (), []
    if need.cells:
        return (), [_one_per_cell(need, boxes, wish.px)]
    if not need.levels:
        fixed = f"{need.title} takes no anchors of a project: what it learns by is fixed."
        return (), [(False, f"{fixed} What the trainer sees, on the Train page, shows it.")]
    if k != need.count:
        wants = f"{need.title} wants {words.count(need.count, 'anchor')}, and these are {k}."
        return (), [(True, f"{wants} Choose {need.count} above.")]
    order = np.argsort(wish.centres.prod(axis=1), kind="stable")
    centres = wish.centres[order]
    level_of = anchors.by_level(boxes.sizes, centres, [mask for _, mask in need.levels])
    counts = np.bincount(level_of[level_of >= 0], minlength=len(need.levels))
    found = tuple(
        OfLevel(
            stride, tuple((float(w), float(h)) for w, h in centres[list(mask)]), int(count), count / max(len(boxes), 1)
        )
        for (stride, mask), count in zip(need.levels, counts.tolist(), strict=True)
    )
    return found, _warnings(need, boxes, nearest, level_of, found)


def _one_per_cell(need: Need, boxes: Boxes, px: int) -> tuple[bool, str]:
    seen = anchors.sharing(boxes.images, boxes.centres, px / need.cells)
    told = f"{need.title} has {need.cells} × {need.cells} cells, and each learns one box: "
    if not seen.lost:
        return False, f"{told}no two boxes of an image have their middles in one cell."
    return True, (
        f"{told}{seen.sharing:,} of {words.count(seen.boxes, 'box')} have their middle in a cell with another's, so at"
        f" least {seen.lost:,} can't be learnt, whatever the anchors."
    )


def _warnings(
    need: Need, boxes: Boxes, nearest: NDArray[np.int64], level_of: NDArray[np.int64], levels: tuple[OfLevel, ...]
) -> list[tuple[bool, str]]:
    told = [
        (True, f"No box goes to the scale of stride {level.stride}: a part of the network learns nothing there.")
        for level in levels
        if not level.boxes
    ]
    finest = min(level.stride for level in levels)
    small = int(anchors.smaller_than_cell(boxes.sizes, finest).sum())
    if small:
        is_are = "box is" if small == 1 else "boxes are"
        told.append((True, f"{small:,} {is_are} smaller than a cell of the finest scale ({finest} px)."))
    lost = 0
    for place, level in enumerate(levels):
        rows = np.flatnonzero(level_of == place)
        lost += anchors.sharing(boxes.images[rows], boxes.centres[rows], level.stride, nearest[rows]).lost
    if lost:
        which = "box wants" if lost == 1 else "boxes want"
        told.append((True, f"{lost:,} {which} a cell and an anchor that another box has: one of them is learnt."))
    if not told:
        told.append((False, "Every scale has boxes, and no two want the same anchor of the same cell."))
    return told


def detectors() -> tuple[tuple[str, str], ...]:
    """(name, title) of all; loads torch, so in a thread."""
    from workbench import detectors as known

    return tuple((name, kind.title) for name, kind in known.load_all())


def need_of(name: str) -> Need:
    """In a thread, too. WorkbenchError for a detector that can't be made without more settings."""
    from workbench import detectors as known

    kind = known.load_all().get(name)
    made = known.build(name, kind.settings_class(width=0.1), 1)  # narrow: only its rules are asked
    need = made.anchor_need
    levels = () if need is None else tuple(zip(need.strides, need.masks, strict=True))
    cells = int(made.head.side) if kind.one_per_cell else 0  # type: ignore[attr-defined]
    return Need(name, kind.title, 0 if need is None else need.count, levels, cells)
