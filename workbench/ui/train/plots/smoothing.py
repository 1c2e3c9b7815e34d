"""Smooths a noisy curve: TensorBoard's exponential mean, without its bias towards zero at the start."""

from __future__ import annotations

import math

import numpy as np

from workbench.ui.train.plots.series import Floats

USUAL, MOST = 0.6, 0.99  # TensorBoard's
_NOTHING = 1e-9  # a share of the past too small to see


def smoothed(values: Floats, weight: float) -> Floats:
    """(n,) each the mean of all values so far, each weighted `weight` times its successor (0: no smoothing).

    NaN are skipped and stay NaN.
    """
    known = ~np.isnan(values)
    if weight <= 0 or not known.any():
        return values
    found = np.full(len(values), np.nan)
    found[known] = _mean(values[known], min(weight, MOST))
    return found


def _mean(values: Floats, weight: float) -> Floats:
    """The weighted sum of the past by doubling: that of the last 2n values is that of the last n plus the n before."""
    total, reach, share = values * (1 - weight), 1, weight
    while reach < len(values) and share > _NOTHING:
        total[reach:] += share * total[:-reach]  # NumPy reads the right side before it writes
        reach, share = 2 * reach, share * share
    early = np.arange(1, min(len(values), math.ceil(math.log(_NOTHING) / math.log(weight))) + 1)
    total[: len(early)] /= -np.expm1(math.log(weight) * early)  # the sum of the weights of so short a past
    return np.clip(total, values.min(), values.max())  # of equal values, too: an axis would show the rounding errors
