"""Huge images as small tiles at several scales, cut once into a file in the project's cache: any part is shown fast.

The file is a zip of JPEG tiles made by libvips (Deep Zoom: 1/1, 1/2, 1/4 ... of the size down to one tile), stored
without further compression, so that a tile is read with one seek and without libvips. Tiles keep the camera's
orientation and are turned when read: turning 600 megapixels would need all of them in memory.

libvips is an extra (`pip install "workbench-detection[huge]"`) and runs in a separate process: `pyramid_builder.py`.
Rejected: a pyramid TIFF (its tiles can't be read without libvips), and making the tiles with cv2 (the whole image in
memory, 3.4 GiB for 600 megapixels).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.extras import install_command
from workbench.errors import Refused, WorkbenchError

if TYPE_CHECKING:
    import numpy as np

    from workbench.core.decoding.image_header import ImageHeader

INSTALL = install_command("[huge]")
DISK = 4 << 30
"""Bytes of pyramids kept in a project's cache: some fifteen images of 600 megapixels (0.25 GB each). The most recently
viewed ones are kept; the newest is kept whatever its size."""
_STRIP = 20_480_000
"""Most pixels in one row of tiles: libvips holds four such rows (30,000 pixels wide: 300 MiB in all)."""
_VERSION = 1
_SWAPPED, _FLIPPED_X, _FLIPPED_Y = {5, 6, 7, 8}, {2, 3, 6, 7}, {3, 4, 7, 8}

Rect = tuple[float, float, float, float]


def is_available() -> bool:
    """Whether the extra is installed; it is imported in the other process only."""
    return importlib.util.find_spec("pyvips") is not None


@dataclass(frozen=True, slots=True)
class TilePosition:
    """A tile: full size at level 0, 1/2**n at level n; column and row in the stored image."""

    level: int
    column: int
    row: int


@dataclass(frozen=True, eq=False, slots=True)
class Pyramid:
    """An upright image of `width` x `height` pixels in tiles. Reads in any thread; no file stays open."""

    file: Path
    width: int
    height: int
    orientation: int
    offsets: Mapping[TilePosition, tuple[int, int]]  # where each tile's zip entry begins, and its size in bytes
    top: int  # the level that consists of a single tile

    def level(self, scale: float) -> int:
        """The coarsest level with at least one pixel per device pixel at `scale` (device px per image px)."""
        return max(0, min(self.top, math.floor(math.log2(1.0 / scale) + 1e-9)))

    def places(self, part: Rect, level: int) -> list[TilePosition]:
        """The tiles that `part` (xyxy, pixels of the upright image) touches, those nearest its centre first."""
        x0, y0, x1, y1 = self._stored(part)
        step = self._tile << level
        wide, high = self._stored_size
        columns = range(max(0, int(x0 // step)), math.ceil(min(x1, wide) / step))
        rows = range(max(0, int(y0 // step)), math.ceil(min(y1, high) / step))
        found = [TilePosition(level, column, row) for row in rows for column in columns]
        middle = (x0 + x1) / 2 / step - 0.5, (y0 + y1) / 2 / step - 0.5
        return sorted(found, key=lambda at: math.hypot(at.column - middle[0], at.row - middle[1]))

    def rect(self, place: TilePosition) -> Rect:
        """The area of a tile, xyxy in pixels of the upright image; a coarse one may extend slightly outside."""
        step, (wide, high) = self._tile << place.level, self._stored_size
        x0, y0 = place.column * step, place.row * step
        unit = 1 << place.level
        x1 = x0 + min(step, math.ceil((wide - x0) / unit) * unit)
        y1 = y0 + min(step, math.ceil((high - y0) / unit) * unit)
        return self._upright((x0, y0, x1, y1))

    def read(self, place: TilePosition) -> np.ndarray:
        """The tile's pixels, upright: contiguous (h, w, 4) uint8 BGRX. WorkbenchError if they can't be read."""
        import numpy as np

        from workbench.core import images
        from workbench.core.decoding import jpeg, pixels

        try:
            at, length = self.offsets[place]
            with open(self.file, "rb") as file:
                file.seek(at)
                head = file.read(30)
                file.seek(sum(struct.unpack("<HH", head[26:30])), os.SEEK_CUR)  # the entry's name and extra field
                stored = jpeg.decode(file.read(length))
        except (OSError, KeyError, struct.error) as problem:
            raise WorkbenchError(
                f"Details in {self.file} could not be read. Show the image again.", problem
            ) from problem
        if stored is None:
            raise WorkbenchError(f"Details in {self.file} are damaged. Delete this file and show the image again.")
        return images.pixels_for_screen(np.ascontiguousarray(pixels.upright(stored, self.orientation)))

    def overview(self, side: int = 2048) -> np.ndarray:
        """The whole image, its longer side at most `side` pixels (or one tile's): (h, w, 4) uint8 BGRX, upright."""
        import numpy as np

        level = max(0, min(self.top, math.ceil(math.log2(max(self.width, self.height) / side))))
        unit = 1 << level
        made = np.empty((math.ceil(self.height / unit), math.ceil(self.width / unit), 4), np.uint8)
        for place in self.places((0, 0, self.width, self.height), level):
            x0, y0, _, _ = self.rect(place)
            tile = self.read(place)
            # turned images may have a partial coarse pixel at the left or top
            x, y = math.ceil(x0 / unit), math.ceil(y0 / unit)
            room = made[y : y + tile.shape[0], x : x + tile.shape[1]]
            room[:] = tile[: room.shape[0], : room.shape[1]]
        return made

    @property
    def _tile(self) -> int:
        return tile_side(self._stored_size[0])

    @property
    def _stored_size(self) -> tuple[int, int]:
        return (self.height, self.width) if self.orientation in _SWAPPED else (self.width, self.height)

    def _upright(self, rect: Rect) -> Rect:
        """From the stored image to the upright one."""
        x0, y0, x1, y1 = rect
        if self.orientation in _SWAPPED:
            x0, y0, x1, y1 = y0, x0, y1, x1
        return self._flipped((x0, y0, x1, y1))

    def _stored(self, rect: Rect) -> Rect:
        """From the upright image to the stored one."""
        x0, y0, x1, y1 = self._flipped(rect)
        return (y0, x0, y1, x1) if self.orientation in _SWAPPED else (x0, y0, x1, y1)

    def _flipped(self, rect: Rect) -> Rect:
        x0, y0, x1, y1 = rect
        if self.orientation in _FLIPPED_X:
            x0, x1 = self.width - x1, self.width - x0
        if self.orientation in _FLIPPED_Y:
            y0, y1 = self.height - y1, self.height - y0
        return x0, y0, x1, y1


def tile_side(width: int) -> int:
    """The side of the tiles: 512 pixels, or less for images so wide that a row of tiles would take too much memory."""
    return next((side for side in (512, 256, 128) if side * width <= _STRIP), 64)


# --- where they are kept ---


def pyramid_file(file: Path, about: ImageHeader, window: IntensityWindow | None, cache: Path) -> Path:
    """The file for the pyramid of `file` in its present version, below a project's cache folder. Refused if `file` is
    gone.
    """
    from workbench.core.decoding.refusals import not_readable

    try:
        now = file.stat()
    except (OSError, ValueError) as problem:
        raise Refused(file, not_readable(problem), cause=repr(problem)) from problem
    shown = f"{window.low!r} to {window.high!r}" if window and about.bits > 8 else ""
    key = f"{_VERSION}|{os.path.abspath(file)}|{now.st_mtime_ns}|{now.st_size}|{shown}"
    return cache / "pyramids" / f"{hashlib.blake2b(os.fsencode(key), digest_size=16).hexdigest()}.zip"


def find(file: Path, about: ImageHeader, window: IntensityWindow | None, cache: Path) -> Pyramid | None:
    """The pyramid of `file` in its present version, or None if there is none. It is marked as used now, for trim()."""
    import zipfile

    target = pyramid_file(file, about, window, cache)
    offsets: dict[TilePosition, tuple[int, int]] = {}
    try:
        with zipfile.ZipFile(target) as archive:
            for entry in archive.infolist():
                folder, _, name = entry.filename.rpartition("/")
                if name.endswith(".jpg"):
                    column, row = name.removesuffix(".jpg").split("_")
                    depth = int(folder.rpartition("/")[2])
                    offsets[TilePosition(depth, int(column), int(row))] = entry.header_offset, entry.file_size
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):  # not made yet, or damaged: to be remade
        return None
    with contextlib.suppress(OSError):  # a read-only cache
        os.utime(target)
    top = max((place.level for place in offsets), default=0)
    turned = {TilePosition(top - at.level, at.column, at.row): where for at, where in offsets.items()}
    return Pyramid(target, about.width, about.height, about.orientation, turned, top)


def trim(folder: Path, limit: int = DISK) -> None:
    """Delete the pyramids that were used longest ago until those in `folder` take at most `limit` bytes."""
    kept = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            about = entry.stat()
            if entry.name.endswith(".zip"):
                kept.append((about.st_mtime, about.st_size, entry.path))
    taken = 0
    for number, (_, size, path) in enumerate(sorted(kept, reverse=True)):
        taken += size
        if taken > limit and number > 0:
            with contextlib.suppress(OSError):  # being read, on Windows: next time
                os.unlink(path)
