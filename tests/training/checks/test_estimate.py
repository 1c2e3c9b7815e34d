"""What a training will cost: the arithmetic by hand, the measuring on a toy, and both against a real run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.toys import CALM, PX, ToySettings, make_snapshot
from workbench.core import control_groups
from workbench.errors import WorkbenchError
from workbench.training import recipes, schedule
from workbench.training.checks.cost_measurement import estimate
from workbench.training.checks.estimate import Estimate, Measurement, StepTiming, evaluations, make_estimate
from workbench.training.events import Evaluated, Finished
from workbench.training.recipes import Recipe
from workbench.training.run import RunRequest, train
from workbench.training.schedule import Plan
from workbench.training.settings import TrainingSettings
from workbench.training.step import Stepper

BASE = TrainingSettings(epochs=10, batch=8, evaluate_every=2, optimizer="sgd")
TWO_SECONDS = StepTiming(100, 8, (1.9, 2.0, 2.2))
MEASURED = Measurement(
    "cpu", "fp32", (TWO_SECONDS,), attacked=3.0, evaluation=0.1, reading=0.01, starting=4.0, memory=1000_000_000,
    standing=200_000_000, parameters=1_000_000, room=10**9, took=6.0,
)  # fmt: skip


def made(measured: Measurement = MEASURED, images: int = 80, validation: int = 20, **changes: Any) -> Estimate:
    return make_estimate(measured, replace(BASE, **changes), 100, images, validation)


def test_time_is_that_of_steps_evaluations_and_reading() -> None:
    """100 steps of 2 s, five evaluations of 20 images, 100 images to read, and 4 s before the first step."""
    found = made()
    assert (found.steps, found.evaluations) == (100, 5)
    assert found.seconds == pytest.approx(100 * 2 + 5 * 20 * 0.1 + 100 * 0.01 + 4) == 215
    assert (found.low, found.high) == (pytest.approx(215 * 0.8), pytest.approx(215 * 1.2))


def test_uneven_steps_and_smaller_batches_make_the_range_wider() -> None:
    uneven = replace(MEASURED, timings=(StepTiming(100, 8, (1.0, 2.0, 5.0)),))
    assert (made(uneven).low, made(uneven).high) == (pytest.approx(107.5), pytest.approx(537.5))
    small = replace(MEASURED, timings=(StepTiming(100, 4, (1.0,)),))
    assert made(small).seconds == made().seconds
    assert (made(small).low, made(small).high) == (pytest.approx(107.5), pytest.approx(322.5))


def test_memory_grows_with_the_batch_and_holds_the_images() -> None:
    """800 MB of 1,000 grow with the images; of these 80 and 20 have 30,000 bytes each."""
    images = 3 * 100 * 100**2
    assert made().memory == 1000_000_000 + images
    assert made(batch=16).memory == 200_000_000 + 1600_000_000 + images
    assert made().cache == images
    assert not made().cache_on_disk
    full = made(replace(MEASURED, room=10_000))
    assert (full.cache_on_disk, full.memory) == (True, 1000_000_000)
    assert made(replace(MEASURED, device="cuda:0")).memory == 1000_000_000  # the images are in another memory


@pytest.mark.parametrize(
    ("keep", "room", "reading", "on_disk"),
    [("auto", 10**9, 0.19, False), ("auto", 10**9, 0.21, True), ("auto", 10, 0.01, True), ("disk", 10**9, 0.01, True),
     ("memory", 10**9, 0.21, False), ("memory", 10, 0.01, True)],
)  # fmt: skip
def test_images_are_kept_on_disk_where_reading_takes_long_or_memory_does_not_hold_them(
    keep: str, room: int, reading: float, on_disk: bool
) -> None:
    """A hundred images: at 0.21 s each they take longer than 20 s."""
    assert made(replace(MEASURED, room=room, reading=reading), keep_images=keep).cache_on_disk == on_disk


def test_checkpoints_hold_weights_averages_and_what_the_optimiser_keeps() -> None:
    assert made().checkpoints == 4_000_000 * 5
    assert made(optimizer="adamw").checkpoints == 4_000_000 * 6


def test_an_input_side_that_varies_costs_the_mean_of_its_areas() -> None:
    """1 s at 320 and 4 s at 640: a second more for each 320 x 320 pixels."""
    both = replace(MEASURED, timings=(StepTiming(320, 8, (1.0,)), StepTiming(640, 8, (4.0,))))
    settings = replace(BASE, sizes=0.4, epochs=1000, calm_share=0.5)
    steps = Plan(80, 8, 1000).steps
    sides = [schedule.input_side(settings, step, steps, 320, 32) for step in range(0, steps, 50)]
    expected = sum(side**2 for side in sides) / len(sides) / 320**2
    assert make_estimate(both, settings, 320, 80, 20).step_seconds == pytest.approx(expected)
    assert 1 < expected < 1.6


def test_attacked_steps_cost_more_after_the_warm_up() -> None:
    """Half of the steps behind the first tenth take three times as long."""
    assert made(self_adversarial=0.5, warm_up=10).step_seconds == pytest.approx(2 * (1 + 0.45 * 2))


@pytest.mark.parametrize(
    ("images", "epochs", "batch", "every", "expected"),
    [(80, 10, 8, 1, 10), (80, 10, 8, 3, 4), (80, 10, 8, 0, 1), (80, 1, 8, 5, 1), (2, 4, 5, 1, 2)],
)
def test_evaluations_are_counted_as_a_run_makes_them(
    images: int, epochs: int, batch: int, every: int, expected: int
) -> None:
    settings = replace(BASE, evaluate_every=every)
    assert evaluations(settings, Plan(images, batch, epochs)) == expected


def test_the_sentence_has_time_memory_and_images() -> None:
    assert made().words == "About 4 min (3 to 4 min) on cpu in fp32, 1.0 GB of memory."
    stopped = made(replace(MEASURED, room=10), patience=3, epochs=1)
    assert stopped.words.startswith("About 27 s (22 to 32 s) if it does not stop early")
    assert stopped.words.endswith(" of memory; 3.0 MB on disk for images.")
    assert "steps of 8 images, made of noise" in made().how
    small = replace(MEASURED, timings=(StepTiming(100, 4, (1.0,)),))
    assert "steps of 4 images, not of 8, which would have taken too long" in made(small).how


def test_of_several_processes_the_memory_of_all_is_told_or_that_of_each_card() -> None:
    """A time and a memory of one process for the whole batch were told."""
    on_cpu, on_cards = (replace(MEASURED, processes=2, device=device) for device in ("cpu", "cuda:0"))
    assert (
        made(on_cpu).words
        == "About 4 min (3 to 4 min) on 2 x cpu in fp32, 2.0 GB of memory; 3.0 MB on disk for images."
    )
    assert made(on_cards).words.startswith(
        "About 4 min (3 to 4 min) on 2 x cuda in fp32, 1.0 GB of memory on each card;"
    )
    assert made(on_cards).rows()["memory"] == "1.0 GB on each card"
    assert "One of 2 processes was measured: to start them, and what they tell each other" in made(on_cards).how
    assert "processes" not in made().how


def test_seconds_are_told_without_powers_of_ten() -> None:
    slow = made(replace(MEASURED, timings=(StepTiming(100, 8, (130.0,)),), evaluation=6.25)).rows()
    assert slow["steps"].startswith("100 of 2 min: ")
    assert slow["evaluations"].startswith("5 of 2 min: ")
    assert made().rows()["steps"].startswith("100 of 2 s: ")


# --- measured ---


@pytest.fixture
def plain(tmp_path: Path, toy: object) -> Callable[..., Estimate]:
    def measure(budget: float = 0.3, **changes: Any) -> Estimate:
        recipe = Recipe("test", "Test", "", "toy", ToySettings(input_px=PX), replace(CALM, **changes))
        return estimate(make_snapshot(tmp_path), recipe, None, budget)

    return measure


def test_a_toy_is_measured_in_a_moment(plain: Callable[..., Estimate]) -> None:
    threads = torch.get_num_threads()
    found = plain()
    assert (found.steps, found.batch, found.px, found.device) == (6, 4, PX, "cpu")
    assert 0 < found.low < found.seconds < found.high
    assert found.took < 20
    assert found.memory > 50e6
    assert torch.get_num_threads() == threads


def test_a_batch_that_takes_too_long_is_measured_in_part(plain: Callable[..., Estimate]) -> None:
    found = plain(budget=1e-9, batch=64, threads=1)
    assert (found.measured_batch, found.batch) == (2, 64)


def test_a_part_of_a_batch_is_dealt_out_to_all_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four images on two cores: two each, though a whole batch would give each eight."""
    at_once: list[tuple[int, int]] = []
    step = Stepper.step

    def noted(self: Any, batch: Any, *rest: Any) -> Any:
        at_once.append((len(batch.images), self.micro))
        return step(self, batch, *rest)

    monkeypatch.setattr(Stepper, "step", noted)
    monkeypatch.setattr(control_groups, "usable_cores", lambda: 2)
    recipe = recipes.preset("quick-cpu").changed({"input_px": 64, "width": 0.05, "batch": 16, "precision": "fp32"})
    estimate(make_snapshot(tmp_path), recipe, None, budget=1e-9)
    assert set(at_once) == {(4, 2)}


