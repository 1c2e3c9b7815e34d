"""Lets detections take labelled boxes in turns, pair by pair but for many images at a time.

Each detection's boxes are sorted by preference (those that count first, then by IoU, ties to the later box), so a
choice is "the first free one above the threshold". Groups of pairs that share neither detections nor boxes are
independent: turn s handles the s-th pair of every group at once, and all thresholds in the bits of a word.

M = labelled boxes, P = pairs that overlap enough, L = pairs that took, T = IoU thresholds, at most 64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bits = NDArray[np.uint64]
_MOST = 64  # thresholds
_LONG = 256  # turns above which it pays to look for smaller groups


@dataclass(frozen=True, slots=True, eq=False)
class MatchedPairs:
    """Which detection took which labelled box, at the thresholds whose bits are set."""

    detection: Rows  # (L,)
    box: Rows  # (L,)
    levels: Bits  # (L,)


@dataclass(frozen=True, slots=True, eq=False)
class RankedPairs:
    """The pairs, sorted by group and, within it, by turn. Preferences are the same for any subset of detections."""

    detection: Rows  # (P,)
    box: Rows  # (P,)
    levels: Bits  # (P,) a bit for each threshold reached by the pair's IoU
    group: Rows  # (P,) ascending
    actor: Rows  # (P,) the detection, numbered among those that have a pair
    crowd: Bools  # (M,) boxes that may be taken many times


def rank_pairs(
    detection: Rows, box: Rows, iou: NDArray[np.float64], cells: Rows, counted: Bools, crowd: Bools, levels: Any
) -> RankedPairs:
    """`detection` ascends; cells (P,) ascend too: image and label of each pair. levels (T,): the IoU thresholds."""
    if len(levels) > _MOST:
        raise ValueError(f"at most {_MOST} thresholds fit into the bits of a word, not {len(levels)}")
    order = _preference(detection, box, iou, counted)
    box, iou = box[order], iou[order]
    if len(cells) and np.diff(_starts(cells), append=len(cells)).max() > _LONG:
        cells = _together(detection, box, len(counted))
        order = np.argsort(cells, kind="stable")
        detection, box, iou, cells = detection[order], box[order], iou[order], cells[order]
    reached = np.zeros(len(iou), np.uint64)
    for bit, level in enumerate(levels):
        reached |= (iou >= level).astype(np.uint64) << np.uint64(bit)
    actor = np.unique(detection, return_inverse=True)[1]
    return RankedPairs(detection, box, reached, cells, actor, crowd)


def _preference(detection: Rows, box: Rows, iou: NDArray[np.float64], counted: Bools) -> Rows:
    """(P,) the order in which each detection considers its boxes; the order of detections stays."""
    order = np.arange(len(detection))
    same = detection[1:] == detection[:-1]
    several = np.flatnonzero(np.concatenate([[False], same]) | np.concatenate([same, [False]]))
    mine = detection[several]
    order[several] = several[np.lexsort((-box[several], -iou[several], ~counted[box[several]], mine))]
    return order


def match_greedily(pairs: RankedPairs, present: Bools | None = None) -> MatchedPairs:
    """Let the detections choose: those that are `present` (K,), or all."""
    detection, box, levels = pairs.detection, pairs.box, pairs.levels
    group, actor = pairs.group, pairs.actor
    if present is not None:
        use = np.flatnonzero(present[detection])
        detection, box, levels = detection[use], box[use], levels[use]
        group, actor = group[use], actor[use]
    got = np.zeros_like(levels)
    done = np.zeros(int(actor.max(initial=-1)) + 1, np.uint64)  # thresholds at which a detection has taken a box
    busy = np.zeros(len(pairs.crowd), np.uint64)
    lasting = np.where(pairs.crowd, np.uint64(0), ~np.uint64(0))  # a crowd region is never taken up
    for now in _turns(group):
        who, what = actor[now], box[now]
        free = levels[now] & ~done[who] & ~busy[what]
        done[who] |= free
        busy[what] |= free & lasting[what]
        got[now] = free
    took = np.flatnonzero(got)
    return MatchedPairs(detection[took], box[took], got[took])


def _turns(group: Rows) -> list[Rows]:
    """The first pair of every group, then the second of each, ..."""
    starts = _starts(group)
    turn = np.arange(len(group)) - np.repeat(starts, np.diff(starts, append=len(group)))
    later = np.flatnonzero(turn)
    later = later[np.argsort(turn[later], kind="stable")]
    ends = np.cumsum(np.bincount(turn[later])) if len(later) else np.zeros(1, np.int64)
    return [starts, *(later[a:b] for a, b in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))]


def _starts(keys: Rows) -> Rows:
    """Where runs of equal keys begin."""
    return np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)


def _together(detection: Rows, box: Rows, boxes: int) -> Rows:
    """(P,) a number shared by pairs that are connected through common detections or boxes."""
    count = int(detection.max()) + 1
    group = np.arange(len(detection))
    while True:
        lowest = np.full(count, len(group))
        np.minimum.at(lowest, detection, group)
        via_box = np.full(boxes, len(group))
        np.minimum.at(via_box, box, lowest[detection])
        joined = via_box[box]
        if np.array_equal(joined, group):
            return group
        group = joined
