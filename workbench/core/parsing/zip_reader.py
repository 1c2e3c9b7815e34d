"""Reads a zip by rules stricter than the format's: its members by name and place, and their bytes.

Python's zipfile reads the whole directory before anything can be counted, cuts names at NUL and trusts the sizes in
the file. Here the directory is counted while it is read, each name must pass zip_names.py, members must not overlap
(as in D. Fifield's bombs of 2019), and sizes and checksums are verified on the bytes themselves.
"""

from __future__ import annotations

import array
import bisect
import contextlib
import hashlib
import itertools
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from workbench.core.formatting import visible
from workbench.core.parsing import zip_names
from workbench.errors import Refused, WorkbenchError

_END, _ENTRY, _LOCAL = struct.Struct("<4s4H2LH"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
_LOCATOR, _END_64 = struct.Struct("<4sLQL"), struct.Struct("<4sQ2H2L4Q")
_ZIP64, _LONGEST_COMMENT, _FULL = 0x0001, 0xFFFF, 0xFFFFFFFF
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_UTF8 = 1 << 11
_STORED, _DEFLATED = 0, 8
_OTHERS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd"}
_PACKED, _CHUNK = 1 << 16, 1 << 20
"""Bytes read, and bytes unpacked, at a time."""
_BY_HAND = "unpack the archive yourself and choose the folder"
_BROKEN = "the zip is damaged or was not downloaded completely ({what}); get it again"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of unpacking. `ratio`: unpacked bytes per packed byte, checked above `unsuspected` bytes.

    Photographs unpack to hardly more than their packed size and label files to several times that; deflate can reach
    1,032. `unpacked`: far above what people put into one zip.
    """

    members: int = 1_000_000
    unpacked: int = 256 << 30
    reserve: int = 256 << 20  # bytes that stay free on the disk, for the project's own files
    ratio: int = 100
    unsuspected: int = 10 << 20


LIMITS = Limits()


class UnpackingStopped(WorkbenchError):
    """The user asked to stop; nothing was kept."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry as described by the directory. `path` is posix, `raw` its name as written, `at` where its header is."""

    path: str
    is_folder: bool
    raw: bytes
    at: int
    packed: int
    size: int
    crc: int
    method: int

    @property
    def is_junk(self) -> bool:
        return zip_names.is_junk(self.path)


class ZipReader:
    """An open zip. `members` are in the order of their places in the file. Refused if one of them can't be trusted."""

    def __init__(self, stream: IO[bytes], name: str, limits: Limits, stopped: Callable[[], bool]) -> None:
        self.name, self.limits = name, limits
        self._stream, self._stopped = stream, stopped
        self.size = stream.seek(0, 2)
        self.members = self._members()

    @property
    def read_to(self) -> int:
        """How far the file has been read, in bytes."""
        return self._stream.tell()

    def digest(self, progress: Callable[[int], None]) -> str:
        """SHA-256 of the file; `progress` gets the bytes read so far."""
        found = hashlib.sha256()
        self._stream.seek(0)
        while data := self._stream.read(_CHUNK):
            self.go_on()
            found.update(data)
            progress(self._stream.tell())
        return found.hexdigest()

    def go_on(self) -> None:
        """UnpackingStopped if somebody asked to stop."""
        if self._stopped():
            raise UnpackingStopped(f"Unpacking {self.name} was stopped; nothing of it was kept.")

    def chunks(self, member: Member) -> Iterator[bytes]:
        """A member's bytes, piece by piece. Refused as soon as they exceed the size given or fail the checksum."""
        self.go_to(member)
        size = crc = 0
        for piece, used in self._inflated(member) if member.method == _DEFLATED else self._stored(member):
            self.go_on()
            size += len(piece)
            if size > member.size:
                self._object(member, "unpacks to more than the zip says, like a zip bomb")
            if size > self.limits.unsuspected and size > self.limits.ratio * used:
                self._object(member, f"unpacks to more than {self.limits.ratio} times its size, like a zip bomb")
            crc = zlib.crc32(piece, crc)
            yield piece
        if size != member.size or crc != member.crc:
            self._object(member, "is damaged: its checksum is wrong. Get the zip again")

    def go_to(self, member: Member) -> None:
        """Move to a member's bytes. Refused if the header before them contradicts the directory."""
        self._stream.seek(member.at)
        header = self._stream.read(_LOCAL.size)
        if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
            self._object(member, "is not where the zip says. It is damaged; get it again")
        _, _, flags, method, _, _, _, _, _, name, extra = _LOCAL.unpack(header)
        if self._stream.read(name) != member.raw or method != member.method or flags & _ENCRYPTED:
            self._object(member, "is described twice in different ways, so its content is unclear")
        start = member.at + _LOCAL.size + name + extra
        if start + member.packed > self._ends[bisect.bisect_right(self._ends, member.at)]:
            self._object(member, "lies over another one, as in bombs")
        self._stream.seek(start)

    def _stored(self, member: Member) -> Iterator[tuple[bytes, int]]:
        """Pieces, and how many packed bytes were read so far."""
        left = member.packed
        while left:
            piece = self._stream.read(min(left, _CHUNK))
            if not piece:
                self._object(member, "is cut off. Get the zip again")
            left -= len(piece)
            yield piece, member.packed - left

    def _inflated(self, member: Member) -> Iterator[tuple[bytes, int]]:
        unpacker, data, left = zlib.decompressobj(-15), b"", member.packed
        while not unpacker.eof:
            if not data and left:
                data = self._stream.read(min(left, _PACKED))
                left -= len(data)
            given = len(data)
            try:
                piece = unpacker.decompress(data, _CHUNK)
            except zlib.error:
                self._object(member, "is damaged: it can't be unpacked. Get the zip again")
            data = unpacker.unconsumed_tail
            if not piece and not given and not unpacker.eof:
                self._object(member, "is damaged: it has no end. Get the zip again")
            yield piece, member.packed - left - len(data)
        if left or unpacker.unused_data:
            self._object(member, "continues after its end. The zip is damaged; get it again")

    def _object(self, member: Member | str, what: str) -> NoReturn:
        name = member if isinstance(member, str) else member.path
        self._refuse(f"the member '{visible(name)}' {what}; nothing was unpacked.")

    def _refuse(self, sentence: str) -> NoReturn:
        raise Refused(self.name, sentence)

    def _broken(self, what: str) -> NoReturn:
        self._refuse(f"{_BROKEN.format(what=what)}.")

    def _members(self) -> list[Member]:
        at, size, count = self._directory()
        found, tree, left = list[Member](), zip_names.Tree(), size
        self._stream.seek(at)
        while left:
            if len(found) >= self.limits.members:
                self._refuse(f"it has more than {self.limits.members:,} members; {_BY_HAND}.")
            if len(found) % 1000 == 0:
                self.go_on()
            member, taken = self._entry(at, left)
            left -= taken
            if wrong := tree.add(member.path, member.is_folder):
                self._object(member, wrong)
            found.append(member)
        if len(found) & 0xFFFF != count & 0xFFFF:  # macOS packs more than 65,535 and writes the count modulo 65,536
            self._broken("its directory is incomplete")
        found.sort(key=lambda member: member.at)
        self._ends = array.array("Q", [*(member.at for member in found), at])
        for one, following in itertools.pairwise(found):
            if one.at == following.at:
                self._object(following, "lies over another one, as in bombs")
        return found

    def _directory(self) -> tuple[int, int, int]:
        """The directory's position, its size in bytes and its number of entries (the lower 16 bits of it)."""
        start = max(0, self.size - _END.size - _LONGEST_COMMENT)
        self._stream.seek(start)
        tail = self._stream.read()
        at = tail.rfind(b"PK\5\6")
        while at >= 0 and tail[at + 20 : at + 22] != struct.pack("<H", (len(tail) - at - _END.size) & 0xFFFF):
            at = tail.rfind(b"PK\5\6", 0, at)
        if at < 0:
            self._broken("its end is missing")
        _, disk, first, here, count, size, offset, _ = _END.unpack_from(tail, at)
        end = start + at
        if tail[at - _LOCATOR.size : at].startswith(b"PK\6\7"):
            _, _, end, _ = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)
            self._stream.seek(min(end, self.size))
            record = self._stream.read(_END_64.size)
            if len(record) < _END_64.size or record[:4] != b"PK\6\6":
                self._broken("its end is missing")
            _, _, _, _, disk, first, here, count, size, offset = _END_64.unpack(record)
        if disk or first or here != count:
            self._refuse(f"it is one part of several; {_BY_HAND}.")
        if offset + size != end:
            self._broken("its directory is not where it says")
        return offset, size, count

    def _entry(self, directory: int, left: int) -> tuple[Member, int]:
        """The next member in the directory (which begins at `directory`) and the size of its entry in bytes."""
        header = self._stream.read(_ENTRY.size)
        if len(header) < _ENTRY.size or header[:4] != b"PK\1\2":
            self._broken("its directory is not readable")
        (_, _, _, flags, method, _, _, crc, packed, size, name, more, comment, _, _, external, at) = _ENTRY.unpack(
            header
        )
        taken = _ENTRY.size + name + more + comment
        raw, extra = self._stream.read(name), self._stream.read(more)
        if taken > left or len(self._stream.read(comment)) < comment:
            self._broken("its directory is not readable")
        size, packed, at = self._large(extra, (size, packed, at))
        try:
            text = zip_names.decoded(raw, bool(flags & _UTF8), extra)
        except UnicodeDecodeError:
            self._refuse(f"the name of the member {raw[:80]!r} is not text; nothing was unpacked.")
        is_folder = text.endswith(("/", "\\"))
        path, wrong = zip_names.path_of(text)
        wrong = wrong or _kind_wrong(is_folder, external, size)
        if not wrong and flags & _ENCRYPTED:
            wrong = f"is encrypted; {_BY_HAND}"
        elif not wrong and method not in (_STORED, _DEFLATED):
            wrong = f"is packed by {_OTHERS.get(method, f'method {method}')}, which is not supported; {_BY_HAND}"
        elif not wrong and (at + _LOCAL.size > directory or packed > directory):
            wrong = "lies outside the zip. It is damaged; get it again"
        elif not wrong and method == _STORED and size != packed:
            wrong = "has two sizes. The zip is damaged; get it again"
        if wrong:
            self._object(text, wrong)
        return Member(path, is_folder, raw, at, packed, size, crc, method), taken

    def _large(self, extra: bytes, numbers: tuple[int, int, int]) -> tuple[int, int, int]:
        """Size, packed size and position; values above 4 GB are in the extra field."""
        if _FULL not in numbers:
            return numbers
        more = iter(struct.iter_unpack("<Q", (found := zip_names.field(extra, _ZIP64) or b"")[: len(found) // 8 * 8]))
        try:
            size, packed, at = [next(more)[0] if number == _FULL else number for number in numbers]
        except StopIteration:
            self._broken("a size is missing")
        return size, packed, at


def _kind_wrong(is_folder: bool, external: int, size: int) -> str:
    """What is wrong with the file type of an entry, by Unix's mode or DOS's bit for folders; "" if nothing."""
    kind = stat.S_IFMT(external >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device or a pipe, not a file"
    if (kind == stat.S_IFDIR and not is_folder) or (is_folder and (size or kind == stat.S_IFREG)):
        return "is a file and a folder at once"
    return ""


@contextlib.contextmanager
def open_zip(file: Path, limits: Limits = LIMITS, stopped: Callable[[], bool] = lambda: False) -> Iterator[ZipReader]:
    """The zip `file`, open while the block runs. Refused if it can't be read; Stopped when `stopped` says so."""
    name = visible(file.name)
    try:
        stream = open(file, "rb", buffering=1 << 18)  # noqa: SIM115 - closed below
    except OSError as error:
        raise Refused(name, f"the file can't be read ({error.strerror or error}); check its permissions.") from error
    with stream:
        yield ZipReader(stream, name, limits, stopped)
