"""Boxes that training can make little of, by numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.core.box_faults import FAULTS, faults, sentence, twins

WIDE = (832.0, 400.0)  # so that 8 pixels are 4 at 416


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        ((10, 10, 50, 50), ()),
        ((10, 10, 10, 50), ("empty",)),
        ((50, 10, 10, 50), ("empty",)),
        ((10, 10, float("nan"), 50), ("empty",)),
        ((10, 10, 18, 50), ()),
        ((10, 10, 17.9, 50), ("tiny",)),
        ((10, 10, 12.9, 50), ("tiny",)),
        ((-0.5, 0, 832.5, 400.5), ()),  # rounded by another tool
        ((-0.6, 0, 40, 40), ("outside",)),
        ((800, 380, 840, 401), ("outside",)),
        ((831, 10, 835, 60), ("tiny", "outside")),
    ],
)
def test_what_is_wrong_with_a_box(box: tuple[float, ...], wanted: tuple[str, ...]) -> None:
    (found,) = faults(np.array([box]), np.array(WIDE))
    assert tuple(name for name, there in zip(FAULTS, found, strict=True) if there) == wanted


def test_images_of_unknown_size_are_not_judged_by_it() -> None:
    assert faults(np.array([(0.0, 0, 5, 5), (0, 0, 0, 1)]), np.zeros((2, 2))).tolist() == [
        [False] * 3,
        [True, False, False],
    ]
    assert not faults(np.array([(0.0, 0, 5, 5)]), np.array([832.0, 0])).any()
    assert faults(np.zeros((0, 4)), np.zeros((0, 2))).shape == (0, 3)


def test_a_box_of_few_pixels_is_tiny_however_small_its_image() -> None:
    assert faults(np.array([(0.0, 0, 2.5, 30), (0, 0, 3, 30)]), np.array([40.0, 40.0]))[:, 1].tolist() == [True, False]


def test_twins_are_boxes_of_a_group_on_each_other() -> None:
    boxes = np.array([(0, 0, 10, 10), (0, 0, 10, 9.5), (0, 0, 10, 10), (0, 0, 10, 8.5), (0, 0, 10, 10)], float)
    assert twins(boxes, np.array([1, 1, 2, 1, 1])).tolist() == [1, 4]
    assert twins(np.zeros((0, 4)), np.zeros(0, np.int64)).tolist() == []


def test_each_fault_has_a_sentence() -> None:
    assert len({sentence(fault) for fault in FAULTS}) == len(FAULTS)
