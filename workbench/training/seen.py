"""Any training image exactly as it enters the network: the batch of the step that draws it, by the code of training.

n = training images, m = their boxes, k = boxes of one image as it is seen. Only the images that are in the shown one
(four in a mosaic) are read, so that it is there at once. Where a box came from is found without a second account of it:
augmentation hands labels on untouched, so the boxes go through it once with their numbers in place of labels.

What training meets and this can't: images whose files turn out to be damaged are left out of a training, which moves
all that come after; and self-adversarial steps change the pixels by the network itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench import detectors
from workbench.core import images
from workbench.core.project import Snapshot
from workbench.core.resize import Fit, How, letterbox_size
from workbench.errors import Refused, WorkbenchError
from workbench.training import augment, data, prepare, schedule
from workbench.training.augment import Floats
from workbench.training.data import Dataset
from workbench.training.events import Control
from workbench.training.recipes import Recipe
from workbench.training.seen_lost import Lost, lost
from workbench.training.settings import TrainingSettings

__all__ = ["Course", "Lost", "Seen", "as_it_is", "course"]


@dataclass(frozen=True, eq=False)
class Seen:
    """An image as the network gets it, and its boxes. Rows and images count as in `snapshot`."""

    snapshot: Snapshot
    pixels: NDArray[np.uint8]  # (side, side, 3) RGB
    boxes: Floats  # (k, 4) xyxy pixels of it, in the order of training
    labels: NDArray[np.int64]  # (k,) indices of snapshot.labels
    ignore: NDArray[np.bool_]  # (k,) neither object nor background
    rows: NDArray[np.int64]  # (k,) of snapshot.boxes
    sources: NDArray[np.int64]  # (k,) image of snapshot that each came from
    parts: tuple[int, ...]  # images of snapshot that are in it, the asked one first
    lost: tuple[Lost, ...]  # boxes that are not learnt; of an image that MixUp blended in nothing is told
    step: int = -1  # of the run, from 0; -1: as it is, without augmentation
    place: int = 0  # in the step's batch
    calm: bool = True
    attacked: bool = False  # whether the step turns its images against the network, which is not shown

    @property
    def side(self) -> int:
        return int(self.pixels.shape[0])

    def batch(self) -> augment.Batch:
        """A batch of this image alone."""
        return augment.Batch(self.pixels[None], self.boxes[None], self.labels[None], self.ignore[None])


@dataclass(frozen=True, eq=False)
class Course:
    """Which image comes when in a training of `recipe`, and what the network then sees. Make it by `course`."""

    recipe: Recipe
    settings: TrainingSettings  # as the run has them, after the detector's own wishes
    how: How
    data: Dataset  # all images, with their boxes but without pixels
    px: int  # side that images are kept at

    @property
    def snapshot(self) -> Snapshot:
        return self.data.snapshot

    def plan(self, seed: int | None = None) -> schedule.Plan:
        settings = self._seeded(seed)
        return schedule.Plan(len(self.data), settings.batch, settings.epochs, settings.seed)

    def _seeded(self, seed: int | None) -> TrainingSettings:
        return self.settings if seed is None else replace(self.settings, seed=seed)

    def index(self, image: int) -> int:
        """Where the image of this id is among the training images. WorkbenchError if it is none of them."""
        for index, one in enumerate(self.snapshot.images):
            if one.id == image:
                return index
        raise WorkbenchError(
            "This image is not trained on: it is held out, of another split, or not in a state that the recipe takes."
            " It can be looked at as it is."
        )

    def turn(self, index: int, epoch: int, seed: int | None = None) -> tuple[int, int]:
        """Step, and place in its batch, in which image `index` is drawn in `epoch`; both from 0."""
        plan = self.plan(seed)
        order = replace(plan, batch=plan.images).indices(epoch)  # an epoch is a step of all images
        place = epoch * plan.images + int(np.flatnonzero(order == index)[0])
        return place // plan.batch, place % plan.batch

    def seen(self, index: int, epoch: int, seed: int | None = None) -> Seen:
        """Training image `index` in `epoch` (from 0). A `seed` other than the recipe's: as it might have been drawn.

        Refused if one of the image files can't be read.
        """
        step, place = self.turn(index, epoch, seed)
        return self.at(step, place, seed)

    def at(self, step: int, place: int, seed: int | None = None) -> Seen:
        """The image at `place` of the batch of `step`."""
        settings, plan = self._seeded(seed), self.plan(seed)
        side = schedule.input_side(settings, step, plan.steps, self.recipe.detector_settings.input_px)
        calm, indices = schedule.is_calm(settings, step, plan.steps), plan.indices(step)
        pieces = augment.drawn_pieces(
            np.random.default_rng((settings.seed, 2, step)), self.data, indices, settings, side, calm
        )  # the first that is drawn of a step
        own = pieces.place == place
        blended = (pieces.place == (place + 1) % len(indices)) & bool(settings.mixup and not calm)
        read = self._with_pixels(np.unique(pieces.source[own | blended]))
        batch = augment.augmented(_numbered(read), indices, settings, step, side, calm=calm)
        there = batch.labels[place] >= 0
        rows = batch.labels[place][there]
        sources = np.searchsorted(self.data.offsets, rows, side="right") - 1
        first = int(indices[place])
        among = dict.fromkeys([first, *pieces.source[own].tolist(), *sources.tolist()])
        return Seen(
            self.snapshot, batch.images[place], batch.boxes[place][there], self.data.labels[rows],
            batch.ignore[place][there], rows, sources, tuple(among),
            lost(self.data, pieces, np.flatnonzero(own)), step, place, calm,
            schedule.attack(settings, step, plan.steps) > 0,
        )  # fmt: skip

    def _with_pixels(self, sources: NDArray[np.int64]) -> Dataset:
        """The data with the pixels of these images; in place of all others it has the first of them."""
        part = _read(self.snapshot.take(sources.tolist()), self.px, self.how, self.settings)
        known = tuple(self.data.fits[source] for source in sources)
        for image, now, then in zip(part.snapshot.images, part.fits, known, strict=True):
            if now != then:
                raise WorkbenchError(f"{image.path} has another size now than the project knows. Check the data.")
        rows = np.zeros(len(self.data), np.int64)
        rows[sources] = part.rows
        return replace(self.data, pixels=part.pixels, rows=rows)


def course(snapshot: Snapshot, recipe: Recipe) -> Course:
    """The course of a training of `recipe` on `snapshot`, as run.train() would begin it.

    WorkbenchError if there is nothing to train on. Reads headers of images only where the project lacks their size.
    """
    own = recipe.detector_settings.resolved(tuple(label.name for label in snapshot.labels))
    recipe = replace(recipe, detector_settings=own)
    settings, kind = recipe.training, detectors.load_all().get(recipe.detector)
    train, _, _ = prepare.parts(snapshot, settings)
    px = own.input_px if kind.fixed_size else schedule.largest_side(settings, own.input_px)
    if kind.fixed_size:
        settings = replace(settings, sizes=0.0)
    how, pictures = kind.chosen_resize(own), own.pictures()
    return Course(recipe, settings, how, without_pixels(train, px, how, settings, pictures), px)


def without_pixels(
    snapshot: Snapshot, px: int, how: How, settings: TrainingSettings, pictures: Sequence[tuple[Path, int]] = ()
) -> Dataset:
    """What data.load() gives, with a single black image for all."""
    shown = np.concatenate([np.full(len(snapshot), -1), [number for _, number in pictures]]).astype(np.int64)
    snapshot = data.with_pictures(snapshot, [file for file, _ in pictures])
    store = data.PixelStore(snapshot, px, how, np.zeros((1, px, px, 3), np.uint8))
    for index in range(len(snapshot)):
        size = _size(snapshot, index)
        if size is not None:
            store.fits[index] = way(*size, px, how)
    if not store.fits:
        raise WorkbenchError("None of the images could be read. Check that their folder is still there.")
    made = replace(store.dataset(settings.difficult == "ignore"), rows=np.zeros(len(store.fits), np.int64))
    return replace(made, pictures=shown[sorted(store.fits)]) if pictures else made


def _size(snapshot: Snapshot, index: int) -> tuple[int, int] | None:
    """Width and height of the upright image; None if it can't be read."""
    image = snapshot.images[index]
    if image.width and image.height:
        return image.width, image.height
    try:
        about = images.info(snapshot.files[index])
    except Refused:
        return None
    return about.width, about.height


