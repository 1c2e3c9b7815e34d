"""Every awkward file gives an image with known pixels or a sentence; nothing else ever happens."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.core import awkward_files as awkward
from workbench.core import image_files, images, pixels
from workbench.core.images import ImageInfo, Window, for_screen, info, overview, read, thumbnail
from workbench.errors import Refused

Put = Callable[[bytes], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes bytes to a file with the least telling name."""

    def write(data: bytes, name: str = "file.jpg") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def sentence(path: Path, reader: Callable[[Path], Any] = read) -> str:
    with pytest.raises(Refused) as refusal:
        reader(path)
    assert refusal.value.sentence.startswith(f"{path}: ")
    return refusal.value.reason


def read_or_none(path: Path, window: Window | None = None, **options: Any) -> np.ndarray | None:
    """The image, or None where it is refused; any other exception passes and fails the test."""
    try:
        return read(path, window, **options)
    except Refused:
        return None


def seen_corners(image: np.ndarray) -> dict[str, tuple[int, ...]]:
    """The colours a quarter into each corner, rounded to 0 or 255 (JPEG is not exact)."""
    height, width = image.shape[:2]
    rows, columns = {"top": height // 4, "bottom": 3 * height // 4}, {"left": width // 4, "right": 3 * width // 4}
    return {
        f"{v} {h}": tuple(255 * round(int(c) / 255) for c in image[y, x])
        for v, y in rows.items()
        for h, x in columns.items()
    }


# --- formats and names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF"])
def test_each_format_is_read_by_its_first_bytes_not_by_its_name(put: Put, format: str) -> None:
    path = put(awkward.saved(awkward.corners(), format))
    image = read(path)
    assert seen_corners(image) == awkward.CORNERS
    assert image.shape == (32, 64, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert info(path) == ImageInfo(64, 32, 1, format, 1, 8)


def test_a_jpeg_has_exactly_the_pixels_that_pillow_gives(put: Put) -> None:
    path = put(awkward.saved(awkward.photograph(), "JPEG", quality=92))
    with Image.open(path) as image:
        assert np.array_equal(read(path), np.asarray(image.convert("RGB")))


# --- the upright image ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_an_image_held_in_any_of_eight_ways_comes_upright_once(put: Put, format: str, orientation: int) -> None:
    path = put(awkward.held_sideways(orientation, format))
    about = info(path)
    assert (about.width, about.height, about.orientation) == (64, 32, orientation)
    assert read(path).flags.c_contiguous
    assert seen_corners(read(path)) == awkward.CORNERS
    assert seen_corners(thumbnail(path, 32)) == awkward.CORNERS


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0broken", b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0"]
)
def test_broken_or_absurd_exif_counts_as_upright(put: Put, exif: bytes) -> None:
    path = put(awkward.saved(awkward.corners(), "JPEG", exif=exif))
    assert info(path).orientation == 1
    assert seen_corners(read(path)) == awkward.CORNERS


# --- what is not whole is refused -------------------------------------------------------------------------------------


def test_the_end_marker_of_an_embedded_preview_does_not_count(put: Put) -> None:
    preview = awkward.saved(awkward.corners(), "JPEG")
    exif = b"Exif\0\0" + preview
    data = awkward.saved(awkward.photograph(), "JPEG", quality=90, exif=exif)
    assert data.count(b"\xff\xd9") >= 2
    assert read(put(data)).shape == (48, 64, 3)
    assert "cut off" in sentence(put(data[: len(data) - 1000]))


def test_an_empty_file_is_refused(put: Put) -> None:
    assert sentence(put(b"")) == "the file is empty (0 bytes); copy or download it again"
    assert "empty" in sentence(put(b""), info)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\n<!DOCTYPE html><title>404</title>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        (b"%PDF-1.7", "a PDF"),
        (b"<svg xmlns='x'/>", "SVG"),
        (b"PK\x03\x04", "zip"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "video"),
        (b"\xff\xd8\xff\xe0", "cut off"),
        (b"hello", "not an image of a known format"),
        (b"\0", "not an image of a known format"),
    ],
)
def test_a_file_that_is_no_image_is_called_what_it_is(put: Put, data: bytes, words: str) -> None:
    assert words in sentence(put(data))
    assert words in sentence(put(data), info)


