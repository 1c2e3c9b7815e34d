"""Which boxes no part of a detector answers for, in all training images and for each detector: before an hour is spent.

From boxes alone, without pixels, and by the assignment of the loss. C = labels, n = images; sizes are COCO's, in pixels
of the network's input: small below 32 x 32, medium below 96 x 96, large.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from workbench import detectors
from workbench.core.project import AnchorSet, Snapshot
from workbench.detectors.parts.detector import Detector, Targets
from workbench.errors import WorkbenchError
from workbench.training import augment, prepare
from workbench.training.data import Dataset
from workbench.training.recipes import Recipe
from workbench.training.seen import without_pixels

SIZES = ("small", "medium", "large")
BOUNDS = (32.0**2, 96.0**2)  # COCO's areas
SLOTS = 256  # images x boxes at once: bounds what FCOS lays out, points x boxes x 4
MOST_IMAGES = 64  # at once
NARROWEST = 0.05  # width of the network that is built: what answers for what is the same at any width


@dataclass(frozen=True, eq=False)
class Coverage:
    """Of one detector. `problem`: why it can't be told; then the tables are empty."""

    detector: str
    title: str
    px: int
    total: NDArray[np.int64]  # (C, 3) boxes to be found, by label and size
    missed: NDArray[np.int64]  # (C, 3) those without a positive
    images: tuple[int, ...] = ()  # ids of images with such boxes, those with the most first
    problem: str = ""

    @property
    def share(self) -> float:
        """Of all boxes, those that are missed; 0 where there is none."""
        return float(self.missed.sum() / max(self.total.sum(), 1))


def coverages(
    snapshot: Snapshot, recipe: Recipe, anchors: AnchorSet | None, names: Sequence[str]
) -> Iterator[Coverage]:  # fmt: skip
    """One after the other, each with its own way to resize, at the recipe's input side or as it was published.

    Images as they are, without augmentation. WorkbenchError if there is nothing to train on.
    """
    train, _, _ = prepare.parts(snapshot, recipe.training)
    kept: dict[tuple[int, str], Dataset] = {}
    for name in names:
        yield _coverage(train, recipe, anchors, name, kept)


def _coverage(
    train: Snapshot, recipe: Recipe, anchors: AnchorSet | None, name: str, kept: dict[tuple[int, str], Dataset]
) -> Coverage:  # fmt: skip
    kind, labels = detectors.load_all().get(name), len(train.labels)
    nothing = np.zeros((labels, len(SIZES)), np.int64)
    try:
        own = recipe.with_detector(name)
        settings = own.detector_settings.resolved(tuple(label.name for label in train.labels))
        px, how = settings.input_px, kind.chosen_resize(settings)
        own = replace(own, detector_settings=replace(settings, width=NARROWEST))
        detector = prepare.build(own, labels, anchors)
    except WorkbenchError as error:
        return Coverage(name, kind.title, 0, nothing, nothing, problem=error.sentence)
    if (px, how) not in kept:
        kept[px, how] = without_pixels(train, px, how, own.training)
    data = kept[px, how]
    found, wanted = answered(detector, data), ~data.ignore
    area = (data.boxes[:, 2:] - data.boxes[:, :2]).prod(axis=1)
    cell = data.labels * len(SIZES) + np.digitize(area, BOUNDS)
    total, missed = (np.bincount(cell[some], minlength=nothing.size) for some in (wanted, wanted & ~found))
    return Coverage(
        name, kind.title, px, total.reshape(nothing.shape), missed.reshape(nothing.shape),
        _images(data, wanted & ~found),
    )  # fmt: skip


def _images(data: Dataset, missed: NDArray[np.bool_]) -> tuple[int, ...]:
    of_box = np.repeat(np.arange(len(data)), np.diff(data.offsets))
    counts = np.bincount(of_box[missed], minlength=len(data))
    order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    return tuple(data.snapshot.images[index].id for index in order.tolist())


def answered(detector: Detector, data: Dataset) -> NDArray[np.bool_]:
    """(m,) whether anything learns the box, its image as it is at the data's side."""
    numbered = replace(data, labels=np.arange(len(data.boxes)))
    counts = np.diff(data.offsets)
    order = np.flatnonzero(counts)[np.argsort(counts[counts > 0], kind="stable")]  # padding is little then
    found, first = np.zeros(len(data.boxes), bool), 0
    while first < len(order):
        last = first + 1
        while last < min(len(order), first + MOST_IMAGES) and (last + 1 - first) * _room(counts[order[last]]) <= SLOTS:
            last += 1
        batch = augment.plain(numbered, order[first:last])
        rows, padding = batch.labels.clip(0), batch.labels < 0
        arrays = batch.boxes, np.where(padding, -1, data.labels[rows]), batch.ignore
        with torch.no_grad():
            pairs = detector.assignment(Targets(*map(torch.from_numpy, arrays)), (data.side, data.side))
        found[rows[pairs.image.numpy(), pairs.target.numpy()]] = True
        first = last
    return found


def _room(boxes: int) -> int:
    """What augment.plain() pads so many boxes to."""
    return max(augment.ROOM, -(-int(boxes) // augment.ROOM) * augment.ROOM)
