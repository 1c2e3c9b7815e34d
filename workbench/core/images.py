"""The one way to read an image: the window, the anchors, the trainer and the exporter all see these very pixels.

Bytes come by open() (never a path given to a decoder: cv2 crashes on names that are not UTF-8), the format from the
first bytes and not from the name, the size from the header before anything is allocated. Decoding is strict: half a
file is refused, not grey. JPEG goes to cv2 behind a check that the file is whole (`jpeg.py`), everything else to
Pillow. Every bad file raises Refused with what is wrong and what to do. No file is ever written here.

Images above PIXEL_LIMIT are never decoded whole: of a JPEG `overview` gives an eighth, and `pyramid.py` cuts them into
tiles for the window.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from PIL import ExifTags, Image

from workbench.core import jpeg, pixels, png
from workbench.core.pixels import Window
from workbench.core.quiet import quiet
from workbench.core.refusals import not_an_image, not_readable
from workbench.errors import Refused

__all__ = [
    "FORMATS", "HUGE_LIMIT", "PIXEL_LIMIT", "ImageInfo", "Window",
    "for_screen", "info", "overview", "read", "thumbnail",
]  # fmt: skip

PIXEL_LIMIT = 200_000_000
"""Width x height above which an image is not decoded whole: 600 MB of RGB, a little above the 179 million that
Pillow allows by default and below what the largest camera backs deliver stitched."""

HUGE_LIMIT = 4_000_000_000
"""Width x height above which an image is refused for every use: a little less than the largest JPEG there can be."""

PROGRESSIVE_LIMIT = 500_000_000
"""The same for a progressive JPEG, of which every decoder must hold all the coefficients: 3 GB, 6 with full colour."""

FILE_LIMIT = 2 << 30
"""Bytes above which a file is not read whole: more than 200 megapixels take uncompressed with 16 bits, 3 channels."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
"""What is tried, where Pillow was built with it. It knows more, among them formats that start other programs (EPS)."""

# Pillow warns above this and raises above twice this when it opens a file; the limits here are held before decoding.
Image.MAX_IMAGE_PIXELS = HUGE_LIMIT

_TURNED = {5, 6, 7, 8}
_SIXTEEN = ("I;16", "I;16B", "I;16L", "I;16N")
_CMYK = ("CMYK", "YCCK")


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What the header says. `width` and `height` are of the upright image; `orientation` is the EXIF value 1..8.

    `bits` per channel: 1, 8, 16 or 32 (floats and 32-bit integers). Of `frames` only the first is ever used. `taken`:
    when, by the camera's clock, in seconds since 1970; 0 where the file doesn't say.
    """

    width: int
    height: int
    orientation: int
    format: str
    frames: int
    bits: int
    taken: float = 0.0

    @property
    def is_huge(self) -> bool:
        """Whether it is only shown in parts: nothing may hold all its pixels."""
        return self.width * self.height > PIXEL_LIMIT

    @property
    def note(self) -> str:
        """What a person should know before using this image, or an empty text."""
        notes = []
        if self.frames > 1:
            notes.append(f"It has {self.frames} frames or pages; the first is used.")
        if self.bits > 8:
            notes.append(f"It has {self.bits} bits per channel; the project's window decides what is black and white.")
        return " ".join(notes)


def info(file: Path, limit: int = HUGE_LIMIT) -> ImageInfo:
    """What the header of `file` says, without decoding. Raises Refused, also above `limit` pixels."""
    with _refusing(file), _opened(file) as stream, _pillow(stream, file, limit) as (_, about):
        return about


def read(file: Path, window: Window | None = None, limit: int = PIXEL_LIMIT) -> np.ndarray:
    """The upright image as contiguous (H, W, 3) uint8 RGB. Raises Refused for everything that is not a whole image.

    `window` is the project's range for images of more than 8 bits (see `pixels.to_8_bit` for what None means).
    Transparency is laid over white; of animations and pages the first is taken.
    """
    with _refusing(file):
        data = _bytes(file)
        with _pillow(io.BytesIO(data), file, limit) as (image, about):
            stored = _decode(image, about, data, window, file)
        return _as_told(np.ascontiguousarray(stored), about, file)


def for_screen(file: Path, window: Window | None = None, limit: int = PIXEL_LIMIT) -> np.ndarray:
    """The pixels of `read` as contiguous (H, W, 4) uint8 BGRX, as screens hold them; refuses what `read` refuses.

    JPEGs come straight in this form: 12 megapixels in 57 ms, where reading and then converting them takes 95.
    """
    with _refusing(file):
        data = _bytes(file)
        with _pillow(io.BytesIO(data), file, limit) as (image, about):
            if about.format == "JPEG" and image.mode not in _CMYK:
                direct = jpeg.decode_bgrx(data, image.width, image.height)
                if direct is not None:
                    return np.ascontiguousarray(pixels.upright(direct, about.orientation))
            stored = _decode(image, about, data, window, file)
        return pixels_for_screen(_as_told(stored, about, file))


def pixels_for_screen(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB as contiguous (H, W, 4) uint8 BGRX."""
    # numpy asks for large pages, which cv2's own memory is without: 13 instead of 24 ms for 12 megapixels
    made = np.empty((*rgb.shape[:2], 4), np.uint8)
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA, dst=made)


