"""Small image files that lie about their size, unpack to gigabytes or take for ever: what attackers put in folders."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable
from functools import partial

from PIL import Image

from tests.core import awkward_files as awkward
from tests.promises.form import times

Bomb = Callable[[], bytes]
LIMIT_SIDE = 14_000
"""196 megapixels: a little below the limit, so that it is not refused for its size."""
GIGABYTE = times(1 << 26, 1 << 30)
"""What a small part unpacks to."""


def bombs() -> dict[str, Bomb]:
    """By a name that ends in the usual suffix."""
    return {**_png(), **_jpeg(), **_tiff(), **_others()}


def at_the_limit() -> dict[str, Bomb]:
    """Sound images of the largest size that is read: none is a bomb, though each is a small file."""
    side, deflate = LIMIT_SIDE, 8
    runs = (b"\xff\0" * (side // 255) + bytes([side % 255, 0]) + b"\0\0") * side + b"\0\1"
    return {
        "one bit.png": partial(awkward.bomb, side),
        "palette.png": partial(_flat, side, side, 1, 3, awkward.chunk(b"PLTE", bytes(6))),
        "grey.png": partial(_flat, side, side, 8, 0),
        "one strip.tif": lambda: _tiff_of(side, 8, deflate, awkward.packed_zeros(side * side)),
        "screen.gif": partial(_gif, side),
        "runs.bmp": partial(_bmp, side, side, 8, 1, runs),
        "colours.png": partial(_flat, side, side, 8, 2),
        "16 bits.tif": lambda: _tiff_of(side, 16, deflate, awkward.packed_zeros(2 * side * 100), 1, 100),
        "floats.tif": lambda: _tiff_of(side, 32, deflate, awkward.packed_zeros(4 * side * 100), 3, 100),
    }


# --- PNG ---

_START = b"\x89PNG\r\n\x1a\n"
_END = awkward.chunk(b"IEND", b"")


def _head(width: int, height: int, bits: int, colour: int) -> bytes:
    return _START + awkward.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))


def _flat(width: int, height: int, bits: int, colour: int, extra: bytes = b"") -> bytes:
    """A sound PNG of zeros."""
    channels = {0: 1, 2: 3, 3: 1, 6: 4}[colour]
    data = awkward.packed_zeros(height * (1 + (width * bits * channels + 7) // 8))
    return _head(width, height, bits, colour) + extra + awkward.chunk(b"IDAT", data) + _END


def _without_pixels(width: int, height: int, bits: int, colour: int) -> bytes:
    palette = awkward.chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    return _head(width, height, bits, colour) + palette + awkward.chunk(b"IDAT", zlib.compress(b"")) + _END


def _small(extra: bytes = b"", after: bytes = b"", rows: bytes = bytes(4 * 13)) -> bytes:
    """A PNG of 4 x 4 pixels with further chunks before and after its pixels."""
    return _head(4, 4, 8, 2) + extra + awkward.chunk(b"IDAT", zlib.compress(rows)) + after + _END


def _png() -> dict[str, Bomb]:
    side = LIMIT_SIDE
    text = {
        "zTXt": b"key\0\0" + awkward.packed_zeros(GIGABYTE), "iTXt": b"key\0\1\0\0\0" + awkward.packed_zeros(GIGABYTE),
        "iCCP": b"name\0\0" + awkward.packed_zeros(GIGABYTE),
    }  # fmt: skip
    made: dict[str, Bomb] = {
        "20,000.png": partial(awkward.bomb, 20_000),
        "30,000.png": partial(awkward.bomb, 30_000),
        "1.1 gigapixels.png": partial(awkward.bomb, 33_200),
        "says 60,000.png": partial(_without_pixels, 60_000, 60_000, 8, 2),
        "says 2^31.png": partial(_without_pixels, 2**31 - 1, 2**31 - 1, 8, 2),
        "says a line of 2^31.png": partial(_without_pixels, 2**31 - 1, 1, 8, 2),
        "says 16 bits and alpha at the limit.png": partial(_without_pixels, side, side, 16, 6),
        "says a palette at the limit.png": partial(_without_pixels, side, side, 8, 3),
        "pixels of a gigabyte in 4 x 4.png": lambda: (
            _head(4, 4, 8, 2) + awkward.chunk(b"IDAT", awkward.packed_zeros(GIGABYTE)) + _END
        ),
        "a million chunks.png": lambda: _small(awkward.chunk(b"tEXt", b"a\0b") * 1_000_000),
        "thousands of packed texts.png": lambda: _small(
            awkward.chunk(b"zTXt", b"key\0\0" + awkward.packed_zeros(1_000_000)) * 3_000
        ),
        "2^31 frames.png": lambda: _small(awkward.chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
        "EXIF behind its pixels.png": lambda: _small(after=awkward.chunk(b"eXIf", _exif_of(2**31 - 1))),
    }
    for kind, body in text.items():
        made[f"{kind} of a gigabyte.png"] = partial(_small, awkward.chunk(kind.encode(), body))
        made[f"{kind} of a gigabyte behind its pixels.png"] = partial(_small, b"", awkward.chunk(kind.encode(), body))
    for kind in ("tEXt", "IDAT", "zzzz"):
        lie = awkward.chunk(kind.encode(), b"x" * 5000, length=3_200_000_000)
        made[f"{kind} says 3.2 GB.png"] = partial(_small, lie)
    return made


def _exif_of(count: int, kind: int = 2) -> bytes:
    """TIFF data whose Make and Exif entries claim `count` values, and whose directories are a circle."""
    entries = [(0x010F, kind, count, 8), (0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0xA005, 4, 1, 8)]
    table = b"".join(struct.pack(">HHII", *entry) for entry in entries)
    return b"MM\0*" + struct.pack(">IH", 8, len(entries)) + table + struct.pack(">I", 8)


# --- JPEG ---


@functools.cache
def _photograph() -> bytes:
    return awkward.saved(awkward.photograph(), "JPEG")


def _claims(width: int, height: int, progressive: bool = False, mode: str = "RGB") -> bytes:
    """A whole JPEG of 64 x 48 whose header tells another size."""
    data = bytearray(awkward.saved(awkward.photograph().convert(mode), "JPEG", progressive=progressive))
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def _many_scans(side: int, scans: int) -> bytes:
    """A sound progressive JPEG, flat and grey, of `side` x `side`, that goes over the picture `scans` times."""
    blocks = (side // 8) ** 2
    quantised = b"\xff\xdb" + struct.pack(">H", 67) + b"\0" + b"\1" * 64
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, side, side, 1) + b"\1\x11\0"
    one_symbol = bytes([1] + [0] * 15)  # a single code of one bit, 0
    dc = b"\xff\xc4" + struct.pack(">H", 20) + b"\0" + one_symbol + b"\0"
    ac = b"\xff\xc4" + struct.pack(">H", 20) + b"\x10" + one_symbol + b"\xe0"  # a run of 2^14 + 14 more bits of blocks
    first = b"\xff\xda" + struct.pack(">HB", 8, 1) + b"\1\0" + b"\0\0\0" + bytes((blocks + 7) // 8)
    bits, left = "", blocks
    while left > 0:
        run = min(left, 32767)
        bits += "0" + format(max(run - 16384, 0), "014b")
        left -= max(run, 16384)
    body = int(bits + "0" * (-len(bits) % 8), 2).to_bytes((len(bits) + 7) // 8, "big").replace(b"\xff", b"\xff\0")
    scan = b"\xff\xda" + struct.pack(">HB", 8, 1) + b"\1\0"
    again = b"".join(scan + bytes([k, k, 0]) + body for k in (1 + n % 63 for n in range(scans)))
    return b"\xff\xd8" + quantised + frame + dc + ac + first + again + b"\xff\xd9"


def _with_segments(code: int, body: bytes, count: int) -> bytes:
    segment = struct.pack(">BBH", 0xFF, code, len(body) + 2) + body
    return _photograph()[:2] + segment * count + _photograph()[2:]


def _jpeg() -> dict[str, Bomb]:
    return {
        "says 65,500.jpg": partial(_claims, 65_500, 65_500),
        "says 60,000.jpg": partial(_claims, 60_000, 60_000),
        "says 14,000.jpg": partial(_claims, LIMIT_SIDE, LIMIT_SIDE),
        "says 14,000, progressive.jpg": partial(_claims, LIMIT_SIDE, LIMIT_SIDE, True),
        "says 22,000, progressive.jpg": partial(_claims, 22_000, 22_000, True),
        "says 14,000, CMYK.jpg": partial(_claims, LIMIT_SIDE, LIMIT_SIDE, False, "CMYK"),
        "3,000 passes.jpg": partial(_many_scans, 8_000, 3_000),
        "3,000 passes over a huge one.jpg": partial(_many_scans, 16_000, 3_000),
        "EXIF in a circle.jpg": partial(_with_segments, 0xE1, b"Exif\0\0" + _exif_of(5), 1),
        "EXIF says 2^31 values.jpg": partial(_with_segments, 0xE1, b"Exif\0\0" + _exif_of(2**31 - 1), 1),
        "half a million segments.jpg": partial(_with_segments, 0xEC, b"x", 500_000),
        "thousands of profiles.jpg": partial(_with_segments, 0xE2, b"ICC_PROFILE\0\1\xff" + b"x" * 60_000, 500),
    }


# --- TIFF ---


def _tags(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + table + struct.pack("<I", following)


def _tiff_of(side: int, bits: int, packing: int, data: bytes, kind: int = 1, rows: int = 0) -> bytes:
    """Grey, in strips of `rows` rows that are all `data` (0: one strip). `kind`: 1 unsigned, 3 float."""
    strips = -(-side // rows) if rows else 1
    at = 8 + len(data)
    lists = b"".join(struct.pack("<I", 8) for _ in range(strips)) + b"".join(
        struct.pack("<I", len(data)) for _ in range(strips)
    )
    table = _tags(
        (256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, bits), (259, 3, 1, packing), (262, 3, 1, 1),
        (273, 4, strips, at if strips > 1 else 8), (277, 3, 1, 1), (278, 4, 1, rows or side),
        (279, 4, strips, at + 4 * strips if strips > 1 else len(data)), (339, 3, 1, kind),
    )  # fmt: skip
    return b"II*\0" + struct.pack("<I", at + len(lists)) + data + lists + table


def _pages(count: int, circle: bool = False) -> bytes:
    """Directories of 1 x 1 pixel that follow one another."""
    size = 2 + 8 * 12 + 4
    made = [b"II*\0" + struct.pack("<I", 8)]
    for page in range(count):
        following = 8 + size * (page + 1) if page + 1 < count else (8 if circle else 0)
        made.append(
            _tags(
                (256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 0),
                (278, 4, 1, 1), (279, 4, 1, 1), following=following,
            )
        )  # fmt: skip
    return b"".join(made)


def _tiff() -> dict[str, Bomb]:
    side = LIMIT_SIDE
    deflate = 8
    return {
        "one strip for all at 60,000.tif": lambda: _tiff_of(
            60_000, 8, deflate, awkward.packed_zeros(60_000 * 100), 1, 100
        ),
        "a strip of a gigabyte in 8 x 8.tif": lambda: _tiff_of(8, 8, deflate, awkward.packed_zeros(GIGABYTE)),
        "says 60,000 and has nothing.tif": lambda: _tiff_of(60_000, 8, 1, b""),
        "says 14,000 and has nothing.tif": lambda: _tiff_of(side, 8, 1, b""),
        "100,000 pages.tif": partial(_pages, 100_000),
        "pages in a circle.tif": partial(_pages, 3, circle=True),
        "2^31 bits per sample.tif": lambda: (
            b"II*\0" + struct.pack("<I", 8) + _tags((256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 2**31 - 1, 200))
        ),
    }


# --- GIF, WebP, BMP, PPM, JPEG 2000, AVIF ---


def _gif(side: int, frames: int = 1) -> bytes:
    """A screen of `side` with frames of 1 x 1."""
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return head + frame * frames + b";"


def _bmp(width: int, height: int, bits: int, packing: int, body: bytes, colours: int = 0) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packing, len(body), 0, 0, colours, 0)
    palette = bytes(1024) if bits == 8 else b""
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + 40 + len(palette)) + head + palette + body


def _flat_webp(side: int) -> bytes:
    """A sound one: black without a loss differs in what its header says alone, whatever its size."""
    data = bytearray(awkward.saved(Image.new("RGB", (16, 16)), "WEBP", lossless=True, method=0))
    at = data.index(b"VP8L") + 9  # 14 bits of width - 1, 14 of height - 1
    sizes = int.from_bytes(data[at : at + 4], "little") >> 28 << 28 | (side - 1) << 14 | (side - 1)
    data[at : at + 4] = sizes.to_bytes(4, "little")
    return bytes(data)


def _others() -> dict[str, Bomb]:
    side = LIMIT_SIDE
    small = awkward.photograph(24, 16)
    jpeg2000, avif = awkward.saved(small, "JPEG2000"), awkward.saved(small, "AVIF")
    claimed, big = struct.pack(">II", 16, 24), struct.pack(">II", 60_000, 60_000)
    at_limit = struct.pack(">II", side, side)
    return {
        "screen of 65,535.gif": partial(_gif, 65_535),
        "screen of 60,000.gif": partial(_gif, 60_000),
        "100,000 frames.gif": partial(_gif, 100, 100_000),
        "100,000 frames on a screen of 5,000.gif": partial(_gif, 5_000, 100_000),
        "16,383.webp": partial(_flat_webp, 16_383),
        "canvas of 2^24.webp": lambda: _webp(1 << 24),
        "says 60,000.bmp": partial(_bmp, 60_000, 60_000, 24, 0, b"x" * 1000),
        "says 14,000.bmp": partial(_bmp, side, side, 24, 0, b"x" * 1000),
        "says 2^31 colours.bmp": partial(_bmp, 8, 8, 8, 0, bytes(64), 2**31 - 1),
        "says -2^31 rows.bmp": partial(_bmp, 8, -(2**31), 24, 0, bytes(1000)),
        "says 60,000.ppm": lambda: b"P6\n60000 60000\n255\n" + bytes(1000),
        "says 14,000.ppm": lambda: b"P6\n14000 14000\n255\n" + bytes(1000),
        "says 14,000 in words.ppm": lambda: b"P3\n14000 14000\n255\n" + b"1 " * 1_000_000,
        "says 60,000.jp2.png": lambda: jpeg2000.replace(claimed, big),
        "says 14,000.jp2.png": lambda: jpeg2000.replace(claimed, at_limit).replace(
            struct.pack(">II", 24, 16), at_limit
        ),
        "says 60,000.avif.png": lambda: avif.replace(struct.pack(">II", 24, 16), big),
    }


def _webp(side: int) -> bytes:
    data = awkward.saved(awkward.photograph(24, 16), "WEBP", save_all=True, append_images=[awkward.corners(24, 16)])
    at = data.index(b"VP8X") + 12
    return data[:at] + (side - 1).to_bytes(3, "little") * 2 + data[at + 6 :]
