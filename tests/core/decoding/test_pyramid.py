"""Tiles of huge images: the very pixels of the file, upright; made once, by another process, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.core import awkward_files as awkward
from workbench.core import images
from workbench.core.decoding import pyramid
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.decoding.pyramid import Pyramid, TilePosition
from workbench.core.decoding.pyramid_builder import PyramidBuilder
from workbench.errors import Refused, WorkbenchError

WIDTH, HEIGHT, BLOCK = 1300, 1100, 50
"""Three columns and three rows of tiles of 512, the last ones narrow."""

needs_libvips = pytest.mark.skipif(not pyramid.is_available(), reason="the extra [huge] is not installed")


def blocks(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """(H, W, 3) uint8: blocks of 50 x 50, each of its own colour."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (-(-height // BLOCK), -(-width // BLOCK), 3), np.uint8)
    return coarse.repeat(BLOCK, 0).repeat(BLOCK, 1)[:height, :width]


def see_through() -> Image.Image:
    return Image.merge("RGBA", [*Image.fromarray(blocks()).split(), Image.linear_gradient("L").resize((WIDTH, HEIGHT))])


def written(folder: Path, image: Image.Image, orientation: int = 1, name: str = "huge", format: str = "JPEG") -> Path:
    """A file that shows `image` upright, held as `orientation` says."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 95, "subsampling": 0} if format == "JPEG" else {}
    if orientation != 1:
        options["exif"] = exif
    folder.mkdir(parents=True, exist_ok=True)
    awkward.turned(image, orientation).save(folder / name, format, **options)
    return folder / name


def cut(file: Path, window: IntensityWindow | None = None) -> Pyramid:
    cache = file.parent / "cache"
    shares = list(PyramidBuilder(file, window, cache).steps())
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    found = pyramid.find(file, images.info(file), window, cache)
    assert found is not None
    return found


def whole(tiles: Pyramid, level: int = 0) -> np.ndarray:
    """All tiles of a level in their places: (H, W, 3) uint8 RGB."""
    unit = 1 << level
    made = np.zeros((-(-tiles.height // unit), -(-tiles.width // unit), 3), np.uint8)
    seen = np.zeros(made.shape[:2], int)
    for place in tiles.places((0, 0, tiles.width, tiles.height), level):
        tile = tiles.read(place)
        x0, y0, x1, y1 = (round(value / unit) for value in tiles.rect(place))
        assert tile.shape == (y1 - y0, x1 - x0, 4)
        made[y0:y1, x0:x1] = tile[..., 2::-1]
        seen[y0:y1, x0:x1] += 1
    assert (seen == 1).all()
    return made


def off(one: np.ndarray, other: np.ndarray) -> float:
    """The mean difference of two pictures, 0 to 255."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def left_over(file: Path) -> list[str]:
    folder = file.parent / "cache" / "pyramids"
    return sorted(os.listdir(folder)) if folder.is_dir() else []


# --- the pixels ---


@needs_libvips
@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiles_hold_the_pixels_of_the_file_upright(tmp_path: Path, orientation: int) -> None:
    file = written(tmp_path, Image.fromarray(blocks()), orientation)
    tiles = cut(file)
    assert (tiles.width, tiles.height, tiles.top) == (WIDTH, HEIGHT, 2)
    assert off(whole(tiles), images.read(file)) < 2
    assert off(tiles.read(TilePosition(0, 1, 1)), tiles.read(TilePosition(0, 1, 0))[:512, :512]) > 20


@needs_libvips
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_coarser_levels_and_the_overview_are_the_image_made_smaller(tmp_path: Path, orientation: int) -> None:
    even = blocks(1600, 1200)  # halves exactly: turned images have their rest of a pixel at the other side
    tiles = cut(written(tmp_path, Image.fromarray(even), orientation))
    halved = even.reshape(600, 2, 800, 2, 3).mean((1, 3))
    assert off(whole(tiles, 1), halved.astype(np.uint8)) < 2
    assert off(tiles.overview(800)[..., 2::-1], halved.astype(np.uint8)) < 2
    assert tiles.overview(100).shape == (300, 400, 4)  # one tile is the least


@needs_libvips
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_each_format_that_can_be_huge_is_cut(tmp_path: Path, format: str) -> None:
    file = written(tmp_path, Image.fromarray(blocks()), format=format)
    assert off(whole(cut(file)), images.read(file)) < 2


