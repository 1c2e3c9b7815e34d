"""The cache gives the same pixels as reading, sees changed files and keeps within its bytes."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from workbench.core import images
from workbench.core.decoding.image_cache import ImageCache
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.errors import Refused

BYTES = 10 * 10 * 3


@pytest.fixture
def reads(monkeypatch: Any) -> list[Path]:
    """The files that were really decoded, in order."""
    seen: list[Path] = []
    decode = images.read

    def counted(file: Path, window: IntensityWindow | None = None) -> np.ndarray:
        seen.append(file)
        return decode(file, window)

    monkeypatch.setattr(images, "read", counted)
    return seen


def grey(folder: Path, level: int) -> Path:
    path = folder / f"{level}.png"
    Image.new("L", (10, 10), level).save(path)
    return path


def test_a_second_look_does_not_decode_again(tmp_path: Path, reads: list[Path]) -> None:
    cache, path = ImageCache(10 * BYTES), grey(tmp_path, 7)
    assert cache.read(path) is cache.read(path)
    assert reads == [path]
    assert cache.bytes == BYTES


def test_the_least_recently_used_goes_first(tmp_path: Path, reads: list[Path]) -> None:
    cache = ImageCache(2 * BYTES)
    a, b, c = (grey(tmp_path, level) for level in (1, 2, 3))
    for path in (a, b, a, c, a, b):
        cache.read(path)
    assert reads == [a, b, c, b]
    assert cache.bytes == 2 * BYTES


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    cache, path = ImageCache(10 * BYTES), grey(tmp_path, 7)
    before = cache.read(path)
    Image.new("L", (10, 10), 200).save(path)
    os.utime(path, ns=(1, 1))
    assert (before[0, 0, 0], cache.read(path)[0, 0, 0]) == (7, 200)


def test_another_window_is_another_image(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((10, 10), 50, np.uint16)).save(path)
    cache = ImageCache(10 * BYTES)
    assert cache.read(path, IntensityWindow(0, 100))[0, 0, 0] == 128
    assert cache.read(path, IntensityWindow(0, 50))[0, 0, 0] == 255


def test_what_is_shared_cannot_be_drawn_into(tmp_path: Path) -> None:
    image = ImageCache(10 * BYTES).read(grey(tmp_path, 7))
    with pytest.raises(ValueError, match="read-only"):
        image[0] = 0


def test_an_image_larger_than_the_cache_is_read_but_not_kept(tmp_path: Path, reads: list[Path]) -> None:
    cache, path = ImageCache(BYTES - 1), grey(tmp_path, 7)
    cache.read(path)
    cache.read(path)
    assert len(reads) == 2
    assert cache.bytes == 0


def test_a_refused_file_is_refused_each_time_and_clear_forgets_all(tmp_path: Path, reads: list[Path]) -> None:
    cache, path = ImageCache(10 * BYTES), grey(tmp_path, 7)
    for _ in range(2):
        with pytest.raises(Refused):
            cache.read(tmp_path / "gone.png")
    cache.read(path)
    cache.clear()
    assert cache.bytes == 0
    cache.read(path)
    assert reads.count(path) == 2


def test_many_threads_get_right_pixels_within_the_limit(tmp_path: Path) -> None:
    paths = {level: grey(tmp_path, level) for level in range(8)}
    cache, wrong = ImageCache(3 * BYTES), []

    def look(seed: int) -> None:
        for level in np.random.default_rng(seed).integers(0, 8, 50):
            image = cache.read(paths[int(level)])
            if image[0, 0, 0] != level or cache.bytes > 4 * BYTES:
                wrong.append(level)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache.bytes == 3 * BYTES
