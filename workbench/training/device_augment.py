"""Makes a training's batches where its network is: on a graphics card from pixels on it, else with OpenCV.

The decision is made here. A card keeps all images if they take at most a quarter of its free memory; else each batch's
images are copied to it from pinned memory, without waiting. If memory runs out, the first way falls back to the second,
and the second to OpenCV; the batches are the same (device_paint.py says to which bit). Refused: a separate stream for
painting. It would still share the card with the step, and the reuse of memory would have to be ordered by events.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.core import words
from workbench.core.resize import Fit
from workbench.training import augment, cards, device_paint, keeping
from workbench.training.augment import Batch, Drawing
from workbench.training.data import Dataset
from workbench.training.device_paint import Painted, Source
from workbench.training.estimate import fits_card
from workbench.training.events import Message
from workbench.training.settings import TrainingSettings

UPLOADED = 64 * 2**20  # bytes at a time, when all images are copied to the device
UNDER_WAY = 2  # batches whose pixels may be in pinned memory at once
APART = 8  # levels: OpenCV's other conversion from HSV differs by up to 7
TRIED = TrainingSettings(
    mosaic=0.5, mixup=0.5, cutmix=0.5, flip=0.5, flip_vertical=0.5, translate=0.3, contrast=1.2, seed=0
)

Free = Callable[[torch.device], int]


def free_bytes(device: torch.device) -> int:
    """The card's memory that torch could take now."""
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


