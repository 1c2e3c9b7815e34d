"""The learning rate, the sides and the order of the images, from the step's number alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from workbench.training.schedule import (
    Plan,
    attack_strength,
    input_side,
    is_calm,
    is_frozen,
    largest_side,
    learning_rate,
    lengthen,
    momentum,
    warm_up_steps,
)
from workbench.training.settings import TrainingSettings

BASE = TrainingSettings(learning_rate=1.0, warm_up=10, final_rate=0.1)


@pytest.mark.parametrize(
    ("changes", "step", "rate"),
    [
        ({"schedule": "constant"}, 0, 0.1),
        ({"schedule": "constant"}, 4, 0.5),
        ({"schedule": "constant"}, 10, 1.0),
        ({"schedule": "constant", "warm_up": 0}, 0, 1.0),
        ({"schedule": "constant", "warm_up_power": 4.0}, 4, 0.0625),
        ({"schedule": "constant", "warm_up": 1000}, 9, 0.5),  # cut to a tenth of 200
        ({"schedule": "step"}, 159, 1.0),
        ({"schedule": "step"}, 160, 0.1),
        ({"schedule": "step"}, 180, 0.01),
        ({"schedule": "cosine"}, 10, 1.0),
        ({"schedule": "cosine"}, 105, 0.55),  # the middle of what follows the warm-up
        ({"schedule": "cosine"}, 200, 0.1),
        ({"schedule": "one-cycle"}, 0, 0.04),  # a 25th
        ({"schedule": "one-cycle"}, 30, 0.52),  # the middle of the rise
        ({"schedule": "one-cycle"}, 60, 1.0),  # 0.3 of 200
        ({"schedule": "one-cycle"}, 130, 0.55),  # the middle of the fall
        ({"schedule": "one-cycle"}, 200, 0.1),
        ({"schedule": "one-cycle", "warm_up": 1000}, 30, 0.52),  # it has no other warm-up
    ],
)
def test_the_learning_rate_of_a_step(changes: dict[str, Any], step: int, rate: float) -> None:
    assert learning_rate(replace(BASE, **changes), step, 200) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [("cosine", 100, 0.9), ("one-cycle", 0, 0.9), ("one-cycle", 30, 0.85), ("one-cycle", 60, 0.8),
     ("one-cycle", 130, 0.85), ("one-cycle", 200, 0.9)],
)  # fmt: skip
def test_momentum_falls_while_the_rate_of_a_cycle_rises_and_stays_otherwise(
    schedule: str, step: int, expected: float
) -> None:
    assert momentum(replace(BASE, schedule=schedule), step, 200) == pytest.approx(expected)


def test_momentum_never_falls_below_zero() -> None:
    assert momentum(replace(BASE, schedule="one-cycle", momentum=0.05), 60, 200) == 0


@pytest.mark.parametrize(("changes", "end"), [({}, 10), ({"warm_up": 90}, 20), ({"schedule": "one-cycle"}, 60)])
def test_the_step_from_which_the_rate_rises_no_more(changes: dict[str, Any], end: int) -> None:
    settings = replace(BASE, **changes)
    assert warm_up_steps(settings, 200) == end
    rates = [learning_rate(settings, step, 200) for step in range(end + 1)]
    assert rates == sorted(rates)
    assert learning_rate(settings, end + 1, 200) < 1


@pytest.mark.parametrize(("share", "frozen"), [(0.0, 0), (0.25, 3), (0.3, 3), (1.0, 10)])
def test_the_backbone_is_frozen_for_its_share_of_the_run(share: float, frozen: int) -> None:
    """Of ten steps: 0.25 of ten are two and a half, so that the third begins before they are over."""
    settings = TrainingSettings(freeze=share)
    assert [is_frozen(settings, step, 10) for step in range(10)] == [True] * frozen + [False] * (10 - frozen)


def test_batches_run_through_all_images_without_a_break() -> None:
    plan = Plan(images=6, batch=4, epochs=2, seed=3)
    assert plan.steps == 3
    order = np.concatenate([plan.indices(step) for step in range(3)])
    assert sorted(order[:6]) == sorted(order[6:]) == [0, 1, 2, 3, 4, 5]
    assert [plan.epoch(step) for step in range(4)] == [0, 0, 1, 2]
    assert [plan.ends_epoch(step) for step in range(4)] == [False, False, True, True]


def test_an_epoch_may_be_smaller_than_a_batch() -> None:
    plan = Plan(images=2, batch=5, epochs=4)
    assert plan.steps == 2
    assert sorted(plan.indices(0)[:4]) == [0, 0, 1, 1]
    assert [plan.epoch(step) for step in range(3)] == [0, 2, 4]


def test_an_epochs_order_is_drawn_once_and_not_for_each_of_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training in a million tiles shuffled all of them 62,500 times an epoch."""
    drawn, real = [], np.random.default_rng

    def counted(seed: object) -> np.random.Generator:
        drawn.append(seed)
        return real(seed)  # type: ignore[arg-type]

    monkeypatch.setattr(np.random, "default_rng", counted)
    plan = Plan(images=1000, batch=10, epochs=2, seed=77)
    both = np.concatenate([plan.indices(step) for step in range(200)])
    assert drawn == [(77, 0), (77, 1)]
    assert both.tolist() == [*plan.order(0), *plan.order(1)]


