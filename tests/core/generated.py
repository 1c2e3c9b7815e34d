"""A generated split: labelled boxes and candidates before NMS, a part of them clustered on the boxes."""

from __future__ import annotations

import numpy as np

from workbench.core.detections import Candidates
from workbench.core.evaluation.evaluation_data import GroundTruth


def split_scene(
    images: int, candidates: int, labels: int, seed: int = 0, boxes: float = 7.4, crowd: float = 0.0, side: int = 640
) -> tuple[GroundTruth, list[Candidates]]:
    """A quarter of each image's candidates lies on its boxes, most with their label; few labels are frequent."""
    rng = np.random.default_rng(seed)
    per_image = rng.poisson(boxes, images)
    count = int(per_image.sum())
    frequent = 1 / np.arange(1, labels + 1) ** 0.8
    frequent /= frequent.sum()
    label = rng.choice(labels, count, p=frequent)
    centre, size = rng.uniform(0, side, (count, 2)), np.exp(rng.normal(4, 0.8, (count, 2)))
    crowds = rng.random(count) < crowd
    truth = GroundTruth(
        boxes=_xyxy(centre, size), labels=label, images=np.repeat(np.arange(images), per_image), crowd=crowds,
        ignore=crowds, areas=size.prod(1), image_count=images, label_count=labels,
    )  # fmt: skip
    first = np.concatenate([[0], np.cumsum(per_image)])
    found = []
    for image in range(images):
        near = candidates // 4 if per_image[image] else 0
        far = candidates - near
        which = first[image] + rng.integers(0, max(per_image[image], 1), near)
        on = _xyxy(
            centre[which] + rng.normal(0, 0.08, (near, 2)) * size[which],
            size[which] * np.exp(rng.normal(0, 0.12, (near, 2))),
        )
        off = _xyxy(rng.uniform(0, side, (far, 2)), np.exp(rng.normal(3.8, 0.8, (far, 2))))
        called = np.where(rng.random(near) < 0.85, label[which], rng.choice(labels, near, p=frequent))
        names = np.concatenate([called, rng.choice(labels, far, p=frequent)])
        scores = np.concatenate([rng.beta(0.8, 1.5, near), rng.beta(0.3, 8, far)]) * 0.998 + 0.001
        found.append(Candidates.of_arrays(np.concatenate([on, off]), scores, names))
    return truth, found


def _xyxy(centre: np.ndarray, size: np.ndarray) -> np.ndarray:
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)
