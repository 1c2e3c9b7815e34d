"""Before the first step on a graphics card: how many images of the largest possible size go through at once.

If memory runs out during a training, that also halves the parts of a batch (step.py). Here the largest input side and
the most boxes are tried, beside the next batch, which is painted meanwhile, and the images kept on the card. Room is
left for what comes later: momentum, an evaluation, other programs.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from workbench.detectors.parts.sync_norm import check_parts, has_sync_norms, plain_norms
from workbench.errors import WorkbenchError
from workbench.training import schedule
from workbench.training.batches.augment import ROOM, Batch
from workbench.training.batches.data import Dataset
from workbench.training.batches.device_augment import BatchMaker
from workbench.training.batches.device_paint import AnyBatch
from workbench.training.checks.estimate import MOMENTS
from workbench.training.events import Message
from workbench.training.hardware.compiling import unchanged
from workbench.training.hardware.runtime import Runtime
from workbench.training.step import Stepper

FULL = 0.9  # of the memory that was free: more counts as too much


@dataclass(frozen=True)
class DeviceMemory:
    """A device's memory. `begin` resets the peak, `peak` gives it in bytes; `room`: bytes that were free at first."""

    begin: Callable[[], None]
    peak: Callable[[], int]
    room: int


def gpu_memory(device: torch.device) -> DeviceMemory:
    free, _ = torch.cuda.mem_get_info(device)
    return DeviceMemory(
        lambda: torch.cuda.reset_peak_memory_stats(device),
        lambda: torch.cuda.max_memory_reserved(device),
        free + torch.cuda.memory_reserved(device),
    )


def worst_case_batch(data: Dataset, stepper: Stepper) -> Batch:
    """This process's share of a batch of the largest side, every image with as many boxes as any may have."""
    settings = stepper.settings
    part = stepper.runtime.own_slice(settings.batch)
    images, side = part.stop - part.start, _largest_side(stepper)
    together = (4 if settings.mosaic else 1) * (2 if settings.mixup or settings.cutmix else 1)
    most = int(np.diff(data.offsets).max(initial=0)) * together
    room = max(ROOM, -(-most // ROOM) * ROOM)
    random = np.random.default_rng(0)
    low = random.uniform(0, side * 0.9, (images, room, 2))
    boxes = np.concatenate([low, low + random.uniform(4, side * 0.1, (images, room, 2))], axis=2).astype(np.float32)
    labels = np.where(np.arange(room) < most, 0, -1)
    return Batch(
        np.zeros((images, side, side, 3), np.uint8), boxes, np.tile(labels, (images, 1)), np.zeros((images, room), bool)
    )


def fit_batch_parts(
    stepper: Stepper, data: Dataset, memory: DeviceMemory, maker: BatchMaker | None = None
) -> list[Message]:
    """Halve the parts of a batch until the worst one fits with room to spare; the network is unchanged.

    `maker`: makes the training's batches, the next of which takes memory while one is computed.
    WorkbenchError if a single image does not fit. Other errors are left for the first step to report.

    Several processes try at the same time, each with its own share and alone, as memory may run out in one and not in
    another; the fewest images that any can take at a time are those of all.
    """
    begun, problem = stepper.micro, None
    batch, part = worst_case_batch(data, stepper), stepper.runtime.own_slice(stepper.settings.batch)
    try:
        with _alone(stepper):
            _fit(stepper, batch, part, memory, maker)
    except WorkbenchError as error:
        problem = error
    _agree(stepper, problem)
    messages = [] if maker is None else maker.notes()
    if stepper.micro == begun:
        return messages
    sentence = f"Images go through {stepper.micro:,} at a time, because {begun:,} do not fit in memory."
    return [*messages, Message("info", f"{sentence} What is learnt from a batch stays the same.")]


@contextlib.contextmanager
def _alone(stepper: Stepper) -> Iterator[None]:
    """Within it a trial involves no other process."""
    runtime = stepper.runtime
    if runtime.world > 1:
        stepper.runtime = Runtime(stepper.device, runtime.precision)
    try:
        with plain_norms(stepper.detector):
            yield
    finally:
        stepper.runtime = runtime


def _fit(stepper: Stepper, batch: Batch, part: slice, memory: DeviceMemory, maker: BatchMaker | None) -> None:
    weights = sum(p.numel() * p.element_size() for p in stepper.detector.parameters() if p.requires_grad)
    later = weights * MOMENTS[stepper.settings.optimizer]
    try:
        with unchanged(stepper):
            while True:
                memory.begin()
                coming = _coming(maker, stepper, part)
                fits = stepper.trial_loss_terms(batch) is not None
                del coming
                if fits and (stepper.micro == 1 or memory.peak() + later <= FULL * memory.room):
                    break
                stepper.halve()
    except RuntimeError:
        logging.getLogger(__name__).exception("the memory could not be tried out")
    memory.begin()  # the peak that is told later is the training's


def _agree(stepper: Stepper, problem: WorkbenchError | None) -> None:
    """Take the fewest images at a time of all processes that had to halve theirs; `problem`: not even one fits here."""
    runtime, whole = stepper.runtime, stepper.settings.batch
    own = 0 if problem is not None else stepper.micro if stepper.halved else whole
    least = -runtime.agree(-own)
    sentences = runtime.gather(problem.sentence if problem is not None else "")

    def check() -> None:
        if not least:
            raise WorkbenchError(next(filter(None, sentences)), problem)
        if least < whole and has_sync_norms(stepper.detector):
            check_parts(whole, runtime.world, least)

    runtime.broadcast(check)
    if least < stepper.micro:
        stepper.micro, stepper.halved = least, True


def _coming(maker: BatchMaker | None, stepper: Stepper, part: slice) -> AnyBatch | None:
    """This process's share, `part`, of a batch of the largest side."""
    if maker is None or not maker.paints:
        return None
    settings = stepper.settings
    indices = np.arange(settings.batch) % len(maker.data)
    return maker.batch(indices, settings, 0, _largest_side(stepper), calm=False, part=part)


def _largest_side(stepper: Stepper) -> int:
    detector = stepper.detector
    return schedule.largest_side(stepper.settings, detector.settings.input_px, detector.side_multiple)
