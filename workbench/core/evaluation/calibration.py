"""Calibration: are four of five detections with a score of 0.8 right?

Reliability bins and the expected calibration error (Guo et al. 2017, arXiv 1706.04599, equation 3) with the precision
of detections in place of accuracy (Küppers et al. 2020, arXiv 2004.13546, section 3). Missed boxes play no part.

K = detections, N = bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation.matching import Matching

Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]
BINS = 10
FLOOR = 0.05  # hundreds of detections per image score less and would outweigh all others


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Bin b holds scores from edges[b] up to, but not including, edges[b + 1]; the last one includes 1.0."""

    edges: Doubles  # (N + 1,)
    count: Rows  # (N,) detections
    score: Doubles  # (N,) their mean score; NaN without detections
    precision: Doubles  # (N,) the share of right ones
    detections: Rows  # (n,) rows of DetectionSet, so that a bin can be opened
    bins: Rows  # (n,) the bin of each

    @property
    def error(self) -> float:
        """Expected calibration error, 0 to 1: the mean gap of score and precision, weighted by detections; or NaN."""
        known = self.count > 0
        gaps = np.abs(self.score[known] - self.precision[known])
        return float(np.average(gaps, weights=self.count[known])) if known.any() else float("nan")


def calibration(
    matching: Matching, iou: float = 0.5, bins: int = BINS, floor: float = FLOOR, label: int | None = None
) -> Calibration:
    """The calibration of detections that score at least `floor`, of one label or of all known ones."""
    found = matching.found
    taken, ignored = matching.level(matching.at(iou))
    known = (found.labels >= 0) & (found.labels < matching.truth.label_count)
    mine = known if label is None else found.labels == label
    rows = np.flatnonzero(~ignored & mine & (found.scores >= floor))
    edges = np.arange(bins + 1) / bins
    where = np.clip(np.searchsorted(edges, found.scores[rows], side="right") - 1, 0, bins - 1)
    count = np.bincount(where, minlength=bins).astype(np.int64)
    return Calibration(
        edges,
        count,
        _mean(where, found.scores[rows], count),
        _mean(where, (taken[rows] >= 0).astype(np.float64), count),
        rows,
        where,
    )


def _mean(where: Rows, values: Doubles, count: Rows) -> Doubles:
    sums = np.bincount(where, weights=values, minlength=len(count))
    return np.asarray(np.divide(sums, count, out=np.full(len(count), np.nan), where=count > 0))
