"""The rows of the decoder table of reliability.md, section 3, with what that page asks of one decoder."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from tests.core import awkward_files as awkward
from workbench.core.decoding.intensity_window import IntensityWindow

NAMES = {
    "a name in capitals with umlauts": "Übung äöß.jpg",
    "a name in Japanese": "写真 一.jpg",
    "an emoji": "🐕 dog.jpg",
    "a name in NFD": "u\u0308.jpg",
    "quotes": 'it\'s "quoted".jpg',
    "a new line": "two\nlines.jpg",
    "200 characters": "x" * 196 + ".jpg",
    "a leading dash": "-rf.jpg",
    "a per cent sign": "%s.jpg",
    "no suffix": "picture",
    "not UTF-8": b"caf\xe9.jpg".decode("utf-8", "surrogateescape"),
}

_SHARP: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
"""How colours stay what they are at edges."""


@dataclass(frozen=True)
class Row:
    """A file and what it must give. `upright` (H, W, 3) uint8 RGB, each value up to `off` from it; or `refused`, a word
    of the sentence. With neither, what is read must be the same for all who read it.
    """

    name: str
    data: Callable[[], bytes]
    upright: Callable[[], np.ndarray] | None = None
    refused: str = ""
    off: int = 0
    window: IntensityWindow | None = None
    file: str = "file.jpg"
    large: bool = False
    """Too large for a reader without limits in the process of the tests."""

    def __str__(self) -> str:
        return self.name


def rows() -> Iterator[Row]:
    """All of them, in the order of the page."""
    yield from _damaged_jpegs()
    yield from _damaged_others()
    yield from _deep_and_printed()
    yield from _turned()
    yield from _several()
    yield from _large()
    for name, file in NAMES.items():
        yield Row(name, partial(awkward.saved, awkward.corners(), "PNG"), _corners, file=file)
    png = partial(awkward.saved, awkward.corners(), "PNG")
    yield Row("a name with NUL", png, refused="rename", file="file.jpg\0.png")


def _corners() -> np.ndarray:
    return np.asarray(awkward.corners())


def _photograph() -> np.ndarray:
    return np.asarray(awkward.photograph())


def _jpeg(progressive: bool = False) -> bytes:
    return awkward.saved(awkward.photograph(), "JPEG", quality=90, progressive=progressive)


def _part(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def _without_the_last(lost: int) -> bytes:
    return _jpeg()[:-lost]


def _as_pillow_reads(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _damaged_jpegs() -> Iterator[Row]:
    for kind, progressive in (("baseline", False), ("progressive", True)):
        for share in (0.3, 0.5, 0.9):
            data = _jpeg(progressive)
            cut = partial(_part, data, share)
            yield Row(f"{kind} JPEG cut to {share:.0%}", cut, refused="cut off")
    half = _jpeg()[: len(_jpeg()) // 2]
    yield Row("JPEG that ends in zeros", lambda: half + bytes(len(half)), refused="cut off")
    cmyk = awkward.saved(awkward.photograph().convert("CMYK"), "JPEG")
    yield Row("CMYK JPEG cut to 50%", lambda: cmyk[: len(cmyk) // 2], refused="cut off")
    for lost in (1, 2):
        yield Row(
            f"JPEG without its last {lost} bytes", partial(_without_the_last, lost), lambda: _as_pillow_reads(_jpeg())
        )
    for lost in (4, 8, 40):
        yield Row(f"JPEG without its last {lost} bytes", partial(_without_the_last, lost), refused="cut off")
    for seed in range(8):  # nobody can tell: all must at least see the same
        yield Row(f"JPEG with 20 flipped bytes, {seed}", partial(_flipped, seed))
    yield Row("JPEG header only", lambda: _jpeg()[: _jpeg().index(b"\xff\xda")], refused="cut off")


def _flipped(seed: int) -> bytes:
    data = bytearray(_jpeg())
    random = np.random.default_rng(seed)
    for at in random.integers(data.index(b"\xff\xda") + 14, len(data) - 2, 20):
        data[at] ^= int(random.integers(1, 256))
    return bytes(data)


def _damaged_others() -> Iterator[Row]:
    for format in ("PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF"):
        data = awkward.saved(awkward.photograph(), format)
        for share in (0.02, 0.5, 0.9):
            cut = partial(_part, data, share)
            yield Row(f"{format} cut to {share:.0%}", cut, refused=" ")
    bad = bytearray(awkward.saved(awkward.photograph(), "PNG"))
    bad[bad.index(b"IDAT") + 200] ^= 0xFF
    yield Row("PNG, one bad byte in IDAT", lambda: bytes(bad), refused="damaged")
    stored = bytearray(awkward.saved(awkward.photograph(), "PNG", compress_level=0))
    stored[stored.index(b"IDAT") + 200] ^= 0xFF
    yield Row("PNG, one bad byte in IDAT that is not compressed", lambda: bytes(stored), refused="damaged")
    yield Row("0 bytes", lambda: b"", refused="empty")
    yield Row("HTML named .jpg", lambda: b"\n<!DOCTYPE html><title>404</title>", refused="web page")
    yield Row("PNG named .jpg", partial(awkward.saved, awkward.corners(), "PNG"), _corners)
    for suffix in ("png", "txt"):
        jpeg = partial(awkward.saved, awkward.corners(), "JPEG", **_SHARP["JPEG"])
        yield Row(f"JPEG named .{suffix}", jpeg, _corners, off=4, file=f"file.{suffix}")
    yield Row("JPEG", _jpeg, lambda: _as_pillow_reads(_jpeg()))


def _deep_and_printed() -> Iterator[Row]:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)

    def grey(values: np.ndarray) -> np.ndarray:
        return np.repeat(np.rint(values).astype(np.uint8)[..., None], 3, axis=2)

    for format in ("PNG", "TIFF"):
        data = partial(awkward.saved, Image.fromarray(ramp), format)
        yield Row(f"16-bit grey {format}", data, lambda: grey(ramp / 257))
    low = partial(awkward.saved, Image.fromarray(ramp // 16), "PNG")
    yield Row("12 bit in 16", low, lambda: grey((ramp // 16) / 257))
    yield Row(
        "12 bit in 16, with its window",
        low,
        lambda: grey((ramp // 16) * (255 / 4095)),
        window=IntensityWindow(0, 4095),
        off=1,
    )
    colours = np.stack([ramp, ramp.T, 65535 - ramp], axis=2)
    yield Row("16-bit RGB PNG", partial(awkward.png_16, colours), lambda: np.rint(colours / 257).astype(np.uint8))
    printed = partial(awkward.saved, awkward.corners().convert("CMYK"), "JPEG", **_SHARP["JPEG"])
    yield Row("CMYK JPEG", printed, _corners, off=4)
    floats = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    yield Row(
        "float TIFF", partial(awkward.saved, Image.fromarray(floats), "TIFF"),
        lambda: grey(np.floor(floats.astype(np.float64) * 255 + 0.5)),
    )  # fmt: skip


def _turned() -> Iterator[Row]:
    for format, off in (("JPEG", 4), ("PNG", 0), ("WEBP", 0), ("TIFF", 0)):
        for orientation in range(1, 9):
            data = partial(awkward.held_sideways, orientation, format, **_SHARP.get(format, {}))
            yield Row(f"EXIF {orientation} {format}", data, _corners, off=off)
    more = {"save_all": True, "append_images": [awkward.photograph()], **_SHARP["JPEG"]}
    stereo = partial(awkward.saved, awkward.corners(), "MPO", **more)
    yield Row("JPEG with a second view", stereo, _corners, off=4)


def _several() -> Iterator[Row]:
    others = [Image.new("RGB", (64, 32), colour) for colour in ("black", "yellow")]
    kinds = (("animated GIF", "GIF"), ("animated WebP", "WEBP"), ("APNG", "PNG"), ("multi-page TIFF", "TIFF"))
    for name, format in kinds:
        options = {"save_all": True, "append_images": others, **_SHARP.get(format, {})}
        yield Row(name, partial(awkward.saved, awkward.corners(), format, **options), _corners)


def _large() -> Iterator[Row]:
    def black() -> np.ndarray:
        return np.broadcast_to(np.zeros((1, 12_000, 3), np.uint8), (12_000, 12_000, 3))

    yield Row("12,000^2 PNG", partial(awkward.bomb, 12_000), black, large=True)
    for side in (20_000, 30_000):
        yield Row(f"{side:,}^2 PNG", partial(awkward.bomb, side), refused="too large", large=True)
    yield Row("1.1 gigapixels of 1 bit", partial(awkward.bomb, 33_200), refused="too large", large=True)
    lie = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    short = (
        b"\x89PNG\r\n\x1a\n" + awkward.chunk(b"IHDR", lie) + awkward.chunk(b"IDAT", b"x\x9c\x03\x00\x00\x00\x00\x01")
    )
    end = awkward.chunk(b"IEND", b"")
    yield Row("PNG whose header says 60,000^2", lambda: short + end, refused="too large", large=True)
    claims = partial(awkward.jpeg_that_claims, 65_500, 65_500)
    yield Row("JPEG whose header says 65,500^2", claims, refused="too large", large=True)
    most = partial(awkward.png, 2**31 - 1, 2**31 - 1, 8, 2, b"\0")
    yield Row("PNG whose header says 2^31 - 1", most, refused="too large", large=True)
    rows = b"\0" * (4 * (1 + 8 * 3))
    for kind in (b"tEXt", b"IDAT", b"zzzz"):
        chunk = awkward.chunk(kind, b"x" * 5000, length=3_200_000_000)
        yield Row(
            f"5 KB PNG with a {kind.decode()} of 3.2 GB", partial(awkward.png, 4, 4, 16, 2, rows, extra=chunk),
            refused=" ", large=True,
        )  # fmt: skip
