"""How good the detector is after an epoch: COCO's AP on the validation images, by the program's one evaluator."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from workbench.core import boxes as geometry
from workbench.core import metrics
from workbench.core.detections import FLOOR, LIMIT, MOST, OVERLAP, Candidates, Detections
from workbench.core.tiling import merge
from workbench.detectors.parts.detector import Detector, Raw, Targets
from workbench.errors import WorkbenchError
from workbench.training.batches import augment
from workbench.training.batches.data import Dataset
from workbench.training.batches.device_transfer import on_device
from workbench.training.events import Control
from workbench.training.hardware import gpu
from workbench.training.hardware.runtime import Runtime

T = TypeVar("T")
_ONE_DRAWS = threading.Lock()


@dataclass(frozen=True)
class Scores:
    """The results of an evaluation; NaN if no box counts. In the main process only, `found` by image (of `data.whole`)
    and `losses` by view of one.
    """

    ap: float
    ap50: float
    ap75: float
    per_label: dict[str, float]  # AP50, labels without boxes left out
    per_label_ap: dict[str, float]  # AP, for the same labels
    images: int
    seconds: float
    found: tuple[Detections, ...] = ()
    losses: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    def numbers(self) -> dict[str, float]:
        return {"ap": self.ap, "ap50": self.ap50, "ap75": self.ap75}


def evaluate(
    detector: Detector, data: Dataset, runtime: Runtime, batch: int, control: Control, threads: int = 1
) -> Scores | None:
    """Scores of `detector`, in evaluation mode, on `data`; None if some process was asked to stop meanwhile.

    Computed in float32 whatever the training uses, so that evaluating the checkpoint gives the same numbers. On the
    processor `threads` batches go through in parallel; on a card the next one is prepared, and boxes of the one before
    are selected, while it computes. With several processes each takes some.
    """
    start, device = time.monotonic(), runtime.device
    parts = _parts(data, batch)
    own = parts[runtime.rank :: runtime.world]
    with gpu.exact_float32():
        found = _of_each(own, lambda part: _found(detector, data, part, batch, device, control), device, threads)
    if runtime.agree(control.stop.is_set()):
        return None
    rows = _dealt_back(runtime.gather(found), len(parts))
    detections = [one for one, _ in rows]
    scores = runtime.broadcast(lambda: _scores(data, detections, time.monotonic() - start))
    each = np.array([loss for _, some in rows for loss in some], np.float32)
    return replace(scores, found=tuple(detections), losses=each)


def losses(
    detector: Detector, data: Dataset, indices: NDArray[np.int64], runtime: Runtime, batch: int, control: Control,
    threads: int = 1,
) -> NDArray[np.float32] | None:  # fmt: skip
    """The loss of each of these images in evaluation mode, in the main process only. None if asked
    to stop meanwhile.
    """
    parts = [indices[first : first + batch] for first in range(0, len(indices), batch)]
    own, device = parts[runtime.rank :: runtime.world], runtime.device
    with gpu.exact_float32():
        look = partial(_judged, detector, data, device, control)
        found = _of_each(own, partial(_fitting, look, device), device, threads)
    if runtime.agree(control.stop.is_set()):
        return None
    return np.array(_dealt_back(runtime.gather(found), len(parts)), np.float32)


def _of_each(
    parts: Sequence[NDArray[np.int64]], work: Callable[[NDArray[np.int64]], T], device: torch.device, threads: int
) -> list[T]:
    """The result of `work` for each part: several at once or, where that leaves one no memory, one after the other."""
    at_once = threads if device.type == "cpu" else 2 if device.type == "cuda" else 1  # Apple's is for one thread
    try:
        with ThreadPoolExecutor(at_once, "evaluate") as pool:
            return list(pool.map(work, parts))
    except WorkbenchError as error:
        if at_once == 1 or error.__cause__ is None or not gpu.is_out_of_memory(error.__cause__):
            raise
    gpu.empty_cache(device)  # outside the except block, whose traceback would keep the tensors alive
    return [work(part) for part in parts]


def _fitting(look: Callable[[NDArray[np.int64]], list[T]], device: torch.device, indices: NDArray[np.int64]) -> list[T]:
    """The results of `look`, which is given the two halves one after the other where memory does not hold all images.

    No function inside another: one that calls itself is a cycle, which would hold the detector until it is collected.
    """
    try:
        return look(indices)
    except RuntimeError as error:
        if not gpu.is_out_of_memory(error):
            raise
        if len(indices) < 2:
            raise WorkbenchError(
                "The memory is too small for evaluating a single image."
                " Choose a smaller input side, a smaller width or another detector.",
                error,
            ) from error
    gpu.empty_cache(device)  # outside the except block, whose traceback would keep the tensors alive
    middle = len(indices) // 2
    return _fitting(look, device, indices[:middle]) + _fitting(look, device, indices[middle:])


def _judged(
    detector: Detector, data: Dataset, device: torch.device, control: Control, indices: NDArray[np.int64]
) -> list[float]:
    if control.stop.is_set():
        return []
    images, targets = on_device(augment.unaugmented(data, indices), slice(None), device)
    side = detector.settings.input_px
    if data.side != side:  # kept larger if input sides vary
        images = functional.interpolate(images, size=(side, side), mode="bilinear")
        targets = replace(targets, boxes=targets.boxes * (side / data.side))
    with torch.inference_mode():
        return _each_loss(detector, detector(images), targets)


def _each_loss(detector: Detector, raw: Raw, targets: Targets) -> list[float]:
    """The loss of every image of a batch by itself, of the terms that the detector is judged by."""
    place = raw[0].device
    with _drawing_apart(place) if detector.samples else contextlib.nullcontext():
        sums = []
        for i in range(len(targets.labels)):
            if detector.samples:
                torch.manual_seed(0)  # the same each time, so that losses can be compared
            terms = detector.loss(tuple(level[i : i + 1] for level in raw), targets.only(slice(i, i + 1)))
            sums.append(torch.stack([terms[name] for name in detector.judged_by or terms]).sum())
    return [float(value) for value in torch.stack(sums).tolist()] if sums else []


@contextlib.contextmanager
def _drawing_apart(device: torch.device) -> Iterator[None]:
    """Leave the training's random state unchanged; one thread at a time, as there is only one state."""
    with _ONE_DRAWS, gpu.forked_rng(device):
        yield


