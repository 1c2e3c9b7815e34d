"""Images that are huge, bombs, or lie about their size: overviews, thumbnails or a sentence, never a full memory."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core import awkward_files as awkward
from tests.core.put_files import Put, put, read_or_none, seen_corners, sentence
from workbench.core import images
from workbench.core.decoding import image_files, image_header, pixels
from workbench.core.images import info, overview, read, thumbnail

__all__ = ["put"]  # a fixture


def test_the_header_of_a_huge_image_is_told_up_to_four_gigapixels(put: Put) -> None:
    about = info(put(awkward.png(60_000, 60_000, 8, 2, b"\0")))
    assert (about.width, about.height, about.is_huge) == (60_000, 60_000, True)
    assert not info(put(awkward.saved(awkward.corners(), "PNG"))).is_huge
    assert "4,000 megapixels" in sentence(put(awkward.jpeg_that_claims(65_500, 65_500)), info)
    assert "4,000 megapixels" in sentence(put(awkward.png(2**31 - 1, 2**31 - 1, 8, 2, b"\0")), info)


def test_a_huge_jpeg_is_seen_and_has_a_thumbnail_without_being_decoded_whole(put: Put, monkeypatch: Any) -> None:
    monkeypatch.setattr(image_header, "PIXEL_LIMIT", 100)
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
