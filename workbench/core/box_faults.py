"""Faults of boxes: without area, too small to be seen, partly outside. The n boxes may be of different images.

A box is too small if its shorter side has less than `LEAST` pixels, or less than `SEEN` once the longer side of its
image is `SIDE` pixels: half a cell of the finest level of most detectors at their usual input size.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.core import nms

Fault = Literal["empty", "tiny", "outside"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
LEAST, SEEN, SIDE = 3.0, 4.0, 416.0
TWIN = 0.9  # IoU above which two boxes are taken for the same object
_SLACK = 0.5  # pixels by which rounding in other tools may have moved a side outside


def faults(boxes: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n, 3) which of FAULTS each box has. boxes (n, 4) xyxy; sizes (n, 2) or (2,) width and height of the image, 0:
    unknown."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    sizes = np.broadcast_to(np.asarray(sizes, np.float64), (len(boxes), 2))
    sides = boxes[:, 2:] - boxes[:, :2]
    known = (sizes > 0).all(axis=1)
    empty = ~(sides > 0).all(axis=1)  # also NaN
    longer = np.where(known, sizes.max(axis=1), np.inf)
    shorter = sides.min(axis=1)
    tiny = ~empty & ((shorter < LEAST) | (known & (shorter * SIDE / longer < SEEN)))
    beyond = (boxes[:, :2] < -_SLACK).any(axis=1) | (boxes[:, 2:] > sizes + _SLACK).any(axis=1)
    return np.stack([empty, tiny, known & beyond], axis=1)


def twins(boxes: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ascending rows of boxes (n, 4) that coincide with an earlier box of the same group (n,), such as its image."""
    pairs = nms.overlaps(boxes, groups, floor=TWIN)
    return np.unique(pairs.lower)


def sentence(fault: Fault) -> str:
    """What is wrong, and what to do."""
    return {
        "empty": "This box has no area. Delete it, or draw it again.",
        "tiny": f"This box is too small for most detectors to see (under {LEAST:g} pixels, or under {SEEN:g} once the"
        f" image is {SIDE:g} pixels wide): train with a larger input side, or cut such images into smaller ones.",
        "outside": "This box reaches outside its image. Training cuts it off at the border.",
    }[fault]
