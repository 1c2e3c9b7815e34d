"""The loss of each single image, per box, by the network of a running training: wrong labels stand out.

Images are not augmented and weights are the averaged ones: validation images at each evaluation, training images a
share at a time, so that it costs little. No torch here: the window reads the file.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.files import atomic_write
from workbench.core.parsing import npz

FILE = "image_losses.npz"


@dataclass(frozen=True, slots=True, eq=False)
class ImageLosses:
    """Rows in no order; `epochs` says after which epoch the loss was measured."""

    images: NDArray[np.int64]  # (n,) ids in the project when the run was started
    losses: NDArray[np.float32]  # (n,)
    epochs: NDArray[np.int32]  # (n,)

    def __len__(self) -> int:
        return len(self.images)

    def with_new(self, images: NDArray[np.int64], losses: NDArray[np.float32], epoch: int) -> ImageLosses:
        """These with new ones for `images`; losses that are NaN are left out."""
        real = np.isfinite(losses)
        old = ~np.isin(self.images, images)
        return ImageLosses(
            np.concatenate([self.images[old], images[real]]),
            np.concatenate([self.losses[old], losses[real]]),
            np.concatenate([self.epochs[old], np.full(int(real.sum()), epoch, np.int32)]),
        )

    def with_ids(self, images: NDArray[np.int64]) -> ImageLosses:
        """These with other ids (n,), without those whose id is 0."""
        kept = images > 0
        return ImageLosses(images[kept], self.losses[kept], self.epochs[kept])


NONE = ImageLosses(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.int32))


def write(folder: Path, losses: ImageLosses) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, images=losses.images, losses=losses.losses, epochs=losses.epochs)
    atomic_write(folder / FILE, buffer.getvalue(), sync=False)  # can be computed again


def read(folder: Path) -> ImageLosses:
    """NONE if there are none or the file is damaged."""
    try:
        images, losses, epochs = npz.read(folder / FILE, "images", "losses", "epochs")
    except (OSError, ValueError):
        return NONE
    if not (images.shape == losses.shape == epochs.shape and images.ndim == 1):
        return NONE
    return ImageLosses(images.astype(np.int64), losses.astype(np.float32), epochs.astype(np.int32))
