"""Non-maximum suppression for all steps of a slider at once: which boxes stay at 0.05, 0.06, ... 1.00.

A box is removed at a threshold if some higher box stays there and overlaps it by more. So the thresholds a box
survives follow from those the higher ones survive, and one pass over the overlapping pairs settles all steps together:
one bit each, in two words. Moving the slider then reads one bit per box, and the pairs can be discarded: 16 bytes per
box instead of 20 per pair.

N = boxes, P = pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import nms
from workbench.core.nms import NmsKind, Overlaps, Rows

STEPS = np.arange(101) / 100  # the slider's: exactly the doubles that it sets
FLOOR = 0.05  # overlap sliders are hardly set lower; if so, the pairs are listed again
_BITS = 64  # per word; the first holds the steps 0.00 to 0.63
_AT_ONCE = 200_000  # boxes whose pairs are listed together: bounds the working memory to some 100 MB


@dataclass(frozen=True, slots=True, eq=False)
class NmsTable:
    """The thresholds at which NMS removes box i: a bit per step in removed[:, i]. Steps below `floor` are unknown."""

    removed: NDArray[np.uint64]  # (2, N)
    floor: float

    def knows(self, iou: float) -> bool:
        """Whether `iou` is one of the steps; for other thresholds use core.nms.greedy_nms."""
        return self.floor <= iou <= 1 and round(iou * 100) / 100 == iou

    def kept(self, iou: float) -> NDArray[np.bool_]:
        """(N,) True for the boxes that stay at `iou`. ValueError if it is not a step."""
        if not self.knows(iou):
            raise ValueError(f"{iou} is not a step from {self.floor} to 1")
        word, bit = divmod(round(iou * 100), _BITS)
        return np.asarray((self.removed[word] & np.uint64(1 << bit)) == 0)


def nms_table(pairs: Overlaps, groups: Rows) -> NmsTable:
    """The table of `pairs`. groups (N,): boxes of different groups never overlap; scores descend within a group."""
    removed = np.zeros((2, len(groups)), np.uint64)
    _settle(removed, pairs, groups)
    return NmsTable(removed, pairs.floor)


def of_groups(boxes: NDArray[Any], groups: Rows, kind: NmsKind = "per label") -> NmsTable:
    """The table for boxes (N, 4) of many images. `groups` (N,) ascend; within one, boxes descend by score.

    `kind` says how overlap is measured; `groups` say which boxes are compared.
    """
    removed = np.zeros((2, len(groups)), np.uint64)
    how: NmsKind = "per label" if kind == "across labels" else kind
    for first, last in _spans(groups):
        part = groups[first:last]
        removed[:, first:last] = nms_table(nms.overlaps(boxes[first:last], part, how, FLOOR), part).removed
    return NmsTable(removed, FLOOR)


def _spans(groups: Rows) -> Iterator[tuple[int, int]]:
    """Ranges of about _AT_ONCE rows that never split a group."""
    first = 0
    while first < len(groups):
        last = min(first + _AT_ONCE, len(groups))
        last = int(np.searchsorted(groups, groups[last - 1], side="right"))
        yield first, last
        first = last


def _settle(removed: NDArray[np.uint64], pairs: Overlaps, groups: Rows) -> None:
    """Set the bits of `removed` (2, N): turn s applies what the s-th box of every group does to the lower ones."""
    if not len(pairs.value):
        return
    lows = np.searchsorted(STEPS, pairs.value.astype(np.float64), side="left")  # steps below the pair's overlap
    turn = _turns(pairs.higher, groups)
    # small integers sort in a tenth of the time
    order = np.argsort(turn.astype(np.min_scalar_type(int(turn.max()))), kind="stable")
    higher, lower, lows = pairs.higher[order], pairs.lower[order], lows[order]
    ends = np.cumsum(np.bincount(turn))
    spans = list(zip(np.concatenate([[0], ends[:-1]]).tolist(), ends.tolist(), strict=True))
    for word, below in zip(removed, _below(np.arange(len(STEPS))), strict=True):
        strength = below[lows]
        for first, last in spans:
            high, low = higher[first:last], lower[first:last]  # low has no duplicates: one high box per group
            word[low] |= ~word[high] & strength[first:last]


def _turns(higher: Rows, groups: Rows) -> Rows:
    """(P,) how many boxes of the same group take their turn before this pair's higher one."""
    rows = np.flatnonzero(np.bincount(higher))
    mine = groups[rows]
    order = np.argsort(mine, kind="stable")
    first = np.flatnonzero(np.concatenate([[True], mine[order][1:] != mine[order][:-1]]))
    rank = np.zeros(len(groups), np.int64)
    rank[rows[order]] = np.arange(len(rows)) - np.repeat(first, np.diff(np.append(first, len(rows))))
    return rank[higher]


def _below(steps: Rows) -> NDArray[np.uint64]:
    """(2, S) words with the bits of the first `steps` steps."""
    masks = [(1 << int(count)) - 1 for count in steps]
    words = [[mask & (2**_BITS - 1) for mask in masks], [mask >> _BITS for mask in masks]]
    return np.array(words, np.uint64)
