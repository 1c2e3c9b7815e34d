"""Makes a training's batches: on an NVIDIA card from pixels on it, else with OpenCV.

The decision is made here. A card keeps all images if they take at most a quarter of its free memory; else each batch's
images are copied to it from pinned memory, without waiting. If memory runs out, the first way falls back to the second,
and the second to OpenCV; the batches are the same (device_paint.py says to which bit). Refused: a separate stream for
painting. It would still share the card with the step, and the reuse of memory would have to be ordered by events. And
to paint on Apple's GPU: batches are made in a thread of their own, and PyTorch ends the process when two threads use
that GPU (pytorch/pytorch#197805).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.core import formatting
from workbench.core.resize import Fit
from workbench.training.batches import augment, cache_policy, device_paint
from workbench.training.batches.augment import Batch, BatchLayout
from workbench.training.batches.data import Dataset
from workbench.training.batches.device_paint import DeviceBatch, PixelTable
from workbench.training.checks.estimate import fits_card
from workbench.training.events import Message
from workbench.training.hardware import gpu
from workbench.training.settings import TrainingSettings

UPLOADED = 64 * 2**20  # bytes at a time, when all images are copied to the device
UNDER_WAY = 2  # batches whose pixels may be in pinned memory at once
APART = 8  # levels: OpenCV's other conversion from HSV differs by up to 7
TRIED = TrainingSettings(
    mosaic=0.5, mixup=0.5, cutmix=0.5, flip=0.5, flip_vertical=0.5, translate=0.3, contrast=1.2, seed=0
)

FreeMemory = Callable[[torch.device], int]


def free_bytes(device: torch.device) -> int:
    """The card's memory that torch could take now."""
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


