"""Images too large to be held: an overview at once, then their tiles, with the right colour at every place and zoom.

Most tests call an image of 4 megapixels huge, so that they take no time; the slow ones are huge.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPointF, QSizeF
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.core import awkward_files as awkward
from tests.ui.hand import Open
from workbench.core import images, pyramid
from workbench.core.document import Document
from workbench.core.pyramid import Place, Pyramid
from workbench.core.window import Window
from workbench.errors import WorkbenchError
from workbench.ui import pictures, theme
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.loader import PictureLoader, Wanted
from workbench.ui.looks import Looks
from workbench.ui.pictures import Picture, TiledPicture
from workbench.ui.widgets.picture_view import View

WIDTH, HEIGHT, BLOCK = 2400, 1700, 100
RGB = tuple[int, ...]

needs_libvips = pytest.mark.skipif(not pyramid.is_available(), reason="the extra [huge] is not installed")


def blocks(width: int = WIDTH, height: int = HEIGHT, side: int = BLOCK) -> np.ndarray:
    """(H, W, 3) uint8: square blocks, each of its own colour."""
    coarse = np.random.default_rng(0).integers(0, 256, (-(-height // side), -(-width // side), 3), np.uint8)
    return coarse.repeat(side, 0).repeat(side, 1)[:height, :width]


def written(folder: Path, pixels: np.ndarray, orientation: int = 1, name: str = "huge.jpg") -> Path:
    """`pixels` as a file that shows them upright, held as `orientation` says."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 95, "subsampling": 0} if name.endswith(".jpg") else {}
    awkward.turned(Image.fromarray(pixels), orientation).save(folder / name, exif=exif, **options)
    return folder / name


