"""Batches painted by tensors are those that OpenCV paints; and who paints is decided once, and told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.training.batches.test_augment import squares
from tests.training.batches.test_pixel_snapping import WILD, smooth
from tests.training.checks.test_estimate import MEASURED, made
from tests.training.hardware.test_memory_probe import MB, Card, stepper
from tests.training.run_results import MakeRequest, only, same, weights
from tests.training.waits import Waits
from workbench.training import run
from workbench.training.batches import augment, colour_jitter, device_augment, device_paint
from workbench.training.batches.augment import Batch
from workbench.training.batches.data import Dataset
from workbench.training.batches.device_augment import BatchMaker, ResidentPixels, StreamedPixels
from workbench.training.batches.device_paint import AnyBatch, DeviceBatch
from workbench.training.events import Control, Message, Progress, Saved
from workbench.training.hardware import gpu, machine, memory_probe

__all__ = ["stepper"]  # a fixture
CPU = torch.device("cpu")
IPP = bool(cv2.ipp.useIPP())  # elsewhere OpenCV rounds in other ways: 2 levels, and 7 from HSV back to RGB
TINTED: dict[str, Any] = {"hue": 0.1, "saturation": 1.5, "exposure": 1.5}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """So small tensors that threads would only wait for each other."""
    with machine.one_thread_each():
        yield


def noise(count: int = 8, side: int = 96) -> Dataset:
    """Pixels in which the least change of a place or a weight shows, kept in another order, with spare rows."""
    random = np.random.default_rng(1)
    data = smooth(count)
    rows = random.permutation(count + 3)[:count]
    return replace(data, pixels=random.integers(0, 256, (count + 3, side, side, 3), dtype=np.uint8), rows=rows)


def with_pictures(data: Dataset) -> Dataset:
    """The last two are pictures without boxes; the third image has two boxes."""
    offsets = np.array([0, 1, 2, 4, 5, 6, 8, 8, 8])
    return replace(data, pictures=np.array([-1] * 6 + [3, 4]), offsets=offsets)


def both(
    data: Dataset, number: int, part: slice = slice(None), side: int = 96, **changes: Any
) -> tuple[Batch, DeviceBatch]:
    """The same step by OpenCV and by tensors; what is not pixels is compared here."""
    settings = replace(WILD, **changes)
    given = np.arange(len(data)), settings, number, side
    expected = augment.augmented(data, *given, calm=False, part=part)
    made = BatchMaker(data, CPU, ResidentPixels(data, CPU)).batch(*given, calm=False, part=part)
    assert isinstance(made, DeviceBatch)
    assert (made.images.shape, made.images.dtype) == (expected.images.shape, torch.uint8)
    for name in ("boxes", "labels", "ignore"):
        one, other = getattr(made.targets, name).numpy(), getattr(expected, name)
        assert (one.dtype, one.tolist()) == (other.dtype, other.tolist()), name
    assert made.whole == expected.whole
    if expected.pictures is None:
        assert made.targets.pictures is None
    else:
        assert made.targets.pictures is not None
        assert made.targets.pictures.tolist() == expected.pictures.tolist()
    return expected, made


def apart(pair: tuple[Batch, DeviceBatch]) -> np.ndarray:
    return np.abs(pair[0].images.astype(int) - pair[1].images.numpy())


@pytest.mark.parametrize("side", [64, 100, 160])
@pytest.mark.parametrize(
    "changes",
    [{"mosaic": 1.0}, {"mosaic": 0.0, "cutmix": 1.0}, {"flip": 1.0, "flip_vertical": 1.0}, {"overlap_crop": 0.5},
     {"scale": 0.0, "aspect": 0.0, "translate": 0.0, "jitter": 0.0, "zoom_out": 0.0, "mosaic": 0.0}],
    ids=["mosaic", "cutmix", "mirrored", "crops", "still"],
)  # fmt: skip
def test_the_painting_is_opencvs_bit_for_bit(changes: dict[str, Any], side: int) -> None:
    for data in (noise(), with_pictures(noise())):
        for number in range(2):
            assert apart(both(data, number, side=side, **changes)).max() <= (0 if IPP else 2)


@pytest.mark.parametrize("part", [slice(None), slice(0, 3), slice(3, 8)], ids=["whole", "first", "last"])
@pytest.mark.parametrize(
    ("changes", "most"),
    [(TINTED, 1), ({"contrast": 1.5, "brightness": 0.2}, 0), ({"mixup": 1.0}, 1), ({"mixup": 0.5, **TINTED}, 1),
     ({"mixup": 0.5, "contrast": 1.5, "brightness": 0.2, **TINTED}, 2),
     ({"colour_rule": "ssd", "contrast": 1.5, "brightness": 0.2, **TINTED}, 2)],
    ids=["tinted", "lifted", "mixed", "mixed and tinted", "everything", "SSD's rule"],
)  # fmt: skip
def test_colours_and_mixtures_are_opencvs_but_for_rare_halves(changes: dict[str, Any], most: int, part: slice) -> None:
    for number, data in enumerate([noise(), with_pictures(noise()), smooth(8)]):
        found = apart(both(data, number, part, **changes))
        assert found.max() <= (most if IPP else 8)
        assert found.mean() < (0.001 if IPP else 2)


def test_of_the_colours_a_few_in_a_million_come_back_otherwise() -> None:
    """All hues and values in steps of three saturations, there and back: OpenCV's 8-bit HSV is met in whole numbers."""
    rgb = np.stack(np.meshgrid(*[np.arange(0, 256, step) for step in (3, 5, 1)], indexing="ij"), -1)[None]
    levels = [torch.from_numpy(rgb[..., channel].reshape(1, -1)).to(torch.int32) for channel in range(3)]
    by = torch.from_numpy(device_paint.BY_VALUE), torch.from_numpy(device_paint.BY_RANGE)
    there = torch.stack(device_paint._hsv(levels[0], levels[1], levels[2], *by), dim=-1).numpy().astype(np.uint8)
    flat = rgb.reshape(1, -1, 3).astype(np.uint8)
    assert np.array_equal(there, cv2.cvtColor(flat, cv2.COLOR_RGB2HSV_FULL))
    table = torch.from_numpy(device_paint._jitter_tables([colour_jitter.ColourJitter(0, 1, 1, 1, 0)])[0]).to(
        torch.int32
    )
    back = torch.stack(device_paint._tinted(levels, table, by), dim=-1).numpy()
    off = np.abs(back - cv2.cvtColor(cv2.cvtColor(flat, cv2.COLOR_RGB2HSV_FULL), cv2.COLOR_HSV2RGB_FULL).astype(int))
    assert off.max() <= (1 if IPP else 7)
    assert (off > 0).mean() < (1e-5 if IPP else 1)


