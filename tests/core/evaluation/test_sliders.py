"""The sliders over a whole split: every move equals what each image by itself gives, scored anew."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from tests.core.generated import split_scene
from workbench.core import metrics, nms
from workbench.core.detections import Candidates
from workbench.core.evaluation import average_precision
from workbench.core.evaluation import sliders as module
from workbench.core.evaluation.confusion import confusion
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth, pairs
from workbench.core.evaluation.matching import Matching, match
from workbench.core.evaluation.sliders import Sliders
from workbench.core.metrics import THRESHOLDS
from workbench.core.nms import NmsKind
from workbench.inference.evaluating.operating_point import OperatingPoint

NAMES = tuple("abcde")


@pytest.fixture(scope="module")
def split() -> tuple[GroundTruth, list[Candidates]]:
    truth, candidates = split_scene(images=25, candidates=150, labels=len(NAMES), seed=3, crowd=0.1)
    return truth, candidates


@pytest.fixture(scope="module")
def sliders(split: tuple[GroundTruth, list[Candidates]]) -> Sliders:
    return Sliders.of(*split)


def one_by_one(
    split: tuple[GroundTruth, list[Candidates]], iou: float, kind: NmsKind, limit: int
) -> metrics.Evaluation:
    truth, candidates = split
    found = DetectionSet.of([one.detections(0.0, iou, kind, limit) for one in candidates])
    return metrics.evaluate_arrays(truth, found, NAMES)


def assert_same_counts(a: Matching, b: Matching, confidence: float | np.ndarray) -> None:
    ours, theirs = a.counts(confidence), b.counts(confidence)
    assert np.array_equal(ours.tp, theirs.tp)
    assert np.array_equal(ours.fp, theirs.fp)
    assert np.array_equal(ours.fn, theirs.fn)
    table = confusion(a, confidence).table
    assert np.array_equal(table, confusion(b, confidence).table)
    assert np.array_equal(np.diag(table)[:-1], ours.tp.sum(0))


@pytest.mark.parametrize("kind", get_args(NmsKind))
@pytest.mark.parametrize(("iou", "limit"), [(0.6, 300), (0.3, 20), (0.4567, 60), (0.02, 300)])
def test_a_move_equals_scoring_every_image_anew(
    split: tuple[GroundTruth, list[Candidates]], sliders: Sliders, kind: NmsKind, iou: float, limit: int
) -> None:
    ours, theirs = sliders.evaluation(NAMES, iou, kind, limit), one_by_one(split, iou, kind, limit)
    assert ours.numbers() == theirs.numbers()
    assert np.array_equal(ours.precision, theirs.precision, equal_nan=True)
    assert ours.per_label_boxes.tolist() == theirs.per_label_boxes.tolist()
    for confidence in (0.0, 0.2, 0.7, np.array([0.1, 0.9, 0.3, 0.0, 0.5])):
        assert_same_counts(ours.matching, theirs.matching, confidence)


@pytest.mark.parametrize("kind", ["per label", "soft"])
def test_all_detections_of_a_crowded_image_count_though_ap_takes_a_hundred_of_a_label(kind: NmsKind) -> None:
    """As evaluate and predict count them: the 101st right one of an image was missed, and not drawn."""
    split = split_scene(images=3, candidates=400, labels=1, seed=5)
    ours = Sliders.of(*split).evaluation(("a",), 0.9, kind)
    detections = [one.detections(0.0, 0.9, kind) for one in split[1]]
    first, every = (metrics.evaluate_arrays(split[0], DetectionSet.of(detections, most), ("a",)) for most in (100, 400))
    assert ours.numbers() == first.numbers()
    assert ours.matching.counts(0.0).total == every.matching.counts(0.0).total != first.matching.counts(0.0).total


def test_moving_either_slider_lists_no_pairs_again(sliders: Sliders, monkeypatch: pytest.MonkeyPatch) -> None:
    sliders.prepare()
    monkeypatch.setattr(nms, "overlaps", lambda *_args, **_more: pytest.fail("pairs were listed again"))
    monkeypatch.setattr(nms, "greedy_nms", lambda *_args: pytest.fail("pairs were walked"))
    for iou in (0.05, 0.5, 0.95):
        matching = sliders.matching_at(iou)
        for confidence in (0.1, 0.5):
            average_precision.average_precision(matching, confidence)


@pytest.mark.parametrize("least", [(0.2, 0.6, 0.35, 0.5, 0.1), (0.2, 0.6, 0.6, 0.2, 0.2)])
@pytest.mark.parametrize(("iou", "limit"), [(0.6, 300), (0.3, 6), (0.4567, 20)])
def test_across_labels_what_is_below_its_own_confidence_removes_nothing(
    split: tuple[GroundTruth, list[Candidates]], sliders: Sliders, iou: float, limit: int, least: tuple[float, ...]
) -> None:
    """What is shown is what an operating point leaves of every image."""
    point = OperatingPoint(0.3, tuple(zip(NAMES, least, strict=True)), iou, "across labels", limit)
    alone = DetectionSet.of([point.detections(one, NAMES) for one in split[1]])
    moved = sliders.matching_at(iou, "across labels", limit, least=least)
    assert_same_counts(moved, match(split[0], alone, THRESHOLDS.tolist()), np.array(least))
    plain = sliders.matching_at(iou, "across labels", limit)
    assert plain.counts(np.array(least)).total != moved.counts(np.array(least)).total
    for kind in ("per label", "diou"):
        ours, theirs = sliders.kept(iou, kind, least=least), sliders.kept(iou, kind)
        assert np.array_equal(ours, theirs)


def test_an_image_is_drawn_by_the_rows_of_its_candidates(
    split: tuple[GroundTruth, list[Candidates]], sliders: Sliders
) -> None:
    matching, kept = sliders.matching_at(0.6), split[1][4].select(0.2, 0.6)
    here = matching.of_image(4, 0.2)
    assert sorted([*here.right, *here.wrong, *here.ignored]) == sorted(kept)


def test_what_soft_nms_keeps_and_a_wrong_number_of_images_are_refused(
    split: tuple[GroundTruth, list[Candidates]], sliders: Sliders
) -> None:
    with pytest.raises(ValueError, match="soft"):
        sliders.kept(0.5, "soft")
    with pytest.raises(ValueError, match="25 images"):
        Sliders.of(split[0], split[1][:3])


def edited(truth: GroundTruth, rng: np.random.Generator) -> GroundTruth:
    """Some images lose boxes, some get one, some have one moved, called otherwise or made a crowd; most stay."""
    kept = rng.random(len(truth.labels)) > 0.04
    more = np.sort(rng.integers(0, truth.image_count, 2))
    rows = np.concatenate([np.flatnonzero(kept), rng.integers(0, len(truth.labels), 2)])
    images = np.concatenate([truth.images[kept], more])
    order = np.argsort(images, kind="stable")
    rows, images = rows[order], images[order]
    boxes, labels, crowd = truth.boxes[rows].copy(), truth.labels[rows].copy(), truth.crowd[rows].copy()
    moved, called, crowded = (rng.random(len(rows)) < 0.02 for _ in range(3))
    boxes[moved] += 3.0
    labels[called] = rng.integers(0, truth.label_count, int(called.sum()))
    crowd[crowded] ^= True
    return GroundTruth(boxes, labels, images, crowd, crowd, truth.areas[rows], truth.image_count, truth.label_count)


@pytest.mark.parametrize("seed", range(4))
def test_with_another_truth_it_is_the_same_as_built_anew(
    split: tuple[GroundTruth, list[Candidates]], sliders: Sliders, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ours, truth = sliders, split[0]
    for _ in range(2):  # the second upon the first
        truth = edited(truth, rng)
        ours = ours.with_truth(truth)
    fresh = Sliders.of(truth, split[1])
    assert_same_pairs(ours, fresh)
    for kind in ("per label", "soft") if seed == 0 else ("per label",):
        a, b = ours.evaluation(NAMES, 0.5, kind), fresh.evaluation(NAMES, 0.5, kind)
        assert a.numbers() == b.numbers()
        assert np.array_equal(a.precision, b.precision, equal_nan=True)
        for mine, theirs in zip((a.matching.taken, a.matching.ignored), (b.matching.taken, b.matching.ignored)):
            assert np.array_equal(mine, theirs)
        assert_same_counts(a.matching, b.matching, 0.3)


def assert_same_pairs(a: Sliders, b: Sliders) -> None:
    for mine, theirs in ((a._near.detection, b._near.detection), (a._near.truth, b._near.truth)):
        assert np.array_equal(mine, theirs)
    assert a._near.iou.tobytes() == b._near.iou.tobytes()


def test_only_images_whose_boxes_changed_are_compared_again(
    split: tuple[GroundTruth, list[Candidates]], sliders: Sliders, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, looked_at = split[0], []
    real = pairs
    monkeypatch.setattr(module, "pairs", lambda t, f, floor: (looked_at.append(set(f.images)), real(t, f, floor))[1])
    monkeypatch.setattr(nms, "overlaps", lambda *_args, **_more: pytest.fail("NMS was prepared again"))
    boxes = truth.boxes.copy()
    boxes[np.searchsorted(truth.images, 7)] += 1
    sliders.with_truth(truth)
    changed = sliders.with_truth(replace(truth, boxes=boxes))
    assert looked_at == [set(), {7}]
    changed.prepare()
    assert np.array_equal(changed.kept(0.5), sliders.kept(0.5))


def test_another_truth_of_other_images_is_refused(sliders: Sliders) -> None:
    with pytest.raises(ValueError, match="other images or labels"):
        sliders.with_truth(replace(sliders.truth, image_count=26))


def test_nothing_found_and_nothing_labelled() -> None:
    truth = GroundTruth(
        np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0, bool),
        np.zeros(0), 2, 1,
    )  # fmt: skip
    result = Sliders.of(truth, [Candidates.none(), Candidates.none()]).evaluation(("a",), 0.5)
    assert np.isnan(result.ap)
    assert result.matching.counts(0.5).total == (0, 0, 0)


@pytest.mark.parametrize("kind", get_args(NmsKind))
def test_an_image_seen_in_tiles_has_as_many_detections_as_its_views_may_show(
    split: tuple[GroundTruth, list[Candidates]], kind: NmsKind
) -> None:
    truth, plain = split
    tiled = [replace(one, views=1 + 2 * (number % 3)) for number, one in enumerate(plain)]
    ours = Sliders.of(truth, tiled).evaluation(NAMES, 0.6, kind, 10)
    assert ours.numbers() == one_by_one((truth, tiled), 0.6, kind, 10).numbers()
    assert ours.numbers() != one_by_one((truth, plain), 0.6, kind, 10).numbers()
    edited = Sliders.of(truth, tiled).with_truth(truth).evaluation(NAMES, 0.6, kind, 10)
    assert edited.numbers() == ours.numbers()
