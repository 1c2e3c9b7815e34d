"""Awkward image files, made here byte by byte: what downloads, cameras, scanners and attackers leave in folders."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from tests.core.decoding import heic_files

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
CORNERS = {"top left": RED, "top right": GREEN, "bottom left": BLUE, "bottom right": WHITE}


def corners(width: int = 64, height: int = 32) -> Image.Image:
    """Four flat quarters, named in CORNERS, of an upright image."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = RED
    pixels[: height // 2, width // 2 :] = GREEN
    pixels[height // 2 :, : width // 2] = BLUE
    pixels[height // 2 :, width // 2 :] = WHITE
    return Image.fromarray(pixels)


def photograph(width: int = 64, height: int = 48) -> Image.Image:
    """Something with detail everywhere, so that every block of a JPEG has data of its own."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


# How a camera held another way stores the upright picture: the inverse of what the EXIF value asks for.
_STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def turned(upright: Image.Image, orientation: int) -> Image.Image:
    """The picture as stored by a camera that tells `orientation`."""
    return upright.transpose(_STORED_AS[orientation]) if orientation > 1 else upright


def held_sideways(orientation: int, format: str, **options: Any) -> bytes:
    """`corners()` stored turned, with the EXIF value that makes it upright again."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(turned(corners(), orientation), format, exif=exif.tobytes(), **options)


def chunk(kind: bytes, body: bytes, length: int | None = None) -> bytes:
    """A PNG chunk; `length` lies about its size."""
    size = len(body) if length is None else length
    return struct.pack(">I", size) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *, extra: bytes = b"") -> bytes:
    """A PNG by hand. `colour`: 0 grey, 2 RGB, 4 grey with alpha, 6 RGBA. `rows` with filter bytes."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def png_16(samples: np.ndarray) -> bytes:
    """(H, W) or (H, W, 2 | 3 | 4) uint16 as a 16-bit PNG."""
    height, width = samples.shape[:2]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[1 if samples.ndim == 2 else samples.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return png(width, height, 16, colour, rows)


def packed_zeros(size: int) -> bytes:
    """`size` zeros as zlib packs them, nearly: put together of equal parts, as packing gigabytes takes seconds."""
    part = 1 << 20
    packer = zlib.compressobj(9, wbits=-15)  # without head and check sum
    whole = packer.compress(bytes(part)) + packer.flush(zlib.Z_FULL_FLUSH)  # refers to nothing before it
    last = packer.compress(bytes(size % part)) + packer.flush()
    adler = size % 65_521 << 16 | 1
    return b"\x78\xda" + whole * (size // part) + last + adler.to_bytes(4, "big")


def bomb(side: int) -> bytes:
    """A real one-bit PNG of side x side pixels, all black: small on disk, huge when unpacked to RGB."""
    data = packed_zeros(side * (1 + (side + 7) // 8))
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def jpeg_that_claims(width: int, height: int) -> bytes:
    """A JPEG of 64 x 48 whose header tells another size."""
    data = bytearray(saved(photograph(), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def tiff_16(samples: np.ndarray, orientation: int) -> bytes:
    """(H, W, 3) uint16 as stored in an uncompressed TIFF that asks to be turned."""
    height, width = samples.shape[:2]
    pixels = samples.astype("<u2").tobytes()
    deep = struct.pack("<HHH", 16, 16, 16)
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 3, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 8 + len(deep)),
        (274, 3, 1, orientation),
        (277, 3, 1, 3),
        (278, 3, 1, height),
        (279, 4, 1, len(pixels)),
    ]
    table = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(deep) + len(pixels)) + deep + pixels + table


def seeds() -> dict[str, list[bytes]]:
    """Small sound files of each kind, by the format's name, to be damaged."""
    small = photograph(24, 16)
    frames = {"save_all": True, "append_images": [photograph(24, 16)]}
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    return {
        "JPEG": [
            saved(small, "JPEG"), saved(small, "JPEG", progressive=True), held_sideways(6, "JPEG"),
            saved(small.convert("CMYK"), "JPEG"),
        ],
        "PNG": [
            saved(small, "PNG"), saved(small.convert("P"), "PNG", transparency=b"\0\x80"),
            png_16(np.full((4, 4, 3), 300, np.uint16)), saved(small, "PNG", **frames), held_sideways(6, "PNG"),
        ],
        "TIFF": [
            saved(small, "TIFF", **frames), saved(small, "TIFF", compression="tiff_lzw"),
            saved(small, "TIFF", compression="tiff_deflate"), saved(small, "TIFF", compression="jpeg"),
            saved(small.convert("1"), "TIFF", compression="group4"), saved(Image.fromarray(deep), "TIFF"),
        ],
        "WEBP": [saved(small, "WEBP"), saved(small, "WEBP", lossless=True), saved(small, "WEBP", **frames)],
        "GIF": [saved(small, "GIF"), saved(small, "GIF", **frames)],
        "BMP": [saved(small, "BMP"), saved(small.convert("P"), "BMP"), saved(small.convert("1"), "BMP")],
        "HEIC": [heic_files.TURNED, heic_files.PHOTOGRAPH, heic_files.CLEAR],
        "others": [saved(small, "PPM"), saved(small, "JPEG2000"), saved(small, "AVIF")],
    }  # fmt: skip


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """A few bytes changed, a piece cut out, doubled or zeroed; early bytes (headers) twice as often."""
    changed = bytearray(data)
    for _ in range(random.integers(1, 6)):
        reach = len(changed) if random.random() < 0.5 else min(len(changed), 128)
        at = int(random.integers(0, reach))
        length = int(random.integers(1, 40))
        match int(random.integers(0, 6)):
            case 0 | 1:
                changed[at] = int(random.integers(0, 256))
            case 2:
                changed[at : at + 4] = int(random.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF])).to_bytes(4, "big")
            case 3:
                del changed[at : at + length]
            case 4:
                changed[at:at] = changed[at : at + length]
            case _:
                changed[at : at + length] = bytes(length)
        if not changed:
            break
    return bytes(changed)
