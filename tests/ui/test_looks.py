"""Brightness, contrast and gamma by numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage

from workbench.ui.looks import PLAIN, Looks


@pytest.mark.parametrize(
    ("looks", "wanted"),
    [
        (PLAIN, (0, 64, 128, 255)),
        (Looks(brightness=20), (51, 115, 179, 255)),
        (Looks(brightness=-100), (0, 0, 0, 0)),
        (Looks(contrast=-100), (128, 128, 128, 128)),
        (Looks(contrast=50), (0, 0, 128, 255)),  # twice as steep
        (Looks(gamma=2.0), (0, 128, 181, 255)),
    ],
)
def test_what_a_value_becomes(looks: Looks, wanted: tuple[int, ...]) -> None:
    assert np.abs(looks.table[[0, 64, 128, 255]].astype(int) - wanted).max() <= 1


def test_plain_changes_nothing() -> None:
    assert PLAIN.table.tolist() == list(range(256))


def test_an_image_of_any_width_is_changed_pixel_by_pixel() -> None:
    image = QImage(5, 3, QImage.Format.Format_RGB32)
    image.fill(QColor(10, 100, 200))
    Looks(brightness=20).put_on(image)
    assert {image.pixelColor(x, y).getRgb()[:3] for x in range(5) for y in range(3)} == {(61, 151, 251)}
