"""The boxes of many images as arrays, read from a project's file by any thread, and orders to look through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.storage.box_criteria import BoxCriteria
from workbench.core.storage.rows import GIVEN, given
from workbench.core.store import Store


class BoxOrder(StrEnum):
    """Ties by image, then the oldest box first."""

    IMAGE = "by image"
    SMALLEST = "smallest first"
    LARGEST = "largest first"
    NARROWEST = "narrowest first"  # by width / height
    WIDEST = "widest first"


@dataclass(frozen=True, slots=True, eq=False)
class BoxRows:
    """m boxes: `ids`, `images`, `labels` (m,) int64; `xyxy` (m, 4) pixels of the upright original image."""

    ids: NDArray[np.int64]
    images: NDArray[np.int64]
    labels: NDArray[np.int64]
    xyxy: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def ordered(self, order: BoxOrder) -> BoxRows:
        """The same boxes in this order."""
        if order is BoxOrder.IMAGE:
            return self
        wide, high = (self.xyxy[:, 2:] - self.xyxy[:, :2]).T
        size, shape = wide * high, wide / np.maximum(high, 1e-9)
        by = {
            BoxOrder.SMALLEST: size, BoxOrder.LARGEST: -size, BoxOrder.NARROWEST: shape, BoxOrder.WIDEST: -shape,
        }[order]  # fmt: skip
        return self._rows(np.argsort(by, kind="stable"))

    def _rows(self, rows: NDArray[np.int64]) -> BoxRows:
        return BoxRows(self.ids[rows], self.images[rows], self.labels[rows], self.xyxy[rows])


NO_ROWS = BoxRows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)))


def read(file: Path, images: Sequence[int], asked: BoxCriteria) -> BoxRows:
    """The boxes of these images that fit, in the images' order. WorkbenchError if the project's file can't be read."""
    condition, values = asked.condition
    with Store(file, read_only=True, check=False) as store:
        found = store.rows(
            f"SELECT id, image, label, x0, y0, x1, y1 FROM box WHERE image IN {GIVEN} AND {condition} ORDER BY id",
            given(images), *values,
        )  # fmt: skip
    if not found:
        return NO_ROWS
    numbers = np.array([row[:3] for row in found], np.int64)
    xyxy = np.array([row[3:] for row in found], np.float64)
    place = np.zeros(int(max(images)) + 1, np.int64)
    place[np.asarray(images)] = np.arange(len(images))
    rows = BoxRows(numbers[:, 0], numbers[:, 1], numbers[:, 2], xyxy)
    return rows._rows(np.argsort(place[rows.images], kind="stable"))
