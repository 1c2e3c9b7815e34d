"""The images of a training, read once, brought to the network's size and kept as bytes, with their boxes beside them.

n = images, m = boxes, S = side of the network input. Boxes are xyxy in network pixels. Reading and resizing leave
Python's lock free, so threads help. Kept in memory, or in a temporary file mapped into memory when they are many.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.core import images
from workbench.core.project import Image, Snapshot, State
from workbench.core.resize import Fit, How, fit
from workbench.errors import Refused, WorkbenchError
from workbench.training.events import Control, Message

MEMORY_SHARE = 0.4  # of what is free now: more goes to a mapped file
TELL_EVERY = 5.0  # seconds between two messages while images are read
NAMED = 5  # unreadable images named in the message, the others are counted
READ_AHEAD = 64  # images handed to the threads at a time, so that Stop need not wait for all


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images that could be read. `rows[i]` is where image i of `snapshot` lies in `pixels`."""

    snapshot: Snapshot
    pixels: NDArray[np.uint8]  # (n or more, S, S, 3) RGB
    rows: NDArray[np.int64]  # (n,)
    fits: tuple[Fit, ...]  # (n,) original <-> network pixels
    boxes: NDArray[np.float32]  # (m, 4), rows as in snapshot
    labels: NDArray[np.int64]  # (m,) indices of snapshot.labels
    ignore: NDArray[np.bool_]  # (m,) neither object nor background
    offsets: NDArray[np.int64]  # (n + 1,)
    pictures: NDArray[np.int64] | None = None  # (n,) what the last ones, without boxes, show; -1 for the others

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def side(self) -> int:
        return int(self.pixels.shape[1])


def load(
    snapshot: Snapshot, px: int, how: How, *, ignore_difficult: bool, threads: int, scratch: Path, control: Control,
    pictures: Sequence[tuple[Path, int]] = (),
) -> Generator[Message, None, Dataset]:  # fmt: skip
    """Read the images of `snapshot`, telling about progress and unreadable files; and return a Dataset.

    pictures: further images without boxes, and the number of what each shows.
    `scratch` is a folder for the mapped file. Returns early, with what was read, when asked to stop.
    WorkbenchError if not a single image can be read.
    """
    shown = np.concatenate([np.full(len(snapshot), -1), [number for _, number in pictures]]).astype(np.int64)
    snapshot = with_pictures(snapshot, [file for file, _ in pictures])
    store = PixelStore(snapshot, px, how, _room(len(snapshot), px, scratch))
    told = time.monotonic()
    with ThreadPoolExecutor(threads, "read") as pool:
        for start in range(0, len(snapshot), READ_AHEAD):
            list(pool.map(store.read, range(start, min(start + READ_AHEAD, len(snapshot)))))
            if control.stop.is_set():
                break
            if time.monotonic() - told > TELL_EVERY:
                told = time.monotonic()
                yield Message("info", f"Read {start + READ_AHEAD:,} of {len(snapshot):,} images.")
    if store.problems:
        yield Message("warning", _told(store.problems))
    if not store.fits:
        raise WorkbenchError("None of the images could be read. Check that their folder is still there.")
    data = store.dataset(ignore_difficult)
    return replace(data, pictures=shown[sorted(store.fits)]) if pictures else data


def with_pictures(snapshot: Snapshot, files: Sequence[Path]) -> Snapshot:
    """The snapshot and after it images without boxes, whose sizes are not known yet."""
    if not files:
        return snapshot
    extra = tuple(Image(-number, file.name, state=State.DONE) for number, file in enumerate(files, 1))
    ends = np.full(len(files), snapshot.offsets[-1], snapshot.offsets.dtype)
    return replace(
        snapshot,
        images=snapshot.images + extra,
        files=snapshot.files + tuple(files),
        offsets=np.concatenate([snapshot.offsets, ends]),
    )


class PixelStore:
    """Where threads put what they read."""

    def __init__(self, snapshot: Snapshot, px: int, how: How, pixels: NDArray[np.uint8]) -> None:
        self.snapshot, self.px, self.how, self.pixels = snapshot, px, how, pixels
        self.fits: dict[int, Fit] = {}
        self.problems: dict[int, str] = {}

    def read(self, index: int) -> None:
        try:
            square, self.fits[index] = fit(
                images.read(self.snapshot.files[index], self.snapshot.window), self.px, self.how
            )
            self.pixels[index] = np.rint(square)  # Darknet's ways give fractions, for which there is no room here
        except Refused as error:
            self.problems[index] = error.sentence

    def dataset(self, ignore_difficult: bool) -> Dataset:
        rows = sorted(self.fits)
        usable = self.snapshot.take(rows)
        boxes = [self._moved(usable, i, self.fits[row]) for i, row in enumerate(rows)]
        ignore = usable.crowd | usable.difficult if ignore_difficult else usable.crowd
        return Dataset(
            snapshot=usable, pixels=self.pixels, rows=np.array(rows, np.int64),
            fits=tuple(self.fits[row] for row in rows),
            boxes=np.concatenate(boxes).astype(np.float32), labels=usable.label_index.astype(np.int64),
            ignore=ignore.astype(bool), offsets=usable.offsets.astype(np.int64),
        )  # fmt: skip

    def _moved(self, snapshot: Snapshot, index: int, way: Fit) -> NDArray[np.float64]:
        """The image's boxes, clipped to it, in network pixels."""
        image, boxes = snapshot.images[index], snapshot.boxes[snapshot.rows(index)]
        return way.forward(geometry.clip(boxes, image.width, image.height))


def _room(count: int, px: int, scratch: Path) -> NDArray[np.uint8]:
    shape = (count, px, px, 3)
    if np.prod(shape, dtype=float) < MEMORY_SHARE * psutil.virtual_memory().available:
        return np.empty(shape, np.uint8)
    try:
        with tempfile.TemporaryFile(dir=scratch) as file:  # gone when the mapping is
            return np.memmap(file, np.uint8, "w+", shape=shape)
    except OSError as error:
        raise WorkbenchError(
            f"There is no room in {scratch} for {count:,} images at {px} px: {error.strerror or error}."
            " Make room or choose a smaller input side.",
            error,
        ) from error


def _told(problems: dict[int, str]) -> str:
    some = " ".join(problems[i] for i in sorted(problems)[:NAMED])
    more = f" And {len(problems) - NAMED:,} more." if len(problems) > NAMED else ""
    noun, it = ("1 image is", "it") if len(problems) == 1 else (f"{len(problems):,} images are", "they")
    return f"{noun} left out because {it} could not be read. {some}{more}"
