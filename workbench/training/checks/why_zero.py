"""Why nothing is detected correctly in the first evaluations of a training: the reason, in sentences.

M = labelled boxes that count, C = labels. Only the best detections of each image are used, a few more than it has
boxes: among hundreds of lower ones some overlap a box by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.core.evaluation.evaluation_data import DetectionArrays
from workbench.core.formatting import count, percent
from workbench.core.project import Snapshot

Doubles = NDArray[np.float64]
Labels = NDArray[np.int64]
_Part = tuple[Labels, Labels, Doubles]
FIRST = 3  # evaluations that are explained; later ones speak for themselves
ZERO = 0.01  # AP50 of all labels below which nothing counts as found right; for one label a tenth of it
MANY = 10  # boxes of a label from which its AP50 means something
EARLY = 100  # steps before which no network finds anything: norms are still settling (step.py)
RIGHT, NEAR = 0.5, 0.1  # IoU of a box that is found, and of one that is at least touched
SOME, MOST = 0.3, 0.9  # shares of the boxes that count as a reason
STILL = 0.95  # share of the initial loss above which it has not fallen
FEWEST_LOSSES = 10
BALANCE = "set Label balance (--label-balance)"
TINY = {"adamw": 1e-6, "sgd": 1e-5}  # learning rates: a thousandth of the usual
LEAST_ASKED, MORE = 20, 2  # detections of an image: this many, or this many times its boxes
NAMED = 5  # labels
MOVE, LABEL_MORE = "Move some there.", "Label it in more images."


@dataclass(frozen=True, slots=True)
class Learning:
    """How the training has gone so far. `warm_up`: the step at which the learning rate is highest."""

    step: int
    steps: int
    warm_up: int
    losses: Sequence[float]  # of steps, or means of a few at a time, oldest first
    learning_rate: float  # at its highest
    optimizer: str = "adamw"


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """For each labelled box that counts: the detection that overlaps it most, and the best one of its own label."""

    labels: Labels  # (M,)
    near: Doubles  # (M,) IoU, 0 where nothing overlaps
    called: Labels  # (M,) label of that one, -1 where nothing overlaps
    own: Doubles  # (M,) IoU of the best of the own label
    score: Doubles  # (M,) its score
    ratio: Doubles  # (M, 2) width and height of the nearest divided by those of the box
    shift: Doubles  # (M, 2) from the box's centre to its centre, in widths and heights of the box
    wrong: float  # the median, over images, of the highest score that is on no box
    detections: int


def remarks(
    truth: Snapshot, detections: Sequence[DetectionArrays], learnt: Labels, ap50: float,
    per_label: Mapping[str, float], learning: Learning, remedy: str,
) -> tuple[str, ...]:  # fmt: skip
    """Sentences if AP50 is nearly 0, over all or for a label with many boxes; none otherwise.

    `detections`: of each image of `truth`, above the floor, in pixels of the original. `learnt` (C,): boxes of each
    label in the training images. `ap50` NaN: no box counts. `per_label`: AP50 by name, labels without boxes left out.
    `remedy`: what to do if a label is hardly in the training images.
    """
    judged = np.bincount(truth.label_index[~np.asarray(truth.crowd, bool)], minlength=len(truth.labels))
    if not judged.any():
        return (
            "AP can't be measured: the validation images have no boxes that count. Label some, or move some images "
            "there.",
        )
    names = [label.name for label in truth.labels]
    bad = [c for c, name in enumerate(names) if judged[c] >= MANY and per_label.get(name, 0.0) < ZERO / 10]
    if not ap50 < ZERO and not bad:
        return ()
    sentences = list(_structure(names, bad, learnt, judged, remedy))
    if learning.step < max(learning.warm_up, EARLY):
        late = [f"'{names[c]}'" for c in bad if learnt[c] >= MANY][:NAMED]
        if ap50 < ZERO or late:
            sentences.append(_early(learning, "anything" if ap50 < ZERO else " or ".join(late)))
        return tuple(sentences)
    facts = gather_facts(truth, detections)
    if ap50 < ZERO:
        sentences.append(f"Next to nothing is found right (AP50 {ap50:.3f}): {_reason(facts, names)}")
        sentences += _slow(learning)
    else:
        there = [c for c in bad if learnt[c] >= MANY]
        sentences += [_of_label(facts, names, c, int(judged[c])) for c in there[:NAMED]]
    return tuple(sentences)


def _structure(names: Sequence[str], bad: Sequence[int], learnt: Labels, judged: Labels, remedy: str) -> Iterator[str]:
    """Reasons that no training could change."""
    for c in [c for c in bad if learnt[c] < MANY][:NAMED]:
        there = "none" if not learnt[c] else f"only {learnt[c]}"
        yield (
            f"Nothing of '{names[c]}' is found right: of its boxes {judged[c]:,} are in the validation images and"
            f" {there} in the training images. {remedy}"
        )


def _early(learning: Learning, what: str) -> str:
    if learning.step < learning.warm_up:
        return (
            f"It is too early to find {what}: the learning rate rises until step {learning.warm_up:,}, this is step"
            f" {learning.step:,}."
        )
    more = " and the run has no more" if learning.steps < EARLY else ""
    return f"It is too early to find {what}: this is step {learning.step:,}{more}; at least {EARLY} are needed."


def _slow(learning: Learning) -> Iterator[str]:
    if learning.learning_rate < TINY.get(learning.optimizer, 0.0):
        yield f"The learning rate is tiny: {learning.learning_rate:g}. The presets have a thousand times that."
    losses = [loss for loss in learning.losses if math.isfinite(loss)]
    part = len(losses) // 5
    if len(losses) >= FEWEST_LOSSES:
        first, last = float(np.mean(losses[:part])), float(np.mean(losses[-part:]))
        if last > STILL * first:
            yield (
                f"The loss does not fall: {first:.3g} at the beginning, {last:.3g} now. The learning rate may be too"
                " high or too low, or the boxes are not where the objects are."
            )


# --- what the detections say ---


def gather_facts(truth: Snapshot, detections: Sequence[DetectionArrays]) -> Facts:
    """Compare each image's labelled boxes with its best detections."""
    parts: list[_Part] = []
    wrong: list[float] = []
    for index, found in enumerate(detections):
        span = truth.rows(index)
        real = ~np.asarray(truth.crowd[span], bool)
        boxes, labels = np.asarray(truth.boxes[span], np.float64)[real], truth.label_index[span][real]
        best = np.argsort(-np.asarray(found.scores, np.float64), kind="stable")
        best = best[: max(LEAST_ASKED, MORE * len(boxes))]
        theirs, scores = np.asarray(found.boxes, np.float64)[best], np.asarray(found.scores, np.float64)[best]
        ious: Doubles = np.asarray(geometry.iou(boxes, theirs), np.float64)  # (boxes, detections)
        parts.append(_of_image(boxes, labels, theirs, scores, np.asarray(found.labels)[best], ious))
        off = scores[(ious < RIGHT).all(axis=0)]
        wrong.append(float(off.max(initial=0.0)))
    whole, called, numbers = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Facts(
        labels=whole, called=called, near=numbers[:, 0], own=numbers[:, 1], score=numbers[:, 2],
        ratio=numbers[:, 3:5], shift=numbers[:, 5:7], wrong=float(np.median(wrong)),
        detections=sum(len(found.scores) for found in detections),
    )  # fmt: skip


