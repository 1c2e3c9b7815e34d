"""Boxes between two key frames, by numbers that can be checked by hand."""

from __future__ import annotations

from workbench.core.interpolation import interpolate, pair_boxes
from workbench.core.project import Box


def box(id: int, label: int, *xyxy: float) -> Box:
    return Box(id, 1, label, xyxy)  # type: ignore[arg-type]


def test_the_nearest_of_a_label_are_the_same_object_each_once() -> None:
    before = [box(1, 1, 0, 0, 10, 10), box(2, 1, 40, 0, 50, 10), box(3, 2, 0, 0, 10, 10)]
    after = [box(4, 1, 44, 0, 54, 10), box(5, 1, 6, 0, 16, 10), box(6, 2, 8, 0, 18, 10), box(7, 1, 30, 0, 40, 10)]
    assert sorted((a.id, b.id) for a, b in pair_boxes(before, after)) == [(1, 5), (2, 4), (3, 6)]


def test_what_is_far_off_is_another_object() -> None:
    assert pair_boxes([box(1, 1, 0, 0, 10, 10)], [box(2, 1, 80, 0, 90, 10)]) == []
    assert len(pair_boxes([box(1, 1, 0, 0, 100, 100)], [box(2, 1, 80, 0, 90, 10)])) == 1
    assert pair_boxes([], [box(2, 1, 0, 0, 9, 9)]) == []
    assert pair_boxes([box(2, 1, 0, 0, 9, 9)], []) == []
    assert pair_boxes([box(1, 1, 0, 0, 9, 9)], [box(2, 2, 0, 0, 9, 9)]) == []


def test_an_object_moves_by_three_of_its_widths_and_heights_at_most() -> None:
    first = box(1, 1, 50, 50, 60, 70)
    for right, down, pairs in ((29, 59, 1), (-29, -59, 1), (31, 61, 0), (-31, -61, 0)):
        moved = box(2, 1, 50 + right, 50 + down, 60 + right, 70 + down)
        assert len(pair_boxes([first], [moved])) == pairs


def test_a_box_moves_and_grows_evenly_and_keeps_what_it_is() -> None:
    first = Box(1, 7, 3, (0, 0, 10, 10), occluded=True, note="key", extra="{}")
    way = interpolate(first, box(2, 3, 40, 20, 60, 40), 3)
    assert [one.xyxy for one in way] == [(10, 5, 22, 18), (20, 10, 35, 25), (30, 15, 48, 32)]
    kept = {(one.id, one.image, one.label, one.occluded, one.note, one.extra) for one in way}
    assert kept == {(0, 0, 3, True, "", "")}
