"""Candidates and the two sliders: the kept boxes are torchvision's, and moving the confidence runs no NMS."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.core import boxes as geometry
from workbench.core import nms
from workbench.core.boxes import centre_penalty, iou
from workbench.core.detections import MOST, SURE, TAIL, Candidates, NmsKind, best_pairs


def scene(seed: int, count: int = 1000, labels: int = 5, grid: bool = False) -> Candidates:
    """Clustered boxes. `grid`: coordinates in eighths, where batched_nms's shift of boxes by label is exact."""
    rng = np.random.default_rng(seed)
    objects = rng.uniform(0, 500, (30, 2))
    corner = objects[rng.integers(0, 30, count)] + rng.normal(0, 6, (count, 2))
    size = rng.uniform(20, 80, (count, 2))
    boxes = np.concatenate([corner, corner + size], 1)
    boxes = np.round(boxes * 8) / 8 if grid else boxes
    scores = np.round(rng.uniform(0.001, 1, count), 2 if seed % 2 else 6)  # every second scene is full of ties
    return Candidates.of_arrays(boxes, scores, rng.integers(0, labels, count))


def test_select_equals_batched_nms_at_a_hundred_random_settings() -> None:
    torch, ops = pytest.importorskip("torch"), pytest.importorskip("torchvision.ops")
    rng = np.random.default_rng(0)
    for seed in range(10):
        found = scene(seed, grid=True)
        for score, level in zip(rng.uniform(0, 0.9, 10), rng.uniform(0.05, 0.95, 10), strict=True):
            above = np.flatnonzero(found.scores.astype(np.float64) >= score)
            arrays = [torch.from_numpy(a[above]) for a in (found.boxes, found.scores, found.labels)]
            expected = above[ops.batched_nms(*arrays, level).numpy()]
            assert sorted(found.select(score, level, limit=1000)) == sorted(expected)


@pytest.mark.parametrize("seed", range(4))
def test_select_across_labels_equals_nms_for_any_coordinates(seed: int) -> None:
    torch, ops = pytest.importorskip("torch"), pytest.importorskip("torchvision.ops")
    found = scene(seed)
    for level in np.linspace(0, 1, 21):
        expected = ops.nms(torch.from_numpy(found.boxes), torch.from_numpy(found.scores), float(level)).numpy()
        assert np.array_equal(found.select(0, float(level), "across labels", limit=1000), expected)


POWERS: list[tuple[NmsKind, float]] = [("diou", 1.0), ("darknet diou", 0.6)]


@pytest.mark.parametrize(("kind", "power"), POWERS)
def test_diou_keeps_what_a_plain_greedy_loop_keeps(kind: NmsKind, power: float) -> None:
    found = scene(3, count=200)
    kept: list[int] = []
    for i in range(len(found)):
        mine = found.boxes[i : i + 1]
        rivals = [j for j in kept if found.labels[j] == found.labels[i]]
        pairs = [(found.boxes[j : j + 1], mine) for j in rivals]
        overlap = [iou(*pair).item() - centre_penalty(*pair).item() ** power for pair in pairs]
        if not any(value > 0.4 for value in overlap):
            kept.append(i)
    assert found.select(0, 0.4, kind, limit=1000).tolist() == kept


@pytest.mark.parametrize(("kind", "value"), [("diou", 0.4492), ("darknet diou", 0.3784)])
def test_diou_of_a_pair_is_torchvisions_or_darknets(kind: NmsKind, value: float) -> None:
    """Two boxes with the two values that the reference gives for one pair (rule 25): IoU 7/15, and centres apart."""
    torch, ops = pytest.importorskip("torch"), pytest.importorskip("torchvision.ops")
    boxes = np.array([[0, 0, 11, 26.251], [4, 0, 15, 26.251]], np.float32)
    of_torchvision = ops.distance_box_iou(*torch.from_numpy(boxes).split(1)).item()
    assert of_torchvision == pytest.approx(0.4492, abs=5e-5)
    pairs = nms.overlaps(boxes, np.zeros(2), kind)
    assert pairs.value.tolist() == pytest.approx([value], abs=5e-5)


def test_moving_the_confidence_runs_no_nms(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"overlaps": 0, "greedy_nms": 0}
    for name in calls:
        real = getattr(nms, name)

        def counting(*args: object, _real=real, _name=name, **more: object) -> object:  # type: ignore[no-untyped-def]
            calls[_name] += 1
            return _real(*args, **more)

        monkeypatch.setattr(nms, name, counting)
    found = scene(0)
    found.select(0.5, 0.5)
    assert calls == {"overlaps": 1, "greedy_nms": 1}
    for score in np.linspace(0, 1, 50):
        found.select(float(score), 0.5)
    assert calls == {"overlaps": 1, "greedy_nms": 1}
    for level in (0.3, 0.4, 0.6):
        found.select(0.5, level)
    assert calls == {"overlaps": 1, "greedy_nms": 4}


