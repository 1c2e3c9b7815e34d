"""Steps that are read later: the same as those that are read at once, and nothing changes behind one that failed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.run_results import same
from tests.training.slow_device import SlowDevice, SlowRuntime
from tests.training.test_step import CPU, Normed, batch
from tests.training.toys import CALM, ToySettings
from workbench.detectors.parts.detector import Raw, Targets
from workbench.training.ema import Average
from workbench.training.hardware import machine, readback
from workbench.training.hardware.machine import LossScale, Precision
from workbench.training.hardware.readback import StepQueue
from workbench.training.hardware.runtime import Runtime
from workbench.training.step import Diverged, Stepper
from workbench.training.step_result import QueuedStep

LAGS = [0, 1, 3, 1000]


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Networks as small as these are slowed down by threads that wait for each other."""
    with machine.one_thread_each():
        yield


class Odd(Normed):
    """Its loss or its gradient is no number at the step `at`, from 0."""

    at, what, seen = -1, "loss", 0

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        terms = super().loss(raw, targets)
        self.seen += 1
        if self.seen - 1 != self.at:
            return terms
        if self.what == "loss":
            return {name: term + math.nan for name, term in terms.items()}  # whose gradient is one
        return {name: _Spoilt.apply(term) for name, term in terms.items()}