def test_an_image_that_keeps_its_colours_stays_beside_others_that_do_not() -> None:
    """Through HSV and back even nothing would change a level here and there."""
    data = noise()
    layout = augment.draw_layout(data, np.arange(8), replace(WILD, **TINTED), 0, 96, calm=False)
    still = colour_jitter.ColourJitter(0, 1, 1, 1, 0)
    layout = replace(layout, jitters=[still if i % 2 else one for i, one in enumerate(layout.jitters)])
    painted = device_paint.paint(layout, ResidentPixels(data, CPU).table(layout)).images.numpy()
    expected = augment.paint_on_cpu(data, layout).images
    assert np.array_equal(painted[1::2], expected[1::2]) or not IPP
    assert np.abs(painted.astype(int) - expected).max() <= (1 if IPP else 8)


@pytest.mark.parametrize("at_once", [1, 2 * 96 * 96, 3 * 96 * 96 + 5])
def test_chunks_of_any_size_give_the_same(at_once: int) -> None:
    data = noise()
    layout = augment.draw_layout(data, np.arange(8), replace(WILD, mixup=0.5, **TINTED), 0, 96, calm=False)
    source = ResidentPixels(data, CPU).table(layout)
    assert torch.equal(device_paint.paint(layout, source, at_once).images, device_paint.paint(layout, source).images)


@pytest.mark.parametrize("part", [slice(None), slice(2, 5)])
def test_rows_that_are_sent_give_what_kept_images_give(part: slice) -> None:
    data = noise()
    for number in range(6):
        layout = augment.draw_layout(data, np.arange(8), replace(WILD, mixup=0.5), number, 96, calm=False, part=part)
        sent, kept = StreamedPixels(data, CPU).table(layout), ResidentPixels(data, CPU).table(layout)
        assert torch.equal(device_paint.paint(layout, sent).images, device_paint.paint(layout, kept).images)
        rows = (layout.pieces.seen[:, 3] - layout.pieces.seen[:, 1])[device_paint.needed_pieces(layout)]
        assert len(sent.pixels) == 96 * rows.sum(), "no row more than is seen"


