"""Brightness, contrast and gamma by numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage

from workbench.ui.images.picture_adjustments import PLAIN, PictureAdjustments


@pytest.mark.parametrize(
    ("adjustments", "wanted"),
    [
        (PLAIN, (0, 64, 128, 255)),
        (PictureAdjustments(brightness=20), (51, 115, 179, 255)),
        (PictureAdjustments(brightness=-100), (0, 0, 0, 0)),
        (PictureAdjustments(contrast=-100), (128, 128, 128, 128)),
        (PictureAdjustments(contrast=50), (0, 0, 128, 255)),  # twice as steep
        (PictureAdjustments(gamma=2.0), (0, 128, 181, 255)),
    ],
)
def test_what_a_value_becomes(adjustments: PictureAdjustments, wanted: tuple[int, ...]) -> None:
    assert np.abs(adjustments.table[[0, 64, 128, 255]].astype(int) - wanted).max() <= 1


def test_plain_changes_nothing() -> None:
    assert PLAIN.table.tolist() == list(range(256))


def test_an_image_of_any_width_is_changed_pixel_by_pixel() -> None:
    image = QImage(5, 3, QImage.Format.Format_RGB32)
    image.fill(QColor(10, 100, 200))
    PictureAdjustments(brightness=20).apply_to(image)
    assert {image.pixelColor(x, y).getRgb() for x in range(5) for y in range(3)} == {(61, 151, 251, 255)}
