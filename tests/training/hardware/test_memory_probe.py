"""Before the first step the parts of a batch are made to fit into memory, with room to spare; nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.batches.test_augment import squares
from tests.training.toys import CALM, Toy, ToySettings
from workbench.detectors.parts.detector import Raw
from workbench.errors import WorkbenchError
from workbench.training.hardware import memory_probe
from workbench.training.hardware.machine import Precision
from workbench.training.hardware.memory_probe import DeviceMemory
from workbench.training.hardware.runtime import Runtime
from workbench.training.step import Stepper

MB = 1_000_000


class Card:
    """Memory in which each image of a part takes 10 MB; parts above `holds` images don't fit at all."""

    def __init__(self, holds: int, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.holds, self.seen = holds, 0
        self.tried: list[tuple[int, int]] = []  # images at once, and their side
        before = Toy.forward

        def forward(toy: Toy, images: Tensor) -> Raw:
            self.tried.append((len(images), images.shape[-1]))
            if len(images) > self.holds:
                raise torch.OutOfMemoryError("too many")
            self.seen = max(self.seen, len(images))
            return before(toy, images)

        monkeypatch.setattr(Toy, "forward", forward)
        self.memory = DeviceMemory(self.begin, lambda: self.seen * 10 * MB, room)

    def begin(self) -> None:
        self.seen = 0


@pytest.fixture
def stepper() -> Iterator[Stepper]:
    torch.manual_seed(0)
    settings = replace(CALM, batch=8, sizes=0.5, mosaic=1.0)
    made = Stepper(Toy(ToySettings(input_px=64), 3), settings, Runtime(torch.device("cpu"), Precision("fp32", "")))
    yield made
    made.close()


def state(stepper: Stepper) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in stepper.detector.state_dict().items()}


def test_what_fits_stays_and_the_largest_side_is_tried(stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card(8, 1000 * MB, monkeypatch)
    before = state(stepper)
    assert memory_probe.fit_batch_parts(stepper, squares(), card.memory) == []
    assert stepper.micro == 8
    assert card.tried == [(8, 128)], "of 64 px, half as much again"
    assert card.seen == 0, "the memory that is told later is the training's"
    assert all(torch.equal(before[name], tensor) for name, tensor in state(stepper).items()), "norms, too"
    assert all(parameter.grad is None for parameter in stepper.detector.parameters())


def test_what_does_not_fit_is_halved_until_it_does(stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card(3, 1000 * MB, monkeypatch)
    (said,) = memory_probe.fit_batch_parts(stepper, squares(), card.memory)
    assert stepper.micro == 2
    assert stepper.halved, "a run that is resumed begins with so many"
    assert said.sentence.startswith("Images go through 2 at a time, because 8 do not fit in memory.")
    assert [images for images, _ in card.tried] == [8, 4, 2, 2, 2, 2]


def test_a_tenth_of_the_memory_stays_free(stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory_probe.fit_batch_parts(stepper, squares(), Card(8, 90 * MB, monkeypatch).memory) == []
    memory_probe.fit_batch_parts(stepper, squares(), Card(8, 88 * MB, monkeypatch).memory)
    assert stepper.micro == 4


def test_momentum_that_is_still_to_come_counts(stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = sum(4 * p.numel() for p in stepper.detector.parameters())
    kept = {"sgd": 1, "adamw": 2}[stepper.settings.optimizer] * weights
    room = int((80 * MB + kept) / memory_probe.FULL)
    memory_probe.fit_batch_parts(stepper, squares(), Card(8, room + 10, monkeypatch).memory)
    assert stepper.micro == 8
    memory_probe.fit_batch_parts(stepper, squares(), Card(8, room - 10, monkeypatch).memory)
    assert stepper.micro == 4


def test_a_memory_that_does_not_hold_one_image_is_told(stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkbenchError, match="a single image"):
        memory_probe.fit_batch_parts(stepper, squares(), Card(0, 1000 * MB, monkeypatch).memory)


def test_other_troubles_are_left_to_the_first_step(stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(_toy: Toy, _images: Tensor) -> Raw:
        raise RuntimeError("an illegal instruction was encountered")

    monkeypatch.setattr(Toy, "forward", forward)
    before = state(stepper)
    assert memory_probe.fit_batch_parts(stepper, squares(), DeviceMemory(lambda: None, lambda: 0, MB)) == []
    assert all(torch.equal(before[name], tensor) for name, tensor in state(stepper).items())


def test_the_worst_batch_has_the_most_boxes_that_a_mosaic_may_have(stepper: Stepper) -> None:
    data = squares([(4, 4, 20, 20)] * 30)
    data = replace(data, offsets=np.array([0, 5, *range(6, 31)]))
    some = memory_probe.worst_case_batch(data, stepper)
    assert some.images.shape == (8, 128, 128, 3)
    assert ((some.labels >= 0).sum(axis=1) == 4 * 5).all()
    assert some.boxes.shape == (8, 32, 4)
    assert (some.boxes[..., 2:] > some.boxes[..., :2]).all()
