"""Images as the window paints them: pixels in Qt's own layout, with halved copies so that a small view paints fast.

A huge image is a `TiledPicture`: an overview, with the visible tiles of its pyramid on top.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from workbench.core.decoding import pyramid as pyramids
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.decoding.pyramid import Pyramid, TilePosition
from workbench.errors import Refused, WorkbenchError

if TYPE_CHECKING:
    from workbench.core.decoding.image_header import ImageHeader
    from workbench.ui.images.tiles import Tiles

LARGE, PREVIEW = 4_000_000, 500
"""Length of the longer side, in pixels, from which a preview is shown before the image."""
SMALLEST = 512
"""In pixels; no copies are made below this width or height: painting so few pixels costs nothing."""
RASTER = 32_767
"""Longest side, in pixels, that is passed to Qt whole: without smoothing, what lies beyond 65,535 is painted wrong
(Qt 6.11), and half of that is what it promises."""
OVERVIEW = 4096
"""Maximum length of a huge image's overview, in pixels: 64 MiB."""
PIXELS_FROM = 2.0
"""Device pixels per image pixel from which pixels are shown as squares instead of smoothed."""
_COARSER = 3
"""How many coarser levels may stand in for tiles that are still being read."""


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """One image in full size and repeatedly halved. Upright; safe to pass between threads.

    For a preview, `size` is the width and height of the image that it stands for. `about`: what a person should know
    about the file (ImageHeader.note). `stamp` (files.stamp) of the file before it was read, if the loader asks for it.
    """

    levels: tuple[QImage, ...]  # 1, 1/2, 1/4 ...
    size: tuple[int, int] = (0, 0)
    about: str = ""
    stamp: tuple[int, int] | None = None

    @property
    def width(self) -> int:
        return self.size[0] or self.levels[0].width()

    @property
    def height(self) -> int:
        return self.size[1] or self.levels[0].height()

    @property
    def bytes(self) -> int:
        return sum(level.sizeInBytes() for level in self.levels)

    def level(self, scale: float) -> QImage:
        """The smallest copy with at least one pixel per device pixel at `scale` (device px per image px)."""
        for level in reversed(self.levels):
            if level.width() >= self.width * scale * 0.999:
                return level
        return self.levels[0]

    def paint(self, painter: QPainter, target: QRectF, part: QRectF, scale: float) -> None:
        """Paint `part` (image pixels) into `target`; `scale` is device pixels per image pixel."""
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < PIXELS_FROM)
        level = self.level(scale)
        x, y = level.width() / self.width, level.height() / self.height
        source = QRectF(part.x() * x, part.y() * y, part.width() * x, part.height() * y)
        if max(level.width(), level.height()) > RASTER:
            around = source.toAlignedRect().intersected(level.rect())
            level = level.copy(around)
            source.translate(-around.x(), -around.y())
        painter.drawImage(target, level, source)


@dataclass(frozen=True, eq=False, slots=True)
class TiledPicture(Picture):
    """A huge image. `levels` are its overview (empty so far, if the image can't be decoded at a reduced size).

    `pyramid` and `tiles` show its details once both exist; until then `note` describes their progress.
    """

    pyramid: Pyramid | None = None
    tiles: Tiles | None = None
    note: str = ""

    def lacks_detail(self, scale: float) -> bool:
        """Whether the overview shows less than the full detail at `scale` (device px per image px)."""
        return not self.levels or self.levels[0].width() < self.width * min(1.0, scale) * 0.999

    def paint(self, painter: QPainter, target: QRectF, part: QRectF, scale: float) -> None:
        if self.levels:
            Picture.paint(self, painter, target, part, scale)
        if self.pyramid is None or self.tiles is None or not self.lacks_detail(scale):
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < PIXELS_FROM)
        level = self.pyramid.level(scale)
        visible = part.x(), part.y(), part.x() + part.width(), part.y() + part.height()
        places = self.pyramid.places(visible, level)
        missing = [place for place in places if self.tiles.get(self.pyramid, place) is None]
        self.tiles.want(self.pyramid, missing, len(places))
        if missing:
            for coarser in range(min(level + _COARSER, self.pyramid.top), level, -1):
                for place in self.pyramid.places(visible, coarser):
                    self._paint_tile(painter, target, part, place)
        for place in places:
            self._paint_tile(painter, target, part, place)

    def _paint_tile(self, painter: QPainter, target: QRectF, part: QRectF, place: TilePosition) -> None:
        """Paint the visible part of the tile, if it has been read."""
        assert self.pyramid is not None
        assert self.tiles is not None
        tile = self.tiles.get(self.pyramid, place)
        if tile is None or tile.isNull():
            return
        x0, y0, x1, y1 = self.pyramid.rect(place)
        visible = QRectF(x0, y0, x1 - x0, y1 - y0).intersected(part)
        if visible.isEmpty():
            return
        unit = 1 << place.level
        source = QRectF(
            (visible.x() - x0) / unit, (visible.y() - y0) / unit, visible.width() / unit, visible.height() / unit
        )
        x, y = target.width() / part.width(), target.height() / part.height()
        where = QRectF(
            target.x() + (visible.x() - part.x()) * x,
            target.y() + (visible.y() - part.y()) * y,
            visible.width() * x,
            visible.height() * y,
        )
        painter.drawImage(where, tile, source)