class Bench:
    """A canvas and a loader, together as the Label page has them."""

    def __init__(self, qtbot: QtBot, cache: Path | None, window: Window | None = None) -> None:
        self.qtbot, self.cache, self.window = qtbot, cache, window
        self.canvas = Canvas()
        qtbot.addWidget(self.canvas)
        self.canvas.resize(640, 480)
        self.canvas.show()
        self.loader = PictureLoader()
        self.loader.came.connect(self._came)
        self.came: list[object] = []
        self.shown = 0

    def show(self, file: Path, *neighbours: Path) -> None:
        wishes = [Wanted(abs(hash(str(f))) % 10**9, f, self.window, self.cache) for f in (file, *neighbours)]
        self.shown = wishes[0].image
        self.canvas.say("")
        picture = self.loader.want(wishes)
        if picture is not None:
            self._came(self.shown, picture)

    def _came(self, image: int, result: object) -> None:
        if image != self.shown:
            return
        self.came.append(result)
        if isinstance(result, Picture):
            self.canvas.show_picture(result, QSizeF(result.width, result.height), keep_view=True)
        elif isinstance(result, WorkbenchError):
            self.canvas.say(result.sentence)

    @property
    def picture(self) -> Picture | None:
        return self.canvas.picture

    @property
    def has_tiles(self) -> bool:
        return isinstance(self.picture, TiledPicture) and self.picture.pyramid is not None

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=60_000)

    def look(self, scale: float, x: float, y: float) -> None:
        """The image point (x, y) in the middle of the canvas at `scale`; waits until all is there that will be."""
        middle = QPointF(self.canvas.width() / 2, self.canvas.height() / 2)
        self.canvas.set_view(View(scale, middle.x() - x * scale, middle.y() - y * scale))
        self.canvas.repaint()
        picture = self.picture
        if isinstance(picture, TiledPicture) and picture.tiles is not None:
            self.wait(picture.tiles.is_idle)
            self.canvas.renew()
            self.canvas.repaint()

    def colour(self, x: float, y: float) -> RGB:
        """What the screen shows of an image point."""
        at = self.canvas.view.to_widget(QPointF(x, y)) * self.canvas.devicePixelRatioF()
        shown = self.canvas.grab().toImage().pixelColor(int(at.x()), int(at.y()))
        return shown.red(), shown.green(), shown.blue()

    def check(self, pixels: np.ndarray, scale: float, x: int, y: int, step: int) -> int:
        """Compare what is shown every `step` image pixels around (x, y), at the middles of blocks; how many were."""
        self.look(scale, x, y)
        reach_x, reach_y = self.canvas.width() / 2 / scale, self.canvas.height() / 2 / scale
        compared = 0
        for v in range(step // 2, pixels.shape[0], step):
            for u in range(step // 2, pixels.shape[1], step):
                if abs(u - x) < reach_x - 2 / scale and abs(v - y) < reach_y - 2 / scale:
                    assert near(self.colour(u + 0.5, v + 0.5), pixels[v, u]), (u, v)
                    compared += 1
        return compared

    def close(self) -> None:
        self.loader.close()


def near(shown: RGB, expected: Any) -> bool:
    return all(abs(int(a) - int(b)) <= 12 for a, b in zip(shown, expected, strict=True))


@pytest.fixture
def bench(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Calls images of more than a megapixel huge."""
    monkeypatch.setattr(images, "PIXEL_LIMIT", 1_000_000)
    theme.apply("light")
    made = Bench(qtbot, tmp_path / "cache")
    yield made
    made.close()


def kept(bench: Bench) -> list[str]:
    """All that lies where pyramids are kept and made."""
    assert bench.cache is not None
    folder = bench.cache / "pyramids"
    return sorted(os.listdir(folder)) if folder.is_dir() else []


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
    looks = Looks(brightness=15, contrast=-20, gamma=1.4)
    bench.show(written(tmp_path, pixels))
    bench.wait(lambda: bench.has_tiles)
    bench.canvas.set_looks(looks)
    assert bench.check(looks.table[pixels], 1.0, 1000, 1030, BLOCK) > 25


@needs_libvips
def test_sixteen_bits_are_shown_by_the_projects_window(bench: Bench, tmp_path: Path) -> None:
    samples = np.linspace(0, 20000, WIDTH).astype(np.uint16)[None].repeat(HEIGHT, 0)
    Image.fromarray(samples).save(tmp_path / "huge.tif")
    bench.window = Window(5000, 10000)
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
    monkeypatch.setattr(images, "PIXEL_LIMIT", 30_000_000)
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
    asked: list[Place] = []
    threads: set[int] = set()
    read = Pyramid.read

    def counted(self: Pyramid, place: Place) -> np.ndarray:
        asked.append(place)
        threads.add(threading.get_ident())
        return read(self, place)

    monkeypatch.setattr(Pyramid, "read", counted)
    bench.look(1.0, 320, 240)  # exactly 0..640 x 0..480
    assert sorted(asked, key=lambda at: at.column) == [Place(0, 0, 0), Place(0, 1, 0)]
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
    monkeypatch.setattr("workbench.ui.tiles.MEMORY", 4 << 20)
    bench.show(written(tmp_path, blocks()))
    bench.wait(lambda: bench.has_tiles)
    picture = bench.picture
    assert isinstance(picture, TiledPicture)
    assert picture.tiles is not None
    assert picture.pyramid is not None
    bench.look(1.0, 320, 240)
    assert picture.tiles.get(picture.pyramid, Place(0, 0, 0)) is not None
    for x in (1000, 1600, 2200):
        bench.look(1.0, x, 1400)
    assert picture.tiles.get(picture.pyramid, Place(0, 0, 0)) is None
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


# --- making, keeping, giving up ---


@needs_libvips
def test_while_tiles_are_made_it_is_said_how_far_and_the_view_stays(bench: Bench, tmp_path: Path) -> None:
    bench.show(written(tmp_path, blocks()))
    bench.wait(lambda: bench.picture is not None)
    bench.look(1.0, 700, 600)
    view = bench.canvas.view
    bench.wait(lambda: bench.has_tiles)
    assert bench.canvas.view == view
    notes = [result.note for result in bench.came if isinstance(result, TiledPicture)]
    assert any(note.startswith("Its details are being prepared: ") and note.endswith(" %") for note in notes)
    assert notes[-1] == ""


@needs_libvips
def test_what_was_made_once_is_found_again(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, blocks())
    bench.show(file)
    bench.wait(lambda: bench.has_tiles)
    (made,) = kept(bench)
    bench.loader.forget()
    bench.canvas.say("")
    bench.came.clear()
    monkeypatch.setattr(images, "overview", None)  # not needed any more
    bench.show(file)
    bench.wait(lambda: bench.has_tiles)
    assert len(bench.came) == 1
    assert kept(bench) == [made]


@needs_libvips
def test_tiles_are_made_anew_when_the_file_has_changed(bench: Bench, tmp_path: Path) -> None:
    pixels = blocks()
    file = written(tmp_path, pixels)
    bench.show(file)
    bench.wait(lambda: bench.has_tiles)
    written(tmp_path, 255 - pixels)
    os.utime(file, (1, 1))
    bench.loader.forget()
    bench.show(file)
    bench.wait(lambda: bench.has_tiles)
    assert bench.check(255 - pixels, 1.0, 1000, 1030, BLOCK) > 25
    assert len(kept(bench)) == 2


@needs_libvips
def test_making_tiles_is_given_up_when_another_image_is_shown(bench: Bench, tmp_path: Path) -> None:
    large = written(tmp_path, blocks(6000, 5000), name="large.png")
    other = written(tmp_path, blocks(300, 200), name="other.jpg")
    bench.show(large)
    bench.wait(lambda: any(isinstance(result, TiledPicture) and result.note for result in bench.came))
    assert kept(bench)[0].startswith(".making-")
    bench.show(other)
    bench.wait(lambda: kept(bench) == [])
    bench.wait(lambda: bench.picture is not None and bench.picture.width == 300)
    bench.show(large)  # and begun again when it is back
    bench.wait(lambda: bench.has_tiles)
    assert [name.endswith(".zip") for name in kept(bench)] == [True]


@needs_libvips
def test_a_huge_neighbour_is_not_cut_before_it_is_shown(bench: Bench, tmp_path: Path) -> None:
    small = written(tmp_path, blocks(300, 200), name="small.jpg")
    huge = written(tmp_path, blocks())
    bench.show(small, huge)
    bench.wait(lambda: bench.picture is not None)
    bench.wait(bench.loader.is_idle)
    assert kept(bench) == []
    bench.show(huge)
    assert isinstance(bench.picture, TiledPicture), "its overview was read beforehand"
    bench.wait(lambda: bench.has_tiles)


@needs_libvips
def test_tiles_that_are_not_found_after_they_were_made_are_not_made_for_ever(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyramid, "find", lambda *_: None)
    bench.show(written(tmp_path, blocks()))
    bench.wait(lambda: len(kept(bench)) == 1 and kept(bench)[0].endswith(".zip"))
    bench.wait(bench.loader.is_idle)
    assert isinstance(bench.picture, TiledPicture)
    assert bench.picture.pyramid is None


# --- refused, missing ---


@needs_libvips
@pytest.mark.parametrize("name", ["huge.jpg", "huge.png", "huge.tif"])
def test_a_part_of_a_huge_file_is_a_sentence(bench: Bench, tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1100, 1300, 3), np.uint8)
    file = written(tmp_path, noise, name=name)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    bench.show(file)
    bench.wait(lambda: "cut off" in bench.canvas.sentence)
    assert kept(bench) == []


def test_without_the_extra_the_overview_is_shown_and_told_how_to_get_more(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyramid, "is_available", lambda: False)
    pixels = blocks()
    bench.show(written(tmp_path, pixels))
    bench.wait(lambda: bench.picture is not None)
    assert isinstance(bench.picture, TiledPicture)
    assert bench.picture.note == 'Its details need one more install: pip install "workbench-detection[huge]"'
    plate = QPointF(bench.canvas.width() / 2, bench.canvas.height() - 14)  # its lower rim
    surface = theme.colour("surface")

    def on_plate() -> RGB:
        x, y = bench.canvas.view.to_image(plate).toTuple()  # type: ignore[attr-defined]
        return bench.colour(x, y)

    assert bench.check(pixels, 0.1, WIDTH // 2, HEIGHT // 2, BLOCK) > 300
    assert not near(on_plate(), (surface.red(), surface.green(), surface.blue())), "all there is can be seen"
    bench.look(1.0, 1050, 1050)
    assert near(bench.colour(1050, 1050), pixels[1050, 1050])
    assert near(on_plate(), (surface.red(), surface.green(), surface.blue()))
    assert kept(bench) == []


def test_without_the_extra_what_has_no_overview_is_a_sentence(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyramid, "is_available", lambda: False)
    bench.show(written(tmp_path, blocks(), name="huge.png"))
    bench.wait(lambda: bool(bench.canvas.sentence))
    assert 'pip install "workbench-detection[huge]"' in bench.canvas.sentence
    assert "2400 x 1700" in bench.canvas.sentence


@needs_libvips
def test_a_cache_that_can_not_be_written_is_a_note_over_the_overview(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    bench.show(written(tmp_path, blocks()))
    bench.wait(lambda: isinstance(bench.picture, TiledPicture) and "can't be kept" in bench.picture.note)


def test_other_pages_show_the_overview_of_a_huge_jpeg(bench: Bench, tmp_path: Path) -> None:
    shown = pictures.load(written(tmp_path, blocks()))
    assert (shown.width, shown.height, shown.levels[0].width()) == (WIDTH, HEIGHT, WIDTH // 8)


def test_a_pictures_pixels_stay_when_their_array_goes() -> None:
    pixels = blocks(1100, 1100)
    picture = pictures.picture(pixels.copy())
    expected = [tuple(int(value) for value in pixels[y, x]) for y, x in ((50, 50), (1050, 650))]
    copies = [level.copy() for level in picture.levels]
    for level, copy in zip(picture.levels, copies, strict=True):
        assert level == copy
    top = picture.levels[0]
    del picture
    np.random.default_rng(1).integers(0, 255, (1100, 1100, 4), np.uint8)  # would take the memory if it were free
    assert [top.pixelColor(x, y).getRgb()[:3] for y, x in ((50, 50), (1050, 650))] == expected


# --- in the window, and truly huge ---


@needs_libvips
def test_the_label_page_shows_a_huge_image_in_full_and_keeps_it_in_the_project(
    tmp_path: Path, open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "PIXEL_LIMIT", 1_000_000)
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
