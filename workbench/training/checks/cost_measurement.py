"""Measures what training a recipe costs on this machine, within seconds: real steps, on noise in place of images.

The steps are the run's own (augmentation ahead in a thread, replicas, precision, optimiser, average) with the project's
boxes, at the input side and at the largest side it may vary to. If a batch would take too long, a smaller one is
measured. This process keeps the memory it takes: a window that wants it back measures in a child process.

Of several processes one is measured, with its part of a batch on its card or its share of the cores.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import psutil
import torch

from workbench import detectors
from workbench.core import control_groups
from workbench.core.project import AnchorSet, Snapshot
from workbench.core.resize import FitMode
from workbench.training import prepare, schedule, validate
from workbench.training.batches import cache_policy, device_augment, image_views
from workbench.training.batches.data import Dataset, PixelStore, files_of
from workbench.training.batches.device_paint import AnyBatch
from workbench.training.batches.pixelless_data import load_without_pixels
from workbench.training.checks.estimate import MOMENTS, NUMBER, Estimate, Measurement, StepTiming, make_estimate
from workbench.training.ema import Average
from workbench.training.events import Control
from workbench.training.hardware import machine
from workbench.training.hardware.process_share import OneOfSeveral
from workbench.training.hardware.runtime import Runtime
from workbench.training.recipes import Recipe
from workbench.training.settings import TrainingSettings
from workbench.training.step import NORMS_SETTLED, Stepper

BUDGET = 6.0  # seconds for all steps
STEPS = 4  # of each side, after one that warms up
READ = 16  # number of image files, and of images of noise
WATCHED = 0.005  # seconds between two checks of the memory
EVALUATED = 0.4  # of an image's step: roughly the time of its evaluation, forward only but in fp32


def estimate(snapshot: Snapshot, recipe: Recipe, anchors: AnchorSet | None, budget: float = BUDGET) -> Estimate:
    """The estimate for a training that starts now. Changes torch's seed. WorkbenchError if it could not start."""
    begun = time.monotonic()
    own = recipe.detector_settings.resolved(tuple(label.name for label in snapshot.labels))
    recipe = replace(recipe, detector_settings=own)
    kind, settings = detectors.load_all().get(recipe.detector), recipe.training
    settings = replace(settings, sizes=0.0) if kind.fixed_size else settings
    train, validation, _ = prepare.select_images(snapshot, settings)
    train, validation = image_views.learnt_views(train, settings), image_views.evaluated_views(validation, settings)
    settings = schedule.lengthen(settings, len(train), settings.processes)
    multiple, mode = kind.chosen_multiple(own), kind.chosen_resize(own)
    side = schedule.largest_side(settings, own.input_px, multiple)
    data = _noise(load_without_pixels(train, side, mode, settings, own.pictures()))
    judged = _noise(load_without_pixels(validation, own.input_px, mode, settings))
    room = int(cache_policy.MEMORY_SHARE * control_groups.available_memory())
    machine.keep_freed_memory()
    several = settings.processes > 1
    runtime = OneOfSeveral(settings.processes) if several else Runtime()
    with machine.threads_each(runtime.threads(settings.device)):
        start = time.monotonic()
        torch.manual_seed(settings.seed)
        runtime.choose(settings, settings.precision)
        detector = prepare.build(recipe, len(snapshot.labels), anchors)
        detector.weigh_labels(prepare.label_weights(data, settings.label_balance))
        cores = max(control_groups.usable_cores() // settings.processes, 1)
        threads = min(settings.threads or cores, cores)
        stepper = Stepper(detector, settings, runtime, 1 if several else threads)  # without replicas
        with closing(stepper), _watched(runtime.device) as memory:
            bench = _Bench(data, settings, stepper)
            card = device_augment.free_bytes(runtime.device) if bench.maker.paints else 0
            starting, standing = time.monotonic() - start, memory.now() + bench.growth
            timings = bench.timings(own.input_px, budget)
            attacked = bench.attacked(timings[-1], budget) if settings.self_adversarial else 1.0
            evaluation = bench.evaluation(judged, timings[0], threads, budget) / settings.processes
    measured = Measurement(
        device=str(runtime.device), precision=runtime.precision.name, timings=timings, attacked=attacked,
        evaluation=evaluation, reading=_reading(train, side, mode, threads), starting=starting, memory=memory.most,
        standing=standing, parameters=bench.parameters, room=room, took=time.monotonic() - begun, card=card,
        multiple=multiple, processes=settings.processes,
    )  # fmt: skip
    views = (len(data), len(judged)) if settings.tiling else (0, 0)
    return make_estimate(measured, settings, own.input_px, data.image_count, judged.image_count, *views)


class _Bench:
    """Takes steps. The learning rate is 0, so that noise can't lead the weights astray."""

    def __init__(self, data: Dataset, settings: TrainingSettings, stepper: Stepper) -> None:
        self.data, self.settings, self.stepper = data, settings, stepper
        self.average = Average(stepper.detector, settings.ema)
        self.plan = schedule.Plan(len(data), settings.batch, settings.epochs, settings.seed)
        self.parameters: int = sum(p.numel() for p in stepper.detector.parameters() if p.requires_grad)
        self.most_at_once = stepper.micro
        self.share: int = stepper.runtime.own_slice(settings.batch).stop  # of a batch, what this process computes
        self.done = 0
        self.maker = device_augment.make_batch_maker(data, stepper.device)

    @property
    def growth(self) -> int:
        """Bytes that the first step adds permanently: gradients, and what the optimiser keeps."""
        return self.parameters * NUMBER * (1 + MOMENTS[self.settings.optimizer])

    def timings(self, input_px: int, budget: float) -> tuple[StepTiming, ...]:
        """At the input side and, where it varies, at the largest."""
        sides = sorted({input_px, self.data.side})
        few = min(self.share, 2 * len(self.stepper.replicas))
        slow = min(self._taken(self.data.side, few, 1, budget))
        images = int(few * budget / len(sides) / (STEPS + 1) / slow)
        self.images = max(few, min(images, self.share))
        by_all = self.images * self.settings.batch // self.share
        return tuple(
            StepTiming(px, by_all, tuple(self._taken(px, self.images, STEPS, budget / len(sides)))) for px in sides
        )

    def attacked(self, timing: StepTiming, budget: float) -> float:
        return min(self._taken(timing.px, self.images, 1, budget, attack=1.0)) / timing.typical

    def _taken(self, px: int, images: int, steps: int, budget: float, attack: float = 0.0) -> list[float]:
        """Seconds of each of up to `steps` steps after the first, fewer if that takes too long."""
        self.stepper.micro = min(self.most_at_once, -(-images // len(self.stepper.replicas)))
        taken: list[float] = []
        with ThreadPoolExecutor(1, "batch") as ahead:
            coming = self._order(ahead, px, images)
            while len(taken) <= steps and (len(taken) < 2 or sum(taken) < budget):
                start = time.perf_counter()
                batch, coming = coming.result(), self._order(ahead, px, images)
                self.stepper.step(batch, 0.0, NORMS_SETTLED + 1, attack)
                self.average.update(self.done)
                taken.append(time.perf_counter() - start)
        return taken[1:]

    def _order(self, ahead: ThreadPoolExecutor, px: int, images: int) -> Future[AnyBatch]:
        self.done += 1
        indices = self.plan.indices(self.done % max(self.plan.steps, 1))[:images]
        return ahead.submit(self.maker.batch, indices, self.settings, self.done, px, calm=False)

    def evaluation(self, judged: Dataset, timing: StepTiming, threads: int, budget: float) -> float:
        """Seconds for an image."""
        expected = EVALUATED * timing.typical / self.images
        number = max(threads, min(int(budget / 3 / expected), len(judged), 2 * threads * self.settings.batch))
        some = _first(judged, min(number, len(judged)))
        batch = min(self.settings.batch, -(-len(some) // threads))
        start = time.perf_counter()
        validate.evaluate(self.average.detector, some, self.stepper.runtime, batch, Control(), threads)
        return (time.perf_counter() - start) / len(some)


def _noise(data: Dataset) -> Dataset:
    """The boxes of `data` in images of noise."""
    images = min(READ, len(data))
    pixels = np.random.default_rng(0).integers(0, 256, (images, data.side, data.side, 3), dtype=np.uint8)
    return replace(data, pixels=pixels, rows=np.arange(len(data)) % images)


def _first(data: Dataset, number: int) -> Dataset:
    """The first images of `data`."""
    end = int(data.offsets[number])
    return replace(
        data, snapshot=data.snapshot.take(list(range(number))), rows=data.rows[:number], fits=data.fits[:number],
        boxes=data.boxes[:end], labels=data.labels[:end], ignore=data.ignore[:end], offsets=data.offsets[: number + 1],
    )  # fmt: skip


def _reading(train: Snapshot, side: int, mode: FitMode, threads: int) -> float:
    """Seconds per image, over evenly spread files with all their views; those that can't be read take no longer."""
    files = files_of(train)
    spread = np.unique(np.linspace(0, len(files) - 1, min(READ, len(files))).astype(int))
    some = train.take([index for number in spread for index in files[number]])
    store = PixelStore(some, side, mode, np.empty((len(some), side, side, 3), np.uint8))
    start = time.perf_counter()
    with ThreadPoolExecutor(threads, "read") as pool:
        list(pool.map(store.read, files_of(some)))
    return (time.perf_counter() - start) / len(some)


# --- memory ---


@dataclass
class _Memory:
    device: torch.device
    process: psutil.Process
    most: int = 0

    def now(self) -> int:
        """Bytes of memory of this process, or of its part of the graphics card's."""
        if self.device.type == "cuda":
            return int(torch.cuda.memory_reserved(self.device))
        if self.device.type == "mps":
            return int(torch.mps.driver_allocated_memory())
        return int(self.process.memory_info().rss)


@contextmanager
def _watched(device: torch.device) -> Iterator[_Memory]:
    """Watches the memory from a thread while the block runs; `most` is then the highest value seen."""
    memory, end = _Memory(device, psutil.Process()), threading.Event()

    def look() -> None:
        while not end.wait(WATCHED):
            memory.most = max(memory.most, memory.now())

    watcher = threading.Thread(target=look, name="memory", daemon=True)
    watcher.start()
    try:
        yield memory
    finally:
        end.set()
        watcher.join()
        memory.most = max(memory.most, memory.now())
