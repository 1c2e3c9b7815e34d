"""What a set of anchors means for each label and each output level of a detector, computed in the background.

Every box counts once: if augmentation gives it several sizes, its label gets their mean, and its scale is found from
the middle one. m = boxes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench import anchors
from workbench.anchors.overlap import best_centres
from workbench.core import formatting
from workbench.core.resize import base_mode
from workbench.ui import anchor_words
from workbench.ui.anchors.computation import Boxes, ChosenBoxes
from workbench.ui.anchors.rules import Need, OwnLevels


@dataclass(frozen=True, slots=True, eq=False)
class DetailsRequest:
    """`need` is for as many anchors as `centres` has; `own` is for a detector without anchors. `resize`: the page's
    choice; `boxes_resize`: how the boxes were measured, if that is the detector's way and not the page's.
    """

    boxes: Boxes
    centres: NDArray[np.float64]
    need: Need | None
    px: int
    own: OwnLevels | None = None
    resize: str = "stretch"
    boxes_resize: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class LabelDetails:
    """One label's boxes, their mean IoU with their best anchors, the worst one, and those below one half."""

    number: int
    boxes: ChosenBoxes
    mean_iou: float
    worst: float
    worst_box: ChosenBoxes
    below: ChosenBoxes


@dataclass(frozen=True, slots=True, eq=False)
class LevelDetails:
    """`anchors`: the project's, or the detector's own default boxes; () for points."""

    stride: int
    anchors: tuple[tuple[float, float], ...]
    boxes: ChosenBoxes
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """`link`: the part of the text that shows `chosen`, or that resizes images in the way `resize`."""

    text: str
    is_warning: bool = False
    link: str = ""
    chosen: ChosenBoxes | None = None
    resize: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Details:
    labels: tuple[LabelDetails, ...]
    levels: tuple[LevelDetails, ...]
    sentences: tuple[Sentence, ...]


def compute_details(request: DetailsRequest) -> Details:
    """Takes some tenths of a second for a million boxes."""
    levels, sentences = _levels(request)
    other = _other_resize(request)
    in_order = (*sentences, *other) if request.boxes_resize else (*other, *sentences)
    return Details(_labels(request.boxes, request.centres), levels, in_order)


def _other_resize(request: DetailsRequest) -> list[Sentence]:
    if request.need is None or request.need.problem:
        return []
    if request.boxes_resize:
        other = base_mode(request.boxes_resize) != base_mode(request.resize)
        text = f"Counted as {request.need.title} resizes images, by {base_mode(request.boxes_resize)}."
        return [Sentence(text)] if other else []
    text = anchor_words.other_resize(request.need.title, request.need.resize, request.resize)
    wanted = base_mode(request.need.resize)
    link = f"Choose {wanted}"
    return [Sentence(f"{text}. {link}.", True, link, resize=wanted)] if text else []


def _labels(boxes: Boxes, centres: NDArray[np.float64]) -> tuple[LabelDetails, ...]:
    if not len(boxes):
        return ()
    starts = boxes.starts
    counts = np.diff(np.append(starts, len(boxes)))
    quality = np.add.reduceat(best_centres(boxes.sizes, centres)[1], starts) / counts  # (m,)
    of_box, found = boxes.labels[starts], []
    for number in np.unique(of_box).tolist():
        its = np.flatnonzero(of_box == number)
        name, worst = boxes.names[number].name, int(its[quality[its].argmin()])
        below = its[quality[its] < anchors.RECALL_IOU]
        found.append(
            LabelDetails(
                number, boxes.chosen(starts[its], f"of {name}"), float(quality[its].mean()), float(quality[worst]),
                boxes.chosen(starts[[worst]], f"of {name}"),
                boxes.chosen(starts[below], f"of {name} below an IoU of {anchors.RECALL_IOU:g}"),
            )
        )  # fmt: skip
    return tuple(found)


def _levels(request: DetailsRequest) -> tuple[tuple[LevelDetails, ...], list[Sentence]]:
    need = request.need
    if need is None:
        return (), []
    if need.problem:
        return (), [Sentence(need.problem, is_warning=True)]
    if need.cells:
        return (), [_one_per_cell(need, request.boxes, request.px)]
    if request.own is not None:
        return _own(need, request.own, request.boxes, request.px)
    if not need.levels:
        return (), [Sentence(f"{need.title} doesn't use the project's anchors: what it learns by is fixed.")]
    return _by_anchors(need, request.boxes, request.centres)


def _by_anchors(
    need: Need, boxes: Boxes, centres: NDArray[np.float64]
) -> tuple[tuple[LevelDetails, ...], list[Sentence]]:  # fmt: skip
    centres = centres[np.argsort(centres.prod(axis=1), kind="stable")]
    rows = boxes.middles
    sizes = boxes.sizes[rows]
    masks = [mask for _, mask in need.levels]
    learnt = anchors.learnt_by_level(sizes, centres, masks, need.match_iou)
    found = tuple(
        LevelDetails(
            stride, tuple((float(w), float(h)) for w, h in centres[list(mask)]),
            boxes.chosen(rows[its], f"at the scale of stride {stride}"), float(its.sum()) / max(len(rows), 1),
        )
        for (stride, mask), its in zip(need.levels, learnt, strict=True)
    )  # fmt: skip
    sentences = [*_empty_levels(found), *_unserved(boxes, rows, learnt), *_too_small(boxes, rows, found)]
    sentences += _sharing(boxes, rows, anchors.assign(sizes, centres), need)
    if not sentences:
        sentences.append(Sentence("Every scale has boxes, and no two want the same anchor of the same cell."))
    found = tuple(sorted(found, key=lambda one: one.stride))  # finest first, whatever the detector's order
    if need.match_iou < 1:
        rule = f"{need.title} learns a box at every anchor whose shape overlaps it by more than {need.match_iou:g}"
        sentences.append(Sentence(f"{rule}, so often at several scales."))
    if need.count != need.published:
        dealt = ", shared out among its scales as above" if len(need.levels) > 1 else ""
        sentences.append(Sentence(f"{anchor_words.other_number(need.title, need.published, need.count)}{dealt}."))
    return found, sentences


