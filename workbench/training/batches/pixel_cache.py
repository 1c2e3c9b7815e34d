"""Images that were read for an earlier training, at its input side, so that the next one starts at once.

A folder for each side and way of resizing (cache/training/416-stretch in the project), and for each kind of tiles:
these are many more than the images and would drive them out. pixels.u8 has rows of px * px * 3 bytes, rows.npz says
what each of them is: the digest of the file's bytes, and where the image lies in its square. A file with the same
path, size and date is not read again; one that was moved is read but not decoded.
The folder can be deleted at any time. One process adds rows, any number may use them.

Refused: a file for each image, which can mean a hundred thousand of them; and a file for each set of images, which
would be rewritten for one added image.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core import images, resize
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.files import atomic_write, check_free_space, stamp
from workbench.core.parsing import npz
from workbench.core.resize import Fit, FitMode
from workbench.core.storage.lock import Lock
from workbench.core.tiling import Place, Tiling, cut_out
from workbench.errors import Refused

PIXELS, ROWS, LOCK = "pixels.u8", "rows.npz", "adding.lock"
VERSION = 1
_ARRAYS = ("version", "digests", "fits", "names", "rows", "stamps")
DIGEST = images.DIGEST  # bytes


def folder_of(
    cache: Path, px: int, mode: FitMode, window: IntensityWindow | None, tiling: Tiling | None = None
) -> Path:
    """Where images of this side, resized in this way and seen in these tiles, are kept; with more than 8 bits, read
    with this window.
    """
    read = "" if window is None else "-" + hashlib.blake2b(repr(window).encode(), digest_size=4).hexdigest()
    tiles = "" if tiling is None else f"-tiles-{tiling.side}-{tiling.overlap:g}"
    return cache / "training" / f"{px}-{mode}{read}{tiles}"


class SourceFile:
    """An image file, read and decoded once for all its views. For one thread."""

    def __init__(self, path: Path, window: IntensityWindow | None) -> None:
        self.path, self.window = path, window

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """(H, W, 3) upright. Refused if it is not a complete image."""
        return images.read(self.path, self.window)

    @cached_property
    def seen(self) -> tuple[int, int]:
        """The file's stamp, taken before it was read: one that changes meanwhile is read again next time."""
        return _stamp(self.path)

    @cached_property
    def _digest(self) -> bytes:
        return images.digest(self.path)

    def digest_of(self, place: Place | None) -> bytes:
        """Of the file's bytes, or of them and the part that is meant."""
        _ = self.seen
        if place is None:
            return self._digest
        return hashlib.blake2b(self._digest + repr(place).encode(), digest_size=DIGEST).digest()


