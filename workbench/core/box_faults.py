"""What is wrong with boxes: without area, too small to be seen, partly outside. n boxes of images that may differ.

A box counts as too small where its shorter side would take less than `SEEN` pixels once the longer side of its image
is `SIDE` pixels: half a cell of the finest level of most detectors at their usual input.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Fault = Literal["empty", "tiny", "outside"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
SEEN, SIDE = 4.0, 416.0
_SLACK = 0.5  # pixels that rounding in other tools may have put a side outside


def faults(boxes: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n, 3) which of FAULTS each box has. boxes (n, 4) xyxy, sizes (n, 2) or (2,) width and height; 0: unknown."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    sizes = np.broadcast_to(np.asarray(sizes, np.float64), (len(boxes), 2))
    sides = boxes[:, 2:] - boxes[:, :2]
    known = (sizes > 0).all(axis=1)
    empty = ~(sides > 0).all(axis=1)  # also what is no number
    longer = np.where(known, sizes.max(axis=1), np.inf)
    tiny = ~empty & known & (sides.min(axis=1) * SIDE / longer < SEEN)
    beyond = (boxes[:, :2] < -_SLACK).any(axis=1) | (boxes[:, 2:] > sizes + _SLACK).any(axis=1)
    return np.stack([empty, tiny, known & beyond], axis=1)


def sentence(fault: Fault) -> str:
    """What is wrong, and what to do."""
    return {
        "empty": "This box has no area. Delete it, or draw it again.",
        "tiny": f"This box is smaller than {SEEN:g} pixels where the image is {SIDE:g} pixels wide: train with a larger"
        " input side, or cut such images into parts.",
        "outside": "This box reaches outside its image. Training cuts it off at the border.",
    }[fault]
