"""E1: a training costs its steps. E2, E3: mosaics, by card and by processor. F3: no step waits. Steps in bf16."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.benchmarks.mosaics import four_decodes
from tests.training.slow_device import SlowRuntime
from tests.training.waits import Waits
from workbench.core.project import Snapshot
from workbench.core.resize import Fit
from workbench.detectors.parts import losses
from workbench.training import loop, prepare, recipes, run
from workbench.training.batches import augment, device_augment, device_paint
from workbench.training.batches.augment import Batch
from workbench.training.batches.data import Dataset
from workbench.training.batches.device_paint import AnyBatch
from workbench.training.ema import Average
from workbench.training.hardware import machine
from workbench.training.hardware.machine import Precision
from workbench.training.hardware.runtime import Runtime
from workbench.training.step import Stepper

FULL = os.environ.get("WORKBENCH_FULL_BENCHMARKS") == "1"
CPU = torch.device("cpu")
SIDE, IMAGES = 256, 4


def batch() -> Batch:
    random = np.random.default_rng(0)
    boxes = np.zeros((IMAGES, 16, 4), np.float32)
    boxes[:, 0] = (20, 20, 90, 90)
    labels = np.full((IMAGES, 16), -1)
    labels[:, 0] = 0
    return Batch(
        random.integers(0, 255, (IMAGES, SIDE, SIDE, 3), np.uint8), boxes, labels, np.zeros((IMAGES, 16), bool)
    )


def stepper(precision: str, layout: torch.memory_format) -> Stepper:
    recipe = recipes.preset("quick-cpu").changed({"input_px": SIDE, "width": 1.0})
    made = Stepper(
        prepare.build(recipe, 3, None), replace(recipe.training, batch=IMAGES), Runtime(CPU, Precision(precision, ""))
    )
    made.detector.to(memory_format=layout)
    return made


def seconds(made: Stepper, some: Batch) -> float:
    start = time.process_time()  # of all threads: other programs on the machine don't count
    made.step(some, 1e-4)
    return time.process_time() - start


@pytest.mark.slow
def test_bf16_in_channels_last_is_much_faster_than_fp32() -> None:
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    if not supported:
        pytest.skip("this processor has no bf16 instructions")
    some = batch()
    with machine.one_thread_each():
        fast, plain = stepper("bf16", torch.channels_last), stepper("fp32", torch.contiguous_format)
        times = [(seconds(fast, some), seconds(plain, some)) for _ in range(6)][1:]  # interleaved, the first warms up
    ratio = min(slow for _, slow in times) / min(quick for quick, _ in times)
    print(f"bf16 channels-last is {ratio:.2f} times as fast as fp32")
    assert ratio >= 1.5  # of a whole step with its loss in fp32; 1.7 to 1.8 were measured


BOX = np.array([20, 20, 90, 90], np.float32)


def kept(pixels: np.ndarray) -> Dataset:
    """Pixels (n, side, side, 3) with a box each."""
    count = len(pixels)
    return Dataset(
        snapshot=None,  # not looked at
        pixels=pixels, rows=np.arange(count), fits=(Fit(1, 1),) * count,
        boxes=np.tile(BOX, (count, 1)), labels=np.zeros(count, np.int64),
        ignore=np.zeros(count, bool), offsets=np.arange(count + 1),
    )  # fmt: skip


@pytest.mark.slow
def test_making_a_batch_costs_a_small_share_of_computing_it() -> None:
    random = np.random.default_rng(0)
    data = kept(random.integers(0, 255, (16, SIDE, SIDE, 3), np.uint8))
    settings = replace(recipes.preset("quick-cpu").training, mosaic=1.0)
    with machine.one_thread_each():
        made = stepper("fp32", torch.channels_last)
        making, computing = [], []
        for step in range(5):
            start = time.process_time()
            some = augment.augmented(data, np.arange(IMAGES), settings, step, SIDE, calm=False)
            making.append(time.process_time() - start)
            computing.append(seconds(made, some))
    share = min(making) / min(computing)
    print(f"making a mosaic batch takes {share:.1%} of computing it")
    assert share < 0.2


@pytest.mark.slow
def test_e3_a_mosaic_from_kept_pixels_costs_a_quarter_of_one_with_four_decodes(test_data: Path) -> None:
    """Of one core, on photographs of the size of COCO's."""
    side, count = 416, 16
    shots = [cv2.imread(str(test_data / "images" / f"{name}.jpg")) for name in ("dog", "eagle", "giraffe", "horses")]
    files = [cv2.imencode(".jpg", cv2.resize(shot, (640, 427)))[1].tobytes() for shot in shots]
    random = np.random.default_rng(0)
    pixels = np.stack([cv2.resize(shots[at % 4], (side, side))[..., ::-1] for at in range(count)])
    data = kept(pixels)
    settings = replace(recipes.preset("yolov4-paper").training, mosaic=1.0, mixup=0.0, cutmix=0.0)
    with machine.one_thread_each():
        ours, theirs = [], []
        for step in range(8):
            start = time.process_time()
            augment.augmented(data, np.arange(count), settings, step, side, calm=False)
            ours.append((time.process_time() - start) / count)
            start = time.process_time()
            for _ in range(4):
                four_decodes(files, random, side)
            theirs.append((time.process_time() - start) / 4)
    print(f"a mosaic: {1000 * min(ours):.2f} ms from kept pixels, {1000 * min(theirs):.2f} ms with four decodes")
    assert min(theirs) >= 4 * min(ours)