@pytest.mark.parametrize(("batch", "part", "budget"), [(4, 2, 60.0), (5, 3, 60.0), (64, 2, 1e-9)])
def test_of_several_processes_one_is_measured_with_its_part_of_a_batch_and_of_the_cores(
    plain: Callable[..., Estimate], monkeypatch: pytest.MonkeyPatch, batch: int, part: int, budget: float
) -> None:
    seen: set[tuple[int, int, int]] = set()
    step = Stepper.step

    def noted(self: Any, some: Any, *rest: Any) -> Any:
        seen.add((len(some.images), len(self.replicas), torch.get_num_threads()))
        return step(self, some, *rest)

    monkeypatch.setattr(Stepper, "step", noted)
    monkeypatch.setattr(control_groups, "usable_cores", lambda: 4)
    found = plain(budget=budget, processes=2, batch=batch)
    assert max(images for images, _, _ in seen) == part
    assert {(members, threads) for _, members, threads in seen} == {(1, 2)}
    assert (found.batch, found.measured_batch) == (batch, min(batch, 2 * part))
    assert (found.device, found.cache_on_disk) == ("2 x cpu", True)


def test_what_several_processes_would_refuse_is_said(plain: Callable[..., Estimate]) -> None:
    with pytest.raises(WorkbenchError, match="can't be divided among 5 processes"):
        plain(processes=5, batch=4)


