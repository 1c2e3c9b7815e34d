"""Interpolates boxes between two frames of a video in which a person drew them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from workbench.core.project import Box

FAR = 3.0
"""How many box widths and heights an object may move from frame to frame; farther away it is another object."""


def pair_boxes(before: Sequence[Box], after: Sequence[Box]) -> list[tuple[Box, Box]]:
    """Which boxes show the same object in both images: boxes of one label, the nearest pair first, each box once.

    Distances are those of the centres, in widths and heights of the earlier box.
    """
    if not before or not after:
        return []
    a, b = (np.array([box.xyxy for box in boxes]) for boxes in (before, after))
    size = np.maximum(a[:, 2:] - a[:, :2], 1.0)
    apart = ((b[None, :, :2] + b[None, :, 2:]) - (a[:, None, :2] + a[:, None, 2:])) / 2 / size[:, None]
    distance = np.hypot(apart[..., 0], apart[..., 1])  # (len(before), len(after))
    labels = np.array([box.label for box in before])[:, None] == np.array([box.label for box in after])[None]
    distance[~labels] = np.inf
    found: list[tuple[Box, Box]] = []
    while distance.min() <= FAR * np.sqrt(2):
        row, column = (int(i) for i in np.unravel_index(distance.argmin(), distance.shape))
        found.append((before[row], after[column]))
        distance[row], distance[:, column] = np.inf, np.inf
    return found


def interpolate(before: Box, after: Box, steps: int) -> list[Box]:
    """The box in each of `steps` images in between, interpolated linearly to whole pixels. Ids and images are 0."""
    ends = np.array([before.xyxy, after.xyxy])
    made = []
    for step in range(1, steps + 1):
        share = step / (steps + 1)
        x0, y0, x1, y1 = np.rint(ends[0] * (1 - share) + ends[1] * share).tolist()
        made.append(dataclasses.replace(before, id=0, image=0, xyxy=(x0, y0, x1, y1), note="", extra=""))
    return made
