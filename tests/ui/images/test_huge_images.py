"""Images too large to be held: an overview at once, then their tiles, with the right colour at every place and zoom.

Most tests call an image of 4 megapixels huge, so that they take no time; the slow ones are huge.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.ui.images.huge_bench import BLOCK, HEIGHT, WIDTH, Bench, bench, blocks, near, needs_libvips, written
from tests.ui.window_driver import Open
from workbench.core import images
from workbench.core.decoding import image_header, pyramid
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.decoding.pyramid import Pyramid, TilePosition
from workbench.core.document import Document
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.images import pictures
from workbench.ui.images.picture_adjustments import PictureAdjustments
from workbench.ui.images.pictures import TiledPicture

__all__ = ["bench"]  # a fixture


# --- the right colours ---


@needs_libvips
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
def test_a_huge_jpeg_is_seen_at_once_and_then_in_full_at_every_zoom(
    bench: Bench, tmp_path: Path, orientation: int
) -> None:
    pixels = blocks()
    bench.show(written(tmp_path, pixels, orientation))
    bench.wait(lambda: bench.picture is not None)
    first = bench.picture
    assert isinstance(first, TiledPicture)
    assert (first.width, first.height) == (WIDTH, HEIGHT)
    assert max(first.levels[0].width(), first.levels[0].height()) == WIDTH // 8
    assert bench.check(pixels, 0.2, WIDTH // 2, HEIGHT // 2, BLOCK) > 300
    bench.wait(lambda: bench.has_tiles)
    assert bench.check(pixels, 0.2, WIDTH // 2, HEIGHT // 2, BLOCK) > 300
    assert bench.check(pixels, 1.0, 1000, 1030, BLOCK) > 25
    assert bench.check(pixels, 8.0, WIDTH - 30, HEIGHT - 20, 4) > 100


@needs_libvips
def test_single_pixels_are_seen_with_sharp_sides_where_tiles_meet(bench: Bench, tmp_path: Path) -> None:
    pixels = np.zeros((1200, 1300, 3), np.uint8)
    pixels[::2, ::2] = pixels[1::2, 1::2] = 255  # a chessboard of single pixels
    bench.show(written(tmp_path, pixels, name="huge.png"))
    bench.wait(lambda: bench.has_tiles)
    bench.look(32.0, 512, 512)
    for u in range(505, 519):
        for v in range(508, 516):
            for dx, dy in ((0.04, 0.04), (0.5, 0.5), (0.96, 0.96)):
                assert near(bench.colour(u + dx, v + dy), pixels[v, u]), (u, v)


@needs_libvips
def test_looks_are_put_on_tiles_too(bench: Bench, tmp_path: Path) -> None:
    pixels = blocks()
    adjustments = PictureAdjustments(brightness=15, contrast=-20, gamma=1.4)
    bench.show(written(tmp_path, pixels))
    bench.wait(lambda: bench.has_tiles)
    bench.canvas.set_adjustments(adjustments)
    assert bench.check(adjustments.table[pixels], 1.0, 1000, 1030, BLOCK) > 25


@needs_libvips
def test_sixteen_bits_are_shown_by_the_projects_window(bench: Bench, tmp_path: Path) -> None:
    samples = np.linspace(0, 20000, WIDTH).astype(np.uint16)[None].repeat(HEIGHT, 0)
    Image.fromarray(samples).save(tmp_path / "huge.tif")
    bench.window = IntensityWindow(5000, 10000)
    bench.show(tmp_path / "huge.tif")
    bench.wait(lambda: bench.has_tiles)
    bench.look(0.25, WIDTH / 2, HEIGHT / 2)
    shown = [bench.colour(x, 800)[0] for x in (100, 500, 700, 900, 1100, 1300, 2000)]
    assert all(abs(a - b) <= 3 for a, b in zip(shown, [0, 0, 43, 128, 213, 255, 255], strict=True)), shown


@pytest.mark.parametrize(
    ("width", "name"), [(33_000, "wide.jpg"), pytest.param(70_000, "wide.png", marks=pytest.mark.slow)]
)
def test_an_image_wider_than_qt_can_paint_is_painted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, width: int, name: str
) -> None:
    """Within what may be held in memory nothing needs to be installed for it."""
    monkeypatch.setattr(image_header, "PIXEL_LIMIT", 30_000_000)
    monkeypatch.setattr(pyramid, "is_available", lambda: False)
    pixels = blocks(width, 300, 300)
    bench.show(written(tmp_path, pixels, name=name))
    bench.wait(lambda: bench.picture is not None and bench.picture.levels[0].width() == width)
    assert not isinstance(bench.picture, TiledPicture)
    for part in range(1, 8):  # two pixels of the screen a block are too few at fit
        assert bench.check(pixels, 5000 / width, part * width // 8, 150, 300) > 10
    assert bench.check(pixels, 1.0, width - 250, 150, 20) > 200
    assert bench.check(pixels, 16.0, width - 10, 150, 4) > 40
    assert bench.check(pixels, 64.0, width - 3, 290, 1) > 20


# --- what is asked for ---


@needs_libvips
def test_only_tiles_in_sight_are_read_each_once_and_the_last_ones_kept(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.show(written(tmp_path, blocks()))
    bench.wait(lambda: bench.has_tiles)
    asked: list[TilePosition] = []
    threads: set[int] = set()
    read = Pyramid.read

    def counted(self: Pyramid, place: TilePosition) -> np.ndarray:
        asked.append(place)
        threads.add(threading.get_ident())
        return read(self, place)

    monkeypatch.setattr(Pyramid, "read", counted)
    bench.look(1.0, 320, 240)  # exactly 0..640 x 0..480
    assert sorted(asked, key=lambda at: at.column) == [TilePosition(0, 0, 0), TilePosition(0, 1, 0)]
    bench.look(1.0, 340, 250)
    assert len(asked) == 2, "all of it was there"
    bench.look(1.0, 1000, 240)  # 680..1320: two columns more than the second
    assert len(asked) == 3
    bench.look(1.0, 320, 240)
    assert len(asked) == 3
    assert threading.get_ident() not in threads


@needs_libvips
def test_tiles_that_went_out_of_sight_are_dropped_when_there_are_too_many(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.ui.images.tiles.MEMORY", 4 << 20)
    bench.show(written(tmp_path, blocks()))
    bench.wait(lambda: bench.has_tiles)
    picture = bench.picture
    assert isinstance(picture, TiledPicture)
    assert picture.tiles is not None
    assert picture.pyramid is not None
    bench.look(1.0, 320, 240)
    assert picture.tiles.get(picture.pyramid, TilePosition(0, 0, 0)) is not None
    for x in (1000, 1600, 2200):
        bench.look(1.0, x, 1400)
    assert picture.tiles.get(picture.pyramid, TilePosition(0, 0, 0)) is None
    assert picture.tiles.bytes <= 4 << 20


@needs_libvips
def test_a_tile_that_can_not_be_read_leaves_the_overview_in_its_place(bench: Bench, tmp_path: Path) -> None:
    pixels = blocks()
    bench.show(written(tmp_path, pixels))
    bench.wait(lambda: bench.has_tiles)
    picture = bench.picture
    assert isinstance(picture, TiledPicture)
    assert picture.pyramid is not None
    picture.pyramid.file.unlink()
    bench.look(1.0, 1050, 1050)
    assert near(bench.colour(1050, 1050), pixels[1050, 1050])


# --- overviews elsewhere ---


def test_other_pages_show_the_overview_of_a_huge_jpeg(bench: Bench, tmp_path: Path) -> None:
    shown = pictures.load(written(tmp_path, blocks()))
    assert (shown.width, shown.height, shown.levels[0].width()) == (WIDTH, HEIGHT, WIDTH // 8)


def test_a_pictures_pixels_stay_when_their_array_goes() -> None:
    pixels = blocks(1100, 1100)
    picture = pictures.picture(pixels.copy())
    expected = [(*(int(value) for value in pixels[y, x]), 255) for y, x in ((50, 50), (1050, 650))]
    copies = [level.copy() for level in picture.levels]
    for level, copy in zip(picture.levels, copies, strict=True):
        assert level == copy
    top = picture.levels[0]
    del picture
    np.random.default_rng(1).integers(0, 255, (1100, 1100, 4), np.uint8)  # would take the memory if it were free
    assert [top.pixelColor(x, y).getRgb() for y, x in ((50, 50), (1050, 650))] == expected


# --- in the window, and truly huge ---


@needs_libvips
def test_the_label_page_shows_a_huge_image_in_full_and_keeps_it_in_the_project(
    tmp_path: Path, open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_header, "PIXEL_LIMIT", 1_000_000)
    (tmp_path / "photographs").mkdir()
    pixels = blocks()
    written(tmp_path / "photographs", pixels)
    Document.create(tmp_path / "project", tmp_path / "photographs").close()
    window = open_window(tmp_path / "project")
    canvas = window.findChild(QWidget, "canvas")
    assert isinstance(canvas, Canvas)

    def has_tiles() -> bool:
        return isinstance(canvas.picture, TiledPicture) and canvas.picture.pyramid is not None

    qtbot.waitUntil(has_tiles, timeout=60_000)
    assert len(os.listdir(tmp_path / "project" / "cache" / "pyramids")) == 1


@needs_libvips
@pytest.mark.slow
def test_210_megapixels_are_shown_at_every_zoom(qtbot: QtBot, tmp_path: Path) -> None:
    grey = blocks(15_000, 14_000, 1000)[..., 0]
    assert cv2.imwrite(str(tmp_path / "huge.jpg"), grey, [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert images.info(tmp_path / "huge.jpg").is_huge
    bench = Bench(qtbot, tmp_path / "cache")
    try:
        bench.show(tmp_path / "huge.jpg")
        bench.wait(lambda: bench.has_tiles)
        pixels = np.stack([grey] * 3, axis=2)
        assert bench.check(pixels, 0.03, 7_500, 7_000, 1000) > 150
        assert bench.check(pixels, 1.0, 14_000, 13_010, 36) > 100
        assert bench.check(pixels, 16.0, 14_990, 13_990, 4) > 40
    finally:
        bench.close()
