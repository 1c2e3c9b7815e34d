"""What a training keeps beside its checkpoints for the user: pictures of a few images, and each image's loss."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from workbench.detectors.parts.detector import Detector
from workbench.errors import WorkbenchError
from workbench.training import schedule, validate
from workbench.training.batches.data import Dataset
from workbench.training.checks import why_zero
from workbench.training.events import Control, Message
from workbench.training.hardware.runtime import Runtime
from workbench.training.monitoring import image_losses, watched_images
from workbench.training.request import RunRequest
from workbench.training.settings import TrainingSettings
from workbench.training.validate import Scores

MOST_LOSSES = 10_000
JUDGED = 0.15  # of the images learnt, so many are looked at again; not learning, each costs a third: a twentieth in all
CARDS_SHARE = 0.05  # of the time, on graphics cards: an image by itself is 300 orders, in which many learn several
CARDS_FIRST = 64  # images, which tell how long one takes there


class TrainingMonitor:
    """For one training. Nothing here changes what is learnt."""

    def __init__(
        self, request: RunRequest, settings: TrainingSettings, data: Dataset, validation: Dataset, runtime: Runtime,
        threads: int, control: Control,
    ) -> None:  # fmt: skip
        """`settings` as used by the training: its batch may be smaller than the request's."""
        self.folder, self.batch = request.folder, settings.batch
        self.data, self.validation = data, validation
        self.runtime, self.threads, self.control = runtime, threads, control
        self._losses = image_losses.read(request.folder) if request.resume else image_losses.NONE
        self._judged_at = self._next = 0  # step of the last look at training images, and the place of the next one
        self._judged, self._each = time.monotonic(), 0.0  # when that look ended; seconds that an image took in it
        self._settings, self._looks = settings, 0
        self._step_losses: list[float] = []  # the loss of each step, while why_zero() may need it

    def begin(self, step: int) -> None:
        """Start at this step, which is not 0 for a resumed run."""
        self._judged_at = step

    def add_loss(self, loss: float) -> None:
        """Record the loss of a step."""
        if self._looks < why_zero.FIRST and len(self._step_losses) < MOST_LOSSES:
            self._step_losses.append(loss)

    def why_zero(self, scores: Scores, step: int, steps: int) -> Iterator[Message]:
        """After the first evaluations: why nothing is found, if so. In the main process.

        Not after step 0, when nothing has been learnt yet that could be at fault.
        """
        self._looks += step > 0
        if not step or self._looks > why_zero.FIRST or not self.runtime.is_main:
            return
        labels = len(self.data.snapshot.labels)
        learnt = np.bincount(self.data.labels[~self.data.ignore], minlength=labels)
        warm_up = schedule.warm_up_steps(self._settings, steps)
        rate, optimizer = self._settings.learning_rate, self._settings.optimizer
        learning = why_zero.Learning(step, steps, warm_up, self._step_losses, rate, optimizer)
        truth, remedy = self.validation.whole, why_zero.LABEL_MORE if self._settings.folds else why_zero.MOVE
        for sentence in why_zero.remarks(truth, scores.found, learnt, scores.ap50, scores.per_label, learning, remedy):
            yield Message("warning", sentence)

    def record_evaluation(self, detector: Detector, scores: Scores, epoch: int, step: int) -> Iterator[Message]:
        """Record an evaluation, and evaluate some of the training images. Every process calls it.

        A full disk does not end the training for this; it is reported.
        """
        self._judge(detector, epoch, step)  # by all processes together, so before what may fail in only this one
        if not self.runtime.is_main:
            return
        self._take(detector, self.validation, np.arange(len(self.validation)), scores.losses, epoch)
        try:
            watched_images.append_detections(self.folder, epoch, step, self.validation.whole, scores.found)
            image_losses.write(self.folder, self._losses)
        except (OSError, WorkbenchError) as error:
            yield Message("warning", f"What was found after epoch {epoch} could not be kept: {error}")

    def _judge(self, detector: Detector, epoch: int, step: int) -> None:
        count = min(int((step - self._judged_at) * self.batch * JUDGED), len(self.data), self._most())
        count, begun = self._with_all_views(self.runtime.agree(count)), time.monotonic()
        at = (np.arange(count) + self._next) % len(self.data)
        found = validate.losses(detector, self.data, at, self.runtime, self.batch, self.control, self.threads)
        if found is None or not count:
            return
        self._judged_at, self._next = step, int(at[-1] + 1) % len(self.data)
        self._judged = time.monotonic()
        self._each = (self._judged - begun) / count
        if self.runtime.is_main:
            self._take(detector, self.data, at, found, epoch)

    def _with_all_views(self, count: int) -> int:
        """As many, and the rest of the last one's image, if it has several views: the worst of them all is kept."""
        if self.data.originals is None:
            return count
        images, total = self.data.snapshot.images, len(self.data)
        while 0 < count < total:
            if images[(self._next + count) % total].id != images[(self._next + count - 1) % total].id:
                break
            count += 1
        return count

    def _most(self) -> int:
        """Training images that there is time for."""
        if self.runtime.device.type == "cpu":
            return len(self.data)
        return int(CARDS_SHARE * (time.monotonic() - self._judged) / self._each) if self._each else CARDS_FIRST

    def _take(self, detector: Detector, data: Dataset, at: np.ndarray, losses: np.ndarray, epoch: int) -> None:
        ids = np.array([data.snapshot.images[int(i)].id for i in at], np.int64)
        boxes = np.ones(len(at), np.int64)
        if not detector.loss_per_positive:  # else images with many boxes would come first
            learnt = np.concatenate([[0], np.cumsum(~data.ignore)])[data.offsets]
            boxes = np.maximum(np.diff(learnt)[at], 1)
        self._losses = self._losses.with_new(*_worst_views(ids, (losses / boxes).astype(np.float32)), epoch)


def _worst_views(ids: NDArray[np.int64], losses: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Each image once, with the highest loss of its views: that of the tile in which a box is wrong."""
    order = np.lexsort((-losses, ids))  # NaN last
    first = np.unique(ids[order], return_index=True)[1]
    return ids[order][first], losses[order][first]