class ResidentPixels:
    """All images on the device."""

    def __init__(self, data: Dataset, device: torch.device) -> None:
        rows, self.at = np.unique(data.rows, return_inverse=True)  # an estimate uses few rows for many images
        self.side = data.side
        self.pixels = torch.empty((len(rows), self.side, self.side, 3), dtype=torch.uint8, device=device)
        some = max(UPLOADED // self.pixels[0].numel(), 1)
        for start in range(0, len(rows), some):
            self.pixels[start : start + some] = torch.from_numpy(data.pixels[rows[start : start + some]])

    def table(self, layout: BatchLayout) -> PixelTable:
        pieces = device_paint.needed_pieces(layout)
        return PixelTable(self.pixels.view(-1, 3), self.side, self.at[layout.pieces.source[pieces]] * self.side)


class Brake:
    """Holds back who sends batches to an NVIDIA card, which copies them from pinned memory: a processor a hundred steps
    ahead would pin that of a hundred batches, which is never returned. Elsewhere nobody gets ahead.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._under_way: deque[torch.cuda.Event] = deque()

    def wait(self) -> None:
        """Call before a batch is made."""
        if len(self._under_way) == UNDER_WAY:
            self._under_way.popleft().synchronize()

    def mark(self) -> None:
        """Call after it is made, or sent."""
        if self.device.type == "cuda":
            self._under_way.append(gpu.mark(self.device))


class StreamedPixels:
    """Each batch's visible rows of pixels, copied to the device."""

    def __init__(self, data: Dataset, device: torch.device) -> None:
        self.pixels, self.rows, self.device = np.asarray(data.pixels), data.rows, device
        self._brake = Brake(device)

    def table(self, layout: BatchLayout) -> PixelTable:
        pieces, cuda = device_paint.needed_pieces(layout), self.device.type == "cuda"
        self._brake.wait()
        first, last = layout.pieces.seen[pieces, 1], layout.pieces.seen[pieces, 3]
        ends = np.cumsum(last - first)
        side = self.pixels.shape[1]
        block = torch.empty((int(ends[-1]), side, 3), dtype=torch.uint8, pin_memory=cuda)
        _gather(self.pixels, self.rows[layout.pieces.source[pieces]], first, last, block.numpy())
        there = block.to(self.device, non_blocking=cuda)
        self._brake.mark()
        return PixelTable(there.view(-1, 3), side, ends - last)


def _gather(
    pixels: NDArray[np.uint8], images: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64],
    into: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Rows `first` to `last` of each image, stacked."""
    at = 0
    for image, low, high in zip(images.tolist(), first.tolist(), last.tolist(), strict=True):
        into[at : at + high - low] = pixels[image, low:high]
        at += high - low


class BatchMaker:
    """Makes the batches. `pixel_source`: how the device gets pixels; None: OpenCV paints. For one thread at a time."""

    def __init__(
        self,
        data: Dataset,
        device: torch.device,
        pixel_source: ResidentPixels | StreamedPixels | None,
        notes: Sequence[Message] = (),
    ) -> None:
        self.data, self.device, self.pixel_source = data, device, pixel_source
        self._brake, self._notes = Brake(device), list(notes)

    @property
    def paints(self) -> bool:
        """Whether the device paints."""
        return self.pixel_source is not None

    def batch(
        self, indices: NDArray[np.int64], settings: TrainingSettings, step: int, side: int, *, calm: bool,
        part: slice = slice(None),
    ) -> Batch | DeviceBatch:  # fmt: skip
        """What augment.augmented() gives; on the device if that paints."""
        if self.pixel_source is None:
            self._brake.wait()
            made = augment.augmented(self.data, indices, settings, step, side, calm=calm, part=part)
            self._brake.mark()
            return made
        layout = augment.draw_layout(self.data, indices, settings, step, side, calm=calm, part=part)
        while self.pixel_source is not None and len(layout.here):
            painted = self._painted(self.pixel_source, layout)
            if painted is not None:
                return painted
            self._fall_back()  # after the except block, whose traceback would keep the tensors alive
        return augment.paint_on_cpu(self.data, layout)

    def notes(self) -> list[Message]:
        """New messages since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def _painted(self, pixel_source: ResidentPixels | StreamedPixels, layout: BatchLayout) -> DeviceBatch | None:
        """None if memory ran out."""
        try:
            return device_paint.paint(layout, pixel_source.table(layout))
        except RuntimeError as error:
            if not gpu.is_out_of_memory(error):
                raise
            return None

    def _fall_back(self) -> None:
        kept = isinstance(self.pixel_source, ResidentPixels)
        self.pixel_source = StreamedPixels(self.data, self.device) if kept else None
        gpu.empty_cache(self.device)
        now = "the images are copied to it batch by batch" if kept else "the processor makes the batches"
        sentence = f"The memory of {self.device} ran out while a batch was made; from now on {now}."
        self._notes.append(Message("warning", sentence))


def make_batch_maker(data: Dataset, device: torch.device, free: FreeMemory = free_bytes) -> BatchMaker:
    """The BatchMaker for a training on this device. Its notes say where the batches are made."""
    if device.type != "cuda":  # on the processor torch paints at a quarter of OpenCV's speed
        return BatchMaker(data, device, None)
    pixel_source, sentence = choose_pixel_source(data, device, free)
    return BatchMaker(data, device, pixel_source, [Message("info", sentence)])


def choose_pixel_source(
    data: Dataset, device: torch.device, free: FreeMemory
) -> tuple[ResidentPixels | StreamedPixels | None, str]:
    """How batches are made, and a sentence about it."""
    if not paints_well(device):
        return None, f"The processor makes the batches, because {device} did not paint a test batch correctly."
    size = cache_policy.size(len(data), data.side)
    number = formatting.count_views(len(data), data.originals is not None)
    images = f"{number} ({formatting.size(size)} at {data.side} px)"
    why = "take more than a quarter of its free memory"
    if fits_card(size, free(device)):
        try:
            return ResidentPixels(data, device), f"Batches are made on {device}, which holds all {images}."
        except RuntimeError as error:
            if not gpu.is_out_of_memory(error):
                raise
            why = "did not fit in its memory"
        gpu.empty_cache(device)
    return (
        StreamedPixels(data, device),
        f"Batches are made on {device}; {images} {why} and are copied to it batch by batch.",
    )


def paints_well(device: torch.device) -> bool:
    """Whether this device paints a small batch the way OpenCV does."""
    random, count = np.random.default_rng(0), 4
    data = Dataset(
        snapshot=None,  # type: ignore[arg-type]  # not looked at
        pixels=random.integers(0, 256, (count, 48, 48, 3), np.uint8), rows=np.arange(count),
        fits=(Fit(1, 1),) * count, boxes=np.zeros((0, 4), np.float32), labels=np.zeros(0, np.int64),
        ignore=np.zeros(0, bool), offsets=np.zeros(count + 1, np.int64),
    )  # fmt: skip
    layout = augment.draw_layout(data, np.arange(count), TRIED, 0, 64, calm=False)
    try:
        made = device_paint.paint(layout, ResidentPixels(data, device).table(layout)).images.cpu().numpy()
    except (RuntimeError, TypeError) as error:  # the device lacks an operation or a dtype
        logging.getLogger(__name__).warning("no batch can be painted on %s: %s", device, error)
        return False
    apart = np.abs(made.astype(int) - augment.paint_on_cpu(data, layout).images)
    return int(apart.max()) <= APART
