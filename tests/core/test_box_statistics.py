"""Histograms of a project's boxes, by numbers that can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from workbench.core.box_statistics import Histogram, statistics
from workbench.core.project import Image, Label, Snapshot


def snapshot(boxes: list[list[tuple[float, ...]]], size: tuple[int, int] = (832, 400)) -> Snapshot:
    flat = [box for some in boxes for box in some]
    return Snapshot(
        labels=(Label(1, "a"), Label(2, "b")),
        images=tuple(Image(i, f"{i}.png", *size) for i in range(len(boxes))),
        files=tuple(Path(f"{i}.png") for i in range(len(boxes))),
        offsets=np.concatenate([[0], np.cumsum([len(some) for some in boxes])]).astype(np.int64),
        boxes=np.array(flat, float).reshape(-1, 4), label_index=np.zeros(len(flat), np.int64),
        flags=np.zeros((len(flat), 4), bool), box_ids=np.arange(len(flat)),
    )  # fmt: skip


def at(histogram: Histogram, value: float) -> int:
    return int(histogram.counts[np.searchsorted(histogram.edges, value, side="right") - 1])


def test_boxes_are_counted_by_number_size_and_shape() -> None:
    found = statistics(snapshot([[(0, 0, 40, 40), (0, 0, 80, 20)], [], [(0, 0, 200, 100)] * 3, [(5, 5, 5, 9)]]))
    assert found.per_label == (("a", 6), ("b", 0))
    assert [at(found.per_image, n) for n in range(4)] == [1, 1, 1, 1]
    assert at(found.sides, 20) == 2  # both are 40 wide and high in the middle, half of it at 416
    assert at(found.sides, 100 * 2**0.5 / 2) == 3
    assert found.sides.counts.sum() == 5  # that without an area is left out
    assert (at(found.shapes, 0), at(found.shapes, 2), at(found.shapes, 1)) == (1, 1, 3)


def test_a_box_larger_than_its_image_is_counted_with_the_largest() -> None:
    found = statistics(snapshot([[(-100, -500, 900, 900), (0, 0, 40, 40)]]))
    assert (found.sides.counts.sum(), at(found.sides, 416)) == (2, 1)


def test_a_thousand_boxes_in_an_image_are_few_bars() -> None:
    found = statistics(snapshot([[(0, 0, 9, 9)] * 1000, [(0, 0, 9, 9)]]))
    assert len(found.per_image.counts) <= 41
    assert found.per_image.counts.sum() == 2


@pytest.mark.parametrize("boxes", [[], [[]], [[], []]])
def test_no_boxes_are_empty_histograms(boxes: list[list[tuple[float, ...]]]) -> None:
    found = statistics(snapshot(boxes))
    assert found.sides.counts.sum() == found.shapes.counts.sum() == 0
    assert found.per_image.counts.sum() == len(boxes)


def test_images_of_unknown_size_count_for_shapes_alone() -> None:
    found = statistics(snapshot([[(0, 0, 40, 40)]], (0, 0)))
    assert (found.sides.counts.sum(), found.shapes.counts.sum()) == (0, 1)
