"""What a trained network sees in an image: its backbone's features of the whole, and how uncertain its detections are.

The features are the last map of the detector's own backbone, averaged over its cells (global average pooling, Lin et
al. 2013, arXiv 1312.4400). The detector's class attribute `backbone_parts` names the backbone. If it is empty, as for a
Darknet cfg, the input of the first output layer is used: the last map before a head.
d = channels of that map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import image_queue
from workbench.core.detections import FLOOR

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.detectors.parts.detector import Detector
    from workbench.inference.predict import Predictor

DETECTIONS = 300  # of a view of an image that may be uncertain


@dataclass(frozen=True, slots=True, eq=False)
class ImageFeatures:
    """One image. `uncertain` as core.image_queue.uncertainty; `features` (d,)."""

    uncertain: float
    features: NDArray[np.float32]


def extract_features(predictor: Predictor, images: Sequence[NDArray[np.uint8]]) -> list[ImageFeatures]:
    """For each upright (H, W, 3) uint8 RGB image: features of it as a whole, doubts also of its tiles, see
    Predictor.candidates(). The network runs once for each view.
    """
    found: list[ImageFeatures] = []
    kind, iou = predictor.detector.published_nms
    while len(found) < len(images):
        part = images[len(found) : len(found) + predictor.batch]
        before = predictor.running, predictor.batch
        with _pooled(predictor.running) as rows:
            candidates = predictor.candidates(part)
        if (predictor.running, predictor.batch) != before:
            continue  # memory ran out: from now on it takes fewer at a time, or the processor computes
        ends = np.cumsum([0, *(of_one.views for of_one in candidates)])
        features = np.concatenate([row.numpy() for row in rows])
        for of_one, seen in zip(candidates, features[ends[:-1]], strict=True):  # the whole is the first view
            left = of_one.detections(FLOOR, iou, kind, DETECTIONS)
            found.append(ImageFeatures(image_queue.uncertainty(left.scores), seen))
    return found


@contextmanager
def _pooled(detector: Detector) -> Iterator[list[Tensor]]:
    """Within it each forward() appends the features (B, d) of its images, on the CPU: of the last map, if the module
    is called for several, as a head that levels share.
    """
    import torch
    from torch import nn

    from workbench.training import freezing

    rows: list[Tensor] = []

    def keep(out: Any) -> None:
        rows[-1] = _mean(out)

    begin = detector.register_forward_pre_hook(lambda *_: rows.append(torch.empty(0)))
    parts = freezing.backbone(detector)
    if parts:
        last = parts[-1]
        while isinstance(last, nn.Sequential | nn.ModuleList):  # some are iterated over and never called as a whole
            last = last[-1]
        hook = last.register_forward_hook(lambda _, __, out: keep(out))
    else:
        first = detector.get_submodule(next(iter(detector.label_rows())))
        hook = first.register_forward_pre_hook(lambda _, inputs: keep(inputs))
    try:
        yield rows
    finally:
        begin.remove()
        hook.remove()


def _mean(out: Any) -> Tensor:
    """(B, d) of a map, or of the last of several."""
    maps = tuple(out.values()) if isinstance(out, dict) else out if isinstance(out, tuple | list) else (out,)
    pooled: Tensor = maps[-1].float().flatten(2).mean(dim=2).cpu()
    return pooled
