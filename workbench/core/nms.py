"""Non-maximum suppression, split so that a slider only needs to repeat its cheap half.

The costly half, `overlaps`, lists pairs of boxes that overlap. The cheap half, `greedy_nms`, decides for one threshold
which boxes stay. Both take boxes sorted by score, highest first; a box is only ever removed by a higher one, so what
`greedy_nms` keeps of the first k boxes does not depend on the rest. For many boxes, nms_table decides all steps
of a slider at once.

Arithmetic and comparison (float32 against a float64 threshold, strictly greater) are torchvision's, so that the kept
boxes are the same. N = boxes, P = pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry

NmsKind = Literal["per label", "across labels", "diou", "darknet diou", "soft"]
KINDS: tuple[NmsKind, ...] = get_args(NmsKind)
TITLES: dict[str, str] = {**{kind: kind for kind in KINDS}, "diou": "DIoU", "darknet diou": "Darknet DIoU"}
"""The kinds as shown to users; files and the command line use the keys."""
DIOU_POWERS: dict[NmsKind, float] = {"diou": 1.0, "darknet diou": 0.6}  # of the centre penalty: the paper's; box_diou's
Rows = NDArray[np.int64]
_PAIRS_AT_ONCE = 2_000_000  # 40 bytes each: bounds the working memory to about 100 MB
_BANDS = 4_096  # at most: a box that is as high as the image is in all of them


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """Pairs of boxes with an overlap above `floor`. higher[p] < lower[p] are rows; value[p] is their IoU or DIoU.

    Sorted by descending value: those above a threshold come first.
    """

    higher: Rows  # (P,)
    lower: Rows  # (P,)
    value: NDArray[np.float32]  # (P,)
    floor: float

    def above(self, threshold: float) -> int:
        """How many have a value of more than `threshold`, compared in double precision as torchvision does."""
        level = np.float32(threshold)
        if float(level) > threshold:  # so that `level` is the largest float32 not above the threshold
            level = np.nextafter(level, np.float32(-np.inf))
        return len(self.value) - int(np.searchsorted(self.value[::-1], level, side="right"))


def overlaps(boxes: NDArray[Any], labels: NDArray[Any], kind: NmsKind = "per label", floor: float = 0.05) -> Overlaps:
    """The pairs of `boxes` (N, 4), sorted by score, that overlap by more than `floor`.

    "per label": IoU of boxes with the same label; "across labels": of any two; "diou": IoU less the centre penalty,
    same label (Zheng et al. 2020, arXiv 1911.08287, section 3.3); "darknet diou": less its power 0.6, Darknet's
    greedynms and its diounms with beta_nms .6 (there of distances in shares of the image's sides); "soft": as "per
    label", for `soft_nms`.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, not {kind!r}")
    boxes = np.asarray(boxes, np.float32)
    group = np.zeros(len(boxes), np.int64) if kind == "across labels" else np.asarray(labels, np.int64)
    found = [_measured(boxes, a, b, kind, floor) for a, b in _touching(boxes, group)]
    if not found:
        return Overlaps(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), floor)
    higher, lower, value = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(-value)
    return Overlaps(higher[order], lower[order], value[order], floor)