def load(file: Path, window: IntensityWindow | None = None, cache: Path | None = None) -> Picture:
    """Read an image for painting, with the project's display window. Runs in any thread.

    A huge one is returned as a TiledPicture: with its pyramid if there is one in `cache`, the project's cache folder.
    Raises errors.Refused like core.images.read, and for huge images of which not even an overview can be shown.
    """
    from workbench.core import images

    about = images.info(file)
    if about.is_huge:
        return _huge(file, about, window, cache)
    return picture(images.for_screen(file, window), about.note)


def _huge(file: Path, about: ImageHeader, window: IntensityWindow | None, cache: Path | None) -> TiledPicture:
    from workbench.core import images

    size = about.width, about.height
    found = pyramids.find(file, about, window, cache) if cache is not None else None
    if found is not None:
        return TiledPicture((wrapped(found.overview()),), size, pyramid=found)
    note = "" if cache is None or pyramids.is_available() else f"Its details need one more install: {pyramids.INSTALL}"
    if about.format == "JPEG":
        return TiledPicture(_halved(images.pixels_for_screen(images.thumbnail(file, OVERVIEW))), size, note=note)
    if cache is None or not pyramids.is_available():
        sentence = (
            f"the image is too large ({about.width} x {about.height}) to be shown at once; to see it in parts run "
        )
        raise Refused(file, sentence + pyramids.INSTALL)
    return TiledPicture((), size)


def preview(file: Path, window: IntensityWindow | None = None) -> Picture | None:
    """A large JPEG at an eighth of its size, in a quarter of the time; None for other files.

    load() reports what is wrong with a file. For a huge image load() itself returns no more than this.
    """
    from workbench.core import images

    try:
        about = images.info(file)
        if about.format != "JPEG" or about.is_huge or about.width * about.height < LARGE:
            return None
        small = images.thumbnail(file, PREVIEW, window)
    except WorkbenchError:
        return None
    return Picture((to_qimage(small),), (about.width, about.height))


def picture(pixels: np.ndarray, about: str = "") -> Picture:
    """A Picture of (H, W, 3) uint8 RGB or (H, W, 4) uint8 BGRX; the latter must not be modified any more."""
    from workbench.core import images

    return Picture(_halved(images.pixels_for_screen(pixels) if pixels.shape[2] == 3 else pixels), about=about)


def _halved(bgrx: np.ndarray) -> tuple[QImage, ...]:
    """The pixels and their halved copies, until one paints fast and Qt can paint it whole."""
    import cv2

    from workbench.core.decoding import pixels

    levels = [wrapped(bgrx)]
    while min(bgrx.shape[:2]) >= 2 * SMALLEST or max(bgrx.shape[:2]) > RASTER:
        size = max(1, bgrx.shape[1] // 2), max(1, bgrx.shape[0] // 2)
        bgrx = cv2.resize(bgrx, size, dst=pixels.pixel_buffer(size[1], size[0]), interpolation=cv2.INTER_AREA)
        levels.append(wrapped(bgrx))
    return tuple(levels)


def wrapped(bgrx: np.ndarray) -> QImage:
    """(H, W, 4) uint8 BGRX as a QImage in the format that paints fastest. It shares the array's memory, kept alive."""
    height, width, channels = bgrx.shape
    assert channels == 4
    assert bgrx.dtype == np.uint8
    assert bgrx.flags.c_contiguous
    return QImage(bgrx.data, width, height, 4 * width, QImage.Format.Format_RGB32)


def to_qimage(pixels: np.ndarray) -> QImage:
    """(H, W, 3) uint8 RGB as a QImage with its own memory, in the format that paints fastest."""
    height, width, channels = pixels.shape
    assert channels == 3
    assert pixels.dtype == np.uint8
    pixels = np.ascontiguousarray(pixels)
    shared = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return shared.convertToFormat(QImage.Format.Format_RGB32)
