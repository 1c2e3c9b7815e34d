"""The images of a training, read once, resized to the network input and kept as bytes, with their boxes.

n = images, m = boxes, S = side of the network input. Boxes are xyxy in network pixels. Reading and resizing release
Python's lock, so threads help. Kept in memory or, when there are many, in a memory-mapped temporary file.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.core.files import check_free_space
from workbench.core.folders.lost_folders import ADVICE
from workbench.core.formatting import named
from workbench.core.project import Image, Snapshot, State
from workbench.core.resize import Fit, FitMode, as_array, fit, scales_and_offsets
from workbench.core.tiling import Tiling, cut_out
from workbench.errors import Refused, WorkbenchError
from workbench.training.batches import cache_policy
from workbench.training.batches.pixel_cache import PixelCache, SourceFile
from workbench.training.events import Control, Message

TELL_EVERY = 5.0  # seconds between two messages while images are read
NAMED = 5  # unreadable images named in the message; the others are counted
LOOK_EVERY = 0.2  # seconds between two checks whether to stop
LONGEST = 60.0  # seconds of reading one image before it is named: a sleeping disk needs ten
READ_AHEAD = 64  # files passed to the threads at a time, so that Stop need not wait for all


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
    pictures: NDArray[np.int64] | None = None  # (n,) what the last ones, which have no boxes, show; -1 for the others
    originals: Snapshot | None = None  # the images that those of `snapshot` are views of, if it has any

    @property
    def whole(self) -> Snapshot:
        """The images that could be read, not cut into views."""
        return self.snapshot if self.originals is None else self.originals

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def image_count(self) -> int:
        """How many images it has, each counted once whatever the number of its views."""
        places = self.snapshot.places
        return sum(place is None for place in places) if places else len(self)

    @property
    def side(self) -> int:
        return int(self.pixels.shape[1])


def load(
    snapshot: Snapshot, px: int, mode: FitMode, *, ignore_difficult: bool, threads: int, scratch: Path,
    control: Control, pictures: Sequence[tuple[Path, int]] = (), cache: Path | None = None, keep: str = "auto",
    beside: int = 0, tiling: Tiling | None = None,
) -> Generator[Message, None, Dataset]:  # fmt: skip
    """Read the images of `snapshot` and return a Dataset; yields messages about progress and unreadable files.

    `pictures`: further images without boxes, each with the number of what it shows. `scratch`: a folder for a mapped
    file. `cache`: a folder for images that are kept for later trainings. It is used always if `keep` is "disk", never
    if it is "memory", otherwise if reading takes long or the images don't fit into memory. `beside`: how many others
    the same training reads, which must not be driven out of it. `tiling`: the tiles that `snapshot` has views in.

    A file that takes long is named. So is one whose size differs from the project's; its boxes are taken as they are.
    When asked to stop it returns early with what was read. WorkbenchError if not a single image can be read.
    """
    shown = np.concatenate([np.full(len(snapshot), -1), [number for _, number in pictures]]).astype(np.int64)
    snapshot = with_pictures(snapshot, [file for file, _ in pictures])
    with contextlib.ExitStack() as closing:
        kept, words = cache_policy.open_cache(cache, keep, snapshot, px, mode, threads, beside, tiling)
        if words:
            yield Message("info", words)
        if kept is None:
            store = PixelStore(snapshot, px, mode, _room(len(snapshot), px, scratch))
        else:
            closing.callback(kept.close)
            store = CachedPixelStore(snapshot, px, mode, kept)
        yield from _read_all(store, threads, control)
    if store.problems:
        yield Message("warning", _told(store))
    if changed := _changed(store):
        yield Message("warning", changed)
    if not store.fits:
        raise WorkbenchError(f"None of the images could be read. Is their folder still there? {ADVICE}")
    data = store.dataset(ignore_difficult)
    return replace(data, pictures=shown[sorted(store.fits)]) if pictures else data


def _read_all(store: PixelStore, threads: int, control: Control) -> Iterator[Message]:
    files, read, reported, slow = files_of(store.snapshot), 0, time.monotonic(), set[int]()
    with ThreadPoolExecutor(threads, "read") as pool:
        for start in range(0, len(files), READ_AHEAD):
            waiting = {pool.submit(store.read, group) for group in files[start : start + READ_AHEAD]}
            while waiting:
                done, waiting = wait(waiting, LOOK_EVERY, FIRST_COMPLETED)
                for one in done:
                    one.result()
                read += len(done)
                if control.stop.is_set():
                    pool.shutdown(cancel_futures=True)
                    return
                hanging = store.hanging(LONGEST) - slow
                slow |= hanging
                for index in sorted(hanging):
                    file = store.snapshot.files[index]
                    yield Message(
                        "warning", f"{file} has been read for {LONGEST:.0f} seconds. Is its disk still there?"
                    )
                if time.monotonic() - reported > TELL_EVERY:
                    reported = time.monotonic()
                    told = f"Read {read:,} of {len(files):,} images."
                    yield Message("info", told, done=read, total=len(files))


def with_pictures(snapshot: Snapshot, files: Sequence[Path]) -> Snapshot:
    """The snapshot followed by images without boxes, whose sizes are not known yet."""
    if not files:
        return snapshot
    extra = tuple(Image(-number, file.name, state=State.DONE) for number, file in enumerate(files, 1))
    ends = np.full(len(files), snapshot.offsets[-1], snapshot.offsets.dtype)
    return replace(
        snapshot,
        images=snapshot.images + extra,
        files=snapshot.files + tuple(files),
        places=snapshot.places + (None,) * len(files) if snapshot.places else (),
        offsets=np.concatenate([snapshot.offsets, ends]),
    )


def files_of(snapshot: Snapshot) -> list[range]:
    """The indices of all images, those of one file together: it is decoded once for all its views."""
    files, end = snapshot.files, len(snapshot)
    starts = [i for i in range(end) if i == 0 or files[i] != files[i - 1]]
    return [range(start, after) for start, after in zip(starts, [*starts[1:], end], strict=True)]


class PixelStore:
    """Where threads store what they read."""

    def __init__(self, snapshot: Snapshot, px: int, mode: FitMode, pixels: NDArray[np.uint8]) -> None:
        self.snapshot, self.px, self.mode, self.pixels = snapshot, px, mode, pixels
        self.fits: dict[int, Fit] = {}
        self.problems: dict[int, str] = {}
        self._since: dict[int, float] = {}  # start of reading, by image

    def read(self, indices: Sequence[int]) -> None:
        """Read images of one file; none of the rest once it proves unreadable."""
        file = SourceFile(self.snapshot.files[indices[0]], self.snapshot.window)
        for number, index in enumerate(indices):
            self._since[index] = time.monotonic()
            try:
                self._take(index, file)
            except Refused as error:
                self.problems |= dict.fromkeys(indices[number:], error.sentence)
                return
            finally:
                del self._since[index]

    def hanging(self, seconds: float) -> set[int]:
        """Indices of the images whose reading has taken longer than this, in seconds."""
        now = time.monotonic()
        return {index for index, since in self._since.copy().items() if now - since > seconds}

    def _take(self, index: int, file: SourceFile) -> None:
        square, self.fits[index] = fit(cut_out(file.pixels, self.snapshot.place(index)), self.px, self.mode)
        self.pixels[index] = np.rint(square)  # Darknet's ways of resizing give fractions; kept are bytes

    def _row(self, index: int) -> int:
        """Where the image's pixels are."""
        return index

    def dataset(self, ignore_difficult: bool) -> Dataset:
        rows = sorted(self.fits)
        usable = self.snapshot.take(rows)
        fits = tuple(self.fits[row] for row in rows)
        ignore = usable.crowd | usable.difficult if ignore_difficult else usable.crowd
        return Dataset(
            snapshot=usable, pixels=self.pixels, rows=np.array([self._row(row) for row in rows], np.int64),
            fits=fits, boxes=_moved(usable, fits).astype(np.float32), labels=usable.label_index.astype(np.int64),
            ignore=ignore.astype(bool), offsets=usable.offsets.astype(np.int64),
        )  # fmt: skip