def test_another_seed_gives_another_order() -> None:
    one, same, other = (Plan(100, 100, 1, seed).indices(0).tolist() for seed in (1, 1, 2))
    assert one == same != other


def test_input_sides_are_multiples_of_32_that_change_every_ten_steps_and_end_as_asked() -> None:
    """YOLOv2's 320, 352, ..., 608 at 416 (its paper, "Multi-Scale Training")."""
    settings = TrainingSettings(sizes=0.4, calm_share=0.1)
    sides = [input_side(settings, step, 5000, 416, 32) for step in range(5000)]
    assert sorted(set(sides[:4500])) == list(range(320, 609, 32))
    assert all(len(set(sides[start : start + 10])) == 1 for start in range(0, 4500, 10))
    assert set(sides[4500:]) == {416}
    assert input_side(TrainingSettings(), 5, 1000, 320, 32) == 320


def test_a_side_that_is_to_shrink_does_not_grow() -> None:
    """448 comes of factors up to 13.5 / 13 alone, as in AlexeyAB's Darknet: (13.5 / 13 - 1) / 0.4 / 2 of all sides."""
    settings = TrainingSettings(sizes=0.4, calm_share=0.0)
    sides = [input_side(settings, step, 50_000, 416, 32) for step in range(0, 50_000, 10)]
    assert sides.count(448) / len(sides) == pytest.approx(0.048, abs=0.015)
    assert sides.count(416) / len(sides) == pytest.approx(0.163, abs=0.025)  # factors of 1 / 1.13 to 1


@pytest.mark.parametrize(("sizes", "px"), [(0.0, 300), (0.4, 416), (0.3, 320), (0.5, 640), (0.1, 100)])
def test_no_input_side_is_above_the_largest(sizes: float, px: int) -> None:
    settings = TrainingSettings(sizes=sizes, calm_share=0.0)
    sides = [input_side(settings, step, 20_000, px, 32) for step in range(0, 20_000, 10)]
    assert max(sides) == largest_side(settings, px, 32)


@pytest.mark.parametrize(
    ("multiple", "px", "sides"),
    [
        (128, 1280, [*range(1024, 2049, 128)]),  # Scaled-YOLOv4's P7 (arXiv 2011.08036): 10 cells, 8 to 16
        (64, 640, [*range(512, 1025, 64)]),
        (48, 480, [*range(384, 769, 48)]),
        (24, 504, [384, 432, 480, 504, *range(576, 817, 48)]),
        (16, 512, [*range(384, 801, 32)]),
        (1, 512, [*range(384, 801, 32)]),
    ],
)
def test_input_sides_are_multiples_of_what_the_detector_needs(multiple: int, px: int, sides: list[int]) -> None:
    settings = TrainingSettings(sizes=0.5, calm_share=0.0)
    found = {input_side(settings, step, 90_000, px, multiple) for step in range(0, 90_000, 10)}
    assert sorted(found) == sides
    assert largest_side(settings, px, multiple) == max(found)


def test_attacks_come_after_the_warm_up_at_their_share_and_grow() -> None:
    settings = replace(BASE, self_adversarial=0.5, adversarial_rate=2.0, warm_up=100)
    strengths = np.array([attack_strength(settings, step, 2000) for step in range(2000)])
    assert not strengths[:100].any()
    drawn = strengths > 0
    assert 0.45 < drawn[100:].mean() < 0.55
    assert np.allclose(strengths[drawn], 2.0 * np.flatnonzero(drawn) / 2000)
    assert attack_strength(BASE, 500, 2000) == 0


def test_the_calm_end_begins_at_its_share() -> None:
    settings = TrainingSettings(calm_share=0.2)
    assert [is_calm(settings, step, 10) for step in (7, 8, 9)] == [False, True, True]


@pytest.mark.parametrize(
    ("images", "processes", "batch", "epochs", "steps"),
    [
        (9, 1, 4, 534, 1202),  # of 338: smaller batches, then more epochs
        (27, 1, 4, 300, 2025),  # of 1,013: smaller batches are enough
        (90, 1, 8, 300, 3375),  # there are enough
        (9, 2, 8, 1067, 1201),  # batches of several processes stay
        (1, 1, 4, 4800, 1200),
    ],
)
def test_few_images_make_the_least_steps(images: int, processes: int, batch: int, epochs: int, steps: int) -> None:
    settings = TrainingSettings(batch=8, epochs=300, least_steps=1200)
    longer = lengthen(settings, images, processes)
    assert (longer.batch, longer.epochs) == (batch, epochs)
    assert Plan(images, batch, epochs).steps == steps
    assert lengthen(longer, images, processes) == longer
    assert lengthen(replace(settings, least_steps=0), images).epochs == 300


@pytest.mark.parametrize(
    ("images", "batch", "epochs", "every", "after"),
    [
        (12, 4, 5, 2, [2, 4, 5]),  # as everybody counts
        (5, 16, 100, 10, [12, 22, 32, 41, 51, 60, 70, 80, 92, 100]),  # a step ends three epochs at once
        (20, 64, 30, 10, [12, 22, 30]),
        (12, 4, 5, 0, [5]),
    ],
)
def test_ap_is_measured_as_often_as_asked_also_where_a_step_ends_several_epochs(
    images: int, batch: int, epochs: int, every: int, after: list[int]
) -> None:
    plan = Plan(images, batch, epochs)
    assert [plan.epoch(step) for step in range(plan.steps + 1) if plan.evaluates(step, every)] == after
