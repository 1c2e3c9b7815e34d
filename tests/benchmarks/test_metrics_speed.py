"""An evaluation is fast: ratios to pycocotools within one run, never absolute times. Sliders: test_sliders_speed.py."""

from __future__ import annotations

import contextlib
import io

from tests.benchmarks.test_sliders_speed import best_of, coco
from tests.core.generated import split_scene
from workbench.core import metrics
from workbench.core.evaluation.confidence import tally
from workbench.core.evaluation.evaluation_data import DetectionSet
from workbench.core.evaluation.matching import match

IMAGES, LABELS = 100, 10


def test_all_twelve_numbers_take_a_tenth_of_pycocotools() -> None:
    truth, candidates = split_scene(IMAGES, 100, LABELS)
    evaluation = coco(truth, candidates, "pycocotools")
    evaluation.params.__init__(iouType="bbox")  # four areas, three limits: all its numbers
    evaluation.params.imgIds, evaluation.params.catIds = list(range(1, IMAGES + 1)), list(range(1, LABELS + 1))
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = best_of(1, lambda: (evaluation.evaluate(), evaluation.accumulate(), evaluation.summarize()))
    ours = best_of(5, lambda: metrics.evaluate_arrays(truth, DetectionSet.of(candidates), tuple("abcdefghij")))
    print(f"{IMAGES} images: {1e3 * ours:.1f} ms, pycocotools {1e3 * theirs:.0f} ms")
    assert ours <= theirs / 10


def test_precision_and_recall_at_a_confidence_take_a_tenth_of_matching() -> None:
    truth, candidates = split_scene(6 * IMAGES, 100, LABELS)
    found = DetectionSet.of(candidates)
    found.by_label(LABELS)
    matching = match(truth, found)
    tally(matching, 0.4)
    of_match = best_of(10, lambda: match(truth, found))
    assert best_of(50, lambda: tally(matching, 0.4)) <= of_match / 10
    assert best_of(20, lambda: matching.counts(0.4)) <= of_match  # by image, too
