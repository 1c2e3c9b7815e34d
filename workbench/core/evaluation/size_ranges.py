"""Average precision by box size: which objects a detector misses.

B = ranges of sizes, C = labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation.average_precision import average_precision, boxes_per_label
from workbench.core.evaluation.matching import ANY_AREA, Matching

Doubles = NDArray[np.float64]
SIDES = (0.0, 16.0, 32.0, 64.0, 96.0, 192.0, 384.0)  # pixels, of a square of the same area: COCO's, subdivided


@dataclass(frozen=True, slots=True, eq=False)
class ApBySize:
    """AP of boxes from one side up to, but not including, the next; the last range has no end. NaN: no boxes."""

    sides: Doubles  # (B,) where each range begins, pixels
    boxes: NDArray[np.int64]  # (B, C) that count
    ap: Doubles  # (B, C) mean over the thresholds
    ap50: Doubles  # (B, C)

    @property
    def overall(self) -> Doubles:
        """(B,) mean over the labels with boxes."""
        return mean_of_known(self.ap)


def ap_by_size(matched: Callable[[tuple[float, float]], Matching], sides: Sequence[float] = SIDES) -> ApBySize:
    """AP of every range. `matched(area)`: the matching for an area range, as match() or Sliders.matching_at() makes it.

    Its first threshold must be 0.5.
    """
    begins = np.asarray(sides, np.float64) ** 2
    ends = np.append(np.nextafter(begins[1:], 0), ANY_AREA[1])
    ap, ap50, boxes = [], [], []
    for area in zip(begins.tolist(), ends.tolist(), strict=True):
        matching = matched(area)
        values = average_precision(matching)
        ap.append(values.mean(axis=0))
        ap50.append(values[matching.at(0.5)])
        boxes.append(boxes_per_label(matching))
    return ApBySize(np.asarray(sides, np.float64), np.stack(boxes), np.stack(ap), np.stack(ap50))


def mean_of_known(values: Doubles) -> Doubles:
    """Mean over the last axis, ignoring NaN; NaN where all are."""
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    sums = np.where(known, values, 0).sum(axis=-1)
    return np.asarray(np.divide(sums, count, out=np.full(np.shape(sums), np.nan), where=count > 0))