def of_many(pixels: np.ndarray, boxes: int) -> Dataset:
    """Pixels (n, side, side, 3) with some boxes each."""
    count = len(pixels) * boxes
    return replace(
        kept(pixels), boxes=np.tile(BOX, (count, 1)), labels=np.zeros(count, np.int64),
        ignore=np.zeros(count, bool), offsets=np.arange(len(pixels) + 1) * boxes,
    )  # fmt: skip


@pytest.mark.slow
def test_e2_a_mosaic_that_a_card_paints_costs_a_twentieth_of_one_with_four_decodes(test_data: Path) -> None:
    """Of one core: drawing it with its boxes, copying the pixels that are seen where the card does not hold them, and
    the tables and calls of the painting. These are timed on images of 8 px in as many chunks, as there is no card here:
    starting an operation on one costs about what doing it on so few pixels does.
    """
    side, count = 416, 64
    shots = [cv2.imread(str(test_data / "images" / f"{name}.jpg")) for name in ("dog", "eagle", "giraffe", "horses")]
    files = [cv2.imencode(".jpg", cv2.resize(shot, (640, 427)))[1].tobytes() for shot in shots]
    data = of_many(np.stack([cv2.resize(shots[at % 4], (side, side))[..., ::-1] for at in range(count)]), 7)
    small = of_many(np.zeros((count, 8, 8, 3), np.uint8), 7)
    held = device_augment.ResidentPixels(small, CPU)
    settings = replace(recipes.preset("yolov4-paper").training, mosaic=1.0, mixup=0.0, cutmix=0.0)
    chunk = max(device_paint.AT_ONCE // side**2, 1)
    block = np.ones((4 * count * side, side, 3), np.uint8)  # as pinned memory: taken once, used again
    random, given = np.random.default_rng(0), (np.arange(count), settings)
    drawing, gathering, calling, theirs = [], [], [], []
    with machine.one_thread_each():
        for step in range(8):
            start = time.thread_time()
            drawn = augment.draw_layout(data, *given, step, side, calm=False)
            drawing.append((time.thread_time() - start) / count)
            start = time.thread_time()
            pieces = device_paint.needed_pieces(drawn)
            first, last = drawn.pieces.seen[pieces, 1], drawn.pieces.seen[pieces, 3]
            device_augment._gather(data.pixels, data.rows[drawn.pieces.source[pieces]], first, last, block)
            gathering.append((time.thread_time() - start) / count)
            tiny = augment.draw_layout(small, *given, step, 8, calm=False)
            start = time.thread_time()
            device_paint.paint(tiny, held.table(tiny), at_once=64 * chunk)
            calling.append((time.thread_time() - start) / count)
            start = time.thread_time()
            for _ in range(4):
                four_decodes(files, random, side)
            theirs.append((time.thread_time() - start) / 4)
    ours = min(drawing), min(gathering), min(calling)
    parts = "{:.3f} ms to draw, {:.3f} to copy, {:.3f} to call".format(*(1000 * part for part in ours))
    print(
        f"a mosaic: {parts}; {1000 * min(theirs):.2f} ms with four decodes: {min(theirs) / sum(ours):.0f} times as much"
    )
    assert min(theirs) >= 20 * sum(ours)


def step_times(snapshot: Snapshot, folder: Path, monkeypatch: pytest.MonkeyPatch, epochs: int) -> list[float]:
    """CPU seconds from the beginning of each step to that of the next, in which the next one's batch is made."""
    changed = {"epochs": epochs, "evaluate_every": 0, "input_px": 224, "width": 0.5}
    recipe = recipes.preset("quick-cpu").changed(changed)
    begun: list[float] = []
    order = Stepper.queue

    def timed(*given: Any, **more: Any) -> Any:
        begun.append(time.process_time())
        return order(*given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Stepper, "queue", timed)
        list(run.train(run.RunRequest(folder, snapshot, recipe, None)))
    return np.diff(begun).tolist()


TURN = 4  # steps


@pytest.mark.slow
def test_e1_a_training_costs_what_its_steps_cost(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole pipeline, mosaics and all, has 97 % of the speed of the same loop on one batch again and again.

    They take turns in one training: of two trainings, one after the other, the machine's mood decides.
    """
    real = loop.Training._batch
    made: list[AnyBatch] = []

    def is_real(step: int) -> bool:
        return step // TURN % 2 == 0

    def batch_of(self: loop.Training, step: int) -> AnyBatch:
        if is_real(step) or not made:
            made[:] = [real(self, step)]
        return made[0]

    monkeypatch.setattr(loop.Training, "_batch", batch_of)
    whole: list[float] = []
    alone: list[float] = []
    for step, seconds in enumerate(step_times(snapshot, tmp_path / "run", monkeypatch, 8 if FULL else 4)):
        if step and is_real(step) is is_real(step + 1):  # the first one and those between two turns are neither
            (whole if is_real(step) else alone).append(seconds)
    share = float(np.quantile(alone, 0.25) / np.quantile(whole, 0.25))  # what disturbs a step makes it slower only
    print(f"steps alone take {share:.1%} of the time of the pipeline ({len(whole)} and {len(alone)} steps)")
    assert share >= (0.97 if FULL else 0.9)  # a few steps' times differ by some percent


ONE_OF_A_KIND = (  # of its loss; what they share is counted once
    *("yolov1-tiny", "yolov2-tiny", "yolo9000", "yolov3-tiny", "yolov4-tiny", "yolov4-csp"),
    *("ssdlite", "retinanet", "retinanet-v2", "fcos", "faster-rcnn"),
)


@pytest.mark.parametrize("name", ONE_OF_A_KIND)
def test_f3_no_step_waits_for_a_graphics_card(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "PROCESSOR", "none")  # as on a card
    recipe = recipes.preset("quick-cpu").with_detector(name).changed({"input_px": 128, "width": 0.1})
    made = Stepper(prepare.build(recipe, 3, None), replace(recipe.training, batch=2), SlowRuntime(1000))
    some = batch()
    small = Batch(some.images[:2, :128, :128], some.boxes[:2] / np.float32(2), some.labels[:2], some.ignore[:2])
    average = Average(made.detector, 0.9)
    with machine.one_thread_each():
        made.queue(small, 1e-4, 0)
        average.update(1, made.over)
        with Waits() as waits:
            made.queue(small, 1e-4, 1)
            average.update(2, made.over)
            assert list(made.results()) == []
    made.close()
    assert waits.found == {}