def overview(file: Path) -> np.ndarray:
    """A huge JPEG at an eighth of its size, upright (h, w, 3) uint8 RGB, decoded as it is read: 600 megapixels take
    40 MiB and 1.3 s (cv2: 135 MiB, 1.4 s; QImage whole: 2,290 MiB, 8.7 s).

    Refuses what is not whole, and other formats: they can't be decoded small.
    """
    with _refusing(file), _opened(file) as stream, _pillow(stream, file, HUGE_LIMIT) as (image, about):
        return np.ascontiguousarray(_overview(image, about, stream, file))


def _overview(image: Image.Image, about: ImageInfo, stream: io.BufferedReader, file: Path) -> np.ndarray:
    if about.format != "JPEG":
        raise _too_large(file, PIXEL_LIMIT, f"{about.width} x {about.height} pixels, ")
    if image.info.get("progressive") and about.width * about.height > PROGRESSIVE_LIMIT:
        raise Refused(
            file, "a progressive JPEG of this size takes several GB of memory to open; save it as a baseline JPEG"
        )
    image.draft("RGB", (image.width // 8, image.height // 8))
    try:
        image.load()
    except OSError as problem:
        if problem.errno is not None:
            raise
        raise Refused(file, CUT_OFF, cause=repr(problem)) from problem
    if not jpeg.ends_near_its_end(stream):  # Pillow takes the zeros of a reserved file for pixels
        raise Refused(file, CUT_OFF)
    made = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, 256):  # whole, Pillow would hold it three times over
        strip = image.crop((0, top, image.width, min(top + 256, image.height)))
        made[top : top + 256] = np.asarray(strip.convert("RGB"))
    return pixels.upright(made, about.orientation)


def value_range(file: Path, limit: int = PIXEL_LIMIT) -> tuple[float, float] | None:
    """The sample values below which a thousandth of the pixels lies, and above which; None for 8 bits.

    What a project's window may be made of: single hot or dead pixels do not count. Refuses what `read` refuses.
    """
    with _refusing(file):
        data = _bytes(file)
        with _pillow(io.BytesIO(data), file, limit) as (image, about):
            if about.bits <= 8:
                return None
            image.load()
            samples = _samples(image, about, data, None, file)
    values = samples[np.isfinite(samples)] if samples.dtype.kind == "f" else samples
    if samples.dtype == np.uint8 or not values.size:
        return None
    low, high = np.percentile(values, (0.1, 99.9))
    return float(low), float(high)


def thumbnail(file: Path, side: int, window: Window | None = None, least: int = 0) -> np.ndarray:
    """The upright image with its longer side at most `side` pixels: (h, w, 3) uint8 RGB, contiguous; never enlarged.

    `least`: a JPEG may have fewer than `side` pixels, but not fewer than this, where that is faster.

    Refuses what `read` refuses, but for huge JPEGs. JPEGs are decoded at 1/2, 1/4 or 1/8 of their size where that is
    enough, huge ones always at 1/8.
    """
    with _refusing(file), _opened(file) as stream:
        with _pillow(stream, file, HUGE_LIMIT) as (image, about):
            longest = max(about.width, about.height)
            if about.is_huge:
                stored = _overview(image, about, stream, file)
            else:
                shrink = next((s for s in (8, 4, 2) if longest // s >= (least or side)), 1)
                stored = _decode(image, about, _whole(stream, file), window, file, shrink)
        if max(stored.shape[:2]) <= side:
            return np.ascontiguousarray(stored)
        scale = min(1.0, side / longest)
        size = max(1, round(about.width * scale)), max(1, round(about.height * scale))
        if (stored.shape[1], stored.shape[0]) == size:
            return np.ascontiguousarray(stored)
        return cv2.resize(stored, size, interpolation=cv2.INTER_AREA)


def _decode(
    image: Image.Image, about: ImageInfo, data: bytes, window: Window | None, file: Path, shrink: int = 1
) -> np.ndarray:
    """The upright (H, W, 3) uint8 pixels of an opened image; only JPEGs are made smaller by `shrink`."""
    if about.format == "JPEG" and image.mode not in _CMYK:
        stored = jpeg.decode(data, shrink)
        if stored is None:
            raise Refused(file, CUT_OFF)
        return pixels.upright(stored, about.orientation)
    if about.format == "JPEG" and not jpeg.ends_properly(data):
        raise Refused(file, CUT_OFF)
    if about.format == "PNG" and not png.is_sound(data):
        raise Refused(file, DAMAGED)
    image.load()
    rgb = pixels.to_rgb(pixels.to_8_bit(_samples(image, about, data, window, file), window))
    # Pillow turns TIFF upright by itself while loading.
    return rgb if about.format == "TIFF" else pixels.upright(rgb, about.orientation)


def _samples(image: Image.Image, about: ImageInfo, data: bytes, window: Window | None, file: Path) -> np.ndarray:
    """The loaded image as (H, W) or (H, W, 3 or 4) uint8, uint16, int32 or float32, in RGB order."""
    if image.mode in _SIXTEEN:
        return np.asarray(image).astype(np.uint16)
    if image.mode in ("I", "F"):
        return np.asarray(image)
    if about.bits == 16:
        return _sixteen_bit_colours(image, data, window, file)
    if image.has_transparency_data:
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image if image.mode in ("L", "RGB") else image.convert("RGB"))


def _sixteen_bit_colours(image: Image.Image, data: bytes, window: Window | None, file: Path) -> np.ndarray:
    """Pillow keeps the upper 8 of 16 bits in colour; cv2 keeps all, and Pillow has shown that the file is sound."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is not None and found.dtype == np.uint16 and found.shape[:2] == (image.height, image.width):
        order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}
        return found if found.ndim == 2 else found[..., order[found.shape[2]]]
    if window is not None:
        raise Refused(file, "its 16-bit colours cannot be read in full; save it as PNG or use it without a window")
    return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def _info(image: Image.Image, head: bytes, stream: IO[bytes]) -> ImageInfo:
    format = {"MPO": "JPEG"}.get(image.format or "", image.format or "")
    exif = _exif(image, stream)
    orientation = _orientation(exif)
    width, height = image.size
    # Pillow gives TIFF sizes upright already.
    if orientation in _TURNED and format != "TIFF":
        width, height = height, width
    # The further pictures of an MPO are previews and second views that no viewer shows.
    frames = 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    return ImageInfo(width, height, orientation, format, frames, _bits(image, head), _taken(exif))


# Pillow parses foreign EXIF with whatever error comes; a picture without EXIF is still one


def _exif(image: Image.Image, stream: IO[bytes]) -> Image.Exif:
    try:
        # Pillow decodes a whole PNG to look for EXIF behind its pixels: most have none there
        whole = image.format != "PNG" or png.says_more_after_pixels(stream)
        return image.getexif() if whole else Image.Image.getexif(image)
    except Exception:
        return Image.Exif()


def _orientation(exif: Image.Exif) -> int:
    """The value 1..8; a broken or absurd one counts as 1, as viewers do."""
    try:
        found = int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1
    return found if found in range(1, 9) else 1


def _taken(exif: Image.Exif) -> float:
    """Seconds since 1970 of the picture's date; its file's where only that is told. 0 without a sensible one."""
    if not exif:
        return 0.0
    try:
        said = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
        return max(0.0, datetime.strptime(str(said)[:19], "%Y:%m:%d %H:%M:%S").timestamp())
    except Exception:
        return 0.0


def _bits(image: Image.Image, head: bytes) -> int:
    if image.mode in ("I", "F"):
        return 32
    if image.mode in _SIXTEEN:
        return 16
    if image.format == "TIFF":
        deep = getattr(image, "tag_v2", {}).get(ExifTags.Base.BitsPerSample, (8,))
        return 16 if max(deep) == 16 else (1 if image.mode == "1" else 8)
    if image.format == "PNG" and png.bits(head) == 16:
        return 16
    return 1 if image.mode == "1" else 8


@cache
def _known_formats() -> tuple[str, ...]:
    """Pillow fails on all files when asked for a format that it was built without."""
    Image.init()
    return tuple(format for format in FORMATS if format in Image.OPEN)


@contextmanager
def _pillow(stream: IO[bytes], file: Path, limit: int) -> Iterator[tuple[Image.Image, ImageInfo]]:
    """The image of `stream`, not decoded yet, its size within `limit`, and what its header says."""
    head = stream.read(64)
    stream.seek(0)
    with quiet:
        try:
            image = Image.open(stream, formats=_known_formats())
        except Image.DecompressionBombError as problem:
            raise _too_large(file, limit) from problem
        except Exception as problem:
            raise Refused(file, not_an_image(head), cause=repr(problem)) from problem
        with image:
            if image.width * image.height > limit:
                raise _too_large(file, limit, f"{image.width} x {image.height} pixels, ")
            yield image, _info(image, head, stream)


def _too_large(file: Path, limit: int, size: str = "") -> Refused:
    return Refused(
        file, f"the image is too large: {size}more than {limit / 1e6:,g} megapixels; cut it into smaller images"
    )


@contextmanager
def _opened(file: Path) -> Iterator[io.BufferedReader]:
    """The file for reading; refused where it is a folder, a pipe (would wait for ever) or empty."""
    try:
        about = os.stat(file)
        if not stat.S_ISREG(about.st_mode):
            raise Refused(file, "this is not a file; remove it from the project")
        if about.st_size == 0:
            raise Refused(file, "the file is empty (0 bytes); copy or download it again")
        stream = open(file, "rb")  # noqa: SIM115 - closed below; only opening it is meant by the sentences here
    except (OSError, ValueError) as problem:
        raise Refused(file, not_readable(problem), cause=repr(problem)) from problem
    with stream:
        yield stream


def _bytes(file: Path) -> bytes:
    with _opened(file) as stream:
        return _whole(stream, file)


def _whole(stream: io.BufferedReader, file: Path) -> bytes:
    """All bytes of an open file; its position stays, so that a decoder may go on."""
    size = os.fstat(stream.fileno()).st_size
    if size > FILE_LIMIT:
        raise Refused(file, f"the file is too large ({size / 1e9:.1f} GB); cut it into smaller images")
    before = stream.tell()
    stream.seek(0)
    data = stream.read()
    stream.seek(before)
    return data


def _as_told(image: np.ndarray, about: ImageInfo, file: Path) -> np.ndarray:
    """Boxes were drawn in the size that the header told; other pixels must never pass for them."""
    if image.shape != (about.height, about.width, 3):
        found = f"{image.shape[1]} x {image.shape[0]}"
        raise Refused(file, f"the header says {about.width} x {about.height}, the picture is {found}; save it anew")
    return image


@contextmanager
def _refusing(file: Path) -> Iterator[None]:
    """Whatever a decoder throws becomes Refused: decoders answer damage with a dozen kinds of exceptions."""
    try:
        yield
    except Refused:
        raise
    except MemoryError as problem:
        raise Refused(
            file, "there is not enough memory to open it; close other programs or make it smaller"
        ) from problem
    except OSError as problem:
        if problem.errno is not None:
            raise Refused(file, not_readable(problem), cause=repr(problem)) from problem
        raise Refused(file, DAMAGED, cause=repr(problem)) from problem
    except Exception as problem:
        raise Refused(file, DAMAGED, cause=repr(problem)) from problem


CUT_OFF = "the file is cut off: a part of the picture is missing; copy or download it again"
DAMAGED = "the picture is damaged or cut off; copy or download it again, or remove it from the project"
