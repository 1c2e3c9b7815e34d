"""Average precision: by hand on tiny tables, and equal to pycocotools on real and random data."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.generated import split_scene
from workbench.core import metrics
from workbench.core.detections import Detections
from workbench.core.evaluation import average_precision
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.matching import match
from workbench.core.project import Image, Label, Snapshot


def truth_of(rows: list[tuple[int, int, list[float], bool]], images: int, labels: int) -> Snapshot:
    """rows: (image, label, xyxy, crowd)."""
    rows = sorted(rows, key=lambda row: row[0])
    per_image = np.bincount([row[0] for row in rows], minlength=images) if rows else np.zeros(images, int)
    flags = np.zeros((len(rows), 4), bool)
    flags[:, 3] = [row[3] for row in rows]
    return Snapshot(
        labels=tuple(Label(i + 1, f"label {i}", position=i) for i in range(labels)),
        images=tuple(Image(i + 1, f"{i}.jpg", 100, 100) for i in range(images)),
        files=tuple(Path(f"{i}.jpg") for i in range(images)),
        offsets=np.concatenate([[0], np.cumsum(per_image)]).astype(np.int64),
        boxes=np.array([row[2] for row in rows], float).reshape(-1, 4),
        label_index=np.array([row[1] for row in rows], np.int64),
        flags=flags,
        box_ids=np.arange(len(rows)) + 1,
    )


def found_of(rows: list[tuple[int, int, list[float], float]], images: int) -> list[Detections]:
    """rows: (image, label, xyxy, score)."""
    result = []
    for image in range(images):
        mine = [row for row in rows if row[0] == image]
        result.append(
            Detections(
                np.array([row[2] for row in mine], np.float32).reshape(-1, 4),
                np.array([row[3] for row in mine], np.float32),
                np.array([row[1] for row in mine], np.int32),
            )
        )
    return result


def pycocotools_on(truth: GroundTruth, detections: list[Detections]) -> Any:
    """The oracle, silenced. Ids start at 1: pycocotools takes id 0 for "not matched"."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        oracle = COCO()
        oracle.dataset = {
            "images": [{"id": i + 1, "width": 100, "height": 100} for i in range(truth.image_count)],
            "categories": [{"id": c + 1, "name": str(c)} for c in range(truth.label_count)],
            "annotations": [
                {"id": r + 1, "image_id": int(truth.images[r]) + 1, "category_id": int(truth.labels[r]) + 1,
                 "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                 "area": float(truth.areas[r]), "iscrowd": int(truth.crowd[r])}
                for r, box in enumerate(truth.boxes.tolist())
            ],
        }  # fmt: skip
        oracle.createIndex()
        results = [
            {"image_id": i + 1, "category_id": int(label) + 1, "score": float(score),
             "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]]}
            for i, image in enumerate(detections)
            for box, score, label in zip(image.boxes.astype(float).tolist(), image.scores, image.labels, strict=True)
        ]  # fmt: skip
        evaluation = COCOeval(oracle, oracle.loadRes(results) if results else COCO(), "bbox")
        if not results:
            evaluation.params.imgIds = list(range(1, truth.image_count + 1))
            evaluation.params.catIds = list(range(1, truth.label_count + 1))
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def assert_equal(ours: metrics.Evaluation, oracle: Any) -> None:
    precision = oracle.eval["precision"][:, :, :, 0, 2]  # (T, R, C)
    np.testing.assert_allclose(ours.precision, np.where(precision < 0, np.nan, precision), rtol=0, atol=1e-12)
    recall = oracle.eval["recall"][:, :, 0, 2]
    for label, per_label in enumerate(ours.per_label_ap):
        theirs = precision[:, :, label]
        assert np.isnan(per_label) if (theirs < 0).all() else abs(per_label - theirs.mean()) < 1e-12
    numbers = np.array(list(ours.numbers().values()))
    np.testing.assert_allclose(np.where(np.isnan(numbers), -1, numbers), oracle.stats, rtol=0, atol=1e-12)
    assert recall.shape == (10, len(ours.labels))


SQUARE = [0.0, 0, 10, 10]


def test_a_perfect_detection_has_ap_one() -> None:
    result = metrics.evaluate(truth_of([(0, 0, SQUARE, False)], 1, 1), found_of([(0, 0, SQUARE, 0.9)], 1))
    assert [result.ap, result.ap50, result.ap75, result.ar1] == pytest.approx([1, 1, 1, 1])
    assert np.isnan(result.ap_large)


def test_no_detection_has_ap_zero_and_no_box_has_none() -> None:
    nothing = found_of([], 1)
    assert metrics.evaluate(truth_of([(0, 0, SQUARE, False)], 1, 1), nothing).ap == 0.0
    assert np.isnan(metrics.evaluate(truth_of([], 1, 1), nothing).ap)
    assert np.isnan(metrics.evaluate(truth_of([], 0, 0), []).ap)


def test_a_false_alarm_above_the_right_one_halves_the_precision() -> None:
    found = found_of([(0, 0, [50, 50, 60, 60], 0.9), (0, 0, SQUARE, 0.8)], 1)
    result = metrics.evaluate(truth_of([(0, 0, SQUARE, False)], 1, 1), found)
    assert result.ap50 == pytest.approx(0.5)


def test_an_overlap_of_one_half_counts_at_the_first_threshold_only() -> None:
    found = found_of([(0, 0, [0, 0, 10, 5], 0.9)], 1)
    result = metrics.evaluate(truth_of([(0, 0, SQUARE, False)], 1, 1), found)
    assert result.ap == pytest.approx(0.1)
    assert result.per_label_ap50.tolist() == pytest.approx([1.0])


def test_a_box_is_found_once_and_the_second_detection_is_wrong() -> None:
    found = found_of([(0, 0, SQUARE, 0.9), (0, 0, SQUARE, 0.8)], 1)
    counts = metrics.evaluate(truth_of([(0, 0, SQUARE, False)], 1, 1), found).matching.counts(0.1)
    assert counts.total == (1, 1, 0)
    assert (counts.precision, counts.recall, counts.f1) == (0.5, 1.0, 2 / 3)


def test_detections_on_a_crowd_region_are_neither_right_nor_wrong() -> None:
    truth = truth_of([(0, 0, [0, 0, 100, 100], True), (0, 0, [200, 200, 210, 210], False)], 1, 1)
    found = found_of([(0, 0, [10, 10, 20, 20], 0.9), (0, 0, [30, 30, 40, 40], 0.8)], 1)
    matching = metrics.evaluate(truth, found).matching
    assert matching.counts(0.1).total == (0, 0, 1)
    here = matching.of_image(0, 0.1)
    assert here.ignored.tolist() == [0, 1]
    assert here.missed.tolist() == [1]


def test_difficult_boxes_count_like_others() -> None:
    truth = truth_of([(0, 0, SQUARE, False), (0, 0, [50, 50, 60, 60], False)], 1, 1)
    truth.flags[1, 0] = True
    result = metrics.evaluate(truth, found_of([(0, 0, SQUARE, 0.9)], 1))
    assert result.ap50 == pytest.approx(51 / 101)  # of COCO's 101 recalls 51
    assert result.per_label_boxes.tolist() == [2]


def test_f1_where_as_many_are_missed_as_are_found() -> None:
    truth = truth_of([(0, 0, SQUARE, False), (0, 0, [50, 50, 60, 60], False)], 1, 1)
    counts = metrics.evaluate(truth, found_of([(0, 0, SQUARE, 0.9)], 1)).matching.counts(0.1)
    assert (counts.total, counts.f1) == ((1, 0, 1), 2 / 3)
    nothing = metrics.evaluate(truth_of([], 1, 1), found_of([], 1)).matching.counts(0.1)
    assert np.isnan([nothing.precision, nothing.recall, nothing.f1]).all()


def test_a_detection_of_another_size_that_takes_no_box_is_neither_right_nor_wrong() -> None:
    truth = GroundTruth.of(truth_of([(0, 0, SQUARE, False)], 1, 1))
    small, large = [50.0, 50, 60, 60], [0.0, 0, 90, 90]
    found = DetectionSet.of(found_of([(0, 0, large, 0.9), (0, 0, SQUARE, 0.8), (0, 0, small, 0.7)], 1))
    matching = match(truth, found, [0.5], metrics.AREAS["small"])
    assert matching.counts(0.1).total == (1, 1, 0)
    assert matching.ignored.tolist() == [[True, False, False]]


def test_counts_are_by_image_and_label_and_follow_the_confidence() -> None:
    truth = truth_of([(0, 0, SQUARE, False), (1, 1, SQUARE, False), (1, 0, [40, 40, 50, 50], False)], 2, 2)
    found = found_of([(0, 0, SQUARE, 0.5), (1, 1, SQUARE, 0.25), (1, 1, [70, 70, 80, 80], 0.625)], 2)
    matching = metrics.evaluate(truth, found).matching
    assert matching.counts(0.25).per_image.tolist() == [[1, 0, 0], [1, 1, 1]]
    assert matching.counts(0.5).per_image.tolist() == [[1, 0, 0], [0, 1, 2]]
    assert matching.counts(0.25).per_label.tolist() == [[1, 0, 1], [1, 1, 0]]
    assert matching.counts(np.array([0.75, 0.5])).total == (0, 1, 3)
    assert matching.counts(np.array([0.5, 0.25])).total == (2, 1, 1)
    here = matching.of_image(1, 0.25)
    assert (here.right.tolist(), here.partner.tolist()) == ([0], [0])
    assert (here.wrong.tolist(), here.missed.tolist()) == ([1], [1])


def test_a_label_outside_the_list_is_left_out_of_the_numbers() -> None:
    found = found_of([(0, 7, SQUARE, 0.9), (0, 0, SQUARE, 0.5)], 1)
    assert metrics.evaluate(truth_of([(0, 0, SQUARE, False)], 1, 1), found).ap == pytest.approx(1.0)


def test_a_wrong_number_of_images_is_said() -> None:
    with pytest.raises(ValueError, match="1 images"):
        metrics.evaluate(truth_of([], 1, 1), [])


def test_the_hundred_coco_images_give_the_published_numbers(test_data: Path) -> None:
    truth, detections = coco_sample(test_data / "import_cases" / "evaluation" / "cocoapi")
    names = tuple(str(c) for c in range(truth.label_count))
    ours = metrics.evaluate_arrays(truth, DetectionSet.of(detections), names)
    published = [0.5046, 0.6970, 0.5730, 0.5856, 0.5194, 0.5014, 0.3868, 0.5937, 0.5954, 0.6398, 0.5664, 0.5643]
    assert [round(value, 4) for value in ours.numbers().values()] == published
    assert_equal(ours, pycocotools_on(truth, detections))


def coco_sample(folder: Path) -> tuple[GroundTruth, list[Detections]]:
    data = json.loads((folder / "instances_val2014_100.json").read_text())
    results = json.loads((folder / "instances_val2014_fakebbox100_results.json").read_text())
    wanted = sorted(row["id"] for row in data["images"])
    label = {row["id"]: i for i, row in enumerate(sorted(data["categories"], key=lambda row: row["id"]))}
    image = {name: i for i, name in enumerate(wanted)}
    rows = sorted(data["annotations"], key=lambda row: image[row["image_id"]])
    xywh = np.array([row["bbox"] for row in rows], float)
    crowd = np.array([row["iscrowd"] for row in rows], bool)
    truth = GroundTruth(
        boxes=np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], 1),
        labels=np.array([label[row["category_id"]] for row in rows]),
        images=np.array([image[row["image_id"]] for row in rows]),
        crowd=crowd, ignore=crowd, areas=np.array([row["area"] for row in rows]),
        image_count=len(wanted), label_count=len(label),
    )  # fmt: skip
    detections = []
    for name in wanted:
        mine = [row for row in results if row["image_id"] == name]
        box = np.array([row["bbox"] for row in mine], float).reshape(-1, 4)
        detections.append(
            Detections(
                np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], 1),
                np.array([row["score"] for row in mine]),
                np.array([label[row["category_id"]] for row in mine], np.int32),
            )
        )
    return truth, detections


