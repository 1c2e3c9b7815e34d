"""The one way to read an image: the window, the anchors, the trainer and the exporter all see the same pixels.

Bytes are read with open() (decoders never get a path: cv2 crashes on names that are not UTF-8); the format is told by
the first bytes, not by the name; the size is read from the header before anything is allocated. Decoding is strict:
half a file is refused, not shown grey. JPEG goes to cv2 after a check that the file is complete (`jpeg.py`), everything
else to Pillow. Every bad file raises Refused with what is wrong and what to do. No file is ever written here.

Decoding happens in the calling process: of 10,000 damaged files each of JPEG, PNG, TIFF, WebP, GIF, BMP and others none
crashed it (tests/promises/test_image_fuzz.py). Even so, less tested kinds first go to a child (`image_records.py`).

Images above image_header.PIXEL_LIMIT are never decoded whole: `overview` gives a JPEG at an eighth of its size, and
`pyramid.py` cuts them into tiles for the window.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from PIL import Image

from workbench.core.decoding import heic, image_header, jpeg, pixels, png
from workbench.core.decoding.image_files import PartLimitedStream, open_image_file, read_all, read_file
from workbench.core.decoding.image_header import FLOATS, SIXTEEN, ImageHeader, read_header
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.decoding.pillow_warnings import without_warnings
from workbench.core.decoding.refusals import not_an_image, not_readable
from workbench.errors import Refused

DIGEST = 16  # bytes of digest(): the chance that two of a million files collide is 1 in 10^26

HUGE_LIMIT = 4_000_000_000
"""Width x height above which an image is refused for every use: a little less than the largest JPEG there can be."""

PROGRESSIVE_LIMIT = 500_000_000
"""The same for a progressive JPEG, of which every decoder must hold all the coefficients: 3 GB, 6 with full colour."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
"""Formats that are tried, if Pillow has them. It knows others, some of which start other programs (EPS)."""

# Pillow warns above this and raises above twice this on opening; the limits here are enforced before decoding.
Image.MAX_IMAGE_PIXELS = HUGE_LIMIT

_CMYK = ("CMYK", "YCCK")
_ROWS = 256
"""Rows converted to RGB at a time."""
_ENOUGH = 16_000_000
"""Samples from which a range is computed: for larger images, rows are skipped."""


def info(file: Path, limit: int = HUGE_LIMIT) -> ImageHeader:
    """What the header of `file` says, without decoding. Raises Refused, also above `limit` pixels."""
    with _refusing(file), open_image_file(file) as stream, _pillow(stream, file, limit) as (_, about):
        return about


def read(file: Path, window: IntensityWindow | None = None, limit: int = image_header.PIXEL_LIMIT) -> np.ndarray:
    """The upright image as contiguous (H, W, 3) uint8 RGB. Raises Refused for anything that is not a complete image.

    `window` is the project's range for images of more than 8 bits (see `pixels.to_8_bit` for what None means).
    Transparency is blended over white; of several frames or pages the first is used.
    """
    with _refusing(file):
        data = read_file(file)
        with _pillow(io.BytesIO(data), file, limit) as (image, about):
            stored = _decode(image, about, data, window, file)
        return _as_told(np.ascontiguousarray(stored), about, file)


def digest(file: Path) -> bytes:
    """DIGEST bytes that identify the file's content. Raises Refused if it can't be read."""
    with _refusing(file):
        return hashlib.blake2b(read_file(file), digest_size=DIGEST).digest()