def of_lists(boxes: list[list[float]], scores: list[float], labels: list[int]) -> Candidates:
    return Candidates.of_arrays(np.array(boxes), np.array(scores), np.array(labels))


THREE = of_lists([[0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60]], [0.9, 0.8, 0.3], [0, 0, 0])


def test_the_lower_of_two_overlapping_boxes_goes() -> None:
    assert THREE.select(0.1, 0.49).tolist() == [0, 2]  # their IoU is 0.5
    assert THREE.select(0.1, 0.5).tolist() == [0, 1, 2]  # only more than the threshold is too much


def test_the_confidence_is_inclusive_and_the_limit_takes_the_highest() -> None:
    assert THREE.select(float(np.float32(0.3)), 0.9).tolist() == [0, 1, 2]
    assert THREE.select(0.1, 0.9, limit=2).tolist() == [0, 1]


def test_a_threshold_that_no_float32_is_equal_to_is_compared_as_torchvision_does() -> None:
    """Boxes that share n of 10 units, at n tenths: some n/10 lie above their double in float32 and some below."""
    torch, ops = pytest.importorskip("torch"), pytest.importorskip("torchvision.ops")
    for tenths in range(1, 10):
        found = of_lists([[0, 0, 10, 1], [0, 0, tenths, 1]], [0.9, 0.8], [0, 0])
        arrays = torch.from_numpy(found.boxes), torch.from_numpy(found.scores)
        expected = ops.nms(*arrays, tenths / 10).tolist()
        assert found.select(0, tenths / 10).tolist() == expected


def test_a_box_removed_by_nobody_left_stays() -> None:
    # the second removes nothing because the first removes it: the third stays
    chain = of_lists([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], [0.9, 0.8, 0.7], [0, 0, 0])
    assert chain.select(0, 0.4).tolist() == [0, 2]


def test_other_labels_are_left_alone_unless_asked() -> None:
    two = of_lists([[0, 0, 10, 10], [0, 0, 10, 9]], [0.9, 0.8], [0, 1])
    assert two.select(0, 0.5).tolist() == [0, 1]
    assert two.select(0, 0.5, "across labels").tolist() == [0]


def test_of_arrays_sorts_cuts_and_drops_what_is_no_number() -> None:
    found = of_lists(
        [[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, np.nan, 3], [0, 0, 4, 4]], [0.2, 0.9, 0.8, np.inf], [1, 2, 3, 4]
    )
    assert found.labels.tolist() == [2, 1]
    many = Candidates.of_arrays(np.zeros((1500, 4)), np.linspace(0, 0.04, 1500), np.zeros(1500))
    assert len(many) == TAIL
    assert many.scores[0] == np.float32(0.04)


@pytest.mark.parametrize(("count", "sure", "kept"), [
    (10_000, 0, TAIL),
    (10_000, 500, TAIL),
    (10_000, 2_000, 2_000),
    (10_000, 9_000, MOST),
    (700, 0, 700),
])  # fmt: skip
def test_of_many_candidates_those_of_a_crowd_stay_and_of_the_others_few(count: int, sure: int, kept: int) -> None:
    scores = np.where(np.arange(count) < sure, SURE, SURE / 2)
    boxes = np.tile([0.0, 0, 5, 5], (count, 1))
    assert len(Candidates.of_arrays(boxes, scores, np.zeros(count))) == kept
    assert len(Candidates.of_arrays(boxes, scores, np.zeros(count), most=count)) == count


def test_no_candidates_select_nothing() -> None:
    assert Candidates.none().select(0.5, 0.5).tolist() == []


def test_unsorted_scores_and_columns_of_other_lengths_are_errors_of_the_programmer() -> None:
    for scores in ([0.1, 0.2], [0.9, 0.5, 0.7]):
        count = len(scores)
        with pytest.raises(ValueError, match="descend"):
            Candidates(np.zeros((count, 4), np.float32), np.array(scores, np.float32), np.zeros(count, np.int32))
    for boxes, labels in ((2, 3), (3, 2)):
        with pytest.raises(ValueError, match="shapes do not fit"):
            Candidates(np.zeros((boxes, 4), np.float32), np.zeros(3, np.float32), np.zeros(labels, np.int32))


def test_the_best_pairs_of_box_and_label_come_first() -> None:
    boxes, scores, labels = best_pairs(np.eye(2, 4), np.array([[0.1, 0.9, 0.5], [0.7, 0.2, 0.3]]))
    assert boxes[:3].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]]
    assert scores.tolist() == [0.9, 0.7, 0.5, 0.3, 0.2, 0.1]
    assert labels.tolist() == [1, 0, 2, 2, 1, 0]
    assert len(best_pairs(np.zeros((MOST, 4)), np.zeros((MOST, 2)))[1]) == MOST


