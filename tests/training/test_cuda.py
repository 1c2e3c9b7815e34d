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
from tests.detectors.parts.test_fixed_samples import boxes_around
from tests.training.batches.test_device_augment import noise
from tests.training.batches.test_pixel_snapping import WILD
from tests.training.run_results import MakeRequest, only
from tests.training.toys import Toy
from workbench.detectors.parts import fixed_samples
from workbench.detectors.parts.blocks import settle_norms
from workbench.detectors.parts.detector import Detector
from workbench.training import loop, run
from workbench.training.batches import augment, device_augment
from workbench.training.batches.augment import Batch
from workbench.training.batches.device_augment import ResidentPixels, StreamedPixels
from workbench.training.batches.device_paint import DeviceBatch
from workbench.training.ema import Average
from workbench.training.events import Control, Evaluated, Finished, Message, Progress, Started
from workbench.training.hardware import machine
from workbench.training.hardware.machine import Precision
from workbench.training.hardware.runtime import Runtime
from workbench.training.settings import TrainingSettings
from workbench.training.step import Diverged, Stepper

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
    pytest.mark.filterwarnings("default"),  # what torch says of a card or driver is shown, and fails nothing
]
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


def test_nms_and_pooling_in_fixed_shapes_are_those_of_the_processor() -> None:
    draw = torch.Generator().manual_seed(0)
    centres = (torch.rand(2, 12, 1, 2, generator=draw) * 400).expand(-1, -1, 60, -1).reshape(2, -1, 2)
    boxes = boxes_around(centres, 4, draw)
    there = torch.rand(boxes.shape[:2], generator=draw) < 0.9
    left = fixed_samples.nms_in_rounds(boxes.to(CUDA), there.to(CUDA), 0.7).cpu()
    exact = fixed_samples.exact_nms(boxes, there, 0.7)
    assert float((left == exact).float().mean()) > 0.99  # one may lie at the limit
    maps = [torch.randn(2, 8, 128 >> level, 128 >> level, generator=draw) for level in range(4)]
    regions = boxes[:, :100].clamp(0, 512)
    pooled = fixed_samples.pool([one.to(CUDA) for one in maps], regions.to(CUDA), 4, (7, 7))
    torch.testing.assert_close(pooled.cpu(), fixed_samples.pool(maps, regions, 4, (7, 7)), rtol=1e-4, atol=1e-4)


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


@pytest.mark.parametrize(
    ("precision", "changes"), [("fp32", {}), ("fp16", {"optimizer": "adamw", "clip_gradient": 10.0, "mini_batch": 2})]
)
@pytest.mark.parametrize("name", NAMES)
def test_f3_a_hundred_steps_wait_for_the_card_once_at_most(name: str, precision: str, changes: dict[str, Any]) -> None:
    """Torch raises where it would wait; what it does not see, the reading of a step's numbers, counts itself."""
    detector = build(name, width=0.25)
    settings = dataclasses.replace(FEW, ema=0.99, **changes)
    stepper = Stepper(detector, settings, Runtime(CUDA, Precision(precision, "")))
    average, batch = Average(detector, settings.ema), some_batch(0)
    read: list[Any] = []
    for number in range(3):  # the optimiser's memory, the kernels
        stepper.queue(batch, 1e-4, number)
        average.update(number + 1, stepper.over)
    read += stepper.results(everything=True)
    assert stepper.step_queue is not None
    before = stepper.step_queue.waits
    torch.cuda.set_sync_debug_mode("error")
    try:
        for number in range(3, 103):
            stepper.queue(batch, 1e-4, number)
            average.update(number + 1, stepper.over)
            read += stepper.results()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert stepper.step_queue.waits - before <= 1
    read += stepper.results(everything=True)
    stepper.close()
    assert [taken.step.number for taken in read] == list(range(103))
    assert np.isfinite(sum(read[-1].terms.values()))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_behind_a_loss_that_is_no_number_nothing_changes_on_the_card(optimizer: str) -> None:
    detector = build("yolov4-tiny", width=0.25)
    stepper = Stepper(detector, dataclasses.replace(FEW, optimizer=optimizer), Runtime(CUDA, Precision("fp32", "")))
    average, before = Average(detector, 0.9), detector.loss
    for number in range(3):
        stepper.queue(some_batch(0), 1e-3, number)
        average.update(number + 1, stepper.over)
    kept = [{n: t.clone() for n, t in one.state_dict().items()} for one in (detector, average.detector)]
    detector.loss = lambda *given: {n: t * float("nan") for n, t in before(*given).items()}  # type: ignore[method-assign]
    for number in range(3, 10):
        if number == 4:
            detector.loss = before  # type: ignore[method-assign]
        stepper.queue(some_batch(number), 1e-3, number)
        average.update(number + 1, stepper.over)
    with pytest.raises(Diverged, match="not a number") as raised:
        list(stepper.results(everything=True))
    stepper.close()
    assert raised.value.step.number == 3
    for then, one in zip(kept, (detector, average.detector), strict=True):
        assert all(torch.equal(then[name], tensor) for name, tensor in one.state_dict().items())


