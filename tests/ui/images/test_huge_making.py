"""The tiles of huge images: made, found again, given up; and what is said where there are none."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF

from tests.ui.images.huge_bench import (
    BLOCK,
    HEIGHT,
    RGB,
    WIDTH,
    Bench,
    bench,
    blocks,
    kept,
    near,
    needs_libvips,
    written,
)
from workbench.core import images
from workbench.core.decoding import pyramid
from workbench.ui import theme
from workbench.ui.images.pictures import TiledPicture

__all__ = ["bench"]  # a fixture


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
    monkeypatch.setattr(images, "thumbnail", None)  # its overview is not needed any more
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
    assert bench.picture.note == f"Its details need one more install: {pyramid.INSTALL}"
    plate = QPointF(bench.canvas.width() / 2, bench.canvas.height() - 14)  # its lower rim
    surface = theme.colour("surface")

    def on_plate() -> RGB:
        x, y = bench.canvas.view.to_image(plate).toTuple()
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
    assert '-m pip install "workbench-detection[huge]"' in bench.canvas.sentence
    assert "2400 x 1700" in bench.canvas.sentence


@needs_libvips
def test_a_cache_that_can_not_be_written_is_a_note_over_the_overview(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    bench.show(written(tmp_path, blocks()))
    bench.wait(lambda: isinstance(bench.picture, TiledPicture) and "can't be kept" in bench.picture.note)
