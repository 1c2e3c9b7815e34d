"""HEIC, the format of phone photographs: read by pi-heif (libheif without an encoder) where that works."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import IO

from workbench.core.extras import install_command

_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs")
_ANY = (b"mif1", b"msf1")
"""Generic brands, which don't tell how the pictures are coded; the compatible brands then do."""
FORMATS = ("HEIF",)
"""Pillow's name for it."""
INSTALL = install_command("pi-heif")
_MOST, _PARTS = 4 << 20, 10_000
"""Largest size in bytes of the box that describes the file (phones: kilobytes); most boxes beside it (phones: ten)."""


def is_heic(head: bytes) -> bool:
    """Whether a file that begins with `head` claims to be HEIC. AVIF has its own brands."""
    if head[4:8] != b"ftyp":
        return False
    if head[8:12] not in _ANY:
        return head[8:12] in _BRANDS
    end = min(int.from_bytes(head[:4], "big"), len(head))
    others = [head[at : at + 4] for at in range(16, end - 3, 4)]
    return any(brand in _BRANDS for brand in others) or b"avif" not in others


@cache
def is_ready() -> bool:
    """Register the format HEIF with Pillow. False if pi-heif is missing, or has no library here."""
    try:
        import pi_heif

        # Embedded pictures, such as depth maps and thumbnails, are ignored.
        pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
        pi_heif.libheif_version()
    except Exception:  # the import succeeds without the library, the first use fails
        return False
    return True


def may_open(head: bytes, stream: IO[bytes]) -> bool:
    """Whether it is safe for Pillow to open it as one of FORMATS. `head`: its first bytes; the position is kept."""
    return is_heic(head) and is_ready() and _is_sound(stream)


def _is_sound(stream: IO[bytes]) -> bool:
    """Whether the types of all items are text: others crash pi-heif 1.4.0. A file in a million parts, which would take
    minutes to examine, is not sound either.
    """
    before = stream.tell()
    try:
        return all(_is_text(item) for meta in _metas(stream) for item in _items(meta))
    except (ValueError, OverflowError):
        return False
    finally:
        stream.seek(before)


def _metas(stream: IO[bytes]) -> Iterator[bytes]:
    """The content of each `meta` box of the file. ValueError or OverflowError if no phone would write it like this."""
    at = 0
    for _ in range(_PARTS):
        stream.seek(at)
        head = stream.read(16)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head[:8])
        begin = 8
        if size == 1 and len(head) == 16:
            (size,), begin = struct.unpack(">Q", head[8:]), 16
        if kind == b"meta":
            stream.seek(at + begin)
            yield _whole(stream.read(size - begin if begin <= size <= _MOST else _MOST + 1))
        if size < begin:  # 0: to the end of the file
            return
        at += size
    raise ValueError("too many boxes")


def _whole(meta: bytes) -> bytes:
    if len(meta) > _MOST:
        raise ValueError("too large")
    return meta


def _items(meta: bytes) -> Iterator[bytes]:
    """The content of each `infe` box after its version and flags."""
    for kind, body in _boxes(meta[4:]):
        if kind == b"iinf":
            entries = body[6:] if body[:1] == b"\0" else body[8:]
            yield from (item for kind, item in _boxes(entries) if kind == b"infe")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + size if size >= 8 else len(data)
        yield kind, data[at + 8 : end]
        at = end


def _is_text(item: bytes) -> bool:
    """Whether an item's type, name and content type (after version, number and protection) are text."""
    try:
        item[10 if item[:1] == b"\x03" else 8 :].decode()
    except UnicodeDecodeError:
        return False
    return True
