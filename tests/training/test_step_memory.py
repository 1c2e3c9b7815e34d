"""A step in which memory runs out begins again with half as many images at a time, as if it had not begun before."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.slow_device import SlowRuntime
from tests.training.test_step import Normed, batch
from tests.training.toys import CALM, Toy, ToySettings
from workbench.detectors.parts.detector import Raw, Targets
from workbench.errors import WorkbenchError
from workbench.training.checkpoints import saving
from workbench.training.checkpoints.saving import TrainingProgress
from workbench.training.ema import Average
from workbench.training.hardware.machine import Precision
from workbench.training.hardware.process_share import part_of
from workbench.training.hardware.runtime import Runtime
from workbench.training.step import Stepper


class Counting(Toy):
    """The toy with dropout, norms, and a counter of images as YOLOv2's."""

    seen: Tensor

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        if self.training:
            self.seen += len(targets.labels)
        return super().loss(raw, targets)


class CountingNormed(Counting, Normed):
    pass


def made(kind: type[Toy], threads: int, slow: bool) -> Stepper:
    torch.manual_seed(0)
    settings = replace(CALM, batch=8, mini_batch=4 // threads)
    runtime = SlowRuntime(1) if slow else Runtime(torch.device("cpu"), Precision("fp32", ""))
    return Stepper(kind(ToySettings(input_px=64), 2), settings, runtime, threads)


def step(one: Stepper, number: int) -> list[Tensor]:
    """What a step leaves: its loss, weights, counters and random state."""
    loss = torch.tensor(list(one.step(batch(8), 0.1, number).values()))
    return [loss, *(tensor.clone() for tensor in one.detector.state_dict().values()), torch.get_rng_state()]


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize(("kind", "threads"), [(Counting, 1), (CountingNormed, 2)])
def test_what_the_parts_before_it_counted_and_drew_is_taken_back(
    monkeypatch: pytest.MonkeyPatch, kind: type[Toy], threads: int, slow: bool
) -> None:
    """They were counted twice, also in the norms' statistics, and dropout drew others."""
    failing, straight = made(kind, threads, slow), made(kind, threads, slow)
    before, calls = Toy.forward, itertools.count(1)

    def forward(self: Toy, images: Tensor) -> Raw:
        raw = before(self, images)  # the norms have followed this part, too
        if next(calls) == 2 * threads:
            raise torch.OutOfMemoryError("too many")
        return raw

    with closing(failing), closing(straight):
        first = step(failing, 0), step(straight, 0)
        straight.halve()
        with monkeypatch.context() as patch:
            patch.setattr(Toy, "forward", forward)
            found = step(failing, 1)
        assert next(calls) > 4 * threads, "of the second step, all parts but the last had been computed"
        assert failing.micro == straight.micro == 2 // threads
        pairs = (first, (found, step(straight, 1)), (step(failing, 2), step(straight, 2)))
        assert all(torch.equal(one, other) for pair in pairs for one, other in zip(*pair, strict=True))
        assert int(failing.detector.get_buffer("seen")) == 24


class OneOfEight(Runtime):
    world = 8

    def own_slice(self, count: int) -> slice:
        return part_of(count, self.rank, self.world)


def test_parts_of_one_process_that_several_can_not_have_alike_are_refused_where_norms_count_all() -> None:
    """12 images are 2 each for four of eight processes and 1 for the others, whose norms waited for ever."""
    settings, own = replace(CALM, batch=12, sync_norm=True), ToySettings(input_px=64)
    one, eighth = (Stepper(Normed(own, 2), settings, runtime) for runtime in (Runtime(), OneOfEight()))
    average = Average(one.detector, 0.9)
    for images in (6, 3, 2, 1):
        one.halve()
        assert one.micro == images
        state = saving.state(one, average, TrainingProgress(), SimpleNamespace(to_json=str), 0.0)  # type: ignore[arg-type]
        if images == 1:
            with pytest.raises(WorkbenchError, match="some of 8 have 2 and some 1"):
                saving.restore(state, eighth, average)
        else:
            saving.restore(state, eighth, average)
            assert (eighth.micro, eighth.halved) == (2, True)