def _of_image(
    boxes: Doubles, labels: Labels, theirs: Doubles, scores: Doubles, called: NDArray[Any], ious: Doubles
) -> _Part:
    """For one image: labels (n,), what the nearest is called (n,), and the other columns of Facts (n, 7)."""
    number = len(boxes)
    if not len(theirs):
        return labels, np.full(number, -1), np.zeros((number, 7))
    mine = np.where(called[None] == labels[:, None], ious, 0.0)
    at, own, every = ious.argmax(axis=1), mine.argmax(axis=1), np.arange(number)
    near, best = ious[every, at], mine[every, own]
    sides, other = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-9), theirs[at, 2:] - theirs[at, :2]
    shift = (theirs[at, :2] + theirs[at, 2:] - boxes[:, :2] - boxes[:, 2:]) / 2
    numbers = np.column_stack([near, best, np.where(best > 0, scores[own], 0.0), other / sides, shift / sides])
    return labels, np.where(near > 0, called[at], -1).astype(np.int64), numbers


def _reason(facts: Facts, names: Sequence[str]) -> str:
    """The first reason that holds, for all labels together."""
    if not facts.detections:
        return "there are no detections at all: the network is confident of nothing. Train longer, or check the labels."
    right, own = (float((iou >= RIGHT).mean()) for iou in (facts.near, facts.own))
    if right >= SOME and own < right / 3:
        return _misnamed(facts, names)
    if own >= SOME:
        found = facts.own >= RIGHT
        return (
            f"{percent(own, 0)} of the boxes are found, but wrong detections have higher scores ({facts.wrong:.2f} "
            f"against"
            f" {np.median(facts.score[found]):.2f}). That is a matter of time, if the loss falls."
        )
    touched = (facts.near >= NEAR) & (facts.near < RIGHT)
    if touched.mean() >= SOME:
        return _misplaced(facts, touched)
    return (
        "the detections lie where no boxes are. The boxes may belong to other images, or use other coordinates: check "
        "with What the trainer sees."
    )


