"""What non-maximum suppression leaves at every step of a slider at once: who stays at 0.05, 0.06, ... 1.00.

A box is removed at a threshold if some higher box stays there and overlaps it by more. So which thresholds a box
survives follows from those that the higher ones survive, and one pass over the overlapping pairs settles all steps
together: a bit each, in two words. Moving the slider then looks at one bit per box, and the pairs can be thrown away:
16 bytes a box instead of 20 a pair.

N = boxes, P = pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import nms
from workbench.core.nms import Kind, Overlaps, Rows

STEPS = np.arange(101) / 100  # a slider's, and exactly the doubles that it sets
FLOOR = 0.05  # no one sets an overlap slider lower; if so, the pairs are listed again
_BITS = 64  # of a word; the first holds the steps 0.00 to 0.63
_AT_ONCE = 200_000  # boxes whose pairs are listed together: bounds the working memory to some 100 MB


@dataclass(frozen=True, slots=True, eq=False)
class Survival:
    """The thresholds at which NMS removes box i: a bit per step in removed[:, i]. Steps below `floor` are unknown."""

    removed: NDArray[np.uint64]  # (2, N)
    floor: float

    def knows(self, iou: float) -> bool:
        """Whether `iou` is one of the steps; for other thresholds use core.nms.walk."""
        return self.floor <= iou <= 1 and round(iou * 100) / 100 == iou

    def kept(self, iou: float) -> NDArray[np.bool_]:
        """(N,) True for the boxes that stay at `iou`. ValueError if it is not a step."""
        if not self.knows(iou):
            raise ValueError(f"{iou} is no step from {self.floor} to 1")
        word, bit = divmod(round(iou * 100), _BITS)
        return np.asarray((self.removed[word] & np.uint64(1 << bit)) == 0)


def survival(pairs: Overlaps, groups: Rows) -> Survival:
    """The table of `pairs`. groups (N,): boxes of different groups never overlap; scores descend within a group."""
    removed = np.zeros((2, len(groups)), np.uint64)
    _settle(removed, pairs, groups)
    return Survival(removed, pairs.floor)


def of_groups(boxes: NDArray[Any], groups: Rows, kind: Kind = "per label") -> Survival:
    """The table of many images' boxes (N, 4). `groups` (N,) ascend; boxes overlap within one, by descending score.

    `kind` says how overlap is measured; who is compared with whom is up to `groups`.
    """
    removed = np.zeros((2, len(groups)), np.uint64)
    how: Kind = "per label" if kind == "across labels" else kind
    for first, last in _spans(groups):
        part = groups[first:last]
        removed[:, first:last] = survival(nms.overlaps(boxes[first:last], part, how, FLOOR), part).removed
    return Survival(removed, FLOOR)


def _spans(groups: Rows) -> Iterator[tuple[int, int]]:
    """About _AT_ONCE rows at a time, never cutting a group."""
    first = 0
    while first < len(groups):
        last = min(first + _AT_ONCE, len(groups))
        last = int(np.searchsorted(groups, groups[last - 1], side="right"))
        yield first, last
        first = last


def _settle(removed: NDArray[np.uint64], pairs: Overlaps, groups: Rows) -> None:
    """Set the bits of `removed` (2, N): step s passes on what the s-th box of every group does to the lower ones."""
    if not len(pairs.value):
        return
    lows = np.searchsorted(STEPS, pairs.value.astype(np.float64), side="left")  # steps below the pair's overlap
    turn = _turns(pairs.higher, groups)
    # small numbers are sorted in a tenth of the time
    order = np.argsort(turn.astype(np.min_scalar_type(int(turn.max()))), kind="stable")
    higher, lower, lows = pairs.higher[order], pairs.lower[order], lows[order]
    ends = np.cumsum(np.bincount(turn))
    spans = list(zip(np.concatenate([[0], ends[:-1]]).tolist(), ends.tolist(), strict=True))
    for word, below in zip(removed, _below(np.arange(len(STEPS) + 1)), strict=True):
        strength = below[lows]
        for first, last in spans:
            high, low = higher[first:last], lower[first:last]  # low holds no row twice: one high box per group
            word[low] |= ~word[high] & strength[first:last]


def _turns(higher: Rows, groups: Rows) -> Rows:
    """(P,) how many boxes of the same group remove before this pair's higher one."""
    rows = np.flatnonzero(np.bincount(higher, minlength=len(groups)))
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
