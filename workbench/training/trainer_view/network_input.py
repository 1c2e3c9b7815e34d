"""Any training image exactly as it enters the network: the batch of the step that draws it, made by training's code.

n = training images, m = their boxes, k = boxes of one image as it is seen. Only the images that are in the shown one
(four in a mosaic) are read, so that it appears at once. To find where a box came from, the boxes go through the
augmentation once with their numbers in place of labels, which it passes on unchanged.

Images whose files can't be read are left out of a training, which shifts later ones: `FileIndex` knows them once they
have been read. Not shown here: self-adversarial steps, which change the pixels by means of the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench import detectors
from workbench.core.project import XYXY, Image, Snapshot, Split
from workbench.core.resize import FitMode
from workbench.core.snapshot_views import FULLEST, find_view
from workbench.errors import WorkbenchError
from workbench.training import prepare, schedule
from workbench.training.batches import augment, data, image_views
from workbench.training.batches.augment import Floats
from workbench.training.batches.data import Dataset
from workbench.training.batches.file_index import FileIndex
from workbench.training.batches.pixelless_data import load_without_pixels
from workbench.training.recipes import Recipe
from workbench.training.settings import TrainingSettings
from workbench.training.trainer_view.lost_boxes import LostBox, find_lost_boxes

LEFT_OUT = "no box counts in this tile, and of such tiles only as many are learnt from as there are of the others"
TAKEN = {"done": "done or verified", "verified": "verified", "in work": "in work, done or verified"}  # by `states`


class FileChanged(WorkbenchError):
    """A file of a sequence proved unreadable or of another size: make the sequence again with the same FileIndex."""


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """An image as the network gets it, and its boxes. Rows and images are numbered as in `snapshot`."""

    snapshot: Snapshot
    pixels: NDArray[np.uint8]  # (side, side, 3) RGB
    boxes: Floats  # (k, 4) xyxy pixels of it, in the order of training
    labels: NDArray[np.int64]  # (k,) indices of snapshot.labels
    ignore: NDArray[np.bool_]  # (k,) neither object nor background
    rows: NDArray[np.int64]  # (k,) of snapshot.boxes
    sources: NDArray[np.int64]  # (k,) the image of snapshot that each came from
    parts: tuple[int, ...]  # images of snapshot that are in it, the requested one first
    lost: tuple[LostBox, ...]  # boxes that are not learnt; none are listed for an image blended in by MixUp
    step: int = -1  # of the run, from 0; -1: without augmentation
    steps: int = 0  # of the run
    place: int = 0  # in the step's batch
    attacked: bool = False  # whether the step is self-adversarial, which is not shown
    places: int = 0  # number of places in the step's batch
    epochs: int = 0  # of the training, possibly more than the recipe's (least_steps)
    view: int = 0  # its number: see snapshot_views.FULLEST
    tiles: int = 0  # how many the image has

    @property
    def side(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def view_name(self) -> str:
        """ "the whole image", "tile 3 of 12"; empty if the image has no tiles."""
        if not self.tiles:
            return ""
        return f"tile {self.view:,} of {self.tiles:,}" if self.view else "the whole image"

    def batch(self) -> augment.Batch:
        """A batch of only this image."""
        return augment.Batch(self.pixels[None], self.boxes[None], self.labels[None], self.ignore[None])

    def ignored_as(self) -> dict[int, LostBox]:
        """What happened to the boxes that are present but ignored, by their place; nothing for blended ones."""
        by_row: dict[int, list[LostBox]] = {}
        for one in self.lost:
            if not one.gone:
                by_row.setdefault(one.row, []).append(one)
        found = {}
        for m in np.flatnonzero(self.ignore).tolist():
            of_row = by_row.get(int(self.rows[m]), [])  # several if an image is in its own mosaic
            if of_row:
                found[m] = min(of_row, key=lambda one: _outside(self.boxes[m], one.xyxy))
                of_row.remove(found[m])
        return found


@dataclass(frozen=True, eq=False)
class InputSequence:
    """Which image comes when in a training of `recipe`, and what the network then sees. See make_input_sequence()."""

    recipe: Recipe
    settings: TrainingSettings  # as in the run, adapted to the detector
    mode: FitMode
    data: Dataset  # all images, with their boxes but without pixels
    px: int  # side at which images are kept
    files: FileIndex
    left_out: Mapping[int, str]  # ids of training images that can't be read, and the reason, as far as `files` knows
    side_multiple: int  # see Detector.chosen_multiple

    @property
    def snapshot(self) -> Snapshot:
        return self.data.snapshot

    def plan(self, seed: int | None = None) -> schedule.Plan:
        settings = self._seeded(seed)
        return schedule.Plan(len(self.data), settings.batch, settings.epochs, settings.seed)

    def _seeded(self, seed: int | None) -> TrainingSettings:
        return self.settings if seed is None else replace(self.settings, seed=seed)

    def index(self, image: int, view: int = FULLEST) -> int:
        """The index of the image with this id among the training images; of one in tiles, of the view with this number.

        WorkbenchError if it is not one of them.
        """
        views = self._views(image)
        found = self._find(views, view) if views else None
        if found is not None:
            return found
        if views:
            raise WorkbenchError(f"Tile {view:,} is not trained on: {LEFT_OUT}. It can be viewed as it is.")
        raise WorkbenchError(
            "This image is not trained on: it is held out, in another split, or not in a state that the recipe uses."
            " It can be viewed as it is."
        )

    def _views(self, image: int) -> list[int]:
        """The indices of the image, or of its views that are trained on."""
        return [index for index, one in enumerate(self.snapshot.images) if one.id == image]

    def _find(self, views: Sequence[int], number: int) -> int | None:
        """The index of the view with this number among these of one image; None if it is not trained on."""
        places = [self.snapshot.place(index) for index in views]
        counts = [int((~self.data.ignore[self.snapshot.rows(index)]).sum()) for index in views]
        tiles = image_views.tiles_of(self.snapshot.images[views[0]], self.settings)
        found = find_view(places, counts, tiles, number)
        return None if found is None else views[found]

    def exclusion_reason(self, image: Image, view: int = FULLEST) -> str:
        """Why an image of the project, or this view of it, is not trained on, as the end of a sentence; else empty."""
        if image.id in self.left_out:
            return f"its file can't be read: {self.left_out[image.id]}"
        if views := self._views(image.id):
            return LEFT_OUT if self._find(views, view) is None else ""
        if image.split is Split.TEST or (image.split is Split.VALIDATION and not self.settings.folds):
            return f"it is in the {image.split} split"
        if image.state not in self.settings.used_states():
            return f"it is {image.state}, and the recipe uses images that are {TAKEN[self.settings.states]}"
        if self.settings.folds:
            return f"it judges, in fold {self.settings.fold or 1} of {self.settings.folds}"
        return "it is held out to validate on, as no image is in the validation split"

    def next_trained(self, image: int, all_images: Sequence[int]) -> int:
        """The id of the next image that is trained on, after this one in the project's order or from its start."""
        trained = {one.id for one in self.snapshot.images}
        at = all_images.index(image)
        return next((id for id in (*all_images[at:], *all_images[:at]) if id in trained), 0)

    def position(self, index: int, epoch: int, seed: int | None = None) -> tuple[int, int]:
        """The step in which image `index` is drawn in `epoch`, and its place in the batch; both from 0."""
        plan = self.plan(seed)
        place = epoch * plan.images + int(np.flatnonzero(plan.order(epoch) == index)[0])
        return place // plan.batch, place % plan.batch

    def in_epoch(self, index: int, epoch: int, seed: int | None = None) -> NetworkInput:
        """Training image `index` in `epoch` (from 0). With another `seed` than the recipe's: another possible draw.

        Raises FileChanged, with a sentence, if one of the image files is not what was known of it.
        """
        step, place = self.position(index, epoch, seed)
        return self.at(step, place, seed)

    def at(self, step: int, place: int, seed: int | None = None) -> NetworkInput:
        """The image at `place` of the batch of `step`."""
        settings, plan = self._seeded(seed), self.plan(seed)
        side = schedule.input_side(
            settings, step, plan.steps, self.recipe.detector_settings.input_px, self.side_multiple
        )
        calm, indices = schedule.is_calm(settings, step, plan.steps), plan.indices(step)
        pieces = augment.draw_pieces(
            np.random.default_rng((settings.seed, 2, step)), self.data, indices, settings, side, calm
        )  # the first that is drawn in a step
        own = pieces.place == place
        blended = (pieces.place == (place + 1) % len(indices)) & bool(settings.mixup and not calm)
        read = self._with_pixels(np.unique(pieces.source[own | blended]))
        only = slice(place, place + 1)
        batch = augment.augmented(_numbered(read), indices, settings, step, side, calm=calm, part=only)
        there = batch.labels[0] >= 0
        rows = batch.labels[0][there]
        sources = np.searchsorted(self.data.offsets, rows, side="right") - 1
        first = int(indices[place])
        among = dict.fromkeys([first, *pieces.source[own].tolist(), *sources.tolist()])
        views = self._views(self.snapshot.images[first].id)
        tiles, cut = image_views.tiles_of(self.snapshot.images[views[0]], self.settings), self.snapshot.place(first)
        return NetworkInput(
            self.snapshot, batch.images[0], batch.boxes[0][there], self.data.labels[rows],
            batch.ignore[0][there], rows, sources, tuple(among),
            find_lost_boxes(self.data, pieces, np.flatnonzero(own), by_centre=settings.overlap_crop > 0), step,
            plan.steps, place, schedule.attack_strength(settings, step, plan.steps) > 0, plan.batch, plan.epochs,
            tiles.index(cut) + 1 if cut else 0, len(tiles),
        )  # fmt: skip

    def _with_pixels(self, sources: NDArray[np.int64]) -> Dataset:
        """The data with the pixels of these images; all others have the pixels of the first."""
        part = self.snapshot.take(sources.tolist())
        store = _read(part, self.px, self.mode)
        for index, image in enumerate(part.images):
            if index in store.problems or store.fits[index] != self.data.fits[sources[index]]:
                self.files.read(part.files[index], part.window)  # so that the next sequence knows it
                size = f"{image.path} has a different size from the one that the project knows. Check the data."
                raise FileChanged(store.problems.get(index, size))
        rows = np.zeros(len(self.data), np.int64)
        rows[sources] = np.arange(len(sources))
        return replace(self.data, pixels=store.pixels, rows=rows)


