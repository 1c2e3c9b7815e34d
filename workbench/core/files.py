"""Files and names: atomic writing, paths that stay inside their folder, the images of a folder."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import tempfile
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from workbench.core import macos_privacy
from workbench.core.folders.drawn_pictures import is_drawn
from workbench.core.formatting import visible
from workbench.core.windows_files import is_in_use, is_too_long, retry_while_in_use
from workbench.errors import WorkbenchError

IMAGE_SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm", ".pnm",
    ".heic", ".heif", ".avif", ".jp2",
))  # fmt: skip
_UNFINISHED = re.compile(r"^\..+\.[0-9]+\.[0-9a-f]{8}\.tmp$")  # as atomic_path names them
_NUMBER = re.compile(r"([0-9]+)")
_LONGEST_NAME, _LONGEST_PATH = 255, 1024  # bytes, and characters: longer names no disk holds
MOST_BYTES = 240  # of a name that is made here: a number or an ending still fits behind it
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)$", re.IGNORECASE)


@contextlib.contextmanager
def atomic_path(path: Path, sync: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` to write to; on success it is synced to disk and renamed to `path`.

    `sync` False skips the sync: for the many files of an export, which calls `sync_all` after the last one.
    On any exception `path` keeps its old content and the temporary file is removed. Raises WorkbenchError
    when the disk is full or the folder can't be written.
    """
    path = Path(path)
    temporary = _unfinished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if sync:
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
        retry_while_in_use(os.replace, temporary, path)
        if sync:
            _sync_folder(path.parent)
    except OSError as error:
        raise WorkbenchError(f"{path} could not be written: {_reason(error)}", error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def atomic_write(path: Path, data: bytes | str, sync: bool = True) -> None:
    """Replace `path` with `data` (text as UTF-8 with LF) atomically. `sync` as in `atomic_path`."""
    with atomic_path(path, sync) as temporary, open(temporary, "xb") as file:
        file.write(data.encode("utf-8") if isinstance(data, str) else data)


def apply_default_permissions(path: Path) -> None:
    """Give `path` the permissions of any new file there: safetensors makes files for their owner alone."""
    twin = _unfinished(path)
    with contextlib.suppress(OSError):  # disks without permissions, shared folders
        with open(twin, "xb") as file:  # reading the umask means changing it, for all threads
            mode = os.fstat(file.fileno()).st_mode
        twin.unlink()
        os.chmod(path, stat.S_IMODE(mode))


def _unfinished(path: Path) -> Path:
    """An unused name beside `path`, of the kind that `remove_unfinished` removes."""
    return path.with_name(f".{unfinished_prefix(path.name)}.{os.getpid()}.{os.urandom(4).hex()}.tmp")


def unfinished_prefix(name: str) -> str:
    """The part of a file's name that unfinished files begin with: 80 bytes, as a name may be as long as disks allow."""
    return os.fsencode(name)[:80].decode("utf-8", "ignore")


def remove_unfinished(folder: Path, age: float = 0) -> None:
    """Remove what killed writers left in `folder` at least `age` seconds ago; 0: call it while nobody writes there."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                if _UNFINISHED.match(entry.name) and (not age or entry.stat().st_mtime < time.time() - age):
                    os.unlink(entry.path)


def sync_all() -> None:
    """Sync everything written so far to disk: one wait instead of one per file (measured: 4 to 8 ms each)."""
    if hasattr(os, "sync"):  # not on Windows, which writes within seconds
        os.sync()


def check_free_space(folder: Path, size: int) -> None:
    """OSError if the disk of `folder` has no room for `size` bytes.

    A file that is mapped into memory takes its room only when it is written to; if there is none then, the system ends
    the program with SIGBUS, without a word.
    """
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def check_writable(folder: Path) -> None:
    """WorkbenchError if nothing can be written into `folder`, or into the nearest folder above it if it is yet to make.

    Write-protection, a full disk, or a file in a folder's place: to be called before minutes are spent.
    """
    place = next((one for one in (folder, *folder.absolute().parents) if os.path.exists(one)), folder)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(bytes(4096))  # a full disk still has room for an empty file
    except OSError as error:
        raise WorkbenchError(f"{place} can't be written to: {_reason(error)}", error) from error


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows can't open a folder to sync it
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:  # shared folders of virtual machines and some network disks only sync files
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(handle)


_OF_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


def disk_problem(error: BaseException) -> str:
    """Why `error`, of whatever code that was writing, is the disk's or the folder's fault, and what to do; else ""."""
    if isinstance(error, OSError) and error.errno in _OF_DISKS:
        return _reason(error)
    is_full = "No space left" in str(error)  # safetensors and others have errors of their own
    return _reason(OSError(errno.ENOSPC, str(error))) if is_full else ""


def _reason(error: OSError) -> str:
    if macos_privacy.is_privacy_error(error):
        return f"{macos_privacy.ALLOW}."
    if is_in_use(error):
        return "another program has it open, or it is write-protected. Close it there and try again; nothing was lost."
    if is_too_long(error):
        return "its path is longer than Windows allows. Choose a folder with a shorter one."
    words = {
        errno.ENOSPC: "the disk is full. Make room and try again; nothing was lost.",
        errno.EDQUOT: "your disk quota is used up. Make room and try again; nothing was lost.",
        errno.EACCES: "permission was denied. Choose a folder that you may write to.",
        errno.EPERM: "the system does not permit it. Choose a folder that you may write to.",
        errno.EROFS: "the disk is read-only. Choose another folder.",
    }
    return words.get(error.errno or 0, f"{error.strerror or error}.")


def is_reserved(name: str) -> bool:
    """Whether Windows keeps this name for a device, whatever follows its first dot."""
    return bool(_RESERVED.match(name.split(".")[0].strip()))


def inner_parts(name: str) -> tuple[str, ...]:
    """The parts of a relative path from a foreign file, guaranteed not to lead out of its folder.

    Both kinds of separators count. WorkbenchError for absolute paths, drives, UNC, '..', NUL, Windows' reserved names,
    overlong names and lone surrogates. The disk is not accessed.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    windows = PureWindowsPath(name)
    bad = (
        not parts
        or "\0" in name
        or not _is_text(name)
        or len(name) > _LONGEST_PATH
        or any(len(part.encode()) > _LONGEST_NAME for part in parts)
        or windows.drive
        or windows.root
        or name.startswith("/")
        or any(part == ".." or is_reserved(part) or part != part.rstrip(". ") for part in parts)
    )
    if bad:
        raise WorkbenchError(
            f"The path '{visible(name, 200)}' leads outside its folder or is not portable, so it was not followed."
        )
    return parts


def resolve_inside(root: Path, name: str) -> Path:
    """`root / name` for a name from a foreign file; refused as in `inner_parts`, or if a link leads out of `root`.

    The file need not exist.
    """
    path = root.joinpath(*inner_parts(name))
    real_root, real = root.resolve(), path.resolve()
    if real != real_root and real_root not in real.parents:
        raise WorkbenchError(f"The path '{visible(name, 200)}' is a link out of its folder, so it was not followed.")
    return path


def stamp(file: Path) -> tuple[int, int]:
    """Size in bytes and time of change in ns: what differs once a file was written. OSError if it is not there."""
    about = file.stat()
    return about.st_size, about.st_mtime_ns


def safe_name(text: str, fallback: str = "untitled") -> str:
    """`text` as a file name that every system takes: without separators, control and reserved characters, at most 80
    characters and MOST_BYTES bytes long (64 emoji are more than a disk takes).
    """
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r'[\x00-\x1f<>:"/\\|?*\ud800-\udfff]+', "-", text).strip(". -")[:80]
    text = text.encode()[:MOST_BYTES].decode(errors="ignore").rstrip(". ")
    if not text:
        return fallback
    return re.sub(r"^[^.]*", r"\g<0>-", text) if is_reserved(text) else text