def _moved(snapshot: Snapshot, fits: Sequence[Fit]) -> NDArray[np.float64]:
    """(m, 4) the boxes, clipped to their images, in network pixels: of all at once, as there may be a million tiles."""
    numbers = np.diff(snapshot.offsets)
    sizes = np.repeat(np.array([(one.width, one.height) for one in snapshot.images]).reshape(-1, 2), numbers, axis=0)
    scales_and_pads = np.repeat(as_array(fits), numbers, axis=0)
    inside = geometry.clip(snapshot.boxes, sizes[:, 0], sizes[:, 1])
    return np.asarray(inside * scales_and_pads[:, [0, 1, 0, 1]] + scales_and_pads[:, [2, 3, 2, 3]])


class CachedPixelStore(PixelStore):
    """A PixelStore whose pixels are those of a cache."""

    def __init__(self, snapshot: Snapshot, px: int, mode: FitMode, kept: PixelCache) -> None:
        super().__init__(snapshot, px, mode, kept.pixels)
        self.kept = kept
        self._rows: dict[int, int] = {}

    def _take(self, index: int, file: SourceFile) -> None:
        self._rows[index], self.fits[index] = self.kept.read(file, self.snapshot.place(index), self.mode)

    def _row(self, index: int) -> int:
        return self._rows[index]


