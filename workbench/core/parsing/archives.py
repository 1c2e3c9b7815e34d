"""Unpacks a zip of labels and images into the project's folder: nothing outside it, nothing twice, all or nothing.

Our own loop writes member by member into a hidden folder that is renamed at the end. Nothing is executed or made
executable, no links are created, and a zip inside the zip stays a file. Other archives are refused with a sentence: tar
holds links and devices, and Python's filter against them was bypassed (CVE-2025-4517); 7z and rar need libraries.

What was unpacked is recorded in NAME.zip.json beside the folder NAME, so that the same zip is recognised and folders
that no import used can be discarded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.core.files import atomic_write, safe_name, sync_all
from workbench.core.formatting import visible
from workbench.core.parsing import strict_json, zip_names
from workbench.core.parsing.zip_reader import LIMITS, Limits, ZipReader, open_zip
from workbench.core.parsing.zip_reader import UnpackingStopped as UnpackingStopped
from workbench.core.storage.lock import Lock
from workbench.core.windows_files import retry_while_in_use
from workbench.errors import Refused, WorkbenchError

FOLDER = "imports"
_MAGIC = (
    (0, b"PK\3\4", "zip"), (0, b"PK\5\6", "zip"), (0, b"PK\7\x08", "zip"), (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "rar"), (0, b"\x1f\x8b", "gzip"), (0, b"BZh", "bzip2"), (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"), (257, b"ustar", "tar"),
)  # fmt: skip
_UNFINISHED = ".unpacking"
_LOCK = f"{_UNFINISHED}.lock"
_LONGEST = 50  # characters, of at most four bytes, of a folder's name: 255 bytes with prefix and suffix
_PIECE = 1 << 20
_LOOK = 64 << 20
"""Bytes written between checks of the free disk space."""


@dataclass(frozen=True, slots=True)
class ArchiveRecord:
    """What is recorded beside the folder: the zip's name, size and SHA-256, and what was unpacked.

    `left_out`: files that macOS and Windows add by themselves. `kept`: an import used it, so it is not discarded.
    """

    name: str
    size: int
    sha256: str
    files: int
    bytes: int
    left_out: int = 0
    kept: bool = False


def is_archive(path: Path) -> bool:
    """Whether this file is an archive by its first bytes, including kinds that `unpack_zip` refuses with a sentence."""
    return bool(_kind(path))


def unpack_folder(project: Path, file: Path) -> Path:
    """Where the project in this folder keeps the contents of the zip `file`."""
    stem = file.name
    while stem.lower().endswith(".zip"):  # imports/*.zip are files (exchange/origins.py)
        stem = stem[:-4]
    return project / FOLDER / (safe_name(stem)[:_LONGEST].rstrip(". ") or "untitled")


def unpack_zip(
    file: Path,
    into: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stopped: Callable[[], bool] = lambda: False,
    limits: Limits = LIMITS,
) -> Path:
    """Unpack the zip `file` to the folder `into` (from `unpack_folder`); returns the folder that holds it.

    That is another folder if the same zip was unpacked beside `into` before and is unchanged there, or if `into` exists
    already (then `into-2`).
    `progress` gets bytes of the zip, which is read twice. Raises Refused with the member's name, WorkbenchError if it
    can't be written, UnpackingStopped soon after `stopped` says so; nothing is left in these cases.
    """
    file, into = Path(file).absolute(), Path(into).absolute()
    _check_kind(file)
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        with _alone(into.parent), open_zip(file, limits, stopped) as packed:
            meter = _Meter(progress, 2 * packed.size)
            digest = packed.digest(meter.to)
            found = _find(into.parent, packed, digest) or _unpack(packed, into, digest, meter)
            meter.to(2 * packed.size)
            return found
    except OSError as error:
        why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror or f"{error}"
        sentence = f"{visible(file.name)} could not be unpacked to {into}: {why}. Nothing of it was kept."
        raise WorkbenchError(sentence, error) from error


def about(folder: Path) -> ArchiveRecord | None:
    """What was recorded when this folder was unpacked; None if we did not unpack it."""
    try:
        return ArchiveRecord(**strict_json.parse(_note(folder).read_bytes(), "note"))
    except (OSError, WorkbenchError, TypeError):
        return None


def mark_used(folder: Path) -> None:
    """Record that an import uses it, so that `discard` leaves it alone. Does nothing for other folders."""
    found = about(folder)
    if found is not None and not found.kept:
        _write_note(folder, dataclasses.replace(found, kept=True))


def discard(folder: Path) -> None:
    """Remove `folder`, as returned by `unpack_zip`, if no import used it. Does nothing for one without our record."""
    found = about(folder)
    if found is None or found.kept:
        return
    aside = _hidden(folder)
    try:
        retry_while_in_use(os.rename, folder, aside)
        _note(folder).unlink()
        shutil.rmtree(aside, ignore_errors=True)  # leftovers are removed by the next unpacking
    except OSError as error:
        raise WorkbenchError(f"{folder} could not be removed: {error.strerror or error}.", error) from error


def _kind(path: Path) -> str:
    try:
        with open(path, "rb") as stream:
            head = stream.read(512)
    except OSError:
        return ""
    return next((kind for at, magic, kind in _MAGIC if head[at:].startswith(magic)), "")


def _check_kind(file: Path) -> None:
    kind, name = _kind(file), visible(file.name)
    if not os.path.isfile(file):
        raise WorkbenchError(f"There is no file {visible(str(file))}.")
    if not kind:
        raise Refused(name, "this is not an archive, or its beginning is damaged. Choose a zip or a folder.")
    if kind != "zip":
        raise Refused(name, f"this is a {kind} archive, but only zips can be read. Unpack it and choose the folder.")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Allow one unpacking at a time in a folder: unfinished ones were then left by a program that was killed."""
    lock = Lock(folder, _LOCK)
    if not lock.held:
        raise WorkbenchError(lock.why(f"the import into {folder}"))
    try:
        for left in folder.glob(f".*{_UNFINISHED}"):
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        lock.release()


