"""How good the detector is after an epoch: COCO's AP on the validation images, by the project's one evaluator."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.core import boxes as geometry
from workbench.core import metrics
from workbench.core.detections import FLOOR, MOST, Candidates, Detections, Kind
from workbench.detectors.parts.detector import Detector
from workbench.training import augment
from workbench.training.data import Dataset
from workbench.training.events import Control
from workbench.training.runtime import Runtime
from workbench.training.step import on_device

OVERLAP = 0.6  # of NMS, as inference.evaluate has it, so that both give the same numbers
LIMIT = 300


@dataclass(frozen=True)
class Scores:
    """What an evaluation found; NaN where no box counts."""

    ap: float
    ap50: float
    ap75: float
    per_label: dict[str, float]  # AP50, labels without boxes left out
    per_label_ap: dict[str, float]  # AP, likewise
    images: int
    seconds: float

    def numbers(self) -> dict[str, float]:
        return {"ap": self.ap, "ap50": self.ap50, "ap75": self.ap75}


def evaluate(
    detector: Detector, data: Dataset, runtime: Runtime, batch: int, control: Control, threads: int = 1
) -> Scores | None:
    """Scores of `detector`, in evaluation mode, on `data`; None when some process was asked to stop meanwhile.

    Computed in float32 whatever the training uses, so that an evaluation of the checkpoint gives the same numbers.
    On the processor `threads` batches go through at the same time; of several processes each takes some.
    """
    start, device = time.monotonic(), runtime.device
    parts = [np.arange(first, min(first + batch, len(data))) for first in range(0, len(data), batch)]
    own = parts[runtime.rank :: runtime.world]
    with ThreadPoolExecutor(threads if device.type == "cpu" else 1, "evaluate") as pool:
        found = list(pool.map(lambda part: _found(detector, data, part, device, control), own))
    if runtime.agree(control.stop.is_set()):
        return None
    everyones = runtime.gather(found)
    return runtime.share(lambda: _scores(data, _dealt_back(everyones, len(parts)), time.monotonic() - start))


def _dealt_back(everyones: Sequence[list[list[Detections]]], parts: int) -> list[Detections]:
    """In the order of the images: process r had the parts r, r + R, ..."""
    return [
        detections for part in range(parts) for detections in everyones[part % len(everyones)][part // len(everyones)]
    ]


def _scores(data: Dataset, found: list[Detections], seconds: float) -> Scores:
    result = metrics.evaluate(data.snapshot, found)
    return Scores(
        ap=result.ap, ap50=result.ap50, ap75=result.ap75,
        per_label=_known(result.labels, result.per_label_ap50), per_label_ap=_known(result.labels, result.per_label_ap),
        images=len(data), seconds=seconds,
    )  # fmt: skip


def _known(labels: Sequence[str], values: Iterable[float]) -> dict[str, float]:
    return {label: float(value) for label, value in zip(labels, values, strict=True) if math.isfinite(value)}


def _found(
    detector: Detector, data: Dataset, indices: NDArray[np.int64], device: torch.device, control: Control
) -> list[Detections]:
    """Detections of the images at `indices`; of none once asked to stop."""
    if control.stop.is_set():
        return []
    images, _ = on_device(augment.plain(data, indices), slice(None), device)
    with torch.inference_mode():
        boxes, scores, labels = (tensor.cpu() for tensor in detector.candidates(detector(images)).best(MOST))
    rows = zip(boxes.float(), scores.float(), labels, strict=True)
    kind = detector.published_nms[0]
    return [_detections(data, int(i), kind, *row) for i, row in zip(indices, rows, strict=True)]


def _detections(data: Dataset, index: int, kind: Kind, boxes: Tensor, scores: Tensor, labels: Tensor) -> Detections:
    """Detections of image `index` in its own pixels, from its best pairs: boxes (k, 4) in network pixels."""
    image = data.snapshot.images[index]
    original = geometry.clip(data.fits[index].back(boxes.numpy()), image.width, image.height)
    real = geometry.areas(original) > 0
    candidates = Candidates.of_arrays(original[real], scores.numpy()[real], labels.numpy()[real], floor=FLOOR)
    return candidates.detections(FLOOR, OVERLAP, kind, LIMIT)
