"""No step of any detector waits for a graphics card, as far as a machine without one can tell."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.contract.test_every_detector import NAMES, build
from tests.training.card import CARD, Card, MixedDevicesError, NoDoublesError
from tests.training.slow_device import SlowRuntime
from tests.training.waits import Waits
from workbench.detectors.parts import losses
from workbench.detectors.parts.detector import Detector
from workbench.training.batches.augment import Batch
from workbench.training.ema import Average
from workbench.training.hardware import machine
from workbench.training.optimizer import make_optimizer
from workbench.training.settings import TrainingSettings
from workbench.training.step import Stepper

SETTINGS = TrainingSettings(batch=2, learning_rate=1e-4, precision="fp32", optimizer="sgd", ema=0.9)
CHANGES: dict[str, dict[str, Any]] = {  # losses that are chosen by settings
    "yolov4-tiny": {"box_gradient": "darknet"},
    "yolov4-csp": {"box_loss": "diou"},
}


def some_batch(side: int) -> Batch:
    boxes = np.zeros((2, 8, 4), np.float32)
    boxes[:, 0], boxes[:, 1] = (4, 6, 30, 40), (20, 20, 60, 60)
    labels = np.full((2, 8), -1)
    labels[:, :2] = (0, 2)
    pixels = np.random.default_rng(0).integers(0, 255, (2, side, side, 3), np.uint8)
    return Batch(pixels, boxes, labels, np.zeros((2, 8), bool))


def waits(name: str, precision: str = "fp32", **changes: Any) -> dict[str, int]:
    """Of the second step: where it would wait, and how often."""
    detector = build(name, **changes)
    with machine.one_thread_each():
        stepper = Stepper(detector, SETTINGS, SlowRuntime(1000, precision))
        average, batch = Average(detector, SETTINGS.ema), some_batch(detector.settings.input_px)
        stepper.queue(batch, 1e-4, 0)
        average.update(1, stepper.over)
        with Waits() as seen:
            stepper.queue(batch, 1e-4, 1)
            average.update(2, stepper.over)
            assert list(stepper.results()) == []
        stepper.close()
    return dict(seen.found)


@pytest.fixture(autouse=True)
def _as_on_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "PROCESSOR", "none")


@pytest.mark.parametrize("name", NAMES)
def test_a_step_waits_for_nothing(name: str) -> None:
    assert waits(name, **CHANGES.get(name, {})) == {}


def test_nor_does_a_step_in_fp16() -> None:
    assert waits("yolov2-tiny", "fp16") == {}


@pytest.fixture
def _fused_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card has torch's fused optimisers, as NVIDIA's have."""

    def fused(detector: Detector, settings: TrainingSettings) -> torch.optim.Optimizer:
        made = make_optimizer(detector, settings)
        for group in made.param_groups:
            group["fused"] = True
        return made

    everywhere = importlib.import_module("torch.optim.optimizer")
    monkeypatch.setattr(everywhere, "_get_fused_kernels_supported_devices", lambda: [CARD.type])
    monkeypatch.setattr("workbench.training.step.make_optimizer", fused)


@pytest.mark.usefixtures("_fused_there")
@pytest.mark.parametrize(
    ("name", "changes", "attack"),
    [
        ("yolov4-tiny", {"cross_norm": True, "clip_gradient": 1.0}, 1.0),
        ("yolov2-tiny", {"optimizer": "adamw"}, 0.0),
        ("yolov1-tiny", {"mini_batch": 2}, 1.0),
        ("ssd300", {"freeze": 0.5}, 0.0),
    ],
)
def test_steps_of_two_parts_mix_nothing_of_the_card_and_the_processor(
    name: str, changes: dict[str, Any], attack: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the batch to the new weights and their average; the losses of all others are in the detectors' contract."""
    runtime = SlowRuntime(1000)
    runtime.device = CARD
    monkeypatch.setattr(runtime, "autocast", contextlib.nullcontext)  # it has none
    settings, detector = dataclasses.replace(SETTINGS, **{"mini_batch": 1, **changes}), build(name)
    batch = some_batch(detector.settings.input_px)
    with machine.one_thread_each(), Card() as card:
        stepper = Stepper(detector, settings, runtime)
        average = Average(stepper.detector, SETTINGS.ema)
        before = [weight.cpu().clone() for weight in average.detector.parameters()]
        card.found.clear()
        for number in range(2):
            stepper.queue(batch, 1e-4, number, attack, frozen=settings.freeze > 0 and not number)
            average.update(number + 1, stepper.over)
        waits = card.found.copy()
        moved = [
            not torch.equal(was, now.cpu()) for was, now in zip(before, average.detector.parameters(), strict=True)
        ]
    assert {where.partition(":")[0] for where in waits} == {"_sent"}  # to a card of NVIDIA from pinned memory
    assert sum(moved) > len(moved) / 2
    stepper.close()


@pytest.mark.parametrize(
    "mix",
    [
        lambda there, here: there + here,
        lambda there, here: there @ here,
        lambda there, here: there.gather(0, here.long()),
        lambda there, here: there.index_select(0, here[0].long()),
        lambda there, here: here[there.long()],
    ],
)
def test_what_a_card_refuses_is_refused(mix: Any) -> None:
    with Card() as card:
        there, here = torch.zeros(2, 2, device=CARD), torch.zeros(2, 2)
        assert (there + here[0, 0]).device == CARD  # a single number is no other device's
        assert card.found == {}
        with pytest.raises(MixedDevicesError):
            mix(there, here)
        with pytest.raises(NoDoublesError):
            there.double()


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda x: float(x.sum()), "_local_scalar_dense"),
        (lambda x: x[x > 0], "index"),
        (lambda x: (x > 0).nonzero(), "nonzero"),
        (lambda x: x.sum().tolist(), "tolist"),
        (lambda x: x.new_tensor([1.0]), "lift_fresh"),
        (lambda x: (x * torch.ones(3, requires_grad=True)).prod(-1), "prod"),
    ],
)
def test_what_would_wait_is_counted(ask: Any, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: each of these, put into a loss, is found."""
    before = losses.iou_loss

    def asking(predicted: Tensor, truth: Tensor, kind: str) -> Tensor:
        ask(torch.ones(3))
        return before(predicted, truth, kind)

    monkeypatch.setattr(losses, "iou_loss", asking)
    assert {found.partition(": ")[2] for found in waits("yolov4-tiny")} == {what}


@pytest.mark.parametrize("kind", losses.IOU_LOSSES)
def test_the_cards_way_to_a_box_loss_has_the_same_values_and_gradients(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = torch.tensor([[0.0, 0, 2, 2], [5, 5, 9, 8], [1, 1, 1, 4]])  # meeting, apart, without width
    truth = torch.tensor([[1.0, 1, 3, 4], [0, 0, 2, 2], [0, 0, 2, 2]])
    found = []
    for processor in ("cpu", "none"):
        monkeypatch.setattr(losses, "PROCESSOR", processor)
        leaf = boxes.clone().requires_grad_()
        loss = losses.iou_loss(leaf, truth, kind)
        found.append((loss.detach(), torch.autograd.grad(loss.sum(), leaf)[0]))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-6, atol=1e-7)
