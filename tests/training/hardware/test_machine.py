"""The choice of device, numbers and threads."""

from __future__ import annotations

import sys
import time

import pytest
import torch

from tests.raising import interrupt
from workbench.errors import WorkbenchError
from workbench.training.hardware import machine

CPU = torch.device("cpu")


def test_what_is_asked_for_is_used() -> None:
    assert machine.choose_precision("bf16", CPU).name == "bf16"
    assert machine.choose_precision("fp32", CPU).name == "fp32"
    assert machine.choose_device("cpu") == CPU


@pytest.mark.parametrize(
    ("fast", "error", "name", "why"),
    [
        (0.5, 0.0, "bf16", "2.0 times as fast"),
        (1.0, 0.0, "fp32", "only 1.0 times"),
        (0.1, 1.0, "fp32", "wrong results"),
        (0.1, float("nan"), "fp32", "wrong results"),
    ],
)
def test_auto_takes_bf16_where_it_is_faster_and_right(
    monkeypatch: pytest.MonkeyPatch, fast: float, error: float, name: str, why: str
) -> None:
    monkeypatch.setattr(machine, "_trials", lambda device, half: ((torch.ones(2), 1.0), (torch.ones(2) + error, fast)))
    chosen = machine.choose_precision("auto", CPU)
    assert chosen.name == name
    assert why in chosen.why


@pytest.mark.parametrize("text", ["not implemented for 'BFloat16'", "GET was unable to find an engine to execute this"])
def test_auto_survives_a_device_without_bf16(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def trials(device: torch.device, half: torch.dtype) -> None:
        raise RuntimeError(text)

    monkeypatch.setattr(machine, "_trials", trials)
    assert machine.choose_precision("auto", CPU).name == "fp32"


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_numbers_that_were_asked_for_and_give_wrong_results_are_not_used(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(machine, "_trials", lambda device, half: ((torch.ones(2), 1.0), (torch.ones(2) / 0, 0.1)))
    chosen = machine.choose_precision(name, CPU)
    assert chosen.name == "fp32"
    assert f"{name} gave wrong results" in chosen.why


def test_old_graphics_cards_are_tried_in_fp16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert machine.half_dtype(torch.device("cuda")) == "fp16"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert machine.half_dtype(torch.device("cuda")) == "bf16"


def test_the_loss_is_scaled_down_by_gradients_that_are_too_large_and_up_after_a_while() -> None:
    scale = machine.LossScale(8.0)
    assert scale.follow(False)
    assert scale.value == 4.0
    for _ in range(machine.PATIENCE):
        assert scale.follow(True)
    assert scale.value == 8.0
    assert [scale.follow(False) for _ in range(4)] == [True, True, True, False]  # 4, 2, 1, and no further


def test_measuring_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    machine.choose_precision("auto", CPU)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", ["cuda:99", "nonsense", "meta:1x"])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(WorkbenchError, match=name):
        machine.choose_device(name)


@pytest.mark.parametrize(
    ("kind", "order"),
    [("cpu", torch.channels_last), ("cuda", torch.channels_last), ("mps", torch.contiguous_format)],
)
def test_images_and_weights_lie_channels_last_except_on_apples_gpu(kind: str, order: torch.memory_format) -> None:
    assert machine.memory_format(torch.device(kind)) is order


def test_a_device_that_is_not_there_is_refused_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(WorkbenchError) as refused:
        machine.choose_device("xpu")
    assert refused.value.sentence == (
        "There is no device 'xpu' on this machine. Choose one of: auto, cpu, cuda:0, cuda:1."
    )


def test_threads_are_given_back_after_a_failure() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), machine.one_thread_each():
        assert torch.get_num_threads() == 1
        interrupt(KeyError)
    assert torch.get_num_threads() == before


def test_the_trial_is_timed_on_windows_whose_clock_of_a_thread_goes_in_large_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A trial took no time by it, by which no training on a processor came to its first step."""
    exact, step = time.thread_time, 1 / 64
    monkeypatch.setattr(time, "thread_time", lambda: exact() // step * step)
    monkeypatch.setattr(sys, "platform", "win32")
    (_, slow), (_, fast) = machine._trials(CPU, torch.bfloat16)
    assert fast > 0
    assert slow > 0
    assert machine.choose_precision("auto", CPU).name in ("fp32", "bf16")