class PixelCache:
    """Open for adding unless another process has it open so. Close it: only then others see what was added."""

    def __init__(self, folder: Path, px: int) -> None:
        self.folder, self.px = folder, px
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(folder, LOCK)
        self._guard = threading.Lock()  # threads add rows
        self._digests: list[bytes] = []
        self._fits: list[Fit] = []
        self._files: dict[str, tuple[int, tuple[int, int]]] = {}  # row by file, and the file's stamp
        self._read_rows()
        self._row_of = {digest: row for row, digest in enumerate(self._digests)}
        self._added = 0
        self.pixels: NDArray[np.uint8] = np.zeros((0, px, px, 3), np.uint8)

    @property
    def may_add(self) -> bool:
        return self._lock.held

    def __len__(self) -> int:
        return len(self._digests)

    @property
    def row_bytes(self) -> int:
        return self.px * self.px * 3

    def known(self, files: Sequence[Path], places: Sequence[Place | None] = ()) -> int:
        """How many of the files, or of these parts of them, are kept and unchanged."""
        of_each, seen = places or (None,) * len(files), {file: _stamp(file) for file in dict.fromkeys(files)}
        return sum(self._row(file, place, seen[file]) is not None for file, place in zip(files, of_each, strict=True))

    def _row(self, file: Path, place: Place | None, seen: tuple[int, int]) -> int | None:
        """Where this part of the image is (None: all of it) of the file with the stamp `seen`; None if it is not kept
        or the file has changed.
        """
        kept = self._files.get(_name(file, place))
        return kept[0] if kept is not None and kept[1] == seen else None

    def make_room(self, count: int) -> None:
        """Map the file, with room for this many more rows if this process may add some; OSError if the disk is full."""
        rows = len(self) + (count if self.may_add else 0)
        path = self.folder / PIXELS
        if self.may_add:
            check_free_space(self.folder, count * self.row_bytes)
            if not self._digests:  # rows of other pixels, that nobody could read: after a kill they would be of these
                (self.folder / ROWS).unlink(missing_ok=True)
            path.touch()
        # it grows where it is too short, and is never cut: Windows refuses that while another process has it mapped
        self.pixels = np.memmap(
            path, np.uint8, "r+" if self.may_add else "r", shape=(max(rows, 1), self.px, self.px, 3)
        )

    def read(self, file: SourceFile, place: Place | None, mode: FitMode) -> tuple[int, Fit]:
        """The row of an image, or of a part of it, and where that lies in its square; kept if it is not yet.
        Thread-safe.

        Refused if the file is not a complete image.
        """
        row = self._row(file.path, place, file.seen)
        if row is not None:
            return row, self._fits[row]
        digest = file.digest_of(place)
        square = fit = None
        if digest not in self._row_of:
            square, fit = resize.fit(cut_out(file.pixels, place), self.px, mode)
        with self._guard:
            row = self._row_of.get(digest)
            if row is None:
                assert square is not None
                assert fit is not None
                row = len(self._digests)
                if row >= len(self.pixels):  # more than make_room() was told of
                    what = "it or another image was changed while they were read"
                    raise Refused(file.path, f"{what}. Train again to learn from it.")
                self._row_of[digest] = row
                self._digests.append(digest)
                self._fits.append(fit)
                self.pixels[row] = np.rint(square)  # Darknet's ways of resizing give fractions
            self._files[_name(file.path, place)] = (row, file.seen)
            self._added += 1
            return row, self._fits[row]

    def close(self) -> None:
        """Write down what was added, pixels first: a kill between the two costs only their reading."""
        try:
            if self._added and self.may_add:
                if isinstance(self.pixels, np.memmap):
                    self.pixels.flush()
                self._write_rows()
        finally:
            self._lock.release()

    def _read_rows(self) -> None:
        try:
            version, digests, fits, joined, rows, stamps = npz.read(self.folder / ROWS, *_ARRAYS)
            names = joined.tobytes().decode().split("\0")
            if int(version) != VERSION or len(digests) != len(fits) or len(rows) != len(stamps):
                return
            room = (self.folder / PIXELS).stat().st_size // self.row_bytes
        except (OSError, ValueError):
            return
        if len(digests) > room or (len(rows) and not 0 <= rows.min() <= rows.max() < len(digests)):
            return
        self._digests = [digest.tobytes() for digest in digests]
        self._fits = [Fit(*map(float, row)) for row in fits]
        self._files = dict(zip(names, zip(rows.tolist(), map(tuple, stamps.tolist()), strict=True), strict=False))

    def _write_rows(self) -> None:
        buffer = io.BytesIO()
        rows = np.array([row for row, _ in self._files.values()], np.int64)
        stamps = np.array([seen for _, seen in self._files.values()], np.int64).reshape(-1, 2)
        digests = np.frombuffer(b"".join(self._digests), np.uint8).reshape(-1, DIGEST)
        fits = resize.as_array(self._fits)
        names = np.frombuffer("\0".join(self._files).encode(errors="surrogateescape"), np.uint8)
        np.savez(buffer, version=VERSION, digests=digests, fits=fits, rows=rows, stamps=stamps, names=names)
        atomic_write(self.folder / ROWS, buffer.getvalue())


def clear(folder: Path) -> bool:
    """Forget everything kept in `folder`; False if another process uses it, under Windows, where its pixels would be
    replaced by others.
    """
    try:
        for name in (PIXELS, ROWS):
            (folder / name).unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _name(file: Path, place: Place | None) -> str:
    """Of a row: the file's path, followed by the part that it is, if it is not all."""
    return str(file) if place is None else f"{file}\t{','.join(map(str, place))}"


def _stamp(file: Path) -> tuple[int, int]:
    """A value that changes when the file does; a constant if there is no file."""
    try:
        return stamp(file)
    except OSError:
        return -1, -1