def test_the_largest_side_and_attacked_steps_are_measured_too(
    plain: Callable[..., Estimate], monkeypatch: pytest.MonkeyPatch
) -> None:
    stepped: list[tuple[int, float]] = []
    step = Stepper.step

    def noted(self: Any, batch: Any, rate: float, number: int, attack: float) -> Any:
        stepped.append((batch.images.shape[1], attack))
        assert rate == 0
        return step(self, batch, rate, number, attack)

    monkeypatch.setattr(Stepper, "step", noted)
    assert plain(sizes=0.5, self_adversarial=1.0).px == 128
    assert {(64, 0.0), (128, 0.0), (128, 1.0)} == set(stepped)


def test_what_could_not_begin_says_why(plain: Callable[..., Estimate]) -> None:
    with pytest.raises(WorkbenchError, match="no device"):
        plain(device="cuda:99")


@pytest.mark.slow
def test_an_estimate_is_within_a_factor_of_two_of_the_run(test_data: Path, tmp_path: Path) -> None:
    """YOLOv4-tiny on 40 photographs for a few epochs: the whole time, and the memory of the process."""
    from tests.benchmarks.choosing import blood_cells

    snapshot = blood_cells(tmp_path / "project")
    snapshot = snapshot.take(list(range(0, len(snapshot), 6)))
    recipe = recipes.preset("quick-cpu").changed({"input_px": 160, "epochs": 5, "evaluate_every": 2})
    estimated, took = [], []
    for number in range(3):  # what runs beside makes one of the two slower, so the quickest of each are compared
        said = estimate(snapshot, recipe, None)
        start = time.monotonic()
        events = list(train(RunRequest(tmp_path / f"run{number}", snapshot, recipe)))
        took.append(time.monotonic() - start)
        estimated.append(said.seconds)
        assert isinstance(events[-1], Finished)
        assert sum(isinstance(event, Evaluated) for event in events) == said.evaluations
        assert events[-1].step == said.steps
        print(f"\nestimated {said.seconds:.1f} s ({said.low:.1f} to {said.high:.1f}), took {took[-1]:.1f} s")
    assert 0.5 < min(estimated) / min(took) < 2
