"""Brightness, contrast and gamma of the display: for viewing only. Files, boxes and training are not affected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage


@dataclass(frozen=True, slots=True)
class PictureAdjustments:
    """How pixel values are mapped for display: gamma, then contrast about the middle, then brightness."""

    brightness: int = 0  # -100 .. 100 percent of the whole range, added
    contrast: int = 0  # -100 (all grey) .. 100 (four times as steep)
    gamma: float = 1.0  # above 1: dark parts get lighter

    @property
    def table(self) -> NDArray[np.uint8]:
        """(256,) the output for each pixel value."""
        values = (np.arange(256) / 255) ** (1 / self.gamma)
        steepness = 1 + self.contrast / 100 if self.contrast < 0 else 4 ** (self.contrast / 100)
        values = (values - 0.5) * steepness + 0.5 + self.brightness / 100
        return np.asarray(np.clip(np.rint(values * 255), 0, 255), np.uint8)

    def apply_to(self, image: QImage) -> None:
        """Change the pixels of `image` in place, which must have the format RGB32 and own its memory."""
        assert image.format() == QImage.Format.Format_RGB32
        rows = np.frombuffer(image.bits(), np.uint8).reshape(image.height(), image.bytesPerLine())
        rows[:] = self.table[rows]  # the fourth byte of a pixel is ignored


PLAIN = PictureAdjustments()