def for_screen(file: Path, window: IntensityWindow | None = None, limit: int = image_header.PIXEL_LIMIT) -> np.ndarray:
    """The pixels of `read` as contiguous (H, W, 4) uint8 BGRX, as screens hold them; refuses what `read` refuses.

    JPEGs come straight in this form: 12 megapixels in 57 ms, where reading and then converting them takes 95.
    """
    with _refusing(file):
        data = read_file(file)
        with _pillow(io.BytesIO(data), file, limit) as (image, about):
            if about.format == "JPEG" and image.mode not in _CMYK:
                _check_jpeg(data, len(data), image, file)
                if (direct := jpeg.decode_bgrx(data, image.width, image.height)) is not None:
                    return _turned_in_room(direct, about)
                return pixels_for_screen(_as_told(_decode(image, about, data, window, file), about, file))
            _load(image, about, data, file)
            made = pixels.pixel_buffer(image.height, image.width)
            for top, strip in _strips(image, about, data, window, file):
                _bgrx(strip, made[top : top + len(strip)])
            return _as_told(_turned_in_room(made, about), about, file)


def pixels_for_screen(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB as contiguous (H, W, 4) uint8 BGRX."""
    # pixel_buffer() uses large pages, unlike cv2's own memory: 13 instead of 24 ms for 12 megapixels
    return _bgrx(rgb, pixels.pixel_buffer(*rgb.shape[:2]))


def _bgrx(rgb: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Write (H, W, 3) RGB into `room`, (H, W, 4)."""
    made = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA, dst=room)
    assert np.shares_memory(made, room)
    return room


def overview(file: Path) -> np.ndarray:
    """A huge JPEG at an eighth of its size, upright (h, w, 3) uint8 RGB, decoded as it is read: 600 megapixels take
    40 MiB and 1.3 s (cv2: 135 MiB, 1.4 s; QImage in full: 2,290 MiB, 8.7 s).

    Refuses incomplete files, and other formats: they can't be decoded at a smaller size.
    """
    with _refusing(file), open_image_file(file) as stream, _pillow(stream, file, HUGE_LIMIT) as (image, about):
        return np.ascontiguousarray(_overview(image, about, stream, file))


