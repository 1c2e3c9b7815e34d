"""The squares of photographs that the review's tiles show, and where boxes lie on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QRectF, QTimer
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from workbench.core import images
from workbench.core.decoding import image_header
from workbench.ui.images.crop_painter import fitted, on_tile
from workbench.ui.images.crops import Crop, CropRequest, Crops, part_around


@pytest.mark.parametrize(
    ("box", "part"),
    [
        ((40, 40, 60, 60), (26, 26, 74, 74)),  # the least
        ((40, 40, 43, 43), (17, 17, 65, 65)),
        ((0, 80, 12, 100), (0, 52, 48, 100)),  # moved in at two edges
        ((0, 0, 100, 100), (0, 0, 100, 100)),
        ((20, 20, 70, 40), (5, 0, 85, 80)),
    ],
)
def test_what_is_cut_out_is_a_square_that_lies_in_the_image(
    box: tuple[float, float, float, float], part: tuple[int, int, int, int]
) -> None:
    assert part_around(box, 100, 100) == part


def test_a_crop_of_an_image_whose_size_was_not_known_ends_where_the_image_does(qtbot: QtBot, tmp_path: Path) -> None:
    rows = np.arange(100, dtype=np.uint8)
    PIL.Image.fromarray(np.stack([np.tile(rows, (80, 1))] * 3, axis=2)).save(tmp_path / "a.png")  # 100 x 80
    crops = Crops()
    request = CropRequest(tmp_path / "a.png", None, part_around((80, 60, 100, 80), 0, 0))
    with qtbot.waitSignal(crops.made):
        assert crops.get(request) is None
    found = crops.get(request)
    crops.close()
    assert found is not None
    assert found.part == (66.0, 46.0, 100.0, 80.0)
    assert (found.picture.width(), found.picture.height()) == (34, 34)
    assert found.picture.pixelColor(0, 0).red() == 66


def test_boxes_lie_where_the_crop_shows_them() -> None:
    crop = Crop(QImage(10, 10, QImage.Format.Format_RGB32), (20, 40, 60, 60))
    place = fitted(QRectF(0, 0, 100, 100), crop)
    assert place == QRectF(0, 25, 100, 50)
    assert on_tile((30, 40, 50, 50), place, crop) == QRectF(25, 25, 50, 25)


def test_a_photograph_that_is_back_is_read_again(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not be read until the project was closed, though its disk was away for a moment only."""
    file, away = tmp_path / "a.png", tmp_path / "away.png"
    PIL.Image.fromarray(np.zeros((80, 100, 3), np.uint8)).save(away)
    made = Crops()
    request = CropRequest(file, None, (0, 0, 48, 48))
    with qtbot.waitSignal(made.made):
        made.get(request)
    assert made.problem(file)
    away.rename(file)
    made.get(request)
    assert not made.findChild(QTimer).isActive(), "not at each repaint"
    monkeypatch.setattr("workbench.ui.images.crops.AGAIN_AFTER", 0)
    with qtbot.waitSignal(made.made):
        made.get(request)
    assert (made.problem(file), made.get(request) is not None) == ("", True)
    made.close()


def test_a_huge_image_is_decoded_once_for_all_its_boxes(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its crops took the seconds of the whole."""
    monkeypatch.setattr(image_header, "PIXEL_LIMIT", 1_000_000)
    file = tmp_path / "huge.jpg"
    pixels = np.zeros((1200, 1600, 3), np.uint8)
    pixels[:, 800:] = 255
    PIL.Image.fromarray(pixels).save(file)
    other = tmp_path / "other.jpg"
    PIL.Image.fromarray(pixels).save(other)
    decoded: list[Path] = []
    real = images.thumbnail
    monkeypatch.setattr(images, "thumbnail", lambda file, *rest: decoded.append(file) or real(file, *rest))
    crops = Crops()
    left, right = (CropRequest(file, None, (x, 600, x + 80, 680)) for x in (0, 1200))
    by_size = left, CropRequest(other, None, left.part), right
    qtbot.waitUntil(lambda: None not in list(map(crops.get, by_size)))  # a repaint asks for all
    assert [crops.get(one).picture.pixelColor(2, 2).red() > 128 for one in (left, right)] == [False, True]
    assert decoded == [file, other]
    crops.close()
