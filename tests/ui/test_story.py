"""The story of a run from its events: curves, log, and that a long one stays small."""

from __future__ import annotations

import math

from workbench.training.events import Evaluated, Finished, Message, Paused, Progress, Saved
from workbench.ui.train.story import MOST_POINTS, told


def progress(step: int, terms: dict[str, float]) -> Progress:
    return Progress(step, 100, 1, 10, terms, sum(terms.values()), 0.1 * step, 20.0, 60.0)


def test_each_term_has_a_value_for_each_step() -> None:
    story = told([progress(1, {"box": 4.0}), progress(2, {"box": 3.0, "label": 1.0}), progress(3, {"label": 0.5})])
    assert story.step == [1, 2, 3]
    assert story.terms["box"][:2] == [4.0, 3.0]
    assert math.isnan(story.terms["box"][2])
    assert math.isnan(story.terms["label"][0])
    assert story.terms["label"][1:] == [1.0, 0.5]


def test_the_log_has_what_a_person_wants_to_know_and_no_progress() -> None:
    story = told(
        [
            progress(5, {"box": 1.0}),
            Evaluated(1, 10, 0.25, 0.5, 0.2, {}, 73, 1.0, True),
            Saved("best", "best.safetensors", 10),
            Message("warning", "3 boxes are too small."),
            Paused(True, 12),
            Finished(20, 2, False, 0.5, 60.0, "runs/first"),
        ]
    )
    assert story.log == [
        "Epoch 1: AP 0.250, AP50 0.500 on 73 images. The best so far.",
        "Saved the best checkpoint at step 10.",
        "3 boxes are too small.",
        "Paused at step 12.",
        "Finished in epoch 2 at step 20, best AP50 0.500.",
    ]


def test_a_long_run_keeps_a_bounded_number_of_points_with_the_newest() -> None:
    story = told(progress(step, {"box": 1.0 / step}) for step in range(1, 3 * MOST_POINTS))
    assert len(story.step) <= MOST_POINTS
    assert len(story.step) == len(story.terms["box"]) == len(story.learning_rate) == len(story.speed)
    assert story.step[-1] >= 3 * MOST_POINTS - 2
    assert story.step == sorted(story.step)