def _misnamed(facts: Facts, names: Sequence[str]) -> str:
    hit = facts.near >= RIGHT
    labels, called = facts.labels[hit], facts.called[hit]
    words = f"{percent(hit.mean(), 0)} of the boxes are found, but under other labels"
    shift = _shift(labels, called, len(names))
    if shift:
        way = f"{abs(shift)} {'later' if shift > 0 else 'earlier'}"
        return f"{words}, each the one that comes {way} in the list. The label ids look shifted: check the import."
    most = np.bincount(called, minlength=len(names))
    if most.max() >= MOST * len(called):
        name = names[int(most.argmax())]
        return f"{words}: nearly all are called '{name}'. If it is by far the most common, {BALANCE}, or wait."
    pairs = np.bincount((labels * len(names) + called)[labels != called], minlength=len(names) ** 2)
    one, other = divmod(int(pairs.argmax()), len(names))
    return f"{words}; most often '{names[one]}' is called '{names[other]}'. Were labels mixed up in an import?"


def _shift(labels: Labels, called: Labels, number: int) -> int:
    """By how many places the labels are off, the same for at least two labels; 0 if they are not."""
    there = np.unique(labels)
    if len(there) < 2:
        return 0
    shifts = {int(np.bincount(called[labels == c], minlength=number).argmax() - c) for c in there}
    off = {shift % number for shift in shifts}
    if len(off) != 1:
        return 0
    shift = off.pop()
    return shift if shift <= number / 2 else shift - number


def _misplaced(facts: Facts, touched: NDArray[np.bool_]) -> str:
    words = f"the detections lie on the boxes, but overlap them by {np.median(facts.near[touched]):.2f} only"
    ratio, shift = np.maximum(facts.ratio[touched], 1e-9), facts.shift[touched]
    (width, height), (right, down) = np.median(ratio, axis=0), np.median(shift, axis=0)
    if max(abs(math.log(width)), abs(math.log(height))) > math.log(1.5) and _agree(np.log(ratio), 0.4):
        return (
            f"{words}: they are {width:.1f} times as wide and {height:.1f} times as high. Compute the anchors for this"
            " input side, and check how images are resized."
        )
    if max(abs(right), abs(down)) > 0.25 and _agree(shift, 0.2):
        return (
            f"{words}: they are off by {right:+.2f} of a box's width and {down:+.2f} of its height. Check how images"
            " are resized, and whether the boxes belong to these images."
        )
    return (
        f"{words}. Positions are learnt last: train longer, or compute anchors that fit. If it stays so, check if the"
        " boxes belong to these images."
    )


def _agree(values: Doubles, most: float) -> bool:
    """Whether the columns are nearly the same for all rows: three quarters of them this close to the median."""
    return bool((np.quantile(np.abs(values - np.median(values, axis=0)), 0.75, axis=0) <= most).all())


def _of_label(facts: Facts, names: Sequence[str], label: int, judged: int) -> str:
    words = f"Nothing of '{names[label]}' ({count(judged, 'box')}) is found right"
    mine = facts.labels == label
    other = mine & (facts.near >= RIGHT) & (facts.called != label)
    if other.sum() >= SOME * mine.sum():
        called = names[int(np.bincount(facts.called[other]).argmax())]
        return f"{words}: {other.sum():,} of them are found, but most are called '{called}'. Are they mistaken for it?"
    if not (facts.own[mine] > 0).any():
        return f"{words}: nothing that is found on its boxes has this label. If it is rare, {BALANCE}."
    if (facts.own[mine] >= NEAR).mean() >= SOME:
        overlap = float(np.median(facts.own[mine][facts.own[mine] >= NEAR]))
        return (
            f"{words}: what has this label overlaps its boxes by {overlap:.2f} only. Do anchors fit it, is "
            f"it too small?"
        )
    return f"{words}: what has this label lies elsewhere. Small objects are learnt late, or need a larger input side."