# Coordinates on a coarse grid: overlaps, ties, equal boxes and the limits 32 and 96 of the area ranges all occur.
side = st.sampled_from([4.0, 8, 16, 32, 48, 96, 128])
place = st.integers(0, 6).map(lambda n: n * 8.0)
box = st.tuples(place, place, side, side).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])
truth_rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), box, st.booleans()), max_size=14)
score = st.integers(1, 8).map(lambda n: n / 8)
anywhere = st.tuples(st.integers(0, 2), st.integers(0, 1), box, score)
Rows = list[tuple[int, int, list[float], bool]]
Found = list[tuple[int, int, list[float], float]]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Rows, Found]:
    """Labelled boxes, and detections of which many lie on them: two of random boxes hardly ever overlap enough."""
    truth, found = draw(truth_rows), draw(st.lists(anywhere, max_size=10))
    near = st.tuples(st.sampled_from([1, 0, 2]), st.sampled_from([0.0, 1, 4, 8]), score)
    on = draw(st.lists(near, min_size=len(truth), max_size=len(truth)))
    for (image, label, (x0, y0, x1, y1), _), (times, shift, confidence) in zip(truth, on, strict=True):
        found += [(image, label, [x0 + shift, y0, x1 + shift, y1], confidence)] * times
    return truth, draw(st.permutations(found))


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_random_scenes_equal_pycocotools(scene: tuple[Rows, Found]) -> None:
    truth, found = scene
    snapshot, detections = truth_of(truth, 3, 2), found_of(found, 3)
    assert_equal(metrics.evaluate(snapshot, detections), pycocotools_on(GroundTruth.of(snapshot), detections))