def _dealt_back(everyones: Sequence[list[list[T]]], parts: int) -> list[T]:
    """The results in the order of the images; process r had the parts r, r + R, ... Empty where
    nothing was gathered.
    """
    count = len(everyones)
    return [one for part in range(parts) for one in everyones[part % count][part // count]] if everyones else []


def _scores(data: Dataset, found: list[Detections], seconds: float) -> Scores:
    result = metrics.evaluate(data.whole, found)
    return Scores(
        ap=result.ap, ap50=result.ap50, ap75=result.ap75,
        per_label=_known(result.labels, result.per_label_ap50), per_label_ap=_known(result.labels, result.per_label_ap),
        images=len(data.whole), seconds=seconds,
    )  # fmt: skip


def _known(labels: Sequence[str], values: Iterable[float]) -> dict[str, float]:
    return {label: float(value) for label, value in zip(labels, values, strict=True) if math.isfinite(value)}


def _parts(data: Dataset, batch: int) -> list[NDArray[np.int64]]:
    """The indices in parts of at least `batch`, those of an image's views together: so they are merged, and the
    candidates of all images need not be kept.
    """
    ids = range(len(data)) if data.originals is None else [image.id for image in data.snapshot.images]
    parts, first = [], 0
    for end in range(1, len(data) + 1):
        if end == len(data) or (end - first >= batch and ids[end] != ids[end - 1]):
            parts.append(np.arange(first, end))
            first = end
    return parts


def _found(
    detector: Detector, data: Dataset, indices: NDArray[np.int64], batch: int, device: torch.device, control: Control
) -> list[tuple[Detections, list[float]]]:
    """Of each image that is seen at `indices` what is found in it, and the losses of its views; nothing once asked to
    stop. `batch` at a time.
    """
    look = partial(_seen, detector, data, device, control)
    parts = [indices[first : first + batch] for first in range(0, len(indices), batch)]
    seen = [one for part in parts for one in _fitting(look, device, part)]
    if len(seen) < len(indices):
        return []
    at = [data.snapshot.images[int(i)].id for i in indices] if data.originals is not None else range(len(indices))
    starts = [n for n in range(len(indices)) if n == 0 or at[n] != at[n - 1]]
    found = []
    for start, end in zip(starts, [*starts[1:], len(indices)], strict=True):
        candidates = _merged(data, indices[start:end], [one for one, _ in seen[start:end]])
        detections = candidates.detections(FLOOR, OVERLAP, detector.published_nms[0], LIMIT)
        found.append((detections, [loss for _, loss in seen[start:end]]))
    return found


def _merged(data: Dataset, views: NDArray[np.int64], seen: Sequence[Candidates]) -> Candidates:
    """The candidates of an image from those of its views, of which the first is the whole."""
    image, places = data.snapshot.images[int(views[0])], [data.snapshot.place(int(index)) for index in views[1:]]
    if not places:
        return seen[0]
    return merge(seen[0], seen[1:], [place for place in places if place is not None], image.width, image.height)


def _seen(
    detector: Detector, data: Dataset, device: torch.device, control: Control, indices: NDArray[np.int64]
) -> list[tuple[Candidates, float]]:
    """The candidates in the views at `indices`, and their losses; nothing once asked to stop."""
    if control.stop.is_set():
        return []
    images, targets = on_device(augment.unaugmented(data, indices), slice(None), device)
    with torch.inference_mode():
        raw = detector(images)
        boxes, scores, labels = (tensor.cpu() for tensor in detector.candidates(raw).best(MOST))
        each = _each_loss(detector, raw, targets)
    rows = zip(boxes.float(), scores.float(), labels, strict=True)
    found = [_candidates(data, int(i), *row) for i, row in zip(indices, rows, strict=True)]
    return list(zip(found, each, strict=True))


def _candidates(data: Dataset, index: int, boxes: Tensor, scores: Tensor, labels: Tensor) -> Candidates:
    """Candidates of image `index` in its own pixels, from its best pairs: boxes (k, 4) in network pixels."""
    image = data.snapshot.images[index]
    original = geometry.clip(data.fits[index].back(boxes.numpy()), image.width, image.height)
    real = geometry.areas(original) > 0
    return Candidates.of_arrays(original[real], scores.numpy()[real], labels.numpy()[real], floor=FLOOR)
