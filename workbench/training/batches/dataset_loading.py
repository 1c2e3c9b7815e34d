"""Reads a training's training and validation images; see data.py for how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np

from workbench import detectors
from workbench.core.folders import lost_folders
from workbench.core.folders.lost_folders import ADVICE
from workbench.core.formatting import count
from workbench.core.project import Snapshot, Split
from workbench.errors import WorkbenchError
from workbench.training import prepare, schedule
from workbench.training.batches import image_views
from workbench.training.batches.data import Dataset, load
from workbench.training.events import Control, Event, Message
from workbench.training.hardware.runtime import Runtime
from workbench.training.request import RunRequest

SIZES = 1000  # files whose sizes are compared: asking a shared disk for each of a million takes minutes


def load_datasets(
    request: RunRequest, runtime: Runtime, threads: int, control: Control
) -> Generator[Event, None, tuple[Dataset, Dataset]]:
    """Read the training and the validation images, each at the largest side that the run shows them at.

    When asked to stop it returns early with what was read. WorkbenchError if there is nothing to learn from, or none of
    the images of either kind can be read.
    """
    settings, own = request.recipe.training, request.recipe.detector_settings
    kind = detectors.load_all().get(request.recipe.detector)
    keep = "disk" if runtime.local_world_size > 1 else settings.keep_images  # processes on one machine share its files

    def loaded(part: Snapshot, px: int, beside: int, pictures: bool = False) -> Generator[Event, None, Dataset]:
        with runtime.local_main_first(control):
            return (yield from load(
                part, px, kind.chosen_resize(own), ignore_difficult=settings.difficult == "ignore", threads=threads,
                scratch=request.folder, control=control, pictures=own.pictures() if pictures else (),
                cache=request.cache, keep=keep, beside=beside, tiling=settings.tiling,
            ))  # fmt: skip

    def evaluated(part: Snapshot, views: Snapshot) -> Generator[Event, None, Dataset]:
        return _with_originals((yield from loaded(views, own.input_px, len(data))), part)

    train, validation, notes = prepare.select_images(request.snapshot, settings)
    yield from notes
    (there, lost), (judges, lost_judges) = _apart(train), _apart(validation)
    lost_judges = lost_judges if validation.files != train.files else Counter()
    told = [_sentence(folder, lost[folder], lost_judges[folder]) for folder in dict.fromkeys([*lost, *lost_judges])]
    if not len(there):
        raise WorkbenchError(f"{' '.join(told)} {ADVICE}")
    yield from (Message("warning", f"{sentence} {ADVICE}") for sentence in told)
    varied = schedule.largest_side(settings, own.input_px, kind.chosen_multiple(own))
    largest = own.input_px if kind.fixed_size else varied
    views, judged = image_views.learnt_views(there, settings), image_views.evaluated_views(judges, settings)
    if note := image_views.tiles_note(there, views, settings):
        yield Message("info", note)
    data = _with_originals((yield from loaded(views, largest, len(judged), pictures=True)), there)
    try:
        if not len(judges):
            raise WorkbenchError(" ".join(told))
        return data, (yield from evaluated(judges, judged))
    except WorkbenchError as error:
        if any(image.split is Split.VALIDATION for image in validation.images):
            sentence = f"None of the {len(validation):,} validation images could be read."
            raise WorkbenchError(f"{sentence} Is their folder still there? {ADVICE}", error) from error
    yield Message(
        "warning",
        "None of the images held out could be read: AP is computed on the training images, so it says little.",
    )
    return data, (yield from evaluated(data.whole, image_views.evaluated_views(data.whole, settings)))


def check_same(runtime: Runtime, *parts: Dataset) -> None:
    """WorkbenchError if another process of this training could not read the same images, or found other files."""
    if runtime.world > 1:
        runtime.check_same(" ".join(map(_digest, parts)), "images of this training can be read")


def _digest(data: Dataset) -> str:
    files = data.snapshot.files
    some = np.unique(np.linspace(0, len(files) - 1, min(SIZES, len(files))).astype(int))
    return f"{data.snapshot.digest} {[_size(files[index]) for index in some]}"


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _with_originals(data: Dataset, images: Snapshot) -> Dataset:
    """With those of the images that `data` has views of, if it has any."""
    if not data.snapshot.places:
        return data
    read = {image.id for image in data.snapshot.images}
    return replace(data, originals=images.take([row for row, one in enumerate(images.images) if one.id in read]))


def _apart(part: Snapshot) -> tuple[Snapshot, Counter[Path]]:
    """The images whose folder is there, and how many are missing of each folder that is not."""
    lost = lost_folders.of_snapshot(part)
    gone = {row for rows in lost.values() for row in rows}
    there = part.take([row for row in range(len(part)) if row not in gone]) if gone else part
    return there, Counter({folder: len(rows) for folder, rows in lost.items()})


def _sentence(folder: Path, learnt: int, judged: int) -> str:
    """About a missing folder with so many images to learn from and to evaluate on."""
    number = count(learnt + judged, "image")
    which = f"{number} ({judged:,} of them to validate on)" if learnt and judged else number
    are, their = ("is", "its") if learnt + judged == 1 else ("are", "their")
    return f"{which} {are} left out because {their} folder is not there: {folder}."
