"""Whether a training's images are kept on disk for the next one: if reading them takes long and there is space."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from workbench.core import control_groups, images
from workbench.core.formatting import count, count_views
from workbench.core.formatting import size as in_words
from workbench.core.project import Snapshot
from workbench.core.resize import FitMode, fit
from workbench.core.tiling import Tiling
from workbench.errors import Refused
from workbench.training.batches import pixel_cache
from workbench.training.batches.pixel_cache import PixelCache

MEMORY_SHARE = 0.4  # of the memory free now: more goes to a mapped file
DISK_SHARE = 0.5  # of the space free there
LONG = 20.0  # seconds of reading that make it worth while
TRIED = 8  # images read to measure that
SPARE = 3  # with this many times as many rows as a training has images, it starts anew


def size(images: int, px: int) -> int:
    """Bytes of this many images at this side."""
    return images * px * px * 3


def fits_memory(images: int, px: int) -> bool:
    return size(images, px) < MEMORY_SHARE * control_groups.available_memory()


def open_cache(
    cache: Path | None, keep: str, snapshot: Snapshot, px: int, mode: FitMode, threads: int, beside: int = 0,
    tiling: Tiling | None = None,
) -> tuple[PixelCache | None, str]:  # fmt: skip
    """The cache to use, if any, with room for these images; and a sentence for the user, or nothing.

    `beside`: how many others of the same training are kept there. `tiling`: the tiles that are among the images.

    The caller closes it. Also None if the disk is full or another training is adding to it.
    """
    if cache is None or keep == "memory":
        return None, ""
    folder = pixel_cache.folder_of(cache, px, mode, snapshot.window, tiling)
    try:
        return _opened(folder, keep, snapshot, px, mode, threads, beside)
    except OSError as error:
        return None, f"Images are not kept for the next training: {folder} could not be written ({error.strerror})."


def _opened(
    folder: Path, keep: str, snapshot: Snapshot, px: int, mode: FitMode, threads: int, beside: int
) -> tuple[PixelCache | None, str]:
    there = (folder / pixel_cache.ROWS).exists()
    if keep == "auto" and not there and fits_memory(len(snapshot), px):
        seconds = _seconds(snapshot, px, mode) / max(threads, 1)
        if seconds < LONG:
            return None, ""
    kept = PixelCache(folder, px)
    try:
        known = kept.known(snapshot.files, snapshot.places)
        most = SPARE * (len(snapshot) + beside) + TRIED
        if kept.may_add and len(kept) > most and known < len(snapshot):
            kept.close()
            if not pixel_cache.clear(folder):
                return None, ""
            kept, known = PixelCache(folder, px), 0
        new = len(snapshot) - known
        free = shutil.disk_usage(folder).free
        if new and (not kept.may_add or size(new, px) > DISK_SHARE * free):
            kept.close()
            return None, ""
        kept.make_room(new)
    except BaseException:
        kept.close()
        raise
    tiled = any(place is not None for place in snapshot.places)
    if not new:
        return kept, f"All {count_views(len(snapshot), tiled)} were read before and are taken from {folder}."
    some = f"{new:,} of {count_views(len(snapshot), tiled)}" if tiled else f"{count(new, 'image')} of {len(snapshot):,}"
    total = "" if len(kept) == 0 else f", {in_words(size(len(kept) + new, px))} in all,"
    are = "is" if new == 1 else "are"
    return kept, (
        f"{some} {are} read and kept at {px} px for the next training:"
        f" {in_words(size(new, px))}{total} in {folder}, which can be deleted at any time."
    )


def _seconds(snapshot: Snapshot, px: int, mode: FitMode) -> float:
    """How long reading takes on one core, from a few evenly spread files: each is decoded once."""
    files = tuple(dict.fromkeys(snapshot.files))
    some = files[:: max(len(files) // TRIED, 1)][:TRIED]
    return _read(some, snapshot, px, mode) / max(len(some), 1) * len(files)


def _read(files: Sequence[Path], snapshot: Snapshot, px: int, mode: FitMode) -> float:
    begun = time.perf_counter()
    for file in files:
        try:
            fit(images.read(file, snapshot.window), px, mode)
        except Refused:
            continue
    return time.perf_counter() - begun
