"""What is behind a bar, a cell or a point: some detections and labelled boxes, and their images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation.greedy_matching import Rows
from workbench.core.evaluation.matching import Matching

_NO_ROWS = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class BoxSelection:
    """`words`: its title. Box i (xyxy, image pixels) is in image images[i], ascending."""

    words: str
    images: Rows  # (n,)
    boxes: NDArray[np.float64]  # (n, 4)

    @staticmethod
    def of(words: str, matching: Matching, detections: Rows = _NO_ROWS, boxes: Rows = _NO_ROWS) -> BoxSelection:
        """`detections` and `boxes` are rows of the matching's `found` and `truth`; -1 is skipped."""
        detections, boxes = detections[detections >= 0], boxes[boxes >= 0]
        found, truth = matching.found, matching.truth
        images = np.concatenate([found.images[detections], truth.images[boxes]])
        places = np.concatenate([found.boxes[detections].astype(np.float64), truth.boxes[boxes]])
        order = np.argsort(images, kind="stable")
        return BoxSelection(words, images[order], places[order])

    @property
    def unique_images(self) -> Rows:
        """The images, without duplicates."""
        return np.unique(self.images)

    def of_image(self, image: int) -> NDArray[np.float64]:
        """(n, 4) the boxes to frame in this image."""
        return self.boxes[slice(*np.searchsorted(self.images, [image, image + 1]))]
