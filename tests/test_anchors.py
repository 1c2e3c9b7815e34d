"""Anchors by IoU k-means: hand-checked tables, what every step promises, and the blood cells of BCCD."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import anchors
from workbench.core.project import Image, Label, Snapshot
from workbench.errors import WorkbenchError

TWO_HEAPS = [(10, 10), (10, 10), (10, 12), (100, 50), (100, 50)]

sides = st.floats(1, 500, allow_nan=False).map(lambda side: round(side, 1))
size_lists = st.lists(st.tuples(sides, sides), min_size=1, max_size=40)


def snapshot(
    pictures: list[tuple[int, int]], boxes: list[list[tuple[float, float, float, float]]], crowd: tuple[int, ...] = ()
) -> Snapshot:
    flat = [box for of_image in boxes for box in of_image]
    flags = np.zeros((len(flat), 4), bool)
    flags[list(crowd), 3] = True
    return Snapshot(
        labels=(Label(1, "cell"),),
        images=tuple(Image(i + 1, f"{i}.jpg", *size) for i, size in enumerate(pictures)),
        files=tuple(Path(f"/{i}.jpg") for i in range(len(pictures))),
        offsets=np.cumsum([0, *(len(of_image) for of_image in boxes)]),
        boxes=np.array(flat, float).reshape(-1, 4),
        label_index=np.zeros(len(flat), np.int64),
        flags=flags,
        box_ids=np.arange(1, len(flat) + 1),
    )


@pytest.mark.parametrize(
    ("size", "centre", "iou"),
    [
        ((10, 10), (10, 10), 1.0),
        ((10, 10), (10, 20), 0.5),
        ((10, 10), (20, 20), 0.25),
        ((20, 10), (10, 20), 100 / 300),
        ((4, 6), (6, 4), 16 / 32),
    ],
)
def test_iou_of_two_sizes_is_that_of_rectangles_with_a_common_corner(
    size: tuple[float, float], centre: tuple[float, float], iou: float
) -> None:
    assert anchors.rate_anchors([size], [centre]).mean_iou == pytest.approx(iou)


def test_mean_iou_recall_and_assignment_of_three_sizes_and_two_anchors() -> None:
    sizes, centres = [(10, 10), (10, 20), (40, 40)], [(10, 10), (40, 80)]
    assert anchors.assign(sizes, centres).tolist() == [0, 0, 1]
    step = anchors.rate_anchors(sizes, centres)
    assert step.mean_iou == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert step.recall == pytest.approx(1 / 3)  # above, not at, 0.5


def test_judging_keeps_the_order_of_anchors_and_counts_those_that_win_nothing() -> None:
    step = anchors.rate_anchors([(10, 10), (10, 10), (50, 20)], [(50, 20), (10, 10), (400, 400)])
    assert step.centres.tolist() == [[50, 20], [10, 10], [400, 400]]
    assert step.counts.tolist() == [1, 2, 0]
    assert (step.mean_iou, step.recall, step.ratio_recall, step.done) == (1.0, 1.0, 1.0, True)


def test_recall_by_sides_needs_both_sides_below_four_times() -> None:
    sizes = [(39.9, 10), (40, 10), (10, 2.6), (10, 2.5), (30, 2.6), (20, 20)]
    step = anchors.rate_anchors(sizes, [(10, 10)])
    assert step.ratio_recall == pytest.approx(4 / 6)
    assert step.recall == 0.0  # by IoU none is within reach: 0.26 at best


def test_a_pool_is_judged_as_its_boxes_are() -> None:
    sizes = np.random.default_rng(8).lognormal(3.6, 0.9, (60_000, 2))
    centres = anchors.best(sizes[:3_000], 6).centres
    one, all_of_them = anchors.rate_anchors(anchors.SizePool.of(sizes), centres), anchors.rate_anchors(sizes, centres)
    assert one.mean_iou == pytest.approx(all_of_them.mean_iou, abs=0.002)
    assert one.recall == pytest.approx(all_of_them.recall, abs=0.005)
    assert one.ratio_recall == pytest.approx(all_of_them.ratio_recall, abs=0.005)
    assert one.counts.sum() == all_of_them.counts.sum() == 60_000


def test_nothing_to_judge_is_not_a_number() -> None:
    assert np.isnan(anchors.rate_anchors([], [(1, 1)]).mean_iou)


def test_sizes_are_stretched_with_their_image() -> None:
    # 200 x 100 to 50 x 50: a quarter of the width, half of the height
    found = anchors.sizes_and_rows(snapshot([(200, 100)], [[(0, 0, 40, 20), (10, 10, 18, 30)]]), 50)[0]
    assert found.tolist() == [[10, 10], [2, 10]]


def test_a_letterboxed_image_keeps_its_proportions() -> None:
    assert anchors.sizes_and_rows(snapshot([(200, 100)], [[(0, 0, 40, 20)]]), 50, "letterbox")[0].tolist() == [[10, 5]]


def test_boxes_are_cut_at_the_border_of_their_image_as_training_cuts_them() -> None:
    data = snapshot([(200, 100)], [[(-500, -500, 900, 900), (190, 10, 260, 30), (210, 0, 260, 30), (0, 0, 40, 20)]])
    assert anchors.sizes_and_rows(data, 50)[0].tolist() == [[50, 50], [2.5, 10], [10, 10]]
    some = anchors.sizes_and_rows(data, 50, scale=0.5)
    assert set(some[1].tolist()) == {0, 1, 3}
    assert some[0].max() <= 50


def test_crowds_empty_boxes_and_images_of_unknown_size_are_left_out() -> None:
    data = snapshot([(100, 100), (0, 0)], [[(0, 0, 10, 10), (5, 5, 5, 9), (0, 0, 50, 50)], [(0, 0, 9, 9)]], crowd=(2,))
    assert anchors.sizes_and_rows(data, 100)[0].tolist() == [[10, 10]]


def test_a_project_without_images_has_no_sizes() -> None:
    assert anchors.sizes_and_rows(snapshot([], []), 416)[0].shape == (0, 2)


@pytest.mark.parametrize("update", anchors.UPDATES)
def test_two_heaps_of_boxes_are_found(update: anchors.Update) -> None:
    step = anchors.best(TWO_HEAPS, 2, update=update)
    assert step.counts.tolist() == [3, 2]
    assert step.centres[1].tolist() == [100, 50]
    assert step.centres[0] == pytest.approx([10, 10] if update == "median" else [10, 32 / 3])
    if update == "median":
        assert step.mean_iou == pytest.approx((4 + 100 / 120) / 5)


def test_the_median_of_one_heap_is_nearer_to_the_boxes_than_the_mean() -> None:
    sizes = [(10, 10), (10, 10), (10, 10), (40, 40)]
    median, mean = (anchors.best(sizes, 1, update=update) for update in anchors.UPDATES)
    assert median.centres.tolist() == [[10, 10]]
    assert median.mean_iou == pytest.approx((3 + 1 / 16) / 4)
    assert mean.centres.tolist() == [[17.5, 17.5]]
    assert mean.mean_iou == pytest.approx((3 * 100 / 306.25 + 306.25 / 1600) / 4)


def test_as_many_anchors_as_distinct_sizes_fit_all_of_them() -> None:
    step = anchors.best([(9, 9), (3, 4), (9, 9), (7, 2)], 3)
    assert step.centres.tolist() == [[3, 4], [7, 2], [9, 9]] or step.centres.tolist() == [[7, 2], [3, 4], [9, 9]]
    assert (step.mean_iou, step.recall, step.counts.tolist()) == (1.0, 1.0, [1, 1, 2])


@pytest.mark.parametrize(
    ("sizes", "k", "sentence"),
    [
        ([], 3, "There are no boxes to compute anchors from."),
        ([(5, 5), (5, 5)], 2, "There is only one box size, too few for 2 anchors. Choose 1"),
        ([(5, 5), (5, 6)], 9, "There are only 2 different box sizes, too few for 9 anchors. Choose 2"),
        ([(5, 5)], 0, "must be at least 1, not 0"),
        ([(0, 5), (float("nan"), 2), (-1, 3), (float("inf"), 1)], 1, "images that were never read, don't count"),
    ],
)
def test_too_few_sizes_are_said_in_a_sentence(sizes: list[tuple[float, float]], k: int, sentence: str) -> None:
    with pytest.raises(WorkbenchError, match=sentence):
        anchors.best(sizes, k)


@settings(max_examples=60, deadline=None)
@given(size_lists, st.integers(1, 9), st.integers(0, 3), st.sampled_from(anchors.UPDATES))
def test_every_step_has_k_filled_clusters_sorted_by_area(
    sizes: list[tuple[float, float]], k: int, seed: int, update: anchors.Update
) -> None:
    k = min(k, len(set(sizes)))
    steps = list(anchors.kmeans(sizes, k, seed, update=update, restarts=2))
    for number, step in enumerate(steps):
        assert step.iteration == number
        assert step.centres.shape == (k, 2)
        assert (np.diff(step.centres.prod(axis=1)) >= 0).all()
        assert step.counts.min() >= 1
        assert step.counts.sum() == len(sizes)
        assert step.counts.tolist() == np.bincount(anchors.assign(sizes, step.centres), minlength=k).tolist()
        judged = anchors.rate_anchors(sizes, step.centres)
        assert (judged.mean_iou, judged.recall, judged.ratio_recall) == pytest.approx(
            (step.mean_iou, step.recall, step.ratio_recall)
        )
    assert [step.done for step in steps] == [False] * (len(steps) - 1) + [True]


@settings(max_examples=60, deadline=None)
@given(size_lists, st.integers(1, 9), st.integers(0, 3))
def test_the_mean_iou_never_falls_when_centres_move_to_the_median(
    sizes: list[tuple[float, float]], k: int, seed: int
) -> None:
    k = min(k, len(set(sizes)))
    reached = [step.mean_iou for step in anchors.kmeans(sizes, k, seed, restarts=1)]
    assert (np.diff(reached) >= -1e-12).all()


def test_the_same_seed_gives_the_same_steps() -> None:
    sizes = np.random.default_rng(1).uniform(5, 200, (300, 2))
    first, second = (list(anchors.kmeans(sizes, 5, seed=4)) for _ in range(2))
    assert len(first) == len(second) > 2
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.centres, other.centres)
        assert one.mean_iou == other.mean_iou


def test_more_starts_are_not_worse() -> None:
    sizes = np.random.default_rng(2).lognormal(3.5, 0.8, (500, 2))
    reached = [anchors.best(sizes, 7, seed=0, restarts=restarts).mean_iou for restarts in (1, 4, 16)]
    assert reached[2] >= max(reached) - 0.0005


def test_the_histogram_of_many_sizes_loses_next_to_nothing() -> None:
    random = np.random.default_rng(3)
    sizes = np.exp(random.normal(3.6, 1.0, (30_000, 1)) + random.normal(0, 0.35, (30_000, 2)))
    many = anchors.best(sizes, 5, restarts=4)
    some = anchors.best(sizes[:4_000], 5, restarts=4)  # every size kept
    assert many.mean_iou == pytest.approx(anchors.rate_anchors(sizes, many.centres).mean_iou)
    assert many.counts.sum() == len(sizes)
    assert many.mean_iou > anchors.rate_anchors(sizes, some.centres).mean_iou - 0.002


@pytest.fixture(scope="module")
def bccd(test_data: Path) -> np.ndarray:
    """(4,888, 2) box sizes of BCCD at 416 px, stretched."""
    sizes = []
    for file in sorted((test_data / "data" / "bccd" / "BCCD" / "Annotations").glob("*.xml")):
        root = ElementTree.parse(file).getroot()
        scale = [416 / float(root.findtext(f"size/{side}", "")) for side in ("width", "height")]
        for box in root.iter("bndbox"):
            x0, y0, x1, y1 = (float(box.findtext(side, "")) for side in ("xmin", "ymin", "xmax", "ymax"))
            sizes.append(((x1 - x0) * scale[0], (y1 - y0) * scale[1]))
    return np.array(sizes)


# best of 300 starts of an independent search on the same objective would be the ceiling; these are what 40 reached
@pytest.mark.parametrize(("k", "reached"), [(3, 0.8085), (5, 0.8509), (9, 0.8837)])
def test_blood_cells_get_anchors_near_the_best_known_for_every_seed(bccd: np.ndarray, k: int, reached: float) -> None:
    found = [anchors.best(bccd, k, seed).mean_iou for seed in range(3)]
    assert max(found) - min(found) < 0.002
    assert min(found) > reached - 0.002


def test_the_papers_mean_is_behind_the_median_on_blood_cells(bccd: np.ndarray) -> None:
    median, mean = (anchors.best(bccd, 9, update=update).mean_iou for update in anchors.UPDATES)
    assert mean < median
    assert mean > 0.87
