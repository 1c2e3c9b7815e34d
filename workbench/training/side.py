"""What a training keeps beside its checkpoints for people to look at: a few images' pictures, and each image's loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.detectors.parts.detector import Detector
from workbench.errors import WorkbenchError
from workbench.training import image_losses, validate, watched
from workbench.training.data import Dataset
from workbench.training.events import Control, Message
from workbench.training.request import RunRequest
from workbench.training.runtime import Runtime
from workbench.training.validate import Scores

JUDGED = 0.15  # of the images learnt, so many are looked at again; not learning, each costs a third: a twentieth in all


class Side:
    """Of one training. Nothing here changes what is learnt."""

    def __init__(
        self, request: RunRequest, data: Dataset, validation: Dataset, runtime: Runtime, threads: int, control: Control
    ) -> None:
        self.folder, self.batch = request.folder, request.recipe.training.batch
        self.data, self.validation = data, validation
        self.runtime, self.threads, self.control = runtime, threads, control
        self._losses = image_losses.read(request.folder) if request.resume else image_losses.NONE
        self._judged_at = self._next = 0  # step of the last look at training images, and the place of the next one

    def begin(self, step: int) -> None:
        """A resumed run starts at this step."""
        self._judged_at = step

    def after(self, detector: Detector, scores: Scores, epoch: int, step: int) -> Iterator[Message]:
        """Take in an evaluation, and look at some of the training images. Every process calls it.

        A full disk does not end a training for these; it is told.
        """
        try:
            if self.runtime.main:
                watched.keep(self.folder, epoch, step, self.validation.snapshot, scores.found)
                self._take(self.validation, np.arange(len(self.validation)), scores.losses, epoch)
            self._judge(detector, epoch, step)
            if self.runtime.main:
                image_losses.write(self.folder, self._losses)
        except (OSError, WorkbenchError) as error:
            yield Message("warning", f"What was found after epoch {epoch} could not be kept: {error}")

    def _judge(self, detector: Detector, epoch: int, step: int) -> None:
        count = min(int((step - self._judged_at) * self.batch * JUDGED), len(self.data))
        at = (np.arange(count) + self._next) % len(self.data)
        found = validate.losses(detector, self.data, at, self.runtime, self.batch, self.control, self.threads)
        if found is None or not count:
            return
        self._judged_at, self._next = step, int(at[-1] + 1) % len(self.data)
        if self.runtime.main:
            self._take(self.data, at, found, epoch)

    def _take(self, data: Dataset, at: np.ndarray, losses: np.ndarray, epoch: int) -> None:
        ids = np.array([data.snapshot.images[int(i)].id for i in at], np.int64)
        self._losses = self._losses.with_new(ids, losses, epoch)
