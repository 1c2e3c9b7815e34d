"""Recreates the batch of any step of a run, image by image, with the training's own code. k = boxes of one image."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from workbench.errors import WorkbenchError
from workbench.training.batches.file_index import FileIndex
from workbench.ui.images.pictures import to_qimage

if TYPE_CHECKING:  # torch with it
    from workbench.training.request import RunRequest
    from workbench.training.trainer_view.network_input import InputSequence, NetworkInput

SIDE = 320
"""A picture's maximum side in pixels: a tile shows no more, and a batch may have a few hundred."""
TRIES = 3  # each time another file turned out to be different


@dataclass(frozen=True, slots=True)
class BatchPlanRequest:
    """Read the request of the run in `folder`. `images`: how many images it could read, 0 if unknown."""

    folder: Path
    images: int
    number: int  # of the request


@dataclass(frozen=True, slots=True)
class BatchPlan:
    batch: int  # images
    steps: int
    note: str  # what else to know about it
    tiled: bool = False  # tiles are among its images


@dataclass(frozen=True, slots=True)
class TileRequest:
    """An image in the batch of a step. Both from 0."""

    folder: Path
    step: int
    place: int


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """An image as the network gets it, scaled down."""

    place: int
    image: int  # project id of the image drawn first; others may be part of it
    name: str
    others: tuple[str, ...]  # names
    picture: QImage
    side: int  # pixels of the network's input; boxes are in these
    boxes: NDArray[np.float64]  # (k, 4) xyxy
    labels: tuple[str, ...]  # (k,) names
    colours: tuple[str, ...]  # (k,)
    ignore: NDArray[np.bool_]  # (k,) neither object nor background
    attacked: bool  # the step perturbs its images adversarially, which is not shown


class BatchWorker:
    """Keeps the plan of one run between requests. `handle` in one thread only, `cancel` in any."""

    def __init__(self) -> None:
        self._files = FileIndex()
        self._planned: BatchPlanRequest | None = None
        self._request: RunRequest | None = None
        self._sequence: InputSequence | None = None
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Abandon the work in progress, for good."""
        self._cancelled.set()

    def handle(self, request: BatchPlanRequest | TileRequest) -> BatchPlan | Tile:
        """WorkbenchError if the run's record or an image file can't be read."""
        if isinstance(request, BatchPlanRequest):
            return self._begin(request)
        return self._tile(request)

    def _begin(self, request: BatchPlanRequest) -> BatchPlan:
        from workbench.training.records import record

        self._planned = self._request = self._sequence = None
        if not (request.folder / record.DATA).exists():
            raise WorkbenchError(f"{request.folder.name} has no record of its images yet, or was not trained here.")
        self._request = record.read_request(request.folder)
        sequence = self._make_sequence()
        if request.images and len(sequence.data) != request.images:
            self._read_all_files(sequence)
            sequence = self._make_sequence()
        self._planned, self._sequence = request, sequence
        plan, note = sequence.plan(), ""
        if request.images and len(sequence.data) != request.images:
            now = len(sequence.data)
            what = "images and tiles" if sequence.snapshot.places else "images"
            note = f"The training had {request.images:,} {what}, but {now:,} can be read now: batches may differ."
        return BatchPlan(plan.batch, plan.steps, note, bool(sequence.snapshot.places))

    def _make_sequence(self) -> InputSequence:
        """With what is known about the files so far."""
        from workbench.training.trainer_view import network_input

        assert self._request is not None
        return network_input.make_input_sequence(self._request.snapshot, self._request.recipe, self._files)

    def _read_all_files(self, sequence: InputSequence) -> None:
        """Some files could not be read, which shifts all later ones: find out which."""
        for file in sequence.snapshot.files:
            if self._cancelled.is_set():
                raise WorkbenchError("Stopped.")
            self._files.read(file, sequence.snapshot.window)

    def _tile(self, request: TileRequest) -> Tile:
        from workbench.training.trainer_view.network_input import FileChanged

        if self._planned is None or self._sequence is None or self._planned.folder != request.folder:
            raise WorkbenchError("Another run was chosen meanwhile.")
        for _ in range(TRIES):
            try:
                return _tile(self._sequence.at(request.step, request.place), request.place)
            except FileChanged as error:  # which is now recorded
                sequence = self._make_sequence()
                if len(sequence.data) != len(self._sequence.data):  # it was there in the training: others stay in place
                    raise WorkbenchError(error.sentence, error) from error
                self._sequence = sequence
        raise WorkbenchError("The image files change while they are read. Try again.")


def _tile(sample: NetworkInput, place: int) -> Tile:
    labels = [sample.snapshot.labels[int(label)] for label in sample.labels]
    images = [sample.snapshot.images[index] for index in sample.parts]
    picture = to_qimage(sample.pixels)
    if sample.side > SIDE:
        smooth = Qt.TransformationMode.SmoothTransformation
        picture = picture.scaled(SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth)
    name = f"{images[0].name}, {sample.view_name}" if sample.view else images[0].name
    return Tile(
        place, images[0].id, name, tuple(image.name for image in images[1:]), picture, sample.side,
        sample.boxes.astype(np.float64), tuple(label.name for label in labels), tuple(label.colour for label in labels),
        sample.ignore, sample.attacked,
    )  # fmt: skip