def test_a_folder_a_missing_file_and_an_impossible_name_are_refused(tmp_path: Path) -> None:
    assert "not a file" in sentence(tmp_path)
    assert "not there" in sentence(tmp_path / "gone.jpg")
    assert "not there" in sentence(tmp_path / "gone.jpg", info)
    assert "rename" in sentence(Path("a\0b.jpg"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_named_like_an_image_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "not a file" in sentence(tmp_path / "pipe.jpg")


@pytest.mark.parametrize(
    ("problem", "words"),
    [(PermissionError(13, "Permission denied"), "not allowed"), (OSError(5, "Input/output error"), "Input/output")],
)
def test_what_the_disk_refuses_is_said(put: Put, monkeypatch: Any, problem: OSError, words: str) -> None:
    path = put(awkward.saved(awkward.corners(), "PNG"))

    def refuse(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(builtins, "open", refuse)
    assert words in sentence(path)
    assert words in sentence(path, info)


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
    image = read(put(awkward.saved(Image.fromarray(samples), "PNG")), Window(1000, 2000))
    assert image[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(("low", "high"), [(5, 5), (9, 1), (0, float("nan")), (float("-inf"), 0)])
def test_a_window_without_width_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="low < high"):
        Window(low, high)


def test_16_bit_colours_keep_all_their_bits_for_the_window(put: Put) -> None:
    samples = np.array([[[100, 200, 300], [0, 150, 65535]]], np.uint16)
    path = put(awkward.png_16(samples))
    assert info(path).bits == 16
    assert read(path, Window(100, 300))[0].tolist() == [[0, 128, 255], [0, 64, 255]]
    assert read(path)[0, 1].tolist() == [0, 1, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_colours_of_a_tiff_come_upright_once(put: Put, orientation: int) -> None:
    upright = np.asarray(awkward.corners()).astype(np.uint16) // 255 * 300
    stored = np.asarray(awkward.turned(awkward.corners(), orientation)).astype(np.uint16) // 255 * 300
    path = put(awkward.tiff_16(stored, orientation))
    assert info(path) == ImageInfo(64, 32, orientation, "TIFF", 1, 16)
    assert np.array_equal(read(path, Window(0, 300)), upright // 300 * 255)


def test_16_bit_transparency_is_laid_over_white_and_not_windowed(put: Put) -> None:
    samples = np.array([[[0, 0, 0, 0], [300, 100, 100, 65535]]], np.uint16)
    path = put(awkward.png_16(samples))
    assert read(path, Window(100, 300))[0].tolist() == [[255, 255, 255], [255, 0, 0]]
    grey = put(awkward.png_16(np.array([[[300, 65535], [300, 0], [100, 65535]]], np.uint16)))
    assert read(grey, Window(100, 300))[0, :, 0].tolist() == [255, 255, 0]


def test_a_window_leaves_8_bit_images_as_they_are(put: Put) -> None:
    path = put(awkward.saved(awkward.corners(), "PNG"))
    assert np.array_equal(read(path, Window(0, 10)), read(path))


def test_floats_from_0_to_1_are_taken_as_such_and_others_by_their_own_range(put: Put) -> None:
    def grey(values: list[float], window: Window | None = None) -> list[int]:
        path = put(awkward.saved(Image.fromarray(np.array([values], np.float32)), "TIFF"))
        assert info(path).bits == 32
        return read(path, window)[0, :, 0].tolist()  # type: ignore[no-any-return]

    assert grey([0.0, 0.2, 0.5]) == [0, 51, 128]
    assert grey([-10, 0, 10]) == [0, 128, 255]
    assert grey([7, 7, 7]) == [128, 128, 128]
    assert grey([0.0, 0.2, 0.5], Window(0, 0.5)) == [0, 102, 255]
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
        shown = for_screen(path, Window(0, 4095))
        assert shown.flags.c_contiguous
        assert np.array_equal(shown, on_screen(read(path, Window(0, 4095))))


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


# --- more than one picture in a file ----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_or_of_pages_the_first_is_used_and_the_number_told(put: Put, format: str) -> None:
    others = [Image.new("RGB", (64, 32), colour) for colour in ("black", "yellow")]
    path = put(awkward.saved(awkward.corners(), format, save_all=True, append_images=others))
    assert info(path).frames == 3
    assert info(path).note == "It has 3 frames or pages; the first is used."
    assert seen_corners(read(path)) == awkward.CORNERS


def test_the_second_view_of_a_stereo_or_phone_jpeg_is_not_a_page(put: Put) -> None:
    path = put(awkward.saved(awkward.corners(), "MPO", save_all=True, append_images=[awkward.photograph()]))
    assert info(path) == ImageInfo(64, 32, 1, "JPEG", 1, 8)
    assert seen_corners(read(path)) == awkward.CORNERS


# --- bombs and liars --------------------------------------------------------------------------------------------------


def test_the_header_of_a_huge_image_is_told_up_to_four_gigapixels(put: Put) -> None:
    about = info(put(awkward.png(60_000, 60_000, 8, 2, b"\0")))
    assert (about.width, about.height, about.is_huge) == (60_000, 60_000, True)
    assert not info(put(awkward.saved(awkward.corners(), "PNG"))).is_huge
    assert "4,000 megapixels" in sentence(put(awkward.jpeg_that_claims(65_500, 65_500)), info)
    assert "4,000 megapixels" in sentence(put(awkward.png(2**31 - 1, 2**31 - 1, 8, 2, b"\0")), info)


def test_a_huge_jpeg_is_seen_and_has_a_thumbnail_without_being_decoded_whole(put: Put, monkeypatch: Any) -> None:
    monkeypatch.setattr(images, "PIXEL_LIMIT", 100)
    for orientation in range(1, 9):
        path = put(awkward.held_sideways(orientation, "JPEG"))
        assert overview(path).shape == (4, 8, 3)
        assert seen_corners(overview(path)) == awkward.CORNERS
        assert seen_corners(thumbnail(path, 8)) == awkward.CORNERS
        assert "too large" in sentence(path, lambda file: read(file, limit=100))
    assert "too large" in sentence(put(awkward.held_sideways(1, "PNG")), lambda file: thumbnail(file, 8))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_part_of_a_huge_jpeg_is_refused_too(put: Put, progressive: bool, share: float) -> None:
    data = awkward.saved(awkward.photograph(), "JPEG", progressive=progressive, quality=90)
    assert overview(put(data)).shape == (6, 8, 3)
    assert "cut off" in sentence(put(data[: int(len(data) * share)]), overview)
    assert "cut off" in sentence(put(data[: int(len(data) * share)] + bytes(len(data))), overview)


def test_a_huge_progressive_jpeg_that_would_fill_the_memory_is_refused(put: Put, monkeypatch: Any) -> None:
    monkeypatch.setattr(images, "PROGRESSIVE_LIMIT", 100)
    assert "progressive" in sentence(put(awkward.saved(awkward.photograph(), "JPEG", progressive=True)), overview)
    assert overview(put(awkward.saved(awkward.photograph(), "JPEG"))).shape == (6, 8, 3)


def test_the_limit_is_a_number_of_pixels_that_can_be_set(put: Put) -> None:
    path = put(awkward.saved(awkward.corners(), "PNG"))
    assert read(path, limit=64 * 32).shape == (32, 64, 3)
    assert "64 x 32" in sentence(path, lambda file: read(file, limit=64 * 32 - 1))
    assert "64 x 32" in sentence(path, lambda file: info(file, limit=64 * 32 - 1))


def test_an_image_between_pillows_limit_and_ours_has_its_header_read(put: Put) -> None:
    assert info(put(awkward.bomb(14_000))).width == 14_000


@pytest.mark.parametrize("size", [(64, 480), (640, 48), (65, 49)])
def test_a_jpeg_whose_header_lies_gives_a_sentence_or_the_size_it_told(put: Put, size: tuple[int, int]) -> None:
    path = put(awkward.jpeg_that_claims(*size))
    image = read_or_none(path)
    assert image is None or image.shape == (size[1], size[0], 3)


def test_a_file_of_more_bytes_than_the_limit_is_not_loaded(put: Put, monkeypatch: Any) -> None:
    path = put(awkward.saved(awkward.corners(), "PNG"))
    monkeypatch.setattr(image_files, "FILE_LIMIT", 10)
    assert "the file is too large (" in sentence(path)


def test_too_little_memory_is_said(put: Put, monkeypatch: Any) -> None:
    path = put(awkward.saved(awkward.corners(), "PNG"))

    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pixels, "upright", full)
    assert "not enough memory" in sentence(path)


# --- thumbnails and damage in bulk ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("side", "shape"), [(16, (8, 16, 3)), (50, (25, 50, 3)), (64, (32, 64, 3)), (999, (32, 64, 3))]
)
def test_a_thumbnail_keeps_proportions_and_colours_and_is_never_enlarged(
    put: Put, format: str, side: int, shape: tuple[int, int, int]
) -> None:
    small = thumbnail(put(awkward.saved(awkward.corners(), format, quality=95)), side)
    assert small.shape == shape
    assert small.flags.c_contiguous
    assert seen_corners(small) == awkward.CORNERS


def test_a_thumbnail_of_a_line_is_at_least_a_pixel_high(put: Put) -> None:
    assert thumbnail(put(awkward.saved(Image.new("RGB", (500, 1)), "PNG")), 50).shape == (1, 50, 3)


def test_the_header_of_a_png_is_read_without_decoding_its_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.png"
    Image.new("RGB", (300, 200)).save(file)

    def decode(*_: object) -> None:
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    assert (images.info(file).width, images.info(file).height) == (300, 200)


def test_exif_behind_the_pixels_of_a_png_turns_it_too(tmp_path: Path) -> None:
    file = tmp_path / "late.png"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (30, 20)).save(file, exif=exif)
    data = file.read_bytes()
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    file.write_bytes(data[:start] + data[end:-12] + data[start:end] + data[-12:])
    assert (images.info(file).width, images.info(file).orientation) == (20, 6)
    assert images.read(file).shape == (30, 20, 3)
