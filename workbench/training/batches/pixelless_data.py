"""The data of a training without its pixels: its images, their order, and where their boxes go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from workbench.core import images
from workbench.core.folders.lost_folders import ADVICE
from workbench.core.project import Snapshot
from workbench.core.resize import Fit, FitMode, scales_and_offsets
from workbench.errors import Refused, WorkbenchError
from workbench.training.batches import data
from workbench.training.batches.data import Dataset
from workbench.training.batches.file_index import FileIndex, FileInfo
from workbench.training.settings import TrainingSettings


def load_without_pixels(
    snapshot: Snapshot, px: int, mode: FitMode, settings: TrainingSettings, pictures: Sequence[tuple[Path, int]] = (),
    files: FileIndex | None = None,
) -> Dataset:  # fmt: skip
    """The result of data.load(), with a single black image for all.

    Uses what `files` knows: as there, images that can't be read are left out. For others the project's size is assumed;
    the header is read only if there is none. WorkbenchError if no image is left.
    """
    shown = np.concatenate([np.full(len(snapshot), -1), [number for _, number in pictures]]).astype(np.int64)
    snapshot = data.with_pictures(snapshot, [file for file, _ in pictures])
    store = data.PixelStore(snapshot, px, mode, np.zeros((1, px, px, 3), np.uint8))
    sizes: dict[int, tuple[int, int]] = {}
    for views in data.files_of(snapshot):
        known = files.known(snapshot.files[views[0]], snapshot.window) if files is not None else None
        for index in views:
            size = _size(snapshot, index, known)
            if size is not None:
                sizes[index] = size
    ways = np.hstack(scales_and_offsets(np.array(list(sizes.values())), px, mode)).tolist()
    store.fits = {index: Fit(*way) for index, way in zip(sizes, ways, strict=True)}
    if not store.fits:
        raise WorkbenchError(f"None of the images could be read. Is their folder still there? {ADVICE}")
    made = replace(store.dataset(settings.difficult == "ignore"), rows=np.zeros(len(store.fits), np.int64))
    return replace(made, pictures=shown[sorted(store.fits)]) if pictures else made


def _size(snapshot: Snapshot, index: int, known: FileInfo | None) -> tuple[int, int] | None:
    """Width and height of the upright image, or of its view; None if it can't be read. `known`: about its file."""
    image = snapshot.images[index]
    if known is not None and known.problem:
        return None
    if known is not None and snapshot.place(index) is None:
        return known.width, known.height
    if image.width and image.height:
        return image.width, image.height
    try:
        about = images.info(snapshot.files[index])
    except Refused:
        return None
    return about.width, about.height
