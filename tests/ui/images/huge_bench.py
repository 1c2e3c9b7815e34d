"""A canvas and a loader as the Label page has them, and images that they call huge."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPointF, QSizeF
from pytestqt.qtbot import QtBot

from tests.core import awkward_files as awkward
from workbench.core.decoding import image_header, pyramid
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.images.picture_loader import PictureLoader, PictureRequest
from workbench.ui.images.pictures import Picture, TiledPicture
from workbench.ui.images.view_transform import ViewTransform

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

    def __init__(self, qtbot: QtBot, cache: Path | None, window: IntensityWindow | None = None) -> None:
        self.qtbot, self.cache, self.window = qtbot, cache, window
        self.canvas = Canvas()
        qtbot.addWidget(self.canvas)
        self.canvas.resize(640, 480)
        self.canvas.show()
        self.loader = PictureLoader()
        self.loader.loaded.connect(self._came)
        self.came: list[object] = []
        self.shown = 0

    def show(self, file: Path, *neighbours: Path) -> None:
        requests = [PictureRequest(abs(hash(str(f))) % 10**9, f, self.window, self.cache) for f in (file, *neighbours)]
        self.shown = requests[0].image
        self.canvas.say("")
        picture = self.loader.want(requests)
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
        self.canvas.set_view(ViewTransform(scale, middle.x() - x * scale, middle.y() - y * scale))
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
    monkeypatch.setattr(image_header, "PIXEL_LIMIT", 1_000_000)
    theme.apply("light")
    made = Bench(qtbot, tmp_path / "cache")
    yield made
    made.close()


def kept(bench: Bench) -> list[str]:
    """All that lies where pyramids are kept and made."""
    assert bench.cache is not None
    folder = bench.cache / "pyramids"
    return sorted(os.listdir(folder)) if folder.is_dir() else []