def way(width: int, height: int, px: int, how: How) -> Fit:
    """How core.resize.fit() brings an image of this size to the square, without its pixels."""
    if how.endswith("stretch"):
        return Fit(px / width, px / height)
    w, h = letterbox_size(width, height, px)
    return Fit(w / width, h / height, float((px - w) // 2), float((px - h) // 2))


def as_it_is(snapshot: Snapshot, image: int, recipe: Recipe) -> Seen:
    """The image of this id, any of the project's, resized and no more: as it is evaluated.

    Refused if its file can't be read.
    """
    index = next((i for i, one in enumerate(snapshot.images) if one.id == image), None)
    if index is None:
        raise WorkbenchError("This image is not in the project any more.")
    own = recipe.detector_settings.resolved(tuple(label.name for label in snapshot.labels))
    how = detectors.load_all().get(recipe.detector).chosen_resize(own)
    read = _read(snapshot.take([index]), own.input_px, how, recipe.training)
    batch = augment.plain(_numbered(read), np.zeros(1, np.int64))
    there = batch.labels[0] >= 0
    rows = batch.labels[0][there] + int(snapshot.offsets[index])
    gone = lost(read, _untouched(read), np.zeros(1, np.int64))
    return Seen(
        snapshot, batch.images[0], batch.boxes[0][there], snapshot.label_index[rows].astype(np.int64),
        batch.ignore[0][there], rows, np.full(len(rows), index), (index,),
        tuple(replace(one, row=one.row + int(snapshot.offsets[index]), source=index) for one in gone),
    )  # fmt: skip


def _untouched(read: Dataset) -> augment.Pieces:
    """The one image of the data, where it is: what augment.plain() makes of it."""
    window = np.array([[0, 0, read.side, read.side]])
    zero = np.zeros(1, np.int64)
    return augment.Pieces(zero, zero, window, np.zeros_like(window), np.ones((1, 2)), np.zeros((1, 2)))


def _numbered(read: Dataset) -> Dataset:
    """With each box's number in place of its label."""
    return replace(read, labels=np.arange(len(read.boxes)))


def _read(snapshot: Snapshot, px: int, how: How, settings: TrainingSettings) -> Dataset:
    """By the training's own reading. Refused with the first file that can't be read."""
    reading = data.load(
        snapshot, px, how, ignore_difficult=settings.difficult == "ignore", threads=1,
        scratch=Path(tempfile.gettempdir()), control=Control(),
    )  # fmt: skip
    told: WorkbenchError | None = None
    while True:
        try:
            message = next(reading)
        except StopIteration as end:
            if told is not None:
                raise told from None
            read: Dataset = end.value
            return read
        except WorkbenchError as error:
            raise told or error from None
        if message.level == "warning":
            told = WorkbenchError(message.sentence)