class Kept:
    """All images on the device."""

    def __init__(self, data: Dataset, device: torch.device) -> None:
        rows, self.at = np.unique(data.rows, return_inverse=True)  # an estimate uses few rows for many images
        self.side = data.side
        self.pixels = torch.empty((len(rows), self.side, self.side, 3), dtype=torch.uint8, device=device)
        some = max(UPLOADED // self.pixels[0].numel(), 1)
        for start in range(0, len(rows), some):
            self.pixels[start : start + some] = torch.from_numpy(data.pixels[rows[start : start + some]])

    def source(self, drawing: Drawing) -> Source:
        pieces = device_paint.needed_pieces(drawing)
        return Source(self.pixels.view(-1, 3), self.side, self.at[drawing.pieces.source[pieces]] * self.side)


class Sent:
    """Each batch's visible rows of pixels, copied to the device."""

    def __init__(self, data: Dataset, device: torch.device) -> None:
        self.pixels, self.rows, self.device = np.asarray(data.pixels), data.rows, device
        self._under_way: deque[torch.cuda.Event] = deque()

    def source(self, drawing: Drawing) -> Source:
        pieces, cuda = device_paint.needed_pieces(drawing), self.device.type == "cuda"
        if len(self._under_way) == UNDER_WAY:  # else a processor far ahead would pin ever more memory
            self._under_way.popleft().synchronize()
        first, last = drawing.pieces.seen[pieces, 1], drawing.pieces.seen[pieces, 3]
        ends = np.cumsum(last - first)
        side = self.pixels.shape[1]
        block = torch.empty((int(ends[-1]), side, 3), dtype=torch.uint8, pin_memory=cuda)
        _gather(self.pixels, self.rows[drawing.pieces.source[pieces]], first, last, block.numpy())
        there = block.to(self.device, non_blocking=cuda)
        if cuda:
            self._under_way.append(torch.cuda.current_stream(self.device).record_event())
        return Source(there.view(-1, 3), side, ends - last)


def _gather(
    pixels: NDArray[np.uint8], images: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64],
    into: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Rows `first` to `last` of each image, stacked."""
    at = 0
    for image, low, high in zip(images.tolist(), first.tolist(), last.tolist(), strict=True):
        into[at : at + high - low] = pixels[image, low:high]
        at += high - low


class Maker:
    """Makes the batches. `way`: how the device gets pixels; None: OpenCV paints. For one thread at a time."""

    def __init__(
        self, data: Dataset, device: torch.device, way: Kept | Sent | None, notes: Sequence[Message] = ()
    ) -> None:
        self.data, self.device, self.way = data, device, way
        self._notes = list(notes)

    @property
    def paints(self) -> bool:
        """Whether the device paints."""
        return self.way is not None

    def batch(
        self, indices: NDArray[np.int64], settings: TrainingSettings, step: int, side: int, *, calm: bool,
        part: slice = slice(None),
    ) -> Batch | Painted:  # fmt: skip
        """What augment.augmented() gives; on the device if that paints."""
        if self.way is None:
            return augment.augmented(self.data, indices, settings, step, side, calm=calm, part=part)
        drawing = augment.drawn(self.data, indices, settings, step, side, calm=calm, part=part)
        while self.way is not None and len(drawing.here):
            made = self._painted(self.way, drawing)
            if made is not None:
                return made
            self._give_way()  # after the except block, whose traceback would keep the tensors alive
        return augment.on_host(self.data, drawing)

    def notes(self) -> list[Message]:
        """New messages since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def _painted(self, way: Kept | Sent, drawing: Drawing) -> Painted | None:
        """None if memory ran out."""
        try:
            return device_paint.paint(drawing, way.source(drawing))
        except RuntimeError as error:
            if not cards.ran_out(error):
                raise
            return None

    def _give_way(self) -> None:
        kept = isinstance(self.way, Kept)
        self.way = Sent(self.data, self.device) if kept else None
        cards.empty_cache(self.device)
        now = "the images are copied to it batch by batch" if kept else "the processor makes the batches"
        sentence = f"The memory of {self.device} ran out while a batch was made; from now on {now}."
        self._notes.append(Message("warning", sentence))


def maker(data: Dataset, device: torch.device, free: Free = free_bytes) -> Maker:
    """The Maker for a training on this device. Its notes say where the batches are made."""
    if device.type == "cpu":  # where torch paints at a quarter of OpenCV's speed
        return Maker(data, device, None)
    way, sentence = chosen_way(data, device, free)
    return Maker(data, device, way, [Message("info", sentence)])


def chosen_way(data: Dataset, device: torch.device, free: Free) -> tuple[Kept | Sent | None, str]:
    """How batches are made, and a sentence about it."""
    if not paints_well(device):
        return None, f"The processor makes the batches, because {device} did not paint a test batch correctly."
    size = keeping.size(len(data), data.side)
    images = f"{words.count(len(data), 'image')} ({words.size(size)} at {data.side} px)"
    why = "take more than a quarter of its free memory"
    if fits_card(size, free(device)):
        try:
            return Kept(data, device), f"Batches are made on {device}, which holds all {images}."
        except RuntimeError as error:
            if not cards.ran_out(error):
                raise
            why = "did not fit in its memory"
        cards.empty_cache(device)
    return Sent(data, device), f"Batches are made on {device}; {images} {why} and are copied to it batch by batch."


def paints_well(device: torch.device) -> bool:
    """Whether this device paints a small batch the way OpenCV does."""
    random, count = np.random.default_rng(0), 4
    data = Dataset(
        snapshot=None,  # type: ignore[arg-type]  # not looked at
        pixels=random.integers(0, 256, (count, 48, 48, 3), np.uint8), rows=np.arange(count),
        fits=(Fit(1, 1),) * count, boxes=np.zeros((0, 4), np.float32), labels=np.zeros(0, np.int64),
        ignore=np.zeros(0, bool), offsets=np.zeros(count + 1, np.int64),
    )  # fmt: skip
    drawing = augment.drawn(data, np.arange(count), TRIED, 0, 64, calm=False)
    try:
        made = device_paint.paint(drawing, Kept(data, device).source(drawing)).images.cpu().numpy()
    except (RuntimeError, TypeError) as error:  # the device lacks an operation or a dtype
        logging.getLogger(__name__).warning("no batch can be painted on %s: %s", device, error)
        return False
    apart = np.abs(made.astype(int) - augment.on_host(data, drawing).images)
    return int(apart.max()) <= APART
