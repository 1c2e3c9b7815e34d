"""Which boxes no part of a detector answers for, in all training images and for each detector, before any training.

Uses only the boxes, without pixels, and the loss's assignment. C = labels, n = images; sizes are COCO's, in pixels of
the network's input: small below 32 x 32, medium below 96 x 96, large.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from workbench import detectors
from workbench.core.metrics import AREAS, SIZES
from workbench.core.project import AnchorSet, Snapshot
from workbench.detectors.parts.detector import Detector, Targets
from workbench.errors import WorkbenchError
from workbench.training import prepare
from workbench.training.batches import augment, image_views
from workbench.training.batches.data import Dataset
from workbench.training.batches.file_index import FileIndex
from workbench.training.batches.pixelless_data import load_without_pixels
from workbench.training.events import Control
from workbench.training.hardware import machine
from workbench.training.recipes import Recipe
from workbench.training.stop_mode import StopMode, Stopped, check

BOUNDS = [AREAS[size][0] for size in SIZES[1:]]
SLOTS = 256  # images x boxes at once: bounds FCOS's tensors of points x boxes x 4
MOST_IMAGES = 64  # at once
NARROWEST = 0.05  # width of the network that is built: the assignment is the same at any width
SECONDS = 0.1  # that a chunk should take, so that progress is reported

Whole = NDArray[np.int64]


def _none() -> Whole:
    return np.zeros((0, 3), np.int64)


@dataclass(frozen=True, eq=False)
class Coverage:
    """The result for one detector. `problem`: why it is not known; then the tables are empty."""

    detector: str
    title: str
    px: int
    total: Whole  # (C, 3) boxes to be found, by label and size
    missed: Whole  # (C, 3) those without a positive
    boxes: Whole = field(default_factory=_none)  # (m, 3) for each of those: its image's id, its label's index, its size
    problem: str = ""

    @property
    def share(self) -> float:
        """The share of all boxes that are missed; 0 if there are no boxes."""
        return float(self.missed.sum() / max(self.total.sum(), 1))

    @property
    def images(self) -> tuple[int, ...]:
        return self.images_of()

    def images_of(self, label: int | None = None, size: int | None = None) -> tuple[int, ...]:
        """Ids of the images with missed boxes of this label and size, those with the most first."""
        some = np.ones(len(self.boxes), bool)
        for column, wanted in ((1, label), (2, size)):
            if wanted is not None:
                some &= self.boxes[:, column] == wanted
        ids, first, counts = np.unique(self.boxes[some, 0], return_index=True, return_counts=True)
        return tuple(ids[np.lexsort((first, -counts))].tolist())


@dataclass(frozen=True, slots=True)
class CoverageProgress:
    """Progress of the counting for one detector: the share of its images, 0 to 1."""

    title: str
    share: float


def count_coverage(
    snapshot: Snapshot, recipe: Recipe, anchors: AnchorSet | None, names: Sequence[str], files: FileIndex | None = None,
    control: Control | None = None,
) -> Iterator[Coverage | CoverageProgress]:  # fmt: skip
    """For one detector after the other, each with its way of resizing, at the recipe's input side or as published.

    Images are not augmented; those that `files` knows to be unreadable are left out. Yields progress in between. Raises
    Stopped within a fraction of a second after `control` asks. WorkbenchError if there is nothing to train on.
    """
    train = image_views.examined_views(prepare.select_images(snapshot, recipe.training)[0], recipe.training)
    kept: dict[tuple[int, str], Dataset] = {}
    with machine.threads_each(1):  # small operations: next to other work, two threads take three times as long as one
        for name in names:
            yield CoverageProgress(detectors.load_all().get(name).title, 0.0)
            yield (yield from _coverage(train, recipe, anchors, name, kept, files, control))


def _coverage(
    train: Snapshot, recipe: Recipe, anchors: AnchorSet | None, name: str, kept: dict[tuple[int, str], Dataset],
    files: FileIndex | None, control: Control | None,
) -> Generator[CoverageProgress, None, Coverage]:  # fmt: skip
    kind, labels = detectors.load_all().get(name), len(train.labels)
    nothing = np.zeros((labels, len(SIZES)), np.int64)
    try:
        own = recipe.with_detector(name)
        settings = own.detector_settings.resolved(tuple(label.name for label in train.labels))
        px, mode = settings.input_px, kind.chosen_resize(settings)
        own = replace(own, detector_settings=replace(settings, width=NARROWEST))
        with StopMode(control, weights=False):
            detector = prepare.build(own, labels, anchors)
    except Stopped:
        raise
    except WorkbenchError as error:
        return Coverage(name, kind.title, 0, nothing, nothing, problem=error.sentence)
    if (px, mode) not in kept:
        kept[px, mode] = load_without_pixels(train, px, mode, own.training, files=files)
    data = kept[px, mode]
    found = np.zeros(len(data.boxes), bool)
    for done in _answering(detector, data, found, control):
        yield CoverageProgress(kind.title, done)
    wanted = ~data.ignore
    area = (data.boxes[:, 2:] - data.boxes[:, :2]).prod(axis=1)
    size = np.digitize(area, BOUNDS)
    cell = data.labels * len(SIZES) + size
    total, missed = (np.bincount(cell[some], minlength=nothing.size) for some in (wanted, wanted & ~found))
    return Coverage(
        name, kind.title, px, total.reshape(nothing.shape), missed.reshape(nothing.shape),
        np.stack([_owners(data), data.labels, size], axis=1)[wanted & ~found],
    )  # fmt: skip


def _owners(data: Dataset) -> Whole:
    """(m,) the id of each box's image."""
    ids = np.array([image.id for image in data.snapshot.images], np.int64)
    return np.repeat(ids, np.diff(data.offsets))


