"""The same on a graphics card as on the processor; skipped where there is none, as in CI."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.contract.test_every_detector import NAMES, TWO, build, images
from tests.training.test_run import MakeRequest, only
from workbench.detectors.parts.blocks import settle_norms
from workbench.detectors.parts.detector import Detector
from workbench.training import machine, run
from workbench.training.augment import Batch
from workbench.training.events import Control, Evaluated, Finished, Progress, Started
from workbench.training.machine import Precision
from workbench.training.runtime import Runtime
from workbench.training.settings import TrainingSettings
from workbench.training.step import Stepper

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
CUDA, CPU = torch.device("cuda"), torch.device("cpu")
FEW = TrainingSettings(batch=4, learning_rate=1e-3, precision="fp32", optimizer="sgd")


@pytest.fixture(autouse=True)
def _exact() -> Any:
    """No TF32, so that the numbers can be compared."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def settled(name: str) -> Detector:
    detector = build(name)
    settle_norms(detector, 0)
    detector(images(4))  # statistics of its own
    return detector.eval()


@pytest.mark.parametrize("name", NAMES)
def test_losses_and_gradients_are_those_of_the_processor(name: str) -> None:
    here, there = settled(name), settled(name).to(CUDA)
    if here.samples:
        pytest.skip("its loss is that of a random part")
    results = []
    for detector, device in ((here, CPU), (there, CUDA)):
        terms = detector.loss(detector(images().to(device)), TWO.to(device))
        total = sum(terms.values(), torch.zeros((), device=device))
        found = torch.autograd.grad(total, list(detector.parameters()), allow_unused=True)
        results.append((terms, [g.cpu() for g in found if g is not None]))
    (terms, gradients), (cuda_terms, cuda_gradients) = results
    assert terms.keys() == cuda_terms.keys()
    for term, value in terms.items():
        assert cuda_terms[term].device.type == "cuda", term
        torch.testing.assert_close(cuda_terms[term].cpu(), value, rtol=2e-3, atol=2e-4)
    longest = torch.stack([g.norm() for g in gradients]).norm()
    apart = torch.stack([(a - b).norm() for a, b in zip(gradients, cuda_gradients, strict=True)]).norm()
    assert apart < 0.02 * longest


@pytest.mark.parametrize("name", NAMES)
def test_candidates_are_those_of_the_processor(name: str) -> None:
    here, there = settled(name), settled(name).to(CUDA)
    with torch.inference_mode():
        found, cuda_found = here.candidates(here(images())), there.candidates(there(images().to(CUDA)))
    assert cuda_found.boxes.device.type == cuda_found.scores.device.type == "cuda"
    if here.samples:  # the proposals of a network that was not trained change places at the least difference
        assert found.boxes.shape[2:] == cuda_found.boxes.shape[2:]
        return
    torch.testing.assert_close(cuda_found.scores.cpu(), found.scores, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(cuda_found.boxes.cpu(), found.boxes, rtol=1e-3, atol=0.05)


def some_batch(number: int, side: int = 64, count: int = 4) -> Batch:
    random = np.random.default_rng(number)
    boxes = np.zeros((count, 8, 4), np.float32)
    boxes[:, 0], boxes[:, 1] = (4, 6, 30, 40), (20, 20, 60, 60)
    labels = np.full((count, 8), -1)
    labels[:, :2] = (0, 2)
    return Batch(random.integers(0, 255, (count, side, side, 3), np.uint8), boxes, labels, np.zeros((count, 8), bool))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", NAMES)
def test_every_detector_trains(name: str, precision: str) -> None:
    stepper = Stepper(build(name, width=0.25), FEW, Runtime(CUDA, Precision(precision, "")))
    totals = [sum(stepper.step(some_batch(0), 1e-3, number).values()) for number in range(12)]
    stepper.close()
    assert all(np.isfinite(totals))
    assert min(totals[-3:]) < totals[0]


def test_a_run_goes_on_after_a_stop(request_of: MakeRequest) -> None:
    request = request_of(device="auto", precision="auto", epochs=4)
    control = Control()
    seen = []
    for event in run.train(request, control):
        seen.append(event)
        if isinstance(event, Evaluated) and event.epoch == 2:
            control.stop.set()
    assert only(seen, Started)[0].device.startswith("cuda")
    assert only(seen, Finished)[-1].stopped
    on = list(run.resume(request.folder))
    assert (only(on, Started)[0].resumed_step, only(on, Finished)[-1].stopped) == (3, False)
    assert only(on, Progress)[-1].step == only(on, Finished)[-1].step == 6


def test_memory_that_runs_out_halves_the_part_and_goes_on(tmp_path: Path) -> None:
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    stepper = Stepper(
        build("yolov3-tiny", width=1.0, px=416),
        dataclasses.replace(FEW, batch=64),
        Runtime(CUDA, Precision("fp32", "")),
    )
    held = torch.cuda.memory_reserved()
    torch.cuda.set_per_process_memory_fraction((held + 3 * 2**30) / whole)
    try:
        terms = stepper.step(some_batch(0, 416, 64), 1e-4)
        assert stepper.micro < 64
        assert all(np.isfinite(list(terms.values())))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        stepper.close()


def test_the_precision_is_measured_on_the_device() -> None:
    chosen = machine.chosen_precision("auto", CUDA)
    assert chosen.name in ("bf16", "fp32")
    assert "here" in chosen.why or "device" in chosen.why


def test_a_checkpoint_of_the_card_is_read_without_one(request_of: MakeRequest) -> None:
    from workbench.inference.predict import Predictor

    request = request_of(device="cuda")
    list(run.train(request))
    pictures = [np.full((64, 64, 3), 60, np.uint8), np.full((80, 50, 3), 200, np.uint8)]
    here, there = (
        Predictor.open(request.folder / "last.safetensors", device).candidates(pictures) for device in ("cpu", "cuda")
    )
    for one, other in itertools.zip_longest(here, there):
        np.testing.assert_allclose(one.scores, other.scores, atol=2e-3)