def make_input_sequence(snapshot: Snapshot, recipe: Recipe, files: FileIndex | None = None) -> InputSequence:
    """The sequence of a training of `recipe` on `snapshot`, as started by run.train().

    It is exact if `files` knows all training images; the others are assumed to be readable and of the size in the
    project. WorkbenchError if there is nothing to train on.
    """
    own = recipe.detector_settings.resolved(tuple(label.name for label in snapshot.labels))
    recipe = replace(recipe, detector_settings=own)
    settings, kind = recipe.training, detectors.load_all().get(recipe.detector)
    train = image_views.learnt_views(prepare.select_images(snapshot, settings)[0], settings)
    if kind.fixed_size:
        settings = replace(settings, sizes=0.0)
    multiple = kind.chosen_multiple(own)
    px = schedule.largest_side(settings, own.input_px, multiple)
    mode, files = kind.chosen_resize(own), files or FileIndex()
    made = load_without_pixels(train, px, mode, settings, own.pictures(), files)
    settings = schedule.lengthen(settings, len(made), settings.processes)
    return InputSequence(recipe, settings, mode, made, px, files, _left_out(train, made, files), multiple)


def _left_out(train: Snapshot, made: Dataset, files: FileIndex) -> dict[int, str]:
    there = {image.id for image in made.snapshot.images}
    gone = [(image.id, file) for image, file in zip(train.images, train.files, strict=True) if image.id not in there]
    return {id: files.read(file, train.window).problem for id, file in gone}


