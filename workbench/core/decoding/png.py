"""Tells a sound PNG from a damaged one by the lengths and checksums in the format itself.

Pillow skips the checksums of picture data, so a wrong byte in a part that is stored uncompressed would go unnoticed;
cv2 allocates whatever length a chunk claims, 3 GB for a file of 5 KB.
"""

from __future__ import annotations

import io
import zlib
from typing import IO

START = b"\x89PNG\r\n\x1a\n"
_AROUND = 12  # length, type and checksum of a chunk, 4 bytes each
_MOST, _LEAST = 50_000, 512
"""This many chunks may have any size, the rest must have this many bytes on average; all encoders write 8 KB."""


def is_sound(data: bytes) -> bool:
    """Whether all chunks up to the end chunk fit in `data` and those needed to show the picture are intact."""
    view = memoryview(data)
    at = len(START)
    for _ in range(_MOST + len(data) // _LEAST):
        if at + _AROUND > len(data):
            return False
        kind = data[at + 4 : at + 8]
        end = at + _AROUND + int.from_bytes(view[at : at + 4], "big")
        if end > len(data):
            return False
        if _is_critical(kind) and zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            return False
        if kind == b"IEND":
            return True
        at = end
    return False


def bits(head: bytes) -> int:
    """Bits per channel (1, 2, 4, 8 or 16) from the first 25 bytes; Pillow reports 8 for colours of 16."""
    return head[24]


def has_metadata_after_pixels(stream: IO[bytes]) -> bool:
    """Whether chunks that may hold EXIF come after the pixels, where Pillow would only find them by decoding.

    Walks over the chunk headers; the position of `stream` is kept.
    """
    before = stream.tell()
    try:
        stream.seek(len(START))
        pixels_seen = False
        while len(head := stream.read(8)) == 8 and head[4:] != b"IEND":
            pixels_seen |= head[4:] == b"IDAT"
            if pixels_seen and head[4:] in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
                return True
            stream.seek(int.from_bytes(head[:4], "big") + 4, io.SEEK_CUR)
        return False
    finally:
        stream.seek(before)


def _is_critical(kind: bytes) -> bool:
    """A capital first letter marks chunks without which the picture cannot be shown (PNG, section 5.4)."""
    return not kind[0] & 0x20
