"""What NMS leaves at every step of the slider: as the walk at that step, and as torchvision, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.test_detections import scene
from workbench.core import nms
from workbench.core.evaluation import nms_table
from workbench.core.nms import NmsKind

CHAIN = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], np.float32)  # neighbours overlap by 6/14 = 0.43


def test_a_chain_of_three_by_hand() -> None:
    """Below 0.43 the first removes the second, which spares the third; below 0.11 the first overlaps the third too."""
    table = nms_table.nms_table(nms.overlaps(CHAIN, np.zeros(3)), np.zeros(3, np.int64))
    assert table.kept(0.43).all()
    assert table.kept(0.42).tolist() == [True, False, True]
    assert table.kept(0.12).tolist() == [True, False, True]
    assert table.kept(0.11).tolist() == [True, False, False]  # 2/18 = 0.111


def test_only_more_than_the_threshold_is_too_much_and_equal_boxes_go_until_one() -> None:
    half = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 5]], np.float32)
    table = nms_table.nms_table(nms.overlaps(half, np.zeros(3)), np.zeros(3, np.int64))
    assert table.kept(0.49).tolist() == [True, False, False]
    assert table.kept(0.5).tolist() == [True, True, False]
    assert table.kept(0.99).tolist() == [True, True, False]
    assert table.kept(1.0).all()


def test_what_lies_between_two_steps_or_below_the_floor_is_not_known() -> None:
    table = nms_table.nms_table(nms.overlaps(CHAIN, np.zeros(3)), np.zeros(3, np.int64))
    assert [table.knows(iou) for iou in (0.05, 0.57, 1.0)] == [True, True, True]
    assert [table.knows(iou) for iou in (0.04, 0.555, 1.01)] == [False, False, False]
    with pytest.raises(ValueError, match="not a step"):
        table.kept(0.555)


@pytest.mark.parametrize("kind", ["per label", "across labels", "diou", "darknet diou"])
@pytest.mark.parametrize("seed", range(2))
def test_every_step_is_what_the_walk_leaves(kind: NmsKind, seed: int) -> None:
    found = scene(seed, count=400)
    pairs = nms.overlaps(found.boxes, found.labels, kind)
    groups = np.zeros(400, np.int64) if kind == "across labels" else found.labels.astype(np.int64)
    table = nms_table.nms_table(pairs, groups)
    for iou in nms_table.STEPS[5:].tolist():
        assert np.array_equal(table.kept(iou), nms.greedy_nms(pairs, 400, iou)), iou


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 5)] * 4, st.integers(0, 1)), max_size=30), st.integers(5, 100))
def test_boxes_on_a_coarse_grid_with_many_equal_overlaps(rows: list[tuple[int, ...]], step: int) -> None:
    boxes = np.array([[x, y, x + 1 + w, y + 1 + h] for x, y, w, h, _ in rows], np.float32).reshape(-1, 4)
    groups = np.array([row[4] for row in rows], np.int64)
    pairs = nms.overlaps(boxes, groups)
    kept = nms_table.nms_table(pairs, groups).kept(step / 100)
    assert np.array_equal(kept, nms.greedy_nms(pairs, len(boxes), step / 100))


def test_many_images_in_parts_are_as_each_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nms_table, "_AT_ONCE", 90)
    images = [scene(seed, count=100, labels=1) for seed in range(5)]
    boxes, groups = np.concatenate([image.boxes for image in images]), np.repeat(np.arange(5), 100)
    table = nms_table.of_groups(boxes, groups)
    for level in (0.1, 0.5, 0.9):
        alone = [nms.greedy_nms(nms.overlaps(image.boxes, image.labels), 100, level) for image in images]
        assert np.array_equal(table.kept(level), np.concatenate(alone))


def test_no_boxes() -> None:
    assert nms_table.of_groups(np.zeros((0, 4), np.float32), np.zeros(0, np.int64)).kept(0.5).tolist() == []
