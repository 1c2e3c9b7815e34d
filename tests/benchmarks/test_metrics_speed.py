"""Evaluation and sliders are fast: ratios to pycocotools and torchvision within one run, never absolute times."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable

import numpy as np
import pytest

from workbench.core import metrics
from workbench.core.detections import Candidates
from workbench.core.matching import Found, Truth, match

IMAGES, LABELS, BOXES, DETECTIONS = 200, 20, 7, 100


def best_of(repeats: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest of `repeats`: what other work on the machine disturbs least."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.fixture(scope="module")
def scene() -> tuple[Truth, list[Candidates]]:
    rng = np.random.default_rng(0)

    def boxes(count: int) -> np.ndarray:
        corner, size = rng.uniform(0, 600, (count, 2)), rng.uniform(10, 200, (count, 2))
        return np.concatenate([corner, corner + size], 1)

    truth = boxes(IMAGES * BOXES)
    labels = rng.integers(0, LABELS, len(truth))
    images = np.repeat(np.arange(IMAGES), BOXES)
    areas = np.prod(truth[:, 2:] - truth[:, :2], axis=1)
    crowd = np.zeros(len(truth), bool)
    found = []
    for image in range(IMAGES):
        near = rng.integers(image * BOXES, (image + 1) * BOXES, DETECTIONS // 2)
        guess = np.concatenate([truth[near] + rng.normal(0, 5, (len(near), 4)), boxes(DETECTIONS // 2)])
        label = np.concatenate([labels[near], rng.integers(0, LABELS, DETECTIONS // 2)])
        found.append(Candidates.of_arrays(guess, rng.uniform(0, 1, DETECTIONS), label))
    return Truth(truth, labels, images, crowd, crowd, areas, IMAGES, LABELS), found


def test_matching_and_ap_take_a_twentieth_of_pycocotools(scene: tuple[Truth, list[Candidates]]) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, candidates = scene
    found = Found.of(candidates)
    with contextlib.redirect_stdout(io.StringIO()):
        oracle = COCO()
        oracle.dataset = {
            "images": [{"id": i + 1} for i in range(IMAGES)],
            "categories": [{"id": c + 1} for c in range(LABELS)],
            "annotations": [
                {"id": r + 1, "image_id": int(truth.images[r]) + 1, "category_id": int(truth.labels[r]) + 1,
                 "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]], "area": float(truth.areas[r]), "iscrowd": 0}
                for r, b in enumerate(truth.boxes.tolist())
            ],
        }  # fmt: skip
        oracle.createIndex()
        results = oracle.loadRes([
            {"image_id": i + 1, "category_id": int(label) + 1, "score": float(score),
             "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]]}
            for i, image in enumerate(candidates)
            for b, score, label in zip(image.boxes.tolist(), image.scores, image.labels, strict=True)
        ])  # fmt: skip
        evaluation = COCOeval(oracle, results, "bbox")
        # the same work: one area range, one limit
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [100]
        ours, theirs = [], []
        for _ in range(4):  # in turn: a machine that is slow for a second is so for both
            theirs.append(best_of(1, lambda: (evaluation.evaluate(), evaluation.accumulate())))
            ours.append(best_of(5, lambda: metrics.accumulate(match(truth, found, metrics.THRESHOLDS.tolist()))))
    print(f"matching and AP: {1000 * min(ours):.1f} ms, pycocotools {1000 * min(theirs):.0f} ms")
    assert min(ours) <= min(theirs) / 20


def test_the_confidence_slider_takes_a_tenth_of_matching(scene: tuple[Truth, list[Candidates]]) -> None:
    truth, candidates = scene
    found = Found.of(candidates)
    matching = match(truth, found)
    assert best_of(50, lambda: matching.counts(0.4)) <= best_of(10, lambda: match(truth, found)) / 10


def test_the_overlap_slider_takes_a_tenth_of_batched_nms() -> None:
    torch, ops = pytest.importorskip("torch"), pytest.importorskip("torchvision.ops")
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 60, (1000, 2)).repeat(1, 0) + rng.integers(0, 20, (1000, 1)) * 80
    boxes = np.concatenate([corner, corner + rng.uniform(20, 60, (1000, 2))], 1)
    found = Candidates.of_arrays(boxes, rng.uniform(0, 1, 1000), rng.integers(0, 20, 1000))
    arrays = [torch.from_numpy(a) for a in (found.boxes, found.scores, found.labels)]
    theirs = best_of(5, lambda: ops.batched_nms(*arrays, 0.5))
    found.select(0.1, 0.5)
    levels = iter(np.linspace(0.3, 0.7, 100).tolist())
    assert best_of(20, lambda: found.select(0.1, next(levels))) <= theirs / 10
