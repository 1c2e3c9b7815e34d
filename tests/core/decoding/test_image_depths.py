"""Images of all depths and colours, with windows and transparency, in memory and for the screen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.core import awkward_files as awkward
from tests.core.put_files import Put, put, seen_corners, sentence
from workbench.core.decoding.image_header import ImageHeader
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.images import for_screen, info, read

__all__ = ["put"]  # a fixture


# --- depth, colour and transparency -----------------------------------------------------------------------------------


def ramp_16() -> np.ndarray:
    """All 65,536 values in order, (256, 256) uint16."""
    return np.arange(65536, dtype=np.uint16).reshape(256, 256)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_a_16_bit_ramp_keeps_its_middle_grey(put: Put, format: str) -> None:
    path = put(awkward.saved(Image.fromarray(ramp_16()), format))
    image = read(path)
    assert image.mean() == pytest.approx(127.5, abs=0.05)
    assert (image[0, 0, 0], image[-1, -1, 0]) == (0, 255)
    assert info(path).bits == 16
    assert "16 bits" in info(path).note


def test_a_window_is_the_same_for_all_images_and_clips(put: Put) -> None:
    samples = np.array([[0, 1000, 1500, 2000, 65535]], np.uint16)
    image = read(put(awkward.saved(Image.fromarray(samples), "PNG")), IntensityWindow(1000, 2000))
    assert image[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(("low", "high"), [(5, 5), (9, 1), (0, float("nan")), (float("-inf"), 0)])
def test_a_window_without_width_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="low < high"):
        IntensityWindow(low, high)


def test_16_bit_colours_keep_all_their_bits_for_the_window(put: Put) -> None:
    samples = np.array([[[100, 200, 300], [0, 150, 65535]]], np.uint16)
    path = put(awkward.png_16(samples))
    assert info(path).bits == 16
    assert read(path, IntensityWindow(100, 300))[0].tolist() == [[0, 128, 255], [0, 64, 255]]
    assert read(path)[0, 1].tolist() == [0, 1, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_colours_of_a_tiff_come_upright_once(put: Put, orientation: int) -> None:
    upright = np.asarray(awkward.corners()).astype(np.uint16) // 255 * 300
    stored = np.asarray(awkward.turned(awkward.corners(), orientation)).astype(np.uint16) // 255 * 300
    path = put(awkward.tiff_16(stored, orientation))
    assert info(path) == ImageHeader(64, 32, orientation, "TIFF", 1, 16)
    assert np.array_equal(read(path, IntensityWindow(0, 300)), upright // 300 * 255)


def test_16_bit_transparency_is_laid_over_white_and_not_windowed(put: Put) -> None:
    samples = np.array([[[0, 0, 0, 0], [300, 100, 100, 65535]]], np.uint16)
    path = put(awkward.png_16(samples))
    assert read(path, IntensityWindow(100, 300))[0].tolist() == [[255, 255, 255], [255, 0, 0]]
    grey = put(awkward.png_16(np.array([[[300, 65535], [300, 0], [100, 65535]]], np.uint16)))
    assert read(grey, IntensityWindow(100, 300))[0, :, 0].tolist() == [255, 255, 0]


def test_a_window_leaves_8_bit_images_as_they_are(put: Put) -> None:
    path = put(awkward.saved(awkward.corners(), "PNG"))
    assert np.array_equal(read(path, IntensityWindow(0, 10)), read(path))


def test_floats_from_0_to_1_are_taken_as_such_and_others_by_their_own_range(put: Put) -> None:
    def grey(values: list[float], window: IntensityWindow | None = None) -> list[int]:
        path = put(awkward.saved(Image.fromarray(np.array([values], np.float32)), "TIFF"))
        assert info(path).bits == 32
        return read(path, window)[0, :, 0].tolist()

    assert grey([0.0, 0.2, 0.5]) == [0, 51, 128]
    assert grey([-10, 0, 10]) == [0, 128, 255]
    assert grey([7, 7, 7]) == [128, 128, 128]
    assert grey([0.0, 0.2, 0.5], IntensityWindow(0, 0.5)) == [0, 102, 255]
    assert grey([np.nan, 0, np.inf, 1, -np.inf]) == [0, 0, 255, 255, 0]
    assert grey([-3e38, 0, 3e38]) == [0, 128, 255]


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_and_one_bit_become_three_equal_channels(put: Put, mode: str) -> None:
    path = put(awkward.saved(awkward.corners().convert("L").point(lambda v: 255 * (v > 250)).convert(mode), "PNG"))
    assert seen_corners(read(path)) == {**dict.fromkeys(awkward.CORNERS, (0, 0, 0)), "bottom right": awkward.WHITE}
    assert info(path).bits == (1 if mode == "1" else 8)


def test_a_palette_with_transparency_is_laid_over_white(put: Put) -> None:
    image = Image.new("P", (4, 2), 1)
    image.putpalette([0, 0, 255, 255, 0, 0])
    image.paste(0, (0, 0, 2, 2))
    path = put(awkward.saved(image, "PNG", transparency=b"\x00\xff"))
    assert read(path)[0].tolist() == [[255, 255, 255]] * 2 + [[255, 0, 0]] * 2


def test_transparency_is_mixed_with_white(put: Put) -> None:
    rgba = Image.fromarray(np.array([[[200, 0, 0, 255], [200, 0, 0, 0], [200, 0, 0, 51]]], np.uint8), "RGBA")
    assert read(put(awkward.saved(rgba, "PNG")))[0].tolist() == [[200, 0, 0], [255, 255, 255], [244, 204, 204]]
    la = Image.fromarray(np.array([[[100, 255], [100, 0]]], np.uint8), "LA")
    assert read(put(awkward.saved(la, "PNG")))[0, :, 0].tolist() == [100, 255]
    grey = Image.fromarray(np.array([[100, 7]], np.uint8))
    assert read(put(awkward.saved(grey, "PNG", transparency=7)))[0, :, 0].tolist() == [100, 255]


# --- for the screen ---


def on_screen(rgb: np.ndarray) -> np.ndarray:
    """As screens hold it: B, G, R and 255."""
    return np.concatenate([rgb[..., ::-1], np.full((*rgb.shape[:2], 1), 255, np.uint8)], axis=2)


@pytest.mark.parametrize("without", ["simplejpeg", "nothing"])
def test_for_the_screen_come_the_same_pixels(put: Put, monkeypatch: Any, without: str) -> None:
    if without == "simplejpeg":
        monkeypatch.setitem(sys.modules, "simplejpeg", None)
    one = awkward.photograph(203, 151)
    files = [
        *(awkward.saved(one, "JPEG", quality=90, subsampling=how) for how in (0, 1, 2)),
        awkward.saved(one, "JPEG", progressive=True),
        awkward.saved(one, "JPEG")[:-2],
        awkward.saved(one.convert("L"), "JPEG"),
        awkward.saved(one.convert("CMYK"), "JPEG"),
        *(awkward.held_sideways(orientation, "JPEG") for orientation in range(1, 9)),
        awkward.saved(one, "PNG"),
        awkward.saved(Image.fromarray(ramp_16()), "PNG"),
    ]
    for data in files:
        path = put(data)
        shown = for_screen(path, IntensityWindow(0, 4095))
        assert shown.flags.c_contiguous
        assert np.array_equal(shown, on_screen(read(path, IntensityWindow(0, 4095))))


@pytest.mark.slow
def test_for_the_screen_come_the_same_pixels_of_every_photograph(test_data: Path) -> None:
    photographs = sorted((test_data / "images").glob("*.jpg")) + sorted((test_data / "data").rglob("*.jpg"))[::40]
    assert len(photographs) > 5
    for path in photographs:
        assert np.array_equal(for_screen(path), on_screen(read(path))), path


@pytest.mark.parametrize("lost", [4, 40, 900])
def test_for_the_screen_a_part_of_a_jpeg_is_refused_too(put: Put, lost: int) -> None:
    data = awkward.saved(awkward.photograph(), "JPEG", quality=90)
    assert "cut off" in sentence(put(data[:-lost]), for_screen)
    assert "cut off" in sentence(put(data[:-lost] + bytes(2 * lost)), for_screen)
