"""Which images to label next: those a detector is least sure of, those least like the labelled ones, or both.

n = images to be ordered, m = labelled ones, d = features that a network's backbone gives for an image.

*Uncertain*: each detection with score p has the margin between its label and "not that label", |2p - 1|, and counts
(1 - |2p - 1|)^2, as "1-vs-2" of Brust et al. 2019 (Active Learning for Deep Object Detection, arXiv 1809.09875, section
3); an image counts the sum over its detections (their aggregation "sum", the best of theirs). It prefers images with
many doubtful objects: those teach most per image, though not per box.

*Different*: greedy k-center (Sener and Savarese 2018, arXiv 1708.00489, algorithm 1). The next image is always the one
farthest from its nearest labelled or chosen one, so that soon no image is far from a labelled one. Features are
normalised to length 1 before distances are taken.

*Both*: the same, but distances are weighted by an image's rank in uncertainty, 1 for the most and 1/n for the least
uncertain. The rank and not the value, which grows with the number of objects and would outweigh the distances.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 0.1  # score below which a detection is ignored: the many that are surely nothing would add up
MOST = 1_000  # images chosen one by one; the rest are ordered by their distances then. 1 s for 10,000 by 512
_FEW = 256  # images among which the next ones are sought
_AT_ONCE = 1_000  # rows compared with all labelled ones at a time: 40 MB for 10,000


class QueueOrder(StrEnum):
    """What decides which image comes next."""

    UNCERTAIN = "most uncertain"
    DIFFERENT = "most different"
    BOTH = "both"


def uncertainty(scores: NDArray[Any]) -> float:
    """The uncertainty of an image whose detections, after NMS, have these scores; 0 if nothing in it is doubtful."""
    p = np.asarray(scores, np.float64)
    return float(((1 - np.abs(2 * p[p >= LEAST] - 1)) ** 2).sum())


def order_images(
    by: QueueOrder, uncertain: NDArray[Any], features: NDArray[Any], labelled: NDArray[Any], most: int = MOST
) -> NDArray[np.int64]:
    """(n,) rows of the images in the order to label them: uncertain (n,), features (n, d), labelled ones' (m, d)."""
    if by is QueueOrder.UNCERTAIN:
        return np.argsort(-np.asarray(uncertain), kind="stable").astype(np.int64)
    return k_center_order(features, labelled, uncertainty_ranks(uncertain) if by is QueueOrder.BOTH else None, most)


def uncertainty_ranks(uncertain: NDArray[Any]) -> NDArray[np.float32]:
    """(n,) 1 for the most uncertain image down to 1/n; ties get the same value."""
    ascending = np.sort(uncertain)
    return (np.searchsorted(ascending, uncertain, side="right") / max(len(ascending), 1)).astype(np.float32)


def k_center_order(
    features: NDArray[Any], labelled: NDArray[Any], weights: NDArray[Any] | None = None, most: int = MOST
) -> NDArray[np.int64]:
    """(n,) rows by greedy k-center: `most` of them exactly, the rest by their distance from all of these.

    `weights` (n,): how much the distance of each counts. If nothing is labelled, the first is the image with the
    highest weight or, without weights, the one nearest to the centre of all.
    """
    x = _directions(features)
    weight = np.ones(len(x), np.float32) if weights is None else np.asarray(weights, np.float32)
    if not len(x):
        return np.zeros(0, np.int64)
    chosen: list[int] = []
    if len(labelled):
        away = nearest(features, labelled)
    else:
        chosen.append(int(weight.argmax() if weights is not None else (x @ x.mean(axis=0)).argmax()))
        away = _distance(x @ x[chosen[0]])
    while len(chosen) < min(most, len(x)):
        away[chosen] = -1  # so that they are not chosen again
        found = _next(x, away, weight, min(most, len(x)) - len(chosen))
        chosen += found
        np.minimum(away, _distance((x @ x[found].T).max(axis=1)), out=away)
    rest = np.setdiff1d(np.arange(len(x)), chosen)
    rest = rest[np.argsort(-(away * weight)[rest], kind="stable")]
    return np.concatenate([np.array(chosen, np.int64), rest])


def _next(x: NDArray[np.float32], away: NDArray[np.float32], weight: NDArray[np.float32], most: int) -> list[int]:
    """The next one or more to choose, in order, exactly as if `away` were updated after each.

    Distances can only fall, so the best of a few can be chosen as long as it is ahead of what all others had at the
    beginning: one matrix product then replaces a pass over all images for each choice.
    """
    value = away * weight
    few = np.argsort(-value, kind="stable")[: _FEW + 1]
    bound = float(value[few[_FEW]]) if len(few) > _FEW else -np.inf
    few = np.sort(few[:_FEW])
    among = _distance(x[few] @ x[few].T)
    near, found = away[few].copy(), list[int]()
    while len(found) < min(most, len(few)):
        at = int((near * weight[few]).argmax())
        if found and (near[at] * weight[few[at]] <= bound or near[at] < 0):
            break
        found.append(int(few[at]))
        near = np.minimum(near, among[at])
        near[at] = -1
    return found


def nearest(features: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float32]:
    """(n,) the distance of each normalised row to the nearest of `others` (m, d): 0 to 2."""
    x, y = _directions(features), _directions(others)
    closest = [(x[at : at + _AT_ONCE] @ y.T).max(axis=1, initial=-1.0) for at in range(0, len(x), _AT_ONCE)]
    return _distance(np.concatenate(closest)) if closest else np.zeros(0, np.float32)


def _directions(features: NDArray[Any]) -> NDArray[np.float32]:
    x = np.asarray(features, np.float32)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.maximum(length, 1e-12), np.float32)


def _distance(cosine: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.sqrt(np.maximum(2 - 2 * cosine, 0)).astype(np.float32)