def test_a_dense_scene_with_more_than_a_hundred_detections_equals_pycocotools() -> None:
    rng = np.random.default_rng(1)

    def boxes(count: int) -> list[list[float]]:
        corner, size = rng.integers(0, 300, (count, 2)), rng.integers(8, 140, (count, 2))
        return np.concatenate([corner, corner + size], 1).astype(float).tolist()

    truth = truth_of([(i % 4, i % 2, b, i % 17 == 0) for i, b in enumerate(boxes(120))], 4, 2)
    scores = rng.uniform(0, 1, 1200).tolist()
    found = found_of([(i % 4, i % 2, b, scores[i]) for i, b in enumerate(boxes(1200))], 4)
    assert_equal(metrics.evaluate(truth, found), pycocotools_on(GroundTruth.of(truth), found))


@settings(max_examples=50, deadline=None)
@given(scenes(), score)
def test_cutting_at_a_confidence_equals_matching_what_is_left(scene: tuple[Rows, Found], cut: float) -> None:
    truth, found = scene
    snapshot = truth_of(truth, 3, 2)
    whole = match(GroundTruth.of(snapshot), DetectionSet.of(found_of(found, 3)), [0.5, 0.75])
    left = match(
        GroundTruth.of(snapshot), DetectionSet.of(found_of([row for row in found if row[3] >= cut], 3)), [0.5, 0.75]
    )
    for level in (0.5, 0.75):
        assert np.array_equal(whole.counts(cut, level).tp, left.counts(0, level).tp)
        assert np.array_equal(whole.counts(cut, level).fp, left.counts(0, level).fp)
        assert np.array_equal(whole.counts(cut, level).fn, left.counts(0, level).fn)
    np.testing.assert_array_equal(
        average_precision.average_precision(whole, cut), average_precision.average_precision(left)
    )


@pytest.mark.parametrize("most", [1, 2, 5])
def test_only_the_highest_of_each_image_and_label_counted_equals_matching_them_alone(most: int) -> None:
    truth, found = split_scene(images=8, candidates=60, labels=2, crowd=0.2)
    whole, left = (match(truth, DetectionSet.of(found, n), [0.5, 0.75]) for n in (100, most))
    for one, other in zip(average_precision.accumulate(whole, most), average_precision.accumulate(left), strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_labels_precision_and_recall_have_none() -> None:
    matching = match(GroundTruth.of(truth_of([], 2, 0)), DetectionSet.of(found_of([], 2)), [0.5, 0.75])
    assert [one.shape for one in average_precision.accumulate(matching)] == [(2, 101, 0), (2, 0)]