class _Spoilt(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient * math.inf


class Trained:
    """A stepper and its average, taking steps of a changing rate."""

    def __init__(self, runtime: Runtime, at: int = -1, what: str = "loss", **changes: Any) -> None:
        torch.manual_seed(0)
        detector = Odd(ToySettings(input_px=64), 2)
        detector.at, detector.what = at, what
        self.stepper = Stepper(detector, dataclasses.replace(CALM, **changes), runtime)
        self.average = Average(detector, self.stepper.settings.ema)

    def step(self, number: int) -> None:
        self.stepper.queue(batch(), 0.05 / (1 + number), number)
        self.average.update(number + 1, self.stepper.over)

    def everything(self) -> dict[str, Tensor]:
        """Weights, counts and moments."""
        moments = {
            f"{at} {name}": value
            for at, state in self.stepper.optimizer.state_dict()["state"].items()
            for name, value in state.items()
            if isinstance(value, Tensor)
        }
        found = {**self.stepper.detector.state_dict(), **moments}
        return {name: tensor.clone() for name, tensor in found.items()}

    def mean(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.average.detector.state_dict().items()}


@pytest.mark.parametrize(
    ("changes", "lag"),
    [
        *(({}, lag) for lag in LAGS),
        ({"optimizer": "adamw"}, 0),
        ({"optimizer": "adamw"}, 3),
        ({"clip_gradient": 0.01}, 3),
        ({"freeze": 0.5}, 3),
        ({"ema": 0.0}, 3),
        ({"momentum": 0.0}, 3),
    ],
)
def test_steps_that_are_read_later_are_those_that_are_read_at_once(changes: dict[str, Any], lag: int) -> None:
    now, later = Trained(Runtime(CPU), **changes), Trained(SlowRuntime(lag), **changes)
    read: list[list[Any]] = [[], []]
    for number in range(6):
        for trained, into in zip((now, later), read, strict=True):
            trained.step(number)
            into += trained.stepper.results()
    assert len(read[1]) == max(6 - lag, 0)
    read[1] += later.stepper.results(everything=True)
    assert read[0] == read[1]
    assert [taken.step.number for taken in read[0]] == list(range(6))
    assert same(now.everything(), {name: later.everything()[name] for name in now.everything()})
    for one, other in zip(now.mean().values(), later.mean().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("what", ["loss", "gradient"])
@pytest.mark.parametrize(
    ("at", "lag", "changes"),
    [
        *((at, lag, changes) for at, lag in ((3, 4), (0, 3)) for changes in ({}, {"optimizer": "adamw"})),
        *((3, lag, {}) for lag in (0, 1000)),
        (3, 4, {"ema": 0.0}),
        (3, 4, {"clip_gradient": 1.0}),
    ],
)
def test_behind_a_step_that_is_no_number_nothing_changes_until_it_is_read(
    at: int, lag: int, what: str, changes: dict[str, Any]
) -> None:
    good, trained = Trained(SlowRuntime(lag), **changes), Trained(SlowRuntime(lag), at, what, **changes)
    for number in range(at):
        good.step(number)
        trained.step(number)
    before, mean = good.everything(), good.mean()
    read: list[Any] = []
    with pytest.raises(Diverged, match=what) as raised:
        for number in range(at, at + 8):
            trained.step(number)
            read += trained.stepper.results(everything=number == at + 7)
    assert [taken.step.number for taken in read] == list(range(at))
    assert (raised.value.step.number, raised.value.step.rate) == (at, 0.05 / (1 + at))
    now = trained.everything()
    assert same(before, {name: now[name] for name in before})
    assert all(not tensor.any() for name, tensor in now.items() if name not in before), "a first step leaves zeros"
    assert same(mean, trained.mean())
    assert list(trained.stepper.results(everything=True)) == [], "what was ordered behind it is forgotten"


def test_the_same_steps_would_spoil_the_weights_if_the_device_did_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the comparison above can fail."""
    monkeypatch.setattr(readback.StepGuard, "judge", lambda self, total, norm: torch.zeros(()))
    trained = Trained(SlowRuntime(4), 3, "gradient")
    for number in range(5):
        trained.step(number)
    assert not all(tensor.isfinite().all() for tensor in trained.everything().values())


def scaled(runtime: Runtime, spoilt: tuple[int, ...], start: LossScale) -> tuple[Trained, list[float], int]:
    """Six steps in fp16, of which some have gradients that are too large; the scales, and where it ended."""
    trained = Trained(runtime, what="gradient")
    trained.stepper.scale = dataclasses.replace(start)
    scales: list[float] = []
    assert isinstance(trained.stepper.detector, Odd)
    try:
        for number in range(6):
            trained.stepper.detector.at = number if number in spoilt else -1
            trained.step(number)
            for _ in trained.stepper.results():
                assert trained.stepper.scale is not None
                scales.append(trained.stepper.scale.value)
        for _ in trained.stepper.results(everything=True):
            assert trained.stepper.scale is not None
            scales.append(trained.stepper.scale.value)
    except Diverged as error:
        return trained, scales, error.step.number
    return trained, scales, -1


@pytest.mark.parametrize("lag", [0, 2])
@pytest.mark.parametrize(
    ("spoilt", "start", "scales", "end"),
    [
        ((1, 3), LossScale(1024.0), [1024, 512, 512, 256, 256, 256], -1),
        ((0,), LossScale(8.0, 1997), [4, 4, 4, 4, 4, 4], -1),
        ((), LossScale(8.0, 1997), [8, 8, 16, 16, 16, 16], -1),  # twice as large after 2,000 good ones
        ((1, 2), LossScale(2.0), [2, 1], 2),  # no further down
    ],
)
def test_the_scale_of_fp16_moves_on_the_device_as_it_does_at_once(
    spoilt: tuple[int, ...], start: LossScale, scales: list[float], end: int, lag: int
) -> None:
    now = scaled(Runtime(CPU, Precision("fp16", "")), spoilt, start)
    later = scaled(SlowRuntime(lag, "fp16"), spoilt, start)
    assert now[1:] == later[1:] == (scales, end)
    before = {n: t for n, t in now[0].everything().items() if "norm" not in n or end < 0}  # counts of the failed step
    assert same(before, {name: later[0].everything()[name] for name in before})
    if end < 0:
        assert now[0].stepper.scale == later[0].stepper.scale
    else:
        assert all(tensor.isfinite().all() for tensor in later[0].everything().values())


@pytest.mark.parametrize(("lag", "waits"), [(0, 0), (3, 1), (99, 1), (100_000, 3)])
def test_in_three_hundred_steps_it_is_waited_for_the_device_once_in_a_hundred_at_most(lag: int, waits: int) -> None:
    """And at the end."""
    device = SlowDevice(lag)
    unread, read = StepQueue(device, together=False), []
    for number in range(300):
        unread.add(QueuedStep(number, 0.1, ()), torch.tensor([float(number)]))
        read += [(step.number, values) for step, values in unread.arrived(everything=False)]
        assert len(unread) < readback.MOST
    read += [(step.number, values) for step, values in unread.arrived(everything=True)]
    assert read == [(number, [float(number)]) for number in range(300)]
    assert device.waits == unread.waits == waits


@pytest.mark.parametrize("lag", LAGS)
def test_several_processes_read_a_step_at_the_same_one_however_fast_each_is(lag: int) -> None:
    unread, counts = StepQueue(SlowDevice(lag), together=True), []
    for number in range(8):
        unread.add(QueuedStep(number, 0.1, ()), torch.zeros(1))
        counts.append(len(list(unread.arrived(everything=False))))
    assert counts == [0, 0, 0, 0, 1, 1, 1, 1]
