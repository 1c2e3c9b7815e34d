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
from workbench.training.seen_files import Files
from workbench.ui.pictures import to_qimage

if TYPE_CHECKING:  # torch with it
    from workbench.training.request import RunRequest
    from workbench.training.seen import Course, Seen

SIDE = 320
"""A picture's maximum side in pixels: a tile shows no more, and a batch may have a few hundred."""
TRIES = 3  # each time another file turned out to be different


@dataclass(frozen=True, slots=True)
class Begin:
    """Read the request of the run in `folder`. `images`: how many images it could read, 0 if unknown."""

    folder: Path
    images: int
    number: int  # of the request


@dataclass(frozen=True, slots=True)
class Begun:
    batch: int  # images
    steps: int
    note: str  # what else to know about it


@dataclass(frozen=True, slots=True)
class Place:
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


class Batches:
    """Keeps the plan of one run between requests. `do` in one thread only, `leave` in any."""

    def __init__(self) -> None:
        self._files = Files()
        self._begun: Begin | None = None
        self._request: RunRequest | None = None
        self._course: Course | None = None
        self._left = threading.Event()

    def leave(self) -> None:
        """Abandon the work in progress, for good."""
        self._left.set()

    def do(self, wish: Begin | Place) -> Begun | Tile:
        """WorkbenchError if the run's record or an image file can't be read."""
        if isinstance(wish, Begin):
            return self._begin(wish)
        return self._tile(wish)

    def _begin(self, wish: Begin) -> Begun:
        from workbench.training import record

        self._begun = self._request = self._course = None
        if not (wish.folder / record.DATA).exists():
            raise WorkbenchError(f"{wish.folder.name} has no record of its images yet, or was not trained here.")
        self._request = record.read_request(wish.folder)
        course = self._made()
        if wish.images and len(course.data) != wish.images:
            self._look_at_all(course)
            course = self._made()
        self._begun, self._course = wish, course
        plan, note = course.plan(), ""
        if wish.images and len(course.data) != wish.images:
            now = len(course.data)
            note = f"The training had {wish.images:,} images, but {now:,} can be read now: batches may differ."
        return Begun(plan.batch, plan.steps, note)

    def _made(self) -> Course:
        """With what is known about the files so far."""
        from workbench.training import seen

        assert self._request is not None
        return seen.course(self._request.snapshot, self._request.recipe, self._files)

    def _look_at_all(self, course: Course) -> None:
        """Some files could not be read, which shifts all later ones: find out which."""
        for file in course.snapshot.files:
            if self._left.is_set():
                raise WorkbenchError("Stopped.")
            self._files.look(file, course.snapshot.window)

    def _tile(self, wish: Place) -> Tile:
        from workbench.training.seen import Otherwise

        if self._begun is None or self._course is None or self._begun.folder != wish.folder:
            raise WorkbenchError("Another run was chosen meanwhile.")
        for _ in range(TRIES):
            try:
                return _tile(self._course.at(wish.step, wish.place), wish.place)
            except Otherwise as error:  # which is now recorded
                course = self._made()
                if len(course.data) != len(self._course.data):  # it was there in the training: others stay in place
                    raise WorkbenchError(error.sentence, error) from error
                self._course = course
        raise WorkbenchError("The image files change while they are read. Try again.")


def _tile(seen: Seen, place: int) -> Tile:
    labels = [seen.snapshot.labels[int(label)] for label in seen.labels]
    images = [seen.snapshot.images[index] for index in seen.parts]
    picture = to_qimage(seen.pixels)
    if seen.side > SIDE:
        smooth = Qt.TransformationMode.SmoothTransformation
        picture = picture.scaled(SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth)
    return Tile(
        place, images[0].id, images[0].name, tuple(image.name for image in images[1:]), picture, seen.side,
        seen.boxes.astype(np.float64), tuple(label.name for label in labels), tuple(label.colour for label in labels),
        seen.ignore, seen.attacked,
    )  # fmt: skip
