"""Smooths a noisy curve: the exponential mean that TensorBoard shows, without its pull towards zero at the start."""

from __future__ import annotations

import math

import numpy as np

from workbench.ui.train.series import Floats

USUAL, MOST = 0.6, 0.99  # TensorBoard's
_NOTHING = 1e-9  # a share of the past that is not seen


def smoothed(values: Floats, weight: float) -> Floats:
    """(n,) each the mean of all values so far, where one counts `weight` times its successor (0: nothing is smoothed).

    NaN are left out and stay NaN.
    """
    known = ~np.isnan(values)
    if weight <= 0 or not known.any():
        return values
    found = np.full(len(values), np.nan)
    found[known] = _mean(values[known], min(weight, MOST))
    return found


def _mean(values: Floats, weight: float) -> Floats:
    """The sum over the past by doubling: the sum of the last 2n values is that of the last n and of the n before."""
    total, reach, share = values * (1 - weight), 1, weight
    while reach < len(values) and share > _NOTHING:
        total[reach:] += share * total[:-reach]  # NumPy reads the right side before it writes
        reach, share = 2 * reach, share * share
    early = np.arange(1, min(len(values), math.ceil(math.log(_NOTHING) / math.log(weight))) + 1)
    total[: len(early)] /= -np.expm1(math.log(weight) * early)  # what the weights of so short a past add up to
    return total
