"""Pictures that are kept have memory of their own."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from workbench.core import images
from workbench.core.decoding import pixels

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is the C library's")


def is_apart(picture: np.ndarray) -> bool:
    base: object = picture
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(getattr(base, "obj", base), mmap.mmap)


@pytest.mark.parametrize(
    ("height", "width", "apart"), [(100, 100, False), (240, 320, True), (1500, 1000, True), (3000, 4000, False)]
)
def test_a_room_is_apart_where_it_is_worth_it(height: int, width: int, apart: bool) -> None:
    room = pixels.pixel_buffer(height, width)
    assert room.shape == (height, width, 4)
    assert room.dtype == np.uint8
    room[...] = 7  # it can be written to
    assert is_apart(room) == apart


def test_a_picture_that_lies_apart_anyway_is_not_copied() -> None:
    large = np.zeros((3000, 4000, 4), np.uint8)
    assert pixels.in_pixel_buffer(large) is large
    middle = np.zeros((240, 320, 4), np.uint8)
    assert not np.shares_memory(pixels.in_pixel_buffer(middle), middle)


def test_where_the_system_gives_none_numpy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("workbench.core.decoding.pixels.mmap.mmap", none)
    assert pixels.pixel_buffer(240, 320).shape == (240, 320, 4)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_what_is_read_for_the_screen_is_apart(tmp_path: Path, ending: str, orientation: int) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (240, 320, 3), np.uint8)
    picture, exif = Pillow.fromarray(noise), Pillow.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / f"a.{ending}", exif=exif)
    shown = images.for_screen(tmp_path / f"a.{ending}")
    assert is_apart(shown)
    assert shown.flags.c_contiguous
    assert np.array_equal(shown[..., 2::-1], images.read(tmp_path / f"a.{ending}"))