def _find(folder: Path, packed: ZipReader, digest: str) -> Path | None:
    """The folder where this zip was unpacked before, if it still holds exactly the zip's contents.

    Labels kept up to date there (exchange/autosync.py), or changed by other programs, are no longer the zip's.
    """
    for note in sorted(folder.glob("*.zip.json")):
        candidate = folder / note.name.removesuffix(".zip.json")
        found = about(candidate)
        if (
            found is not None
            and (found.size, found.sha256) == (packed.size, digest)
            and _is_as_packed(candidate, packed)
        ):
            return candidate
    return None


def _is_as_packed(folder: Path, packed: ZipReader) -> bool:
    """Whether its files have the zip's sizes and checksums, and there are no others. Hidden ones are never read."""
    members = [member for member in packed.members if not member.is_folder and not member.is_junk]
    try:
        if any(_checksum(folder / m.path, m.size, packed) != m.crc for m in members if not _is_hidden(m.path)):
            return False
    except OSError:
        return False
    others = sum(1 for member in members if not _is_hidden(member.path))
    for _, folders, names in os.walk(folder):
        packed.go_on()
        folders[:] = [name for name in folders if not name.startswith(".")]
        others -= sum(1 for name in names if not name.startswith(".") and not zip_names.is_junk(name))
    return others == 0  # counted, because some systems change the spelling of names


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _checksum(file: Path, size: int, packed: ZipReader) -> int:
    """The checksum of a file of `size` bytes; -1 if it has another size."""
    about = file.lstat()
    if not stat.S_ISREG(about.st_mode) or about.st_size != size:
        return -1
    crc = 0
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            packed.go_on()
            crc = zlib.crc32(piece, crc)
    return crc


