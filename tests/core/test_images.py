"""Every awkward file gives an image with known pixels or a sentence; nothing else ever happens."""

from __future__ import annotations

import builtins
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.core import awkward_files as awkward
from tests.core.put_files import Put, put, seen_corners, sentence
from workbench.core import images
from workbench.core.decoding.image_header import ImageHeader
from workbench.core.images import info, read, thumbnail

__all__ = ["put"]  # a fixture


# --- formats and names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF"])
def test_each_format_is_read_by_its_first_bytes_not_by_its_name(put: Put, format: str) -> None:
    path = put(awkward.saved(awkward.corners(), format))
    image = read(path)
    assert seen_corners(image) == awkward.CORNERS
    assert image.shape == (32, 64, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert info(path) == ImageHeader(64, 32, 1, format, 1, 8)


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


def test_a_jpeg_that_is_cut_off_is_told_by_its_sentence_alone(put: Put, capfd: pytest.CaptureFixture[str]) -> None:
    """libjpeg, too, wrote to the terminal, three lines for each of such files, which named none."""
    data = awkward.saved(awkward.photograph(), "JPEG", quality=90)
    for part in (0.3, 0.6, 0.9):
        assert "cut off" in sentence(put(data[: int(len(data) * part)]))
    assert capfd.readouterr().err == ""


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
    [(PermissionError(13, "Permission denied"), "no permission"), (OSError(5, "Input/output error"), "Input/output")],
)
def test_what_the_disk_refuses_is_said(put: Put, monkeypatch: Any, problem: OSError, words: str) -> None:
    path = put(awkward.saved(awkward.corners(), "PNG"))

    def refuse(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(builtins, "open", refuse)
    assert words in sentence(path)
    assert words in sentence(path, info)


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
    assert info(path) == ImageHeader(64, 32, 1, "JPEG", 1, 8)
    assert seen_corners(read(path)) == awkward.CORNERS


# --- thumbnails and headers -------------------------------------------------------------------------------------------


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