def check_name(folder: Path) -> None:
    """WorkbenchError if the folder's name is not text, which no project file can hold."""
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        name = str(folder).encode("utf-8", "replace").decode()
        raise WorkbenchError(f"The name of the folder {name} is not valid text. Rename it and try again.") from error


def natural_key(text: str) -> str:
    """A sort key that puts img2 before img10 and ignores case: each number is preceded by its length.

    It is text, so that SQLite can sort by it, too; numbers sort before letters.
    """
    return natural_keys([text])[0]


def natural_keys(texts: Sequence[str]) -> list[str]:
    """The natural key of each text: 100,000 at once take half the time of one by one. None may contain NUL."""
    if not texts:
        return []
    parts = _NUMBER.split("\0".join(texts).casefold())
    numbers = [digits if digits[0] != "0" else digits.lstrip("0") for digits in parts[1::2]]
    lengths = {length: f"\x01{length:03d}" for length in set(map(len, numbers))}
    parts[1::2] = [lengths[len(digits)] + digits for digits in numbers]
    return "".join(parts).split("\0")


def scan_images(folder: Path) -> list[str]:
    """Image files (by suffix) in `folder` and below, as posix paths relative to it, in natural order.

    Hidden files and folders, and those of the system, are left out; so are names that are not valid UTF-8 (see
    walk_images) and folders that can't be read. WorkbenchError if `folder` itself can't be read.
    """
    return sorted(walk_images(folder), key=natural_key)


def absolute(path: Path) -> Path:
    """An absolute path without "..", so that one place has one name. Links are kept unless ".." follows one."""
    full = Path(path).absolute()
    if ".." not in full.parts:
        return full
    short = os.path.abspath(full)
    real = os.path.realpath(full)  # a ".." behind a link leads elsewhere
    return Path(short if os.path.realpath(short) == real else real)