def _touching(boxes: NDArray[np.float32], group: NDArray[np.int64]) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of rows of the same group whose x ranges touch and that lie in the same band of the image: a sweep from
    left to right, group after group and band after band. Without bands, 100,000 boxes of a photograph in tiles made
    100,000,000 pairs.
    """
    if len(boxes) < 2:
        return
    row, band, is_first = _in_bands(boxes[:, 1].astype(np.float64), boxes[:, 3].astype(np.float64))
    part = np.unique(np.unique(group, return_inverse=True)[1][row] * (band.max() + 1) + band, return_inverse=True)[1]
    x0, x1 = boxes[row, 0].astype(np.float64), boxes[row, 2].astype(np.float64)
    shift = part * (max(x1.max(), x0.max()) - x0.min() + 1.0)
    order = np.argsort(x0 + shift, kind="stable")
    start = (x0 + shift)[order]
    # the slack covers the rounding of the shifted sums; surplus pairs are measured exactly later
    stop = np.searchsorted(start, (x1 + shift)[order] + 1e-3, side="right")
    count = np.maximum(stop - np.arange(1, len(order) + 1), 0)  # later boxes that begin inside this one
    ends, row, part, is_first = np.cumsum(count), row[order], part[order], is_first[order]
    first = 0
    while first < len(order):
        done = ends[first - 1] if first else 0
        last = max(int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, side="right")), first + 1)
        some = count[first:last]
        a = np.repeat(np.arange(first, last), some)
        b = a + 1 + np.arange(len(a)) - np.repeat(np.cumsum(some) - some, some)
        once = (part[a] == part[b]) & (is_first[a] | is_first[b])  # in the band in which the lower one begins
        yield row[a[once]], row[b[once]]
        first = last


def _in_bands(y0: NDArray[np.float64], y1: NDArray[np.float64]) -> tuple[Rows, Rows, NDArray[np.bool_]]:
    """Horizontal bands as high as the average box: for each box and each band that it reaches into, the row of the
    box, the band, and whether the box begins there.
    """
    top, low = y0.min(), max(y0.max(), y1.max())
    height = max(float(np.maximum(y1 - y0, 0).mean()), (low - top) / _BANDS, np.finfo(np.float32).tiny)
    first, last = (np.floor((edge - top) / height).astype(np.int64) for edge in (y0, np.maximum(y0, y1)))
    count = last - first + 1
    row = np.repeat(np.arange(len(y0)), count)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    return row, first[row] + nth, nth == 0


def _measured(
    boxes: NDArray[np.float32], a: Rows, b: Rows, kind: NmsKind, floor: float
) -> tuple[Rows, Rows, NDArray[np.float32]]:
    higher, lower = np.minimum(a, b), np.maximum(a, b)
    value = geometry.iou_of_pairs(boxes[higher], boxes[lower])
    keep = value > np.float64(floor)
    higher, lower, value = higher[keep], lower[keep], value[keep]
    if kind in DIOU_POWERS:
        value = value - geometry.centre_penalty(boxes[higher], boxes[lower]) ** DIOU_POWERS[kind]
    return higher, lower, np.asarray(value, np.float32)


def greedy_nms(pairs: Overlaps, count: int, iou: float) -> NDArray[np.bool_]:
    """(N,) True for the boxes that stay when each kept box removes the lower ones that overlap it by more than `iou`.

    In rounds instead of box by box: a box that no undecided higher box overlaps stays and removes the lower ones.
    """
    strong = pairs.above(iou)
    higher, lower = pairs.higher[:strong], pairs.lower[:strong]
    removed = np.zeros(count, bool)
    while len(higher):
        contested = np.zeros(count, bool)
        contested[lower] = True
        removed[lower[~contested[higher]]] = True
        open_ = ~(removed[higher] | removed[lower])
        higher, lower = higher[open_], lower[open_]
    return ~removed


def soft_nms(pairs: Overlaps, scores: NDArray[Any], iou: float) -> NDArray[np.float32]:
    """(N,) lowered scores instead of removed boxes: linear Soft-NMS (Bodla et al. 2017, arXiv 1704.04503, equation 5).

    Boxes are processed from the highest score down; each unprocessed box that overlaps the present one by more than
    `iou` loses that share of its score. scores (N,) descend within the groups that `overlaps` compares.

    Clusters of boxes not connected by such overlaps are independent: each turn processes one box of every cluster.
    """
    left = np.asarray(scores, np.float32).copy()
    strong = pairs.above(iou)
    ends = np.concatenate([pairs.higher[:strong], pairs.lower[:strong]])
    others = np.concatenate([pairs.lower[:strong], pairs.higher[:strong]])
    order = np.argsort(ends, kind="stable")
    others, keep = others[order], 1 - np.concatenate([pairs.value[:strong]] * 2)[order]
    first = np.searchsorted(ends[order], np.arange(len(left) + 1))
    members = np.flatnonzero(np.diff(first))  # those that overlap another
    cluster = _clusters(pairs.higher[:strong], pairs.lower[:strong], len(left))[members]
    by_cluster = np.argsort(cluster, kind="stable")
    members, cluster = members[by_cluster], cluster[by_cluster]
    passed = np.zeros(len(left), bool)
    while len(members):
        begin = np.flatnonzero(np.concatenate([[True], cluster[1:] != cluster[:-1]]))
        sizes = np.diff(begin, append=len(members))
        best = np.repeat(np.maximum.reduceat(left[members], begin), sizes)
        highest = np.flatnonzero(left[members] == best)
        highest = highest[np.concatenate([[True], cluster[highest][1:] != cluster[highest][:-1]])]
        now = members[highest]  # the first one on ties
        passed[now] = True
        count = first[now + 1] - first[now]
        near = np.repeat(first[now] - np.cumsum(count) + count, count) + np.arange(count.sum())
        near = near[~passed[others[near]]]
        left[others[near]] *= keep[near]
        stay = np.repeat(sizes > 2, sizes)  # the last box of a cluster lowers no others
        stay[highest] = False
        members, cluster = members[stay], cluster[stay]
    return left


def _clusters(higher: Rows, lower: Rows, count: int) -> Rows:
    """(N,) the lowest row in each row's cluster."""
    cluster = np.arange(count)
    while True:
        lowest = np.minimum(cluster[higher], cluster[lower])
        joined = cluster.copy()
        np.minimum.at(joined, higher, lowest)
        np.minimum.at(joined, lower, lowest)
        joined = joined[joined]
        if np.array_equal(joined, cluster):
            return cluster
        cluster = joined
