"""Likely label errors: each kind by hand, and how many of the first fifty are damaged labels of a generated set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.core.generated import split_scene
from tests.core.test_metrics import SQUARE, found_of, truth_of
from workbench.core.boxes import iou
from workbench.core.detections import Detections
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.label_errors import REASONS, LabelErrors, find_label_errors

FAR = [50.0, 50, 60, 60]
HALF_OFF = [5.0, 0, 15, 10]  # on SQUARE by a third
Boxes = list[tuple[int, list[float]]]


def of(boxes: Boxes, detections: list[tuple[int, list[float], float]], crowd: bool = False) -> LabelErrors:
    truth = truth_of([(0, label, box, crowd) for label, box in boxes], 1, 2)
    return find_label_errors(GroundTruth.of(truth), DetectionSet.of(found_of([(0, *row) for row in detections], 1)))


def rows(found: LabelErrors) -> list[tuple[str, float, int, int]]:
    """(reason, doubt, box, detection) of each."""
    columns = found.reasons, found.doubts, found.boxes, found.detections
    return [(REASONS[r], round(float(d), 6), int(b), int(k)) for r, d, b, k in zip(*columns, strict=True)]


def test_a_confident_detection_on_no_box_is_a_missing_label() -> None:
    found = rows(of([(0, SQUARE)], [(0, SQUARE, 0.9), (0, FAR, 0.75)]))
    assert found == [("missing", round(0.75 * 0.3 / 0.8, 6), -1, 1)]  # half of the sure detections have no box
    assert rows(of([(0, SQUARE)], [(0, SQUARE, 0.9), (0, FAR, 0.25)])) == []


def test_a_missing_label_is_more_telling_where_nearly_all_detections_have_a_box() -> None:
    squares = [[float(x), 0.0, x + 10.0, 10.0] for x in range(0, 90, 10)]
    found = rows(of([(0, one) for one in squares], [*((0, one, 0.9) for one in squares), (0, FAR, 0.75)]))
    assert found == [("missing", round(0.75 * 0.3 / 0.4, 6), -1, 9)]  # one of ten has none


def test_a_box_that_nothing_supports_is_spurious_if_others_of_its_label_are_found() -> None:
    found = rows(of([(0, SQUARE), (0, FAR)], [(0, SQUARE, 0.875)]))
    assert found == [("spurious", round(0.02 / 0.52, 6), 1, -1)]  # half of the boxes of label 0 are bare
    faint = rows(of([(0, SQUARE), (0, FAR)], [(0, SQUARE, 0.875), (0, FAR, 0.05)]))
    assert faint == [("spurious", round(0.02 / 0.52 / 2, 6), 1, -1)]
    assert rows(of([(0, SQUARE), (1, FAR)], [(0, SQUARE, 0.875)])) == []  # label 1 is never found
    low = rows(of([(0, SQUARE), (0, FAR)], [(0, SQUARE, 0.875), (1, FAR, 0.3)]))
    assert low == [("label", 0.3, 1, 1)]  # seen, if as another label


def test_a_box_found_as_another_label_unless_its_own_is_found_there_too() -> None:
    assert rows(of([(0, SQUARE)], [(1, SQUARE, 0.75)])) == [("label", 0.75, 0, 0)]
    assert rows(of([(0, SQUARE)], [(1, SQUARE, 0.75), (0, SQUARE, 0.5)])) == [("label", 0.375, 0, 1)]
    # two objects in one place, both labelled
    assert rows(of([(0, SQUARE), (1, SQUARE)], [(1, SQUARE, 0.75), (0, SQUARE, 0.5)])) == []


def test_a_box_whose_detection_lies_off() -> None:
    found = rows(of([(0, SQUARE)], [(0, HALF_OFF, 0.78)]))
    assert found == [("place", round(0.78 * (0.75 - 1 / 3) / 0.65, 6), 0, 0)]
    assert rows(of([(0, SQUARE)], [(0, [0, 0, 10, 8], 0.78)])) == []  # by .8: as close as usual


def test_a_detection_that_means_the_box_beside_it_says_nothing_about_this_one() -> None:
    assert rows(of([(0, SQUARE), (0, HALF_OFF)], [(0, SQUARE, 0.9)])) == []


def test_a_missing_label_is_less_likely_where_another_box_covers_a_part() -> None:
    assert rows(of([(0, SQUARE)], [(1, HALF_OFF, 0.9)])) == [("missing", round(0.6 * 0.3 / 1.3, 6), -1, 0)]


def test_crowd_regions_hold_nothing_against_anybody() -> None:
    assert rows(of([(0, [0, 0, 100, 100])], [(0, FAR, 0.9)], crowd=True)) == []


def test_the_surest_comes_first_and_nothing_comes_twice() -> None:
    found = of([(0, SQUARE), (0, [80, 80, 90, 90])], [(1, SQUARE, 0.5), (0, FAR, 0.95), (1, SQUARE, 0.7)])
    assert [REASONS[r] for r in found.reasons] == ["label", "missing", "spurious"]
    assert found.doubts.tolist() == pytest.approx([0.7, 0.95 * 0.3 / 1.3, 0.02 / 0.52])
    assert found.images.tolist() == [0, 0, 0]
    assert found.boxes.tolist() == [0, -1, 1]


def test_nothing_at_all() -> None:
    assert len(of([], [])) == 0


def detector(truth: GroundTruth, seed: int) -> list[Detections]:
    """What a fair detector says of the true boxes: 9 of 10 found, 1 of 30 called wrong and less surely, places off by
    some percent, 20 false alarms in an image, few of them confident."""
    rng = np.random.default_rng(seed)
    found = []
    for image in range(truth.image_count):
        mine = np.flatnonzero((truth.images == image) & (rng.random(len(truth.labels)) < 0.9))
        size = np.tile(truth.boxes[mine, 2:] - truth.boxes[mine, :2], 2)
        near = truth.boxes[mine] + rng.normal(0, 0.04, (len(mine), 4)) * size
        wrong = rng.random(len(mine)) < 1 / 30
        label = np.where(wrong, rng.integers(0, truth.label_count, len(mine)), truth.labels[mine])
        corner, wide = rng.uniform(0, 600, (20, 2)), rng.uniform(10, 120, (20, 2))
        boxes = np.concatenate([near, np.concatenate([corner, corner + wide], 1)]).astype(np.float32)
        sure = np.where(wrong, rng.beta(3, 3, len(mine)), rng.beta(6, 2, len(mine)))
        scores = np.concatenate([sure, rng.beta(0.5, 6, 20)]).astype(np.float32)
        labels = np.concatenate([label, rng.integers(0, truth.label_count, 20)]).astype(np.int32)
        found.append(Detections(boxes, scores, labels))
    return found


def damaged(truth: GroundTruth, seed: int, share: float = 0.05) -> tuple[GroundTruth, list[tuple[int, np.ndarray]]]:
    """Some labels dropped, moved by most of their size, or renamed; (image, box) of each, as it was and as it is."""
    rng = np.random.default_rng(seed)
    hit = rng.permutation(len(truth.labels))[: round(share * len(truth.labels))]
    dropped, moved, renamed = np.array_split(hit, 3)
    boxes, labels = truth.boxes.copy(), truth.labels.copy()
    shift = (boxes[moved, 2:] - boxes[moved, :2]) * rng.choice([-0.6, 0.6], (len(moved), 2))
    boxes[moved] += np.tile(shift, 2)
    labels[renamed] = (labels[renamed] + rng.integers(1, truth.label_count, len(renamed))) % truth.label_count
    where = [(int(truth.images[row]), truth.boxes[row]) for row in hit]
    where += [(int(truth.images[row]), boxes[row]) for row in moved]
    left = np.setdiff1d(np.arange(len(labels)), dropped)
    columns = ("images", "crowd", "ignore", "areas")
    cut = {name: getattr(truth, name)[left] for name in columns}
    return replace(truth, boxes=boxes[left], labels=labels[left], **cut), where


@pytest.mark.parametrize("seed", range(3))
def test_most_of_the_first_fifty_are_damaged_labels(seed: int) -> None:
    truth, _ = split_scene(images=300, candidates=0, labels=5, seed=seed, boxes=7)
    broken, where = damaged(truth, seed)
    found = DetectionSet.of(detector(truth, seed))
    result = find_label_errors(broken, found)
    by_image: dict[int, list[np.ndarray]] = {}
    for image, box in where:
        by_image.setdefault(image, []).append(box)
    right = 0
    for image, box, detection in zip(result.images[:50], result.boxes[:50], result.detections[:50], strict=True):
        shown = broken.boxes[box] if box >= 0 else found.boxes[detection].astype(float)
        here = by_image.get(int(image), [])
        right += bool(here) and bool((iou(shown[None], np.array(here)) > 0.5).any())
    chance = 50 * len(where) / len(truth.labels)
    print(f"{right} of 50 are damaged, {len(where)} damaged of {len(truth.labels)}; by chance {chance:.1f}")
    assert right >= 35