def test_soft_nms_lowers_scores_as_a_plain_loop_does() -> None:
    """The paper's pseudo code, label by label, on a scene with ties."""
    for seed in (2, 3):
        found = scene(seed, count=150)
        scores = found.scores.astype(np.float32).copy()
        open_ = list(range(len(found)))
        while open_:
            best = max(open_, key=lambda row: (scores[row], -row))
            open_.remove(best)
            for row in open_:
                value = np.float32(iou(found.boxes[best : best + 1], found.boxes[row : row + 1]).item())
                if found.labels[row] == found.labels[best] and value > 0.3:
                    scores[row] *= 1 - value
        soft = found.detections(0.05, 0.3, "soft", limit=1000)
        expected = np.sort(scores[scores >= 0.05])[::-1]
        np.testing.assert_allclose(soft.scores, expected, rtol=1e-5)
        rows = found.select(0.05, 0.3, "soft", limit=1000)
        np.testing.assert_allclose(scores[rows], soft.scores, rtol=1e-5)
        assert np.array_equal(found.boxes[rows], soft.boxes)


def test_soft_nms_keeps_a_neighbour_that_hard_nms_removes() -> None:
    """Two boxes of IoU 1/3: hard NMS at 0.3 leaves one; soft the second at two thirds of its score."""
    found = of_lists([[0, 0, 20, 10], [10, 0, 30, 10]], [0.9, 0.6], [0, 0])
    assert found.detections(0.1, 0.3).scores.tolist() == pytest.approx([0.9])
    assert found.detections(0.1, 0.3, "soft").scores.tolist() == pytest.approx([0.9, 0.4])
    assert found.detections(0.1, 0.4, "soft").scores.tolist() == pytest.approx([0.9, 0.6])
    assert found.detections(0.5, 0.3, "soft").scores.tolist() == pytest.approx([0.9])


def test_moving_the_confidence_runs_no_soft_nms_either(monkeypatch: pytest.MonkeyPatch) -> None:
    found, calls = scene(1), []
    plain = nms.soft_nms
    monkeypatch.setattr(nms, "soft_nms", lambda *given: calls.append(1) or plain(*given))
    for confidence in (0.1, 0.3, 0.5):
        found.select(confidence, 0.5, "soft")
    assert len(calls) == 1


@pytest.mark.parametrize("seed", range(6))
def test_every_pair_that_overlaps_is_found_once_whatever_the_sizes(seed: int) -> None:
    """Also of boxes as high as all others together, without area, or with swapped corners."""
    rng = np.random.default_rng(seed)
    middle, sizes = rng.uniform(0, 300, (150, 2)), rng.exponential(30, (150, 2)) * [[1, rng.choice([0.1, 1, 10])]]
    sizes[0], sizes[1], sizes[2] = (40, 1e5), (30, 0), (-20, 10)
    boxes = np.concatenate([middle - sizes / 2, middle + sizes / 2], axis=1).astype(np.float32)
    labels = rng.integers(0, 3, 150)
    pairs = nms.overlaps(boxes, labels, floor=0.05)
    wanted = (iou(boxes, boxes) > 0.05) & (labels[:, None] == labels) & np.triu(np.ones((150, 150), bool), 1)
    found = np.stack([pairs.higher, pairs.lower], axis=1).tolist()
    assert sorted(found) == np.argwhere(wanted).tolist()


@pytest.mark.parametrize(("most", "count"), [(1, 500), (100, 25)])
def test_pairs_are_listed_in_parts_of_about_as_many_as_fit(
    most: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some 1,100 pairs of 300 boxes in several bands; those of one box come at once."""
    found = scene(0, count=300)
    labels = found.labels.astype(np.int64)
    whole = [(a, b) for part in nms._touching(found.boxes, labels) for a, b in zip(*part, strict=True)]
    monkeypatch.setattr(nms, "_PAIRS_AT_ONCE", most)
    parts = list(nms._touching(found.boxes, labels))
    assert [(a, b) for part in parts for a, b in zip(*part, strict=True)] == whole
    assert max(len(a) for a, _ in parts) <= max(most, 10)
    assert len(parts) < count


def test_a_kind_that_is_none_is_an_error_of_the_programmer() -> None:
    with pytest.raises(ValueError, match="kind must be one of"):
        nms.overlaps(np.zeros((1, 4)), np.zeros(1), "hard")  # type: ignore[arg-type]


def test_boxes_above_each_other_in_a_large_photograph_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100,000 candidates in many tiles nearly all pairs that were compared lay far apart: seven seconds."""
    compared: list[int] = []
    measure = geometry.iou_of_pairs

    def counted(a: geometry.Floats, b: geometry.Floats) -> geometry.Floats:
        compared.append(len(a))
        return measure(a, b)

    monkeypatch.setattr(geometry, "iou_of_pairs", counted)
    x, y = (axis.ravel() * 20.0 for axis in np.meshgrid(np.arange(60), np.arange(60)))
    pairs = nms.overlaps(np.stack([x, y, x + 30, y + 30], axis=1), np.zeros(3600), floor=0.05)
    assert len(pairs.value) == 2 * 60 * 59 + 2 * 59 * 59  # a square, and its neighbours right, below and across
    assert sum(compared) < 5 * len(pairs.value)