@needs_libvips
@pytest.mark.parametrize(
    ("image", "window"),
    [
        (
            Image.fromarray(np.linspace(0, 60000, 600 * 700).reshape(600, 700).astype(np.uint16)),
            IntensityWindow(1000, 30000),
        ),
        (Image.fromarray(np.linspace(0, 60000, 600 * 700).reshape(600, 700).astype(np.uint16)), None),
        (Image.fromarray(np.linspace(-3, 9, 600 * 700).reshape(600, 700).astype(np.float32)), IntensityWindow(0, 5)),
        (Image.fromarray(np.linspace(-3, 9, 600 * 700).reshape(600, 700).astype(np.float32)), None),
        (Image.fromarray(np.linspace(0, 0.5, 600 * 700).reshape(600, 700).astype(np.float32)), None),
        (Image.fromarray(blocks()).convert("L"), IntensityWindow(0, 9)),
        (see_through(), None),
        (Image.fromarray(blocks()).convert("CMYK"), None),
    ],
    ids=["16 bits", "16, no window", "floats", "floats, no window", "floats 0 to 1", "grey", "see-through", "CMYK"],
)
def test_depth_window_transparency_and_ink_are_shown_as_everywhere(
    tmp_path: Path, image: Image.Image, window: IntensityWindow | None
) -> None:
    file = written(tmp_path, image, format="TIFF")
    expected = images.read(file, window)
    assert off(whole(cut(file, window)), expected) < 1.5
    assert np.ptp(expected) > 100


@needs_libvips
def test_a_cmyk_jpeg_has_its_colours(tmp_path: Path) -> None:
    file = written(tmp_path, Image.fromarray(blocks()).convert("CMYK"))
    assert off(whole(cut(file)), images.read(file)) < 3


# --- which tiles ---


def grid(width: int, height: int, orientation: int = 1) -> Pyramid:
    return Pyramid(Path("none.zip"), width, height, orientation, {}, 6)


def test_only_the_tiles_in_sight_are_named_the_middle_first() -> None:
    tiles = grid(30_000, 20_000)
    assert tiles.places((600, 600, 900, 900), 0) == [TilePosition(0, 1, 1)]
    assert len(tiles.places((500, 500, 600, 600), 0)) == 4
    assert len(tiles.places((0, 0, 30_000, 20_000), 6)) == 1
    around = tiles.places((512, 512, 512 * 4, 512 * 4), 0)
    assert (len(around), around[0]) == (9, TilePosition(0, 2, 2))
    assert tiles.places((-50, -50, -10, -10), 0) == []


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_point_is_in_the_tile_that_is_named_for_it(orientation: int) -> None:
    tiles = grid(30_011, 20_007, orientation)
    for x, y in ((3, 4), (30_010, 20_006), (30_010, 2), (1, 20_006), (15_000, 7_000)):
        for level in (0, 3, 6):
            (place,) = tiles.places((x + 0.4, y + 0.4, x + 0.6, y + 0.6), level)
            x0, y0, x1, y1 = tiles.rect(place)
            assert x0 <= x < x1
            assert y0 <= y < y1


@pytest.mark.parametrize(("scale", "level"), [(4, 0), (1, 0), (0.51, 0), (0.5, 1), (0.3, 1), (0.25, 2), (0.001, 6)])
def test_the_level_has_a_pixel_for_each_of_the_screen(scale: float, level: int) -> None:
    assert grid(30_000, 20_000).level(scale) == level


def test_tiles_get_smaller_where_a_row_of_them_would_fill_the_memory() -> None:
    assert [pyramid.tile_side(width) for width in (15_000, 40_000, 65_535, 150_000, 900_000)] == [
        512,
        512,
        256,
        128,
        64,
    ]


# --- whole or not at all ---


@needs_libvips
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_a_part_of_a_file_is_refused_and_leaves_nothing(tmp_path: Path, format: str) -> None:
    file = written(tmp_path, awkward.photograph(900, 700), format=format)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(Refused, match="cut off"):
        list(PyramidBuilder(file, None, tmp_path / "cache").steps())
    assert left_over(file) == []


@needs_libvips
def test_what_libvips_has_no_words_for_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="a BMP of this size"):
        list(
            PyramidBuilder(written(tmp_path, Image.fromarray(blocks()), format="BMP"), None, tmp_path / "cache").steps()
        )
    endless = np.full((600, 700), np.inf, np.float32)
    file = written(tmp_path, Image.fromarray(endless), format="TIFF")
    with pytest.raises(Refused, match="window"):
        list(PyramidBuilder(file, None, tmp_path / "cache").steps())
    assert left_over(file) == []


