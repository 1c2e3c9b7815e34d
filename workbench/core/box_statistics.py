"""Statistics of a project's boxes as histograms: how many, how large, of which shape, and of which label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.box_faults import SIDE
from workbench.core.project import Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """`counts` (n,) of values between `edges` (n + 1,)."""

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class BoxStatistics:
    """`sides`: geometric mean of a box's sides once its image's longer side has 416 pixels. `shapes`: log2 of w / h."""

    per_label: tuple[tuple[str, int], ...]
    per_image: Histogram
    sides: Histogram
    shapes: Histogram


def statistics(snapshot: Snapshot) -> BoxStatistics:
    """Statistics of all boxes with an area; images of unknown size don't count for sides."""
    counts = np.bincount(snapshot.label_index, minlength=len(snapshot.labels))
    per_image = np.diff(snapshot.offsets)
    owners = np.repeat(np.arange(len(snapshot)), per_image)
    longer = np.array([max(image.width, image.height) for image in snapshot.images], float)[owners]
    wide, high = (snapshot.boxes[:, 2:] - snapshot.boxes[:, :2]).T if len(snapshot.boxes) else np.zeros((2, 0))
    sound = (wide > 0) & (high > 0)
    known = sound & (longer > 0)
    sides = np.sqrt(wide[known] * high[known]) * SIDE / longer[known]
    most = int(per_image.max(initial=0))
    steps = max(1, -(-(most + 1) // 40))  # a whole number of box counts per bar
    return BoxStatistics(
        per_label=tuple((label.name, int(n)) for label, n in zip(snapshot.labels, counts, strict=False)),
        per_image=_histogram(per_image, np.arange(0, most + steps + 1, steps) - 0.5),
        sides=_histogram(np.minimum(sides, SIDE), np.arange(0, SIDE + 16.0, 8.0)),
        shapes=_histogram(np.clip(np.log2(wide[sound] / high[sound]), -4, 4), np.linspace(-4, 4, 33)),
    )


def _histogram(values: NDArray[Any], edges: NDArray[Any]) -> Histogram:
    counts, found = np.histogram(values, edges)
    return Histogram(np.asarray(found, np.float64), np.asarray(counts, np.int64))