def _empty_levels(levels: tuple[LevelDetails, ...]) -> list[Sentence]:
    return [
        Sentence(
            f"No box goes to the scale of stride {level.stride}: a part of the network learns nothing there.", True
        )
        for level in levels
        if not len(level.boxes.ids)
    ]


def _unserved(boxes: Boxes, rows: NDArray[np.int64], learnt: NDArray[np.bool_]) -> list[Sentence]:
    without = np.flatnonzero(~learnt.any(axis=0))
    if not len(without):
        return []
    verb = "is" if len(without) == 1 else "are"
    text = f"{verb} nearest to an anchor that no scale uses, and not learnt."
    return [_linked(len(without), text, boxes, rows[without], "whose anchor no scale uses")]


def _too_small(boxes: Boxes, rows: NDArray[np.int64], levels: tuple[LevelDetails, ...]) -> list[Sentence]:
    finest = min(level.stride for level in levels)
    small = rows[anchors.smaller_than_cell(boxes.sizes[rows], finest)]
    if not len(small):
        return []
    verb = "is" if len(small) == 1 else "are"
    text = f"{verb} smaller than a cell of the finest scale ({finest} px)."
    return [_linked(len(small), text, boxes, small, f"smaller than {finest} px")]


def _sharing(boxes: Boxes, rows: NDArray[np.int64], nearest: NDArray[np.int64], need: Need) -> list[Sentence]:
    """Boxes that share their cell and anchor with another box."""
    inputs, lost, meeting = boxes.inputs[rows], 0, []
    for stride, mask in need.levels:
        its = np.flatnonzero(np.isin(nearest, mask))
        places = anchors.cell_numbers(inputs[its], boxes.centres[rows[its]], stride, nearest[its])
        lost += len(places) - len(np.unique(places))
        meeting.append(rows[its[anchors.shared_cells(places)]])
    if not lost:
        return []
    if need.adds_up:
        all_of_them = np.concatenate(meeting)
        text = "share an anchor of a cell with another: it learns from all of them, but can find only one."
        which = "that share a cell's anchor"
        return [_linked(len(all_of_them), text, boxes, all_of_them, which)]
    wants = "it wants" if lost == 1 else "each wants"
    text = f"can't be learnt: {wants} the same anchor of the same cell as another box, which is learnt in its place."
    return [_linked(lost, text, boxes, np.concatenate(meeting), "that want a cell of another's")]


def _linked(number: int, text: str, boxes: Boxes, rows: NDArray[np.int64], which: str) -> Sentence:
    """`number`: how many boxes the sentence is about; `rows`: those that the link shows."""
    count, share = formatting.count(number, "box"), formatting.percent(number / max(len(boxes.starts), 1))
    return Sentence(f"{count} ({share}) {text}", True, count, boxes.chosen(rows, which))


def _one_per_cell(need: Need, boxes: Boxes, px: int) -> Sentence:
    rows = boxes.middles
    places = anchors.cell_numbers(boxes.inputs[rows], boxes.centres[rows], px / need.cells)
    meeting, lost = rows[anchors.shared_cells(places)], len(places) - len(np.unique(places))
    rule = f"{need.title} has {need.cells} × {need.cells} cells, and each learns one box: "
    if not lost:
        return Sentence(f"{rule}no two boxes of an image have their middles in one cell.")
    link = f"{len(meeting):,} of {formatting.count(len(rows), 'box')}"
    return Sentence(
        f"{rule}{link} have their middle in the same cell as another box, as when boxes touch or lie close, so at least"
        f" {lost:,} can't be learnt, whatever the anchors.",
        True, link, boxes.chosen(meeting, "that share a cell of " + need.title),
    )  # fmt: skip


def _own(need: Need, own: OwnLevels, boxes: Boxes, px: int) -> tuple[tuple[LevelDetails, ...], list[Sentence]]:
    """For a detector with its own boxes or points."""
    rows, tested = boxes.middles, int(own.tested.sum())
    found = tuple(
        LevelDetails(
            stride, own.sizes[level], boxes.chosen(rows[own.learnt[level]], f"that {need.title} learns at {stride} px"),
            float(own.learnt[level].sum()) / max(tested, 1),
        )
        for level, stride in enumerate(own.strides)
    )  # fmt: skip
    what = "boxes" if any(own.sizes) else "points"
    sentences = [
        Sentence(
            f"{need.title} doesn't use the project's anchors: it has {what} of its own. A box may be learnt at several"
            " scales."
        )
    ]
    missed = rows[own.tested & ~own.learnt.any(axis=0)]
    if len(missed):
        verb = "is" if len(missed) == 1 else "are"
        text = f"{verb} learnt nowhere: none of its {what} answers for {'it' if len(missed) == 1 else 'them'}."
        sentences.append(_linked(len(missed), text, boxes, missed, f"that {need.title} learns nowhere"))
    sentences += _empty_levels(found)
    if tested < len(rows):
        sentences.append(
            Sentence(f"Worked out on {formatting.count(tested, 'box')} of {formatting.count(own.images, 'image')}.")
        )
    if own.px != px:
        sentences.append(Sentence(f"At its own input side, {own.px} px."))
    return found, sentences