def _room(count: int, px: int, scratch: Path) -> NDArray[np.uint8]:
    shape = (count, px, px, 3)
    if cache_policy.fits_memory(count, px):
        return np.empty(shape, np.uint8)
    place = scratch if scratch.is_dir() else Path(tempfile.gettempdir())  # else: another machine than the run's
    try:
        check_free_space(place, cache_policy.size(count, px))
        with tempfile.TemporaryFile(dir=place) as file:  # deleted with the mapping
            return np.memmap(file, np.uint8, "w+", shape=shape)
    except OSError as error:
        raise WorkbenchError(
            f"There is no room in {place} for {count:,} images at {px} px: {error.strerror or error}."
            " Make room or choose a smaller input side.",
            error,
        ) from error


def _told(store: PixelStore) -> str:
    """A sentence about the files that could not be read, each named once whatever the number of its views."""
    problems = list({store.snapshot.files[i]: store.problems[i] for i in sorted(store.problems)}.values())
    some = " ".join(f"{problem.rstrip('.')}." for problem in problems[:NAMED])
    more = f" And {len(problems) - NAMED:,} more." if len(problems) > NAMED else ""
    noun, it = ("1 image is", "it") if len(problems) == 1 else (f"{len(problems):,} images are", "they")
    return f"{noun} left out because {it} could not be read. {some}{more}"


def _changed(store: PixelStore) -> str:
    """A sentence about files that were resized, turned or cropped since their boxes were drawn; ""
    if there are none.
    """
    rows = sorted(store.fits)
    sizes = np.array([(store.snapshot.images[i].width, store.snapshot.images[i].height) for i in rows]).reshape(-1, 2)
    wanted = np.hstack(scales_and_offsets(sizes, store.px, store.mode))
    got = as_array(store.fits[i] for i in rows)
    known = (sizes > 0).all(axis=1)
    views = np.flatnonzero(known & (wanted != got).any(axis=1))
    other = dict.fromkeys(store.snapshot.images[rows[i]].path for i in views)
    return other_sizes(list(other)) if other else ""


def other_sizes(paths: Sequence[str], most: int = NAMED) -> str:
    """The message about images whose files were resized, turned or cropped since their boxes were drawn."""
    noun, boxes = ("1 image has", "its") if len(paths) == 1 else (f"{len(paths):,} images have", "their")
    return (
        f"{noun} a different size from the one that the project knows, so {boxes} boxes may be in the wrong place:"
        f" {named(paths, most)}. Check the data."
    )
