"""What the header of an image says: its upright size, depth, frames and date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import IO

from PIL import ExifTags, Image

from workbench.core.decoding import png

PIXEL_LIMIT = 200_000_000
"""Width x height above which an image is not decoded whole: 600 MB of RGB, a little above the 179 million that
Pillow allows by default and below what the largest camera backs deliver stitched."""

SIXTEEN = ("I;16", "I;16B", "I;16L", "I;16N")
FLOATS = ("I", "F")
"""Pillow's modes of 32 bits."""
_TURNED = {5, 6, 7, 8}


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the header says. `width` and `height` are of the upright image; `orientation` is the EXIF value 1..8.

    `bits` per channel: 1, 8, 16 or 32 (floats and 32-bit integers). Of `frames` only the first is ever used. `taken`:
    when, by the camera's clock, in seconds since 1970; 0 if the file doesn't say.
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
        """Whether it may only be shown in parts: nothing may hold all its pixels."""
        return self.width * self.height > PIXEL_LIMIT

    @property
    def note(self) -> str:
        """What the user should know before using this image, or ""."""
        notes = []
        if self.frames > 1:
            notes.append(f"It has {self.frames} frames or pages; the first is used.")
        if self.bits > 8:
            notes.append(f"It has {self.bits} bits per channel; the project's window decides what is black and white.")
        return " ".join(notes)


def read_header(image: Image.Image, head: bytes, stream: IO[bytes]) -> ImageHeader:
    """What an opened image's header says; `head`: the first bytes of `stream`, whose position is kept."""
    format = {"MPO": "JPEG"}.get(image.format or "", image.format or "")
    exif = _exif(image, stream)
    orientation = _orientation(exif)
    width, height = image.size
    # Pillow gives TIFF sizes upright already.
    if orientation in _TURNED and format != "TIFF":
        width, height = height, width
    # The other pictures of an MPO are previews and second views that no viewer shows.
    frames = 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    return ImageHeader(width, height, orientation, format, frames, _bits(image, head), _taken(exif))


# Pillow may raise any error on foreign EXIF; a picture without EXIF is still usable


def _exif(image: Image.Image, stream: IO[bytes]) -> Image.Exif:
    try:
        # Pillow decodes a whole PNG to look for EXIF after its pixels: most have none there
        whole = image.format != "PNG" or png.has_metadata_after_pixels(stream)
        return image.getexif() if whole else Image.Image.getexif(image)
    except Exception:
        return Image.Exif()


def _orientation(exif: Image.Exif) -> int:
    """The value 1..8; invalid ones count as 1, as in viewers."""
    try:
        found = int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1
    return found if found in range(1, 9) else 1


def _taken(exif: Image.Exif) -> float:
    """The picture's date in seconds since 1970; the date of change if only that is given. 0 without a sensible one."""
    if not exif:
        return 0.0
    try:
        text = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
        return max(0.0, datetime.strptime(str(text)[:19], "%Y:%m:%d %H:%M:%S").timestamp())
    except Exception:
        return 0.0


def _bits(image: Image.Image, head: bytes) -> int:
    if image.mode in FLOATS:
        return 32
    if image.mode in SIXTEEN:
        return 16
    if image.format == "TIFF":
        deep = getattr(image, "tag_v2", {}).get(ExifTags.Base.BitsPerSample, (8,))
        return 16 if max(deep) == 16 else (1 if image.mode == "1" else 8)
    if image.format == "PNG" and png.bits(head) == 16:
        return 16
    return 1 if image.mode == "1" else 8