@pytest.mark.parametrize("free", [2**40, 0], ids=["kept", "sent"])
def test_batches_are_painted_as_by_the_processor_and_nobody_waits(free: int) -> None:
    data = noise(8, 96)
    wild = dataclasses.replace(WILD, mixup=0.5, hue=0.1, saturation=1.5, exposure=1.5)
    made = device_augment.make_batch_maker(data, CUDA, lambda device: free)
    assert made.paints
    assert isinstance(made.pixel_source, ResidentPixels if free else StreamedPixels)
    for number, side in enumerate([64, 100, 160, 96] * 4):
        given = np.arange(8), wild, number, side
        part = slice(0, 3) if number % 3 == 0 else slice(None)
        torch.cuda.set_sync_debug_mode("error")
        try:
            painted = made.batch(*given, calm=False, part=part)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        again, expected = (
            made.batch(*given, calm=False, part=part),
            augment.augmented(data, *given, calm=False, part=part),
        )
        assert isinstance(painted, DeviceBatch)
        assert isinstance(again, DeviceBatch)
        assert painted.images.device.type == painted.targets.boxes.device.type == "cuda"
        assert torch.equal(painted.images, again.images), "the same bits each time"
        assert np.abs(painted.images.cpu().numpy().astype(int) - expected.images).max() <= 2
        assert np.array_equal(painted.targets.boxes.cpu().numpy(), expected.boxes)
        assert np.array_equal(painted.targets.labels.cpu().numpy(), expected.labels)
        assert np.array_equal(painted.targets.ignore.cpu().numpy(), expected.ignore)


def test_a_resumed_run_sees_the_batches_of_a_straight_one(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[int, bytes] = {}
    real = loop.Training._batch

    def batch(self: Any, step: int) -> Any:
        made = real(self, step)
        assert isinstance(made, DeviceBatch)
        seen[step] = made.images.cpu().numpy().tobytes() + made.targets.boxes.cpu().numpy().tobytes()
        return made

    monkeypatch.setattr(loop.Training, "_batch", batch)
    straight, broken = (request_of(name, device="cuda", epochs=4) for name in ("straight", "broken"))
    said = [event.sentence for event in only(list(run.train(straight)), Message)]
    assert "Batches are made on cuda, which holds all 6 images (74 kB at 64 px)." in said
    first, control = dict(seen), Control()
    seen.clear()
    for event in run.train(broken, control):
        if isinstance(event, Evaluated) and event.epoch == 2:
            control.stop.set()
    list(run.resume(broken.folder))
    assert {step: seen[step] for step in range(6)} == {step: first[step] for step in range(6)}


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
    torch.cuda.set_per_process_memory_fraction((held + 2**30) / whole)
    try:
        terms = stepper.step(some_batch(0, 416, 64), 1e-4)
        assert stepper.micro < 64
        assert all(np.isfinite(list(terms.values())))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        stepper.close()


def test_the_precision_is_measured_on_the_device() -> None:
    chosen = machine.choose_precision("auto", CUDA)
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


def test_numbers_that_fp16_can_not_hold_are_computed_in_fp32_from_there(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss scale is halved from 65,536 to below 1 first: 17 steps, none of which is taken."""
    before = Toy.forward
    monkeypatch.setattr(Toy, "forward", lambda self, images: (before(self, images)[0] * 1e6 / 1e6,))
    events = list(run.train(request_of(device="cuda", precision="fp16", epochs=20, evaluate_every=0)))
    assert only(events, Started)[0].precision == "fp16"
    assert any("goes on in fp32 from step 17" in event.sentence for event in only(events, Message))
    assert only(events, Finished)[-1].step == 30
