"""Average precision from a matching: interpolated precision at 101 recalls exactly as pycocotools sums it.

Precision falls with each wrong detection, so its maxima are at right ones, and only these are examined: their places
in the order of scores are computed once, and a confidence cuts each label's list short.

T = IoU thresholds, R = 101 recall points, C = labels, K = detections, H = right detections over all thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation.evaluation_data import Confidence
from workbench.core.evaluation.greedy_matching import Bools, Rows
from workbench.core.evaluation.matching import Matching

Doubles = NDArray[np.float64]
RECALLS: Doubles = np.linspace(0.0, 1.0, 101)
MOST = (1, 10, 100)  # detections considered, per image and label


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """The right detections, by threshold, label and descending score; a block of slots for each (t, c).

    A block has a slot for every labelled box plus one, so that recalls that are not reached have precision 0.
    """

    precision: Doubles  # (slots,) from the first right detection on
    scores: Doubles  # (slots,) -inf where nothing is reached
    labels: Rows  # (slots,)
    blocks: Rows  # (T * C,) where each block begins
    boxes: Rows  # (C,) labelled boxes that count
    seen: Rows  # (slots,) the number of detections down to this one that count
    wanted: Rows  # (T * C * R,) the slot at which each recall is reached


def hits(matching: Matching, most: int = MOST[-1]) -> Hits:
    """The right detections among the `most` of each image and label; cached."""
    known: Hits | None = matching.remembered(("hits", most))
    return known or matching.remember(("hits", most), _hits(matching, most))


def _hits(matching: Matching, most: int) -> Hits:
    ranking = matching.found.by_label(matching.truth.label_count)
    levels, labels = len(matching.thresholds), matching.truth.label_count
    boxes = boxes_per_label(matching)
    links = matching.links
    order = np.argsort(ranking.place[links.detection], kind="stable")
    detection, box, bits = links.detection[order], links.box[order], links.levels[order]
    place = ranking.place[detection]
    allowed = matching.among(most)
    right = matching.counted[box]
    if allowed is not None:
        right &= allowed[detection]
    held = (bits[None] >> np.arange(levels, dtype=np.uint64)[:, None] & np.uint64(1)).astype(bool)  # (T, L)
    level, at = np.nonzero(held & right)  # (H,) by threshold, label and descending score
    label = matching.found.labels[detection]
    block = level * labels + label[at]
    per = np.bincount(block)
    nth = np.arange(len(at)) - (np.cumsum(per) - per)[block]
    begin = np.concatenate([[0], np.cumsum(np.tile(boxes + 1, levels))]).astype(np.int64)
    slot = begin[block] + nth
    count = _seen(matching, allowed, place, label, box, detection, held)
    seen = np.zeros(begin[-1], np.int64)
    seen[slot] = count[at] if count.ndim == 1 else count[level, at]
    precision, scores = np.zeros(begin[-1]), np.full(begin[-1], -np.inf)
    precision[slot] = (nth + 1) / (seen[slot] + np.spacing(1))  # spacing: as pycocotools adds it
    scores[slot] = matching.found.scores[detection][at]
    wanted = np.concatenate([np.zeros(0, np.int64), *(reached_at(int(n)) for n in boxes)])
    wanted = np.tile(wanted, levels) + np.repeat(begin[:-1], len(RECALLS))
    slots_of = np.tile(np.repeat(np.arange(labels), boxes + 1), levels)
    return Hits(precision, scores, slots_of, begin[:-1], boxes, seen, wanted)


def _seen(
    matching: Matching, allowed: Bools | None, place: Rows, label: Rows, box: Rows, detection: Rows, held: Bools
) -> Rows:
    """(L,) or (T, L) how many detections of the label count, down to each of these, which are sorted by place."""
    ranking = matching.found.by_label(matching.truth.label_count)
    judged = allowed
    if matching.outside is not None:
        judged = ~matching.outside if allowed is None else allowed & ~matching.outside
    before = ranking.ends[label]
    if judged is None:
        seen = place - before + 1
    else:
        running = np.concatenate([[0], np.cumsum(judged[ranking.rows], dtype=np.int32)])
        seen = running[place + 1].astype(np.int64) - running[before]
    # a detection that takes a box counts as the box does, whatever it would do otherwise
    otherwise = np.ones(len(box), bool) if judged is None else judged[detection]
    takes_part = np.ones(len(box), bool) if allowed is None else allowed[detection]
    change = np.where(takes_part, matching.counted[box].astype(np.int64) - otherwise, 0)
    if not change.any():
        return np.asarray(seen, np.int64)
    more = np.cumsum(np.where(held, change, 0), axis=1)  # (T, L)
    fresh = np.concatenate([[True], label[1:] != label[:-1]])
    first = np.maximum.accumulate(np.where(fresh, np.arange(len(label)), 0))
    earlier = np.concatenate([np.zeros((len(held), 1), np.int64), more], axis=1)[:, first]
    return np.asarray(seen + more - earlier, np.int64)


@lru_cache(maxsize=4096)
def reached_at(boxes: int) -> Rows:
    """(R,) for each recall, how many right detections precede the one that reaches it, with `boxes` labelled boxes."""
    if not boxes:
        return np.zeros(len(RECALLS), np.int64)
    wanted = np.searchsorted(np.arange(boxes + 1) / boxes, RECALLS, side="left")
    return np.maximum(wanted, 1) - 1


def accumulate(matching: Matching, most: int = MOST[-1], confidence: Confidence = 0.0) -> tuple[Doubles, Doubles]:
    """Interpolated precision (T, R, C) and reached recall (T, C); NaN for a label without a box that counts.

    `confidence`, inclusive: one for all labels or (C,) one for each; nothing is matched again.
    """
    levels, labels = len(matching.thresholds), matching.truth.label_count
    if not labels:
        return np.full((levels, len(RECALLS), 0), np.nan), np.full((levels, 0), np.nan)
    here = hits(matching, most)
    wanted = np.asarray(confidence, np.float64)
    reached = here.scores >= (wanted if wanted.ndim == 0 else wanted[here.labels])
    at_recall = np.maximum.reduceat(np.where(reached, here.precision, 0.0), here.wanted)
    at_recall = at_recall.reshape(levels, labels, len(RECALLS))
    best = np.maximum.accumulate(at_recall[..., ::-1], axis=2)[..., ::-1].transpose(0, 2, 1)
    right = np.add.reduceat(reached, here.blocks, dtype=np.int64).reshape(levels, labels)
    none = here.boxes == 0
    with np.errstate(invalid="ignore"):
        return np.where(none, np.nan, best), right / np.where(none, np.nan, here.boxes)


def of_flags(labels: Rows, right: Bools, boxes: Rows) -> Doubles:
    """(C,) AP of detections already judged right or wrong; boxes (C,): labelled boxes. NaN: no boxes.

    labels (n,) ascend; detections of a label are sorted by descending score, as in Ranking.
    """
    ends = np.searchsorted(labels, np.arange(len(boxes) + 1))
    result = np.full(len(boxes), np.nan)
    for label, (first, last) in enumerate(pairwise(ends.tolist())):
        if boxes[label]:
            at = np.flatnonzero(right[first:last])
            best = np.append((np.arange(len(at)) + 1) / (at + 1 + np.spacing(1)), 0.0)
            best = np.maximum.accumulate(best[::-1])[::-1]
            result[label] = best[np.minimum(reached_at(int(boxes[label])), len(at))].mean()
    return result


def average_precision(matching: Matching, confidence: Confidence = 0.0) -> Doubles:
    """(T, C) AP of the detections with at least this score, without matching again: for a slider. NaN: no boxes."""
    return np.asarray(accumulate(matching, confidence=confidence)[0].mean(axis=1))


def boxes_per_label(matching: Matching) -> Rows:
    """(C,) labelled boxes that count."""
    counted = matching.truth.labels[matching.counted]
    return np.bincount(counted, minlength=matching.truth.label_count).astype(np.int64)
