"""Images as the window paints them: pixels in Qt's own layout, and halved copies so that a small view paints fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtGui import QImage

from workbench.core.window import Window
from workbench.errors import WorkbenchError

LARGE, PREVIEW = 4_000_000, 500
"""Pixels from which a preview comes before the image; its longer side."""
SMALLEST = 512
"""No copies are made below this width or height: painting so few pixels costs nothing."""


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """One image in full size and halved again and again. Upright; safe to hand from thread to thread.

    Of a preview, `size` is the width and height of the image that it stands for.
    """

    levels: tuple[QImage, ...]  # 1, 1/2, 1/4 ...
    size: tuple[int, int] = (0, 0)

    @property
    def width(self) -> int:
        return self.size[0] or self.levels[0].width()

    @property
    def height(self) -> int:
        return self.size[1] or self.levels[0].height()

    @property
    def bytes(self) -> int:
        return sum(level.sizeInBytes() for level in self.levels)

    def level(self, scale: float) -> QImage:
        """The smallest copy that has at least one pixel for each device pixel at `scale` (device px per image px)."""
        for level in reversed(self.levels):
            if level.width() >= self.width * scale * 0.999:
                return level
        return self.levels[0]


def load(file: Path, window: Window | None = None) -> Picture:
    """Read an image for painting, by the project's window. Runs in any thread.

    Raises errors.Refused as core.images.read.
    """
    from workbench.core import images

    return picture(images.read(file, window))


def preview(file: Path, window: Window | None = None) -> Picture | None:
    """A large JPEG at an eighth of its size, in a quarter of the time; None for other files.

    What is wrong with a file is said by load().
    """
    from workbench.core import images

    try:
        about = images.info(file)
        if about.format != "JPEG" or about.width * about.height < LARGE:
            return None
        small = images.thumbnail(file, PREVIEW, window)
    except WorkbenchError:
        return None
    return Picture((to_qimage(small),), (about.width, about.height))


def picture(pixels: np.ndarray) -> Picture:
    """A Picture of (H, W, 3) uint8 RGB."""
    import cv2

    levels = [to_qimage(pixels)]
    while min(pixels.shape[:2]) >= 2 * SMALLEST:
        pixels = cv2.resize(pixels, (pixels.shape[1] // 2, pixels.shape[0] // 2), interpolation=cv2.INTER_AREA)
        levels.append(to_qimage(pixels))
    return Picture(tuple(levels))


def to_qimage(pixels: np.ndarray) -> QImage:
    """(H, W, 3) uint8 RGB as a QImage with its own memory, in the format that paints fastest."""
    height, width, channels = pixels.shape
    assert channels == 3
    assert pixels.dtype == np.uint8
    pixels = np.ascontiguousarray(pixels)
    shared = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    # a copy: the array may go (12 megapixels: 26 ms; cv2 into the image's new memory 47, cv2 and a copy 43)
    return shared.convertToFormat(QImage.Format.Format_RGB32)