def find_learnt_boxes(detector: Detector, data: Dataset) -> NDArray[np.bool_]:
    """(m,) whether anything learns the box, in unaugmented images at the data's side."""
    found = np.zeros(len(data.boxes), bool)
    for _ in _answering(detector, data, found, None):
        pass
    return found


def _answering(
    detector: Detector, data: Dataset, found: NDArray[np.bool_], control: Control | None
) -> Iterator[float]:  # fmt: skip
    """Set `found` (m,) in chunks of about SECONDS; yields the share of the images that is done."""
    numbered = replace(data, labels=np.arange(len(data.boxes)))
    counts = np.diff(data.offsets)
    order = np.flatnonzero(counts)[np.argsort(counts[counts > 0], kind="stable")]  # keeps padding small
    first, slots = 0, augment.ROOM
    while first < len(order):
        check(control)
        last = first + 1
        while last < min(len(order), first + MOST_IMAGES) and (last + 1 - first) * _room(counts[order[last]]) <= slots:
            last += 1
        began = time.monotonic()
        _answer(detector, numbered, data.labels, order[first:last], found, control)
        slots = min(SLOTS, slots * 2) if time.monotonic() - began < SECONDS / 2 else max(augment.ROOM, slots // 2)
        first = last
        yield first / len(order)


def _answer(
    detector: Detector, numbered: Dataset, labels: Whole, images: Whole, found: NDArray[np.bool_],
    control: Control | None,
) -> None:  # fmt: skip
    batch = augment.unaugmented(numbered, images)
    rows, padding = batch.labels.clip(0), batch.labels < 0
    arrays = batch.boxes, np.where(padding, -1, labels[rows]), batch.ignore
    with torch.no_grad(), StopMode(control):
        pairs = detector.assignment(Targets(*map(torch.from_numpy, arrays)), (numbered.side, numbered.side))
    found[rows[pairs.image.numpy(), pairs.target.numpy()]] = True


def _room(boxes: int) -> int:
    """The number to which augment.unaugmented() pads this many boxes."""
    return max(augment.ROOM, -(-int(boxes) // augment.ROOM) * augment.ROOM)