def _unpack(packed: ZipReader, into: Path, digest: str, meter: _Meter) -> Path:
    hidden, free = _hidden(into), _free(into)
    try:
        hidden.mkdir()
        record = _fill(hidden, packed, digest, meter)
        sync_all()  # the bytes before the name
        _write_note(free, record)
        try:
            retry_while_in_use(os.rename, hidden, free)
        except OSError:
            _note(free).unlink()
            raise
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return free


def _fill(folder: Path, packed: ZipReader, digest: str, meter: _Meter) -> ArchiveRecord:
    room = _Room(folder, packed)
    room.check(sum(member.size for member in packed.members))
    files, made = 0, {folder}
    for member in packed.members:
        packed.go_on()
        packed.go_to(member)  # one damaged byte can turn a file into a folder, or junk
        if member.is_junk:
            continue
        target = folder / member.path
        home = target if member.is_folder else target.parent
        if home not in made:
            home.mkdir(parents=True, exist_ok=True)
            made.add(home)
        if member.is_folder:
            continue
        files += 1
        with open(target, "xb") as stream:  # x: never through a link, never over a file
            for piece in packed.chunks(member):
                room.take(len(piece))
                stream.write(piece)
                meter.to(packed.size + packed.read_to)
        meter.to(packed.size + packed.read_to)
    if not files:
        raise Refused(packed.name, "it contains no files.")
    left_out = sum(1 for member in packed.members if member.is_junk and not member.is_folder)
    return ArchiveRecord(packed.name, packed.size, digest, files, room.taken, left_out)


class _Room:
    """Counts what is written and refuses to continue when a limit or the end of the disk is reached."""

    def __init__(self, folder: Path, packed: ZipReader) -> None:
        self._folder, self._packed, self.taken = folder, packed, 0

    def check(self, more: int = 0) -> None:
        """Refused if `more` bytes would be too many on top of what was written."""
        self._check_count(self.taken + more)
        free, reserve = shutil.disk_usage(self._folder).free, self._packed.limits.reserve
        if more + reserve > free:
            raise Refused(
                self._packed.name,
                f"it unpacks to {self.taken + more:,} bytes, but the disk of {self._folder.parent} has {free:,} free,"
                f" of which {reserve:,} must stay free. Make room and try again; nothing was unpacked.",
            )

    def take(self, count: int) -> None:
        """Account for `count` bytes about to be written."""
        before, self.taken = self.taken, self.taken + count
        self._check_count(self.taken)
        if before // _LOOK != self.taken // _LOOK:
            self.check()

    def _check_count(self, count: int) -> None:
        limits, name = self._packed.limits, self._packed.name
        if count > limits.unpacked:
            raise Refused(
                name, f"it unpacks to more than {limits.unpacked:,} bytes. Unpack it yourself and choose the folder."
            )
        if count > max(limits.unsuspected, limits.ratio * self._packed.size):
            raise Refused(name, f"it unpacks to more than {limits.ratio} times its size, like a zip bomb.")


class _Meter:
    """Passes on progress in steps of a five-hundredth: a zip of a million members must not flood a window."""

    def __init__(self, progress: Callable[[int, int], None], total: int) -> None:
        self._progress, self._total, self._told = progress, total, -total

    def to(self, done: int) -> None:
        if done - self._told >= self._total / 500 or done == self._total:
            self._told = done
            self._progress(done, self._total)


def _free(into: Path) -> Path:
    number, free = 1, into
    while os.path.lexists(free):
        number += 1
        free = into.with_name(f"{into.name}-{number}")
    return free


def _hidden(folder: Path) -> Path:
    """A name beside it that every search for images skips, and that is cleaned up after a crash."""
    return folder.with_name(f".{folder.name}.{os.urandom(4).hex()}{_UNFINISHED}")


def _note(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.zip.json")


def _write_note(folder: Path, record: ArchiveRecord) -> None:
    atomic_write(_note(folder), json.dumps(dataclasses.asdict(record), ensure_ascii=False, indent=1) + "\n")
