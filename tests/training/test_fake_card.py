"""Steps, batches and candidates on a graphics card that is none: everything lies on it, and nothing is asked of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.contract.test_every_detector import settings_of
from tests.training.fake_card import CARD, CardRuntime, fake_card
from tests.training.test_device_augment import TINTED, noise, with_pictures
from tests.training.test_snapped import WILD
from tests.training.test_waits import SETTINGS, some_batch
from workbench import detectors
from workbench.detectors.parts import losses
from workbench.training import machine
from workbench.training.device_augment import Kept, Maker
from workbench.training.device_paint import Painted
from workbench.training.ema import Average
from workbench.training.step import Stepper


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch, about looking at what is not there
        yield


def steps(name: str, precision: str, optimizer: str) -> Stepper:
    """Two of them, the second under attack; and candidates."""
    detector = detectors.build(name, settings_of(name, 64, 0.1), 3)
    stepper = Stepper(detector, replace(SETTINGS, optimizer=optimizer), CardRuntime(precision))
    average, batch = Average(stepper.detector, SETTINGS.ema), some_batch(64)
    for number in range(2):
        stepper.order(batch, 1e-4, number, attack=float(number))
        average.update(number + 1, stepper.over)
        assert list(stepper.taken()) == []
    with torch.inference_mode():
        found = average.detector.candidates(average.detector(torch.zeros(2, 3, 64, 64, device=CARD))).best(10)
    assert {one.device for one in found} == {CARD}
    return stepper


@pytest.mark.parametrize(("precision", "optimizer"), [("fp16", "adamw")])
def test_steps_lie_on_the_card(precision: str, optimizer: str) -> None:
    with fake_card():
        stepper = steps("yolov4-tiny", precision, optimizer)
        gradients = [p.grad for p in stepper.detector.parameters()]
    assert all(one is not None and one.device == CARD for one in gradients)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda loss: loss + torch.ones(3)[:1].sum() * torch.arange(2)[:1].sum(), "device"),
        (lambda loss: loss * float(loss.sum()), "item|_local_scalar_dense"),
    ],
    ids=["elsewhere", "asked"],
)
def test_what_lies_elsewhere_or_is_asked_for_fails(spoil: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    before = losses.iou_loss

    def odd(predicted: Tensor, truth: Tensor, kind: str) -> Tensor:
        return spoil(before(predicted, truth, kind))

    monkeypatch.setattr(losses, "iou_loss", odd)
    with fake_card(), pytest.raises(Exception, match=said):
        steps("yolov4-tiny", "bf16", "sgd")


def test_batches_are_made_on_the_card() -> None:
    with fake_card():
        data = with_pictures(noise())
        made = Maker(data, CARD, Kept(data, CARD)).batch(
            np.arange(8), replace(WILD, mixup=0.5, contrast=1.5, **TINTED), 0, 96, calm=False
        )
    assert isinstance(made, Painted)
    assert {made.images.device, made.targets.boxes.device, made.targets.labels.device} == {CARD}


def test_the_trial_of_numbers_gives_a_card_something_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small convolution takes as long to be ordered as it takes to be computed, in whatever numbers."""
    seen: list[tuple[int, int]] = []

    def trial(network: torch.nn.Sequential, images: Tensor, half: torch.dtype | None) -> Any:
        convolution = network[0]
        assert isinstance(convolution, torch.nn.Conv2d)
        assert {images.device, convolution.weight.device} == {CARD}
        multiplied = convolution.weight.numel() * images[:, 0].numel()
        seen.append((len(network), multiplied))
        return images, 1.0

    monkeypatch.setattr(machine, "_trial", trial)
    monkeypatch.setattr("workbench.training.cards.forked_rng", lambda device: torch.random.fork_rng(devices=[]))
    with fake_card():
        machine._trials(CARD, torch.bfloat16)
    layers, multiplied = seen[-1]
    assert 6 * layers * multiplied > 1e11, "a tenth of a millisecond of the fastest card there is, at 10**15 a second"
