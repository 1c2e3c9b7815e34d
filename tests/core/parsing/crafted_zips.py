"""Zips made byte by byte, with everything in them that a writer of zips would not do."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

UTF8, ENCRYPTED, DESCRIPTOR = 1 << 11, 1 << 0, 1 << 3


@dataclass(frozen=True)
class Entry:
    """One member. What is None is as it should be; `mode` is Unix's; `place` is where the directory says it begins."""

    name: str | bytes
    data: bytes = b"label"
    method: int = 0
    flags: int | None = None
    mode: int = 0
    crc: int | None = None
    size: int | None = None
    packed: bytes | None = None
    packed_size: int | None = None
    local_name: bytes | None = None
    place: int | None = None
    extra: bytes = b""
    system: int = 3

    @property
    def raw(self) -> bytes:
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    @property
    def payload(self) -> bytes:
        if self.packed is not None:
            return self.packed
        return deflated(self.data) if self.method == 8 else self.data


def build(
    *entries: Entry, comment: bytes = b"", count: int | None = None, disk: int = 0, shift: int = 0, zip64: bool = False
) -> bytes:
    """A zip of them. `shift` is added to the place of the directory."""
    body, directory = bytearray(), bytearray()
    for one in entries:
        flags = one.flags if one.flags is not None else (0 if isinstance(one.name, bytes) else UTF8)
        payload = one.payload
        crc = zlib.crc32(one.data) if one.crc is None else one.crc
        size = len(one.data) if one.size is None else one.size
        packed = len(payload) if one.packed_size is None else one.packed_size
        place = len(body) if one.place is None else one.place
        local = one.raw if one.local_name is None else one.local_name
        told = (0, 0, 0) if flags & DESCRIPTOR else (crc, min(packed, 0xFFFFFFFF), min(size, 0xFFFFFFFF))
        body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, flags, one.method, 0, 0x21, *told, len(local), 0)
        body += local + payload
        if flags & DESCRIPTOR:
            body += struct.pack("<4s3L", b"PK\7\x08", crc, packed, size)
        extra, numbers = one.extra, (packed, size, place)
        if zip64:
            extra += struct.pack("<HH3Q", 1, 24, size, packed, place)
            numbers = (0xFFFFFFFF,) * 3
        directory += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", one.system << 8 | 20, 20, flags, one.method, 0, 0x21, crc, *numbers[:2],
            len(one.raw), len(extra), 0, 0, 0, one.mode << 16, numbers[2],
        ) + one.raw + extra  # fmt: skip
    many, begins = len(entries) if count is None else count, len(body) + shift
    end = b""
    if zip64:
        end += struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, many, many, len(directory), begins)
        end += struct.pack("<4sLQL", b"PK\6\7", 0, begins + len(directory), 1)
        many, size, begins = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
    else:
        size = len(directory)
    end += struct.pack("<4s4H2LH", b"PK\5\6", disk, disk, many & 0xFFFF, many & 0xFFFF, size, begins, len(comment))
    return bytes(body + directory) + end + comment


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def bomb(megabytes: int) -> tuple[bytes, int]:
    """Deflated zeros (about a kilobyte for each megabyte), and their CRC."""
    zeros, crc = bytes(1 << 20), 0
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    once = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)  # after which the same bytes mean the same again
    for _ in range(megabytes):
        crc = zlib.crc32(zeros, crc)
    return once * megabytes + packer.flush(), crc