@needs_libvips
def test_cancelled_it_leaves_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, Image.fromarray(blocks(4000, 3000)), format="PNG")
    before = PyramidBuilder(file, None, tmp_path / "cache")
    before.cancel()
    assert list(before.steps()) == []
    amid = PyramidBuilder(file, None, tmp_path / "cache")
    steps = amid.steps()
    assert next(steps) < 1.0
    amid.cancel()
    assert 1.0 not in list(steps)
    assert left_over(file) == []


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("raise ImportError", "pip install"),
        ("raise OSError('cannot load library libvips.so.42')", "pip install"),
        ("import os; os._exit(3)", "crashed"),
        ("raise ZeroDivisionError", "crashed"),
    ],
)
def test_whatever_becomes_of_libvips_is_a_sentence(tmp_path: Path, monkeypatch: Any, module: str, words: str) -> None:
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "pyvips.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    file = written(tmp_path, awkward.photograph(90, 70))
    with pytest.raises(Refused, match=words):
        list(PyramidBuilder(file, None, tmp_path / "cache").steps())
    assert left_over(file) == []


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, awkward.photograph(90, 70))
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(WorkbenchError, match="can't be kept in .*pyramids"):
        list(PyramidBuilder(file, None, tmp_path / "cache").steps())


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not there"):
        list(PyramidBuilder(tmp_path / "gone.jpg", None, tmp_path / "cache").steps())


# --- names and keeping ---


@needs_libvips
@pytest.mark.parametrize("name", ["a[page=3].jpg", "b.jpg[Q=1]", "größe 🐕.jpg", "two\nlines.jpg", "-rf.jpg", "%s.jpg"])
def test_a_file_and_its_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "[n=-1] ü"
    assert cut(written(folder, Image.fromarray(blocks()), name=name)).width == WIDTH


@needs_libvips
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are not Unicode")
def test_a_name_that_is_not_utf_8_is_cut(tmp_path: Path) -> None:
    assert cut(written(tmp_path, Image.fromarray(blocks()), name=os.fsdecode(b"caf\xe9.jpg"))).width == WIDTH


@needs_libvips
def test_what_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, Image.fromarray(blocks()))
    cut(file)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert list(PyramidBuilder(file, None, tmp_path / "cache").steps()) == [1.0]


@needs_libvips
def test_a_pyramid_is_of_its_file_as_it_was(tmp_path: Path) -> None:
    file = written(tmp_path, Image.fromarray(blocks()))
    about, cache = images.info(file), tmp_path / "cache"
    assert pyramid.find(file, about, None, cache) is None
    cut(file)
    assert pyramid.find(file, about, IntensityWindow(0, 9), cache) is not None, "8 bits have no window"
    os.utime(file, (1, 1))
    assert pyramid.find(file, about, None, cache) is None
    cut(file)
    assert len(left_over(file)) == 2


@needs_libvips
def test_a_torn_pyramid_is_none_and_a_damaged_tile_is_said(tmp_path: Path) -> None:
    file = written(tmp_path, Image.fromarray(blocks()))
    tiles = cut(file)
    sound = tiles.file.read_bytes()
    at, length = tiles.offsets[TilePosition(0, 1, 1)]
    tiles.file.write_bytes(sound[: at + 200] + bytes(length - 200) + sound[at + length :])
    with pytest.raises(WorkbenchError, match="damaged"):
        tiles.read(TilePosition(0, 1, 1))
    listed = sound.index(b"PK\1\2")  # where the zip lists its first member, and says which version it takes to read it
    for spoilt in (sound[: len(sound) // 2], sound[: listed + 6] + b"\xc8" + sound[listed + 7 :]):
        tiles.file.write_bytes(spoilt)
        assert pyramid.find(file, images.info(file), None, tmp_path / "cache") is None
    tiles.file.unlink()
    with pytest.raises(WorkbenchError, match="could not be read"):
        tiles.read(TilePosition(0, 0, 0))


def test_of_pyramids_kept_the_ones_looked_at_last_stay(tmp_path: Path) -> None:
    def make(*ages: int) -> None:
        for age in ages:
            (tmp_path / f"{age}.zip").write_bytes(bytes(100))
            os.utime(tmp_path / f"{age}.zip", (1000 - age, 1000 - age))

    make(1, 2, 3, 4)
    pyramid.trim(tmp_path, limit=250)
    assert sorted(os.listdir(tmp_path)) == ["1.zip", "2.zip"]
    pyramid.trim(tmp_path, limit=10)
    assert os.listdir(tmp_path) == ["1.zip"], "the newest stays whatever it takes"
    pyramid.trim(tmp_path / "nowhere")


@needs_libvips
def test_libvips_is_loaded_in_the_other_process_only(tmp_path: Path) -> None:
    cut(written(tmp_path, Image.fromarray(blocks())))
    modules = "workbench.core.decoding.pyramid_builder, workbench.ui.images.pictures"
    code = f"import sys, {modules}; sys.exit('pyvips' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert "pyvips" not in sys.modules