def test_one_copy_holds_arrays_of_all_kinds() -> None:
    given: list[np.ndarray] = [
        np.arange(3), np.array([True, False, True]), np.array([[1.5, -2]], np.float32), np.zeros((0, 4), np.int64),
        np.arange(7, dtype=np.uint8)[::-1], np.array([5], np.int32),
    ]  # fmt: skip
    for one, there in zip(given, device_paint.upload(given, CPU), strict=True):
        assert there.numpy().dtype == one.dtype
        assert np.array_equal(there.numpy(), one)


def test_nothing_waits_for_the_device() -> None:
    data = with_pictures(noise())
    made = BatchMaker(data, CPU, ResidentPixels(data, CPU))
    settings = replace(WILD, mixup=0.5, contrast=1.5, **TINTED)
    with Waits() as waits:
        made.batch(np.arange(8), settings, 0, 96, calm=False)
    assert waits.found == {}


def test_a_processor_that_paints_for_a_card_does_not_run_ahead_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """After memory ran out: steps are queued a hundred ahead, and each would keep its batch in pinned memory."""
    said: list[str] = []

    class Mark:
        def __init__(self, device: torch.device) -> None:
            self.number = sum("marked" in one for one in said)
            said.append(f"marked {self.number}")

        def synchronize(self) -> None:
            said.append(f"waited for {self.number}")

    monkeypatch.setattr(gpu, "mark", Mark)
    for device, expected in [
        ("cuda", ["marked 0", "marked 1", "waited for 0", "marked 2", "waited for 1", "marked 3"]),
        ("cpu", []),
    ]:
        said.clear()
        made = BatchMaker(noise(), torch.device(device), None)
        for step in range(4):
            assert isinstance(made.batch(np.arange(4), WILD, step, 64, calm=False), Batch)
        assert said == expected


# --- who paints ---


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_the_processor_paints_for_itself_and_apples_gpu_and_says_nothing(device: str) -> None:
    made = device_augment.make_batch_maker(noise(), torch.device(device))
    assert (made.paints, made.notes()) == (False, [])
    assert isinstance(made.batch(np.arange(8), WILD, 0, 96, calm=False), Batch)


SIZE = 8 * 96 * 96 * 3


@pytest.mark.parametrize(
    ("free", "kind"), [(4 * SIZE, ResidentPixels), (4 * SIZE - 1, StreamedPixels), (0, StreamedPixels)]
)
def test_images_lie_on_the_device_where_they_take_a_quarter_of_its_memory(free: int, kind: type) -> None:
    pixel_source, said = device_augment.choose_pixel_source(noise(), CPU, lambda device: free)
    assert type(pixel_source) is kind
    told = {
        ResidentPixels: "Batches are made on cpu, which holds all 8 images (221 kB at 96 px).",
        StreamedPixels: "Batches are made on cpu; 8 images (221 kB at 96 px) take more than a quarter of its free"
        " memory and are copied to it batch by batch.",
    }
    assert said == told[kind]


def out_of_memory(*_: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB")


def test_images_that_do_not_fit_after_all_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_augment, "paints_well", lambda device: True)
    monkeypatch.setattr(ResidentPixels, "__init__", out_of_memory)
    pixel_source, said = device_augment.choose_pixel_source(noise(), CPU, lambda device: 4 * SIZE)
    assert isinstance(pixel_source, StreamedPixels)
    assert "(221 kB at 96 px) did not fit in its memory" in said


def test_a_device_that_paints_otherwise_paints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_augment.paints_well(CPU)
    real = device_paint._interpolated
    monkeypatch.setattr(device_paint, "_interpolated", lambda *given: 255 - real(*given))
    pixel_source, said = device_augment.choose_pixel_source(noise(), CPU, lambda device: 4 * SIZE)
    assert (pixel_source, said) == (
        None,
        "The processor makes the batches, because cpu did not paint a test batch correctly.",
    )

    def lacking(*_: Any) -> Any:
        raise NotImplementedError("The operator 'aten::bitwise_left_shift' is not implemented for the MPS device")

    monkeypatch.setattr(device_paint, "_interpolated", lacking)
    assert not device_augment.paints_well(CPU)


