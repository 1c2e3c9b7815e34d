"""The history of a run from its events: curves, log, and that a long one stays small."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from workbench.training.checkpoints.saving import TrainingProgress
from workbench.training.events import Evaluated, Event, Finished, Message, Paused, Progress, Saved, Started
from workbench.ui.train.plots import series
from workbench.ui.train.plots.series import MOST_POINTS, Series
from workbench.ui.train.runs.history import history_of, log_line


def progress(step: int, terms: dict[str, float]) -> Progress:
    return Progress(step, 100, 1, 10, terms, sum(terms.values()), 0.1 * step, 20.0, 60.0)


def test_a_run_that_was_stopped_before_it_was_judged_has_no_best_checkpoint() -> None:
    event = Finished(3, 0, True, TrainingProgress(done=3).highest_ap50, 60.0, "runs/first")
    assert log_line(event) == "Stopped in epoch 0 at step 3; its AP was not measured."
    found_nothing = TrainingProgress(done=3, best=0.0, best_ap50=0.0)
    assert log_line(replace(event, best_ap50=found_nothing.highest_ap50)).endswith(
        "the best checkpoint has AP50 0.000."
    )


def test_what_could_not_be_measured_is_a_dash_in_the_log() -> None:
    event = Evaluated(3, 30, math.nan, math.nan, math.nan, {}, 5, 1.0, False)
    assert log_line(event) == "Epoch 3: AP –, AP50 – on 5 images."


def test_each_term_has_a_value_for_each_step() -> None:
    history = history_of(
        [progress(1, {"box": 4.0}), progress(2, {"box": 3.0, "label": 1.0}), progress(3, {"label": 0.5})]
    )
    assert history.step.tolist() == [1, 2, 3]
    assert history.terms["box"][:2].tolist() == [4.0, 3.0]
    assert math.isnan(history.terms["box"][2])
    assert math.isnan(history.terms["label"][0])
    assert history.terms["label"][1:].tolist() == [1.0, 0.5]
    assert history.column("loss").tolist() == [4.0, 4.0, 0.5]


def test_the_log_has_what_a_person_wants_to_know_and_no_progress() -> None:
    history = history_of(
        [
            progress(5, {"box": 1.0}),
            Evaluated(1, 10, 0.25, 0.5, 0.2, {}, 73, 1.0, True),
            Saved("best", "best.safetensors", 10),
            Message("warning", "3 boxes are too small."),
            Paused(True, 12),
            Finished(20, 2, False, 0.5, 60.0, "runs/first"),
        ]
    )
    assert history.log == [
        "Epoch 1: AP 0.250, AP50 0.500 on 73 images. The best so far.",
        "Saved the best checkpoint at step 10.",
        "3 boxes are too small.",
        "Paused at step 12.",
        "Finished in epoch 2 at step 20; the best checkpoint has AP50 0.500.",
    ]


def test_a_long_run_keeps_a_bounded_number_of_points_with_the_newest() -> None:
    history = history_of(progress(step, {"box": 1.0 / step}) for step in range(1, 3 * MOST_POINTS))
    assert len(history.step) <= MOST_POINTS
    assert len(history.step) == len(history.terms["box"]) == len(history.column("rate"))
    assert history.step[-1] >= 3 * MOST_POINTS - 2
    assert (np.diff(history.step) > 0).all()


def test_the_first_hour_of_a_long_run_keeps_its_share_of_the_points() -> None:
    """Points that are dropped one in two, again and again, are soon all of the newest minutes."""
    history = history_of(progress(step, {"box": 1.0}) for step in range(1, 5 * MOST_POINTS))
    apart = np.diff(history.step)
    assert apart.min() * 2 >= apart[:-1].max()


def test_points_that_become_one_have_their_mean_and_the_largest_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MOST_POINTS", 4)
    found = Series(peaks=("norm",))
    values = (1.0, 3.0, math.nan, 5.0, 7.0, 9.0, 4.0)
    for step, value in enumerate(values, start=1):
        found.add(step, {"loss": value, "norm": value})
    assert found.step.tolist() == [2, 4, 6, 7]  # 1 and 2, 3 and 4, 5 and 6, and the newest
    assert found.column("loss").tolist() == [2.0, 5.0, 8.0, 4.0]
    assert found.column("norm").tolist() == [3.0, 5.0, 9.0, 4.0]
    found.add(8, {"loss": 6.0, "norm": 2.0})
    assert found.step.tolist() == [2, 4, 6, 8]
    assert found.column("loss").tolist() == [2.0, 5.0, 8.0, 5.0]
    assert found.column("norm").tolist() == [3.0, 5.0, 9.0, 4.0]


def test_what_the_machine_did_is_told_in_units_of_people() -> None:
    event = Progress(1, 9, 1, 1, {}, 1.0, 0.1, 20.0, 60.0, 1_500_000_000, 2.5, 0.75)
    unknown = Progress(2, 9, 1, 1, {}, 1.0, 0.1, 20.0, 60.0)
    history = history_of([event, unknown])
    for name, first in (("memory", 1.5), ("use", 75.0), ("norm", 2.5)):
        assert history.column(name)[0] == first
        assert math.isnan(history.column(name)[1])


def test_steps_that_a_run_repeats_after_a_kill_are_drawn_once() -> None:
    def started(step: int) -> Started:
        return Started("first", "runs/first", "fcos", "cpu", "fp32", 8, 2, 4, 40, 99, resumed_step=step)

    def evaluated(epoch: int) -> Evaluated:
        return Evaluated(epoch, 10 * epoch, 0.1, 0.2, 0.1, {}, 2, 0.1, True)

    before: list[Event] = [
        started(0),
        progress(10, {"box": 4.0}),
        evaluated(1),
        progress(20, {"box": 3.0}),
        evaluated(2),
    ]
    history = history_of([*before, started(10), progress(15, {"box": 2.0})])
    assert history.step.tolist() == [10, 15]
    assert history.terms["box"].tolist() == [4.0, 2.0]
    assert [event.epoch for event in history.evaluations] == [1]