@dataclass(slots=True)
class SkippedFiles:
    """What `walk_images` didn't yield; it calls these methods as it walks."""

    names: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)

    def skip_name(self, name: str) -> None:
        """An image or folder whose name is not valid UTF-8, which no format can hold; `name`: its printable path."""
        self.names.append(name)

    def skip_folder(self, name: str, error: OSError) -> None:
        """A folder that could not be read (completely); "" is the one that is walked."""
        prefix = f"{visible(name, 200)}: " if name else ""
        self.folders.append(f"{prefix}{error.strerror or error}")

    def other(self, name: str) -> None:
        """A file whose name is not that of an image."""

    @property
    def sentence(self) -> str:
        """The sentence for the user; "" if there is nothing to say."""
        odd = _left_out_sentence(self.names) if self.names else ""
        return " ".join(filter(None, (odd, _shut_sentence(self.folders) if self.folders else "")))


def _left_out_sentence(names: Sequence[str]) -> str:
    count = "1 file or folder was" if len(names) == 1 else f"{len(names):,} files or folders were"
    why = f"{'its name is' if len(names) == 1 else 'their names are'} not valid text (such as {names[0]})"
    return f"{count} left out because {why}: rename them and add the folder again."


def _shut_sentence(folders: Sequence[str]) -> str:
    one = len(folders) == 1
    what = f"1 folder ({folders[0]})" if one else f"{len(folders):,} folders (such as {folders[0]})"
    theirs = "its images are" if one else "their images are"
    return f"{what} could not be read, so {theirs} missing: fix that and add the folder again."


def gather_images(paths: Iterable[Path], skipped: SkippedFiles) -> tuple[dict[Path, list[str]], list[Path]]:
    """The images named by `paths`, each once, by folder and relative to it; and the files that are not images.

    A folder stands for all images in it and below.
    """
    named: dict[Path, dict[str, None]] = {}
    others = []
    for path in paths:
        if os.path.isdir(path):
            found = sorted(walk_images(path, skipped), key=natural_key)
            named.setdefault(path, {}).update(dict.fromkeys(found))
        elif path.suffix.lower() not in IMAGE_SUFFIXES:
            others.append(path)
        elif not _is_text(path.name):
            skipped.skip_name(path.name.encode("utf-8", "replace").decode())
        else:
            named.setdefault(path.parent, {})[path.name] = None
    return {folder: list(names) for folder, names in named.items()}, others


def walk_images(folder: Path, skipped: SkippedFiles | None = None) -> Iterator[str]:
    """What `scan_images` finds, one by one in the disk's order: the first of 100,000 comes at once.

    Everything else is reported to `skipped`. Pictures that predictions drew are passed over, unless `folder` is that
    of their results, or lies in it.
    """
    try:
        os.scandir(folder).close()
    except OSError as error:
        why = f"{error.strerror or error}. Choose another or change its permissions"
        reason = macos_privacy.ALLOW if macos_privacy.is_privacy_error(error) else why
        raise WorkbenchError(f"The folder {folder} can't be read: {reason}.", error) from error
    return _image_names(folder, skipped or SkippedFiles())


def _image_names(folder: Path, skipped: SkippedFiles) -> Iterator[str]:
    """Paths of images below `folder`; folders in it that can't be read have none."""
    to_walk = [""]
    while to_walk:
        before = to_walk.pop()
        here, below = os.path.join(folder, before[:-1]), list[str]()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    name = entry.name
                    if name[0] == ".":
                        continue
                    is_image = name[name.rfind(".") :].lower() in IMAGE_SUFFIXES
                    try:
                        if not (name.isascii() or _is_text(name)):
                            if is_image or entry.is_dir(follow_symlinks=False):
                                skipped.skip_name(before + name.encode("utf-8", "replace").decode())
                            continue
                        if is_image and not entry.is_dir():
                            yield before + name
                        elif entry.is_dir(follow_symlinks=False):
                            if not (is_of_system(name) or (before and is_drawn(here, name))):
                                below.append(f"{before}{name}/")
                        else:
                            skipped.other(before + name)
                    except OSError:  # a circular link: listed as an image, it is shown with its problem
                        if is_image:
                            yield before + name
        except OSError as error:
            skipped.skip_folder(before[:-1], error)
        to_walk += reversed(below)


def is_of_system(folder: str) -> bool:
    """Whether that is the name of a folder of deleted files or of thumbnails, on a disk of Windows or of a NAS."""
    return folder.casefold() in ("$recycle.bin", "system volume information", "#recycle", "@eadir")


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def resource(*parts: str) -> Path:
    """A file of the top-level folder resources/, also when installed from a wheel (which puts it into the package)."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "resources"
    return (installed if installed.is_dir() else package.parent / "resources").joinpath(*parts)