def test_memory_that_runs_out_leads_to_sending_and_then_to_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    data = noise()
    made = BatchMaker(data, CPU, ResidentPixels(data, CPU))
    given = np.arange(8), WILD, 3, 96
    expected = augment.augmented(data, *given, calm=False).images
    monkeypatch.setattr(ResidentPixels, "table", out_of_memory)
    first = made.batch(*given, calm=False)
    assert isinstance(first, DeviceBatch)
    assert np.abs(first.images.numpy().astype(int) - expected).max() <= (0 if IPP else 2)
    start = "The memory of cpu ran out while a batch was made; from now on"
    assert made.notes() == [Message("warning", f"{start} the images are copied to it batch by batch.")]
    assert made.notes() == [], "told once"
    monkeypatch.setattr(device_paint, "paint", out_of_memory)
    second = made.batch(*given, calm=False)
    assert isinstance(second, Batch)
    assert np.array_equal(second.images, expected)
    assert made.notes() == [Message("warning", f"{start} the processor makes the batches.")]


def test_other_errors_are_not_taken_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("CUDA error: device lost")

    monkeypatch.setattr(device_paint, "paint", broken)
    with pytest.raises(RuntimeError, match="device lost"):
        BatchMaker(noise(), CPU, ResidentPixels(noise(), CPU)).batch(np.arange(8), WILD, 0, 96, calm=False)


# --- in a training ---


def painting(monkeypatch: pytest.MonkeyPatch) -> list[AnyBatch]:
    """From now on trainings paint by tensors; gives their batches."""
    seen: list[AnyBatch] = []

    class Seen(BatchMaker):
        def batch(self, *given: Any, **more: Any) -> AnyBatch:
            seen.append(super().batch(*given, **more))
            return seen[-1]

    monkeypatch.setattr(
        device_augment,
        "make_batch_maker",
        lambda data, device: Seen(data, device, ResidentPixels(data, device), [Message("info", "Here.")]),
    )
    return seen


STILL = {"hue": 0.0, "saturation": 1.0, "exposure": 1.0}


def test_a_training_learns_the_same_from_painted_batches(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, there, broken = (request_of(name, evaluate_every=0, **STILL) for name in ("plain", "there", "broken"))
    list(run.train(straight))
    seen = painting(monkeypatch)
    assert "Here." in [event.sentence for event in only(list(run.train(there)), Message)]
    assert len(seen) >= 6
    assert all(isinstance(one, DeviceBatch) for one in seen)
    control = Control()
    for event in run.train(broken, control):
        if isinstance(event, Message | Progress):
            control.stop.set()
    assert only(list(run.resume(broken.folder)), Saved)
    if IPP:
        assert same(weights(straight.folder), weights(there.folder))
    assert same(weights(there.folder), weights(broken.folder)), "resumed exactly"


def test_what_runs_out_is_told_in_the_run(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    painting(monkeypatch)
    monkeypatch.setattr(device_paint, "paint", out_of_memory)
    said = [event.sentence for event in only(list(run.train(request_of(**STILL))), Message)]
    assert sum(sentence.startswith("The memory of cpu ran out") for sentence in said) == 2


def test_the_next_batch_takes_memory_while_the_worst_one_is_tried(
    stepper: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, card, seen = squares(), Card(8, 1000 * MB, monkeypatch), []

    class Seen(BatchMaker):
        def batch(self, indices: Any, settings: Any, step: int, side: int, **more: Any) -> AnyBatch:
            seen.append((len(card.tried), len(indices), side, more["calm"]))
            return super().batch(indices, settings, step, side, **more)

    assert memory_probe.fit_batch_parts(stepper, data, card.memory, Seen(data, CPU, ResidentPixels(data, CPU))) == []
    assert seen == [(0, 8, 128, False)], "before the step is tried"
    memory_probe.fit_batch_parts(stepper, data, card.memory, Seen(data, CPU, None))
    assert len(seen) == 1, "what the processor paints takes nothing there"


def test_an_estimate_counts_the_images_that_lie_on_the_card() -> None:
    """80 images of 30,000 bytes to learn from, beside 1 GB."""
    card = replace(MEASURED, device="cuda:0")
    assert made(replace(card, card=4 * 80 * 30_000)).memory == 1000_000_000 + 80 * 30_000
    assert made(replace(card, card=4 * 80 * 30_000 - 1)).memory == 1000_000_000