def unaugmented_input(snapshot: Snapshot, image: int, recipe: Recipe, view: int = FULLEST) -> NetworkInput:
    """The image with this id, any of the project's, only resized: as it is evaluated; in tiles, this view of it.

    Rows and images are numbered as in `snapshot`, or as among all views if it has tiles. WorkbenchError if its file
    can't be read.
    """
    index = next((i for i, one in enumerate(snapshot.images) if one.id == image), None)
    if index is None:
        raise WorkbenchError("This image is not in the project any more.")
    tiles = image_views.tiles_of(snapshot.images[index], recipe.training)
    if tiles:
        snapshot = image_views.evaluated_views(snapshot.take([index]), recipe.training)
        ignore = snapshot.crowd | snapshot.difficult if recipe.training.difficult == "ignore" else snapshot.crowd
        counts = [int((~ignore[snapshot.rows(one)]).sum()) for one in range(len(snapshot))]
        found = find_view(snapshot.places, counts, tiles, view)
        assert found is not None, "all views are evaluated"
        index = found
    own = recipe.detector_settings.resolved(tuple(label.name for label in snapshot.labels))
    mode = detectors.load_all().get(recipe.detector).chosen_resize(own)
    store = _read(snapshot.take([index]), own.input_px, mode)
    if store.problems:
        raise WorkbenchError(store.problems[0])
    read = store.dataset(recipe.training.difficult == "ignore")
    batch = augment.unaugmented(_numbered(read), np.zeros(1, np.int64))
    there = batch.labels[0] >= 0
    rows = batch.labels[0][there] + int(snapshot.offsets[index])
    gone = find_lost_boxes(read, augment.whole_images(read, np.zeros(1, np.int64)), np.zeros(1, np.int64))
    return NetworkInput(
        snapshot, batch.images[0], batch.boxes[0][there], snapshot.label_index[rows].astype(np.int64),
        batch.ignore[0][there], rows, np.full(len(rows), index), (index,),
        tuple(replace(one, row=one.row + int(snapshot.offsets[index]), source=index) for one in gone),
        view=index if tiles else 0, tiles=len(tiles),
    )  # fmt: skip


def _outside(box: Floats, whole: XYXY) -> float:
    """How far a box extends beyond another, in pixels."""
    return float(max((np.array(whole[:2]) - box[:2]).max(), (box[2:] - np.array(whole[2:])).max()))


def _numbered(read: Dataset) -> Dataset:
    """With each box's number in place of its label."""
    return replace(read, labels=np.arange(len(read.boxes)))


def _read(snapshot: Snapshot, px: int, mode: FitMode) -> data.PixelStore:
    """Read by the training's own code."""
    store = data.PixelStore(snapshot, px, mode, np.zeros((len(snapshot), px, px, 3), np.uint8))
    for file in data.files_of(snapshot):
        store.read(file)
    return store