def _overview(image: Image.Image, about: ImageHeader, stream: io.BufferedReader, file: Path) -> np.ndarray:
    if about.format != "JPEG":
        raise _too_large(file, image_header.PIXEL_LIMIT, f"{about.width} x {about.height} pixels, ")
    if image.info.get("progressive") and about.width * about.height > PROGRESSIVE_LIMIT:
        raise Refused(
            file, "a progressive JPEG of this size takes several GB of memory to open; save it as a baseline JPEG"
        )
    with mmap(stream.fileno(), 0, access=ACCESS_READ) as data:
        _check_jpeg(data, len(data), image, file)
    image.draft("RGB", (image.width // 8, image.height // 8))
    try:
        image.load()
    except OSError as problem:
        if problem.errno is not None:
            raise
        raise Refused(file, CUT_OFF, cause=repr(problem)) from problem
    if not jpeg.ends_near_its_end(stream):  # Pillow takes the zeros of a preallocated file for pixels
        raise Refused(file, CUT_OFF)
    made = np.empty((image.height, image.width, 3), np.uint8)
    for top, strip in _rgb_strips(image):
        made[top : top + len(strip)] = strip
    return pixels.upright(made, about.orientation)


def value_range(file: Path) -> tuple[float, float] | None:
    """The sample values below and above which a thousandth of the pixels lies; None for 8 bits.

    A basis for a project's window: single hot or dead pixels do not count. Refuses what `read` refuses.
    """
    with _refusing(file):
        data = read_file(file)
        with _pillow(io.BytesIO(data), file, image_header.PIXEL_LIMIT) as (image, about):
            if about.bits <= 8:
                return None
            image.load()
            if image.mode in (*SIXTEEN, *FLOATS):
                step = -(-image.width * image.height // _ENOUGH)
                samples = np.concatenate([_grey(strip)[::step] for _, strip in _cut(image)])
            else:
                samples = _sixteen_bit_colours(image, data, None, file)
    values = samples[np.isfinite(samples)] if samples.dtype.kind == "f" else samples
    if samples.dtype == np.uint8 or not values.size:
        return None
    low, high = np.percentile(values, (0.1, 99.9))
    return float(low), float(high)


def thumbnail(file: Path, side: int, window: IntensityWindow | None = None, least: int = 0) -> np.ndarray:
    """The upright image with its longer side at most `side` pixels: (h, w, 3) uint8 RGB, contiguous; never enlarged.

    `least`: a JPEG may come out with fewer than `side` pixels, but not fewer than this, if that is faster.

    Refuses what `read` refuses, except huge JPEGs. JPEGs are decoded at 1/2, 1/4 or 1/8 of their size if that is
    enough, huge ones always at 1/8.
    """
    with _refusing(file), open_image_file(file) as stream:
        with _pillow(stream, file, HUGE_LIMIT) as (image, about):
            longest = max(about.width, about.height)
            if about.is_huge:
                stored = _overview(image, about, stream, file)
            else:
                shrink = next((s for s in (8, 4, 2) if longest // s >= (least or side)), 1)
                stored = _decode(image, about, read_all(stream, file), window, file, shrink)
        if max(stored.shape[:2]) <= side:
            return np.ascontiguousarray(stored)
        scale = min(1.0, side / longest)
        size = max(1, round(about.width * scale)), max(1, round(about.height * scale))
        if (stored.shape[1], stored.shape[0]) == size:
            return np.ascontiguousarray(stored)
        return cv2.resize(stored, size, interpolation=cv2.INTER_AREA)


def _decode(
    image: Image.Image, about: ImageHeader, data: bytes, window: IntensityWindow | None, file: Path, shrink: int = 1
) -> np.ndarray:
    """The upright (H, W, 3) uint8 pixels of an opened image; `shrink` applies to JPEGs only."""
    if about.format == "JPEG" and image.mode not in _CMYK:
        _check_jpeg(data, len(data), image, file)
        stored = jpeg.decode(data, shrink)
        if stored is None:
            raise Refused(file, CUT_OFF)
        return pixels.upright(stored, about.orientation)
    _load(image, about, data, file)
    made = np.empty((image.height, image.width, 3), np.uint8)
    for top, strip in _strips(image, about, data, window, file):
        made[top : top + len(strip)] = strip
    return _turned(made, about)


def _load(image: Image.Image, about: ImageHeader, data: bytes, file: Path) -> None:
    """Let Pillow decode it, if it is complete."""
    if about.format == "JPEG":
        _check_jpeg(data, len(data), image, file)
        if not jpeg.ends_properly(data):
            raise Refused(file, CUT_OFF)
    if about.format == "PNG" and not png.is_sound(data):
        raise Refused(file, DAMAGED)
    image.load()


def _check_jpeg(data: bytes | mmap, size: int, image: Image.Image, file: Path) -> None:
    """Refuse, before decoding, a JPEG that can't be complete or would keep a decoder busy for minutes."""
    if jpeg.is_too_short(size, image.width, image.height):
        raise Refused(file, CUT_OFF)
    if image.info.get("progressive") and jpeg.has_too_many_passes(data):
        raise Refused(file, f"its picture comes in more than {jpeg.PASSES} passes; save it again")


def _turned(made: np.ndarray, about: ImageHeader) -> np.ndarray:
    # Pillow itself makes TIFFs upright while loading.
    return made if about.format == "TIFF" else pixels.upright(made, about.orientation)


def _turned_in_room(made: np.ndarray, about: ImageHeader) -> np.ndarray:
    return made if (turned := _turned(made, about)) is made else pixels.in_pixel_buffer(turned)


def _strips(
    image: Image.Image, about: ImageHeader, data: bytes, window: IntensityWindow | None, file: Path
) -> Iterator[tuple[int, np.ndarray]]:
    """The rows of a loaded image from top to bottom, in strips: (number of the first row, (h, W, 3) uint8 RGB).

    At once, Pillow would hold it twice and numpy twice more: 2.2 GB for a one-bit PNG of 200 megapixels and 24 KB.
    """
    if about.bits <= 8:
        yield from _rgb_strips(image)
    elif image.mode in (*SIXTEEN, *FLOATS):
        if window is None and image.mode in FLOATS:
            window = pixels.own_window(np.asarray(strip) for _, strip in _cut(image))
        for top, strip in _cut(image):
            yield top, pixels.to_rgb(pixels.to_8_bit(_grey(strip), window))
    else:
        yield 0, pixels.to_rgb(pixels.to_8_bit(_sixteen_bit_colours(image, data, window, file), window))


def _rgb_strips(image: Image.Image) -> Iterator[tuple[int, np.ndarray]]:
    """The same for an image of 8 bits, with transparency blended over white."""
    clear = image.has_transparency_data
    mode = "RGBA" if clear else "L" if image.mode in ("1", "L") else "RGB"
    for top, strip in _cut(image):
        yield top, pixels.to_rgb(np.asarray(strip if strip.mode == mode else strip.convert(mode)))


def _cut(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    if image.height <= _ROWS:
        yield 0, image
        return
    for top in range(0, image.height, _ROWS):
        yield top, image.crop((0, top, image.width, min(top + _ROWS, image.height)))


def _grey(image: Image.Image) -> np.ndarray:
    """(H, W) uint16, int32 or float32."""
    return np.asarray(image) if image.mode in FLOATS else np.asarray(image).astype(np.uint16, copy=False)


def _sixteen_bit_colours(image: Image.Image, data: bytes, window: IntensityWindow | None, file: Path) -> np.ndarray:
    """Pillow keeps the upper 8 of 16 bits of colours; cv2 keeps all, and Pillow has shown that the file is sound."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is not None and found.dtype == np.uint16 and found.shape[:2] == (image.height, image.width):
        order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}
        return found if found.ndim == 2 else found[..., order[found.shape[2]]]
    if window is not None:
        raise Refused(file, "its 16-bit colours cannot be read in full; save it as PNG or use it without a window")
    return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))


@cache
def _known_formats() -> tuple[str, ...]:
    """The FORMATS that Pillow has: it fails on all files when asked for one that it was built without."""
    Image.init()
    return tuple(format for format in FORMATS if format in Image.OPEN)


@contextmanager
def _pillow(stream: IO[bytes], file: Path, limit: int) -> Iterator[tuple[Image.Image, ImageHeader]]:
    """The image in `stream`, not decoded yet and within `limit`, and what its header says."""
    head, counted = stream.read(64), PartLimitedStream(stream, file)
    stream.seek(0)
    formats = heic.FORMATS if heic.may_open(head, stream) else _known_formats()
    with without_warnings:
        try:
            image = Image.open(counted, formats=formats)  # type: ignore[arg-type]
        except Refused:
            raise
        except Image.DecompressionBombError as problem:
            raise _too_large(file, limit) from problem
        except Exception as problem:
            raise Refused(file, not_an_image(head), cause=repr(problem)) from problem
        with image:
            if image.width * image.height > limit:
                raise _too_large(file, limit, f"{image.width} x {image.height} pixels, ")
            about = read_header(image, head, stream)
            counted.ends = False  # run-length decoders read two bytes at a time
            yield image, about


def _too_large(file: Path, limit: int, size: str = "") -> Refused:
    return Refused(
        file, f"the image is too large: {size}more than {limit / 1e6:,g} megapixels; cut it into smaller images"
    )


def _as_told(image: np.ndarray, about: ImageHeader, file: Path) -> np.ndarray:
    """`image`, refused if its size is not the header's: boxes were drawn for that size."""
    if image.shape[:2] != (about.height, about.width):
        found = f"{image.shape[1]} x {image.shape[0]}"
        raise Refused(file, f"the header says {about.width} x {about.height}, the picture is {found}; save it again")
    return image


@contextmanager
def _refusing(file: Path) -> Iterator[None]:
    """Turn whatever a decoder raises into Refused: decoders raise a dozen kinds of exceptions on damage."""
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
