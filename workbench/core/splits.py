"""Divides images at random into training, validation and test; images that have a split keep it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from workbench.core.edits import Batch, Edit, SetSplit
from workbench.core.project import Image, Split

SHARES = (0.8, 0.1, 0.1)
"""Training, validation, test."""


def random_split(images: Iterable[Image], seed: int, shares: Sequence[float] = SHARES) -> Edit | None:
    """The edit that gives each image without a split one, drawn by `seed`; None if all have one.

    Of few images validation gets one before test does: without it no training can tell how good it is.
    """
    free = [image.id for image in images if image.split is Split.NONE]
    if not free:
        return None
    order = [free[i] for i in np.random.default_rng(seed).permutation(len(free))]
    validation = max(round(len(order) * shares[1]), min(1, len(order) - 1))
    test = min(round(len(order) * shares[2]), len(order) - validation)
    parts = {
        Split.VALIDATION: order[:validation],
        Split.TEST: order[validation : validation + test],
        Split.TRAIN: order[validation + test :],
    }
    edits = tuple(SetSplit(tuple(sorted(ids)), split) for split, ids in parts.items() if ids)
    return Batch(edits, f"Split {len(free):,} images at random")
