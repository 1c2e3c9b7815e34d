"""A stop between any two operations of torch leaves torch as it was."""

from __future__ import annotations

import pytest
import torch

from workbench.training.events import Control
from workbench.training.stop_mode import StopMode, Stopped


def test_a_stop_raises_at_the_next_operation() -> None:
    control = Control()
    with StopMode(control):
        one = torch.ones(2) + 1
        control.stop.set()
        with pytest.raises(Stopped):
            one + 1


def test_a_stop_within_puts_gradients_precision_and_random_state_back() -> None:
    control, state = Control(), torch.get_rng_state()
    with (
        pytest.raises(Stopped),
        StopMode(control),
        torch.random.fork_rng(devices=[]),
        torch.no_grad(),
        torch.autocast("cpu", dtype=torch.bfloat16),
    ):
        torch.rand(3)
        control.stop.set()
        torch.ones(2)
    assert torch.is_grad_enabled()
    assert not torch.is_autocast_enabled("cpu")
    assert torch.equal(torch.get_rng_state(), state)
