"""Smoothing a curve is TensorBoard's, without its pull towards zero, and leaves gaps where they are."""

from __future__ import annotations

import math

import numpy as np
import pytest

from workbench.ui.train.plots.smoothing import smoothed


def test_each_value_is_the_mean_of_those_so_far_with_the_newest_counting_most() -> None:
    assert smoothed(np.array([4.0, 1.0, 0.0]), 0.5).tolist() == pytest.approx([4.0, 2.0, 6 / 7])  # (4 + 2·1 + 4·0) / 7


@pytest.mark.parametrize(("value", "weight"), [(2.5, 0.99), (50.0, 0.6), (100.0, 0.6)])
def test_a_level_curve_stays_level_from_its_first_point(value: float, weight: float) -> None:
    """A device in use all the time was drawn between 99.99999999999999 and 100.0000000000001 percent."""
    assert set(smoothed(np.full(3_000, value), weight).tolist()) == {value}


def test_gaps_stay_gaps_and_do_not_count() -> None:
    found = smoothed(np.array([4.0, math.nan, 1.0]), 0.5)
    assert math.isnan(found[1])
    assert found[[0, 2]].tolist() == pytest.approx([4.0, 2.0])


@pytest.mark.parametrize("weight", [0.1, 0.6, 0.99])
def test_doubling_gives_what_the_loop_of_tensorboard_gives(weight: float) -> None:
    values = np.random.default_rng(0).normal(size=2_000)
    last, expected = 0.0, []
    for number, value in enumerate(values, start=1):
        last = last * weight + (1 - weight) * value
        expected.append(last / (1 - weight**number))
    assert smoothed(values, weight) == pytest.approx(np.array(expected), abs=1e-6)


def test_nothing_is_smoothed_by_a_weight_of_nothing() -> None:
    values = np.array([3.0, math.nan, 1.0])
    assert smoothed(values, 0.0) is values
