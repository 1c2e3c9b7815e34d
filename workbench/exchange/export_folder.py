"""The folder of an export: which files in it are ours, how new ones get into place, and which old ones are removed.

Everything is first written into a hidden folder beside them, so an export that fails or is killed halfway leaves the
files of the last one. A hidden list (`LIST`) says what an export wrote, with sizes and hashes. Only the project that
wrote it uses it: with another project's list, or without one, no image is overwritten and no file removed. It is
written before the files are moved (with the old and the new files) and again afterwards: whenever the program is
killed, the next export knows which files are its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.core.files import IMAGE_SUFFIXES, atomic_path, atomic_write, inner_parts, resolve_inside, stamp, sync_all
from workbench.core.folders.file_changes import EXPORTED
from workbench.core.folding import folded
from workbench.core.project import Snapshot
from workbench.core.windows_files import retry_while_in_use
from workbench.errors import WorkbenchError
from workbench.formats.parts.report import Report

LIST = EXPORTED
"""Not .json: Create ML wants a single JSON file in a folder, and readers of other formats open all of them."""
_PART, _PART_END = f"{LIST}.", ".part"
_VERSION = 1
_CHUNK = 1 << 20

Ours = dict[tuple[int, str], set[str]]
"""The contents that a file of ours may have (more than one only while an export is running), each with the image
(`key_of`) of which it is a copy; "" for label files."""


@dataclass(frozen=True, slots=True)
class ImageCopy:
    """An image file to be copied to `place`; `image` is its key (`key_of`)."""

    place: str
    source: Path
    image: str


def is_export(folder: Path) -> bool:
    """Whether this folder was filled by an export, so that another may replace it."""
    return os.path.isfile(folder / LIST)


def holds_something(folder: Path) -> bool:
    """Whether it holds anything but the unfinished files of a killed export. WorkbenchError if it can't be read."""
    try:
        return os.path.isdir(folder) and any(not _is_part(name) for name in os.listdir(folder))
    except OSError as error:
        raise WorkbenchError(f"The folder {folder} can't be read: {error.strerror or error}.", error) from error


def photographs_below(snapshot: Snapshot, folder: Path) -> bool:
    """Whether any image file of the project lies in `folder` or below, also by way of links."""
    real = os.path.realpath(folder)
    parents = dict[Path, bool]()

    def is_below(path: Path) -> bool:
        found = os.path.realpath(path)
        return found == real or found.startswith(os.path.join(real, ""))

    for file in snapshot.files:
        if file.parent not in parents:
            parents[file.parent] = is_below(file.parent)
        if parents[file.parent] or (os.path.islink(file) and is_below(file)):
            return True
    return False


def key_of(snapshot: Snapshot, index: int) -> str:
    """A key that identifies an image within its project, whatever an export calls it."""
    image = snapshot.images[index]
    text = f"{image.id}/{image.path}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def size_and_hash(file: Path) -> tuple[int, str]:
    """How many bytes a file has, and their hash. OSError if it can't be read."""
    digest, size = hashlib.blake2b(digest_size=16), 0
    with open(file, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


class ExportFolder:
    """One export into `folder`; `project` identifies the project, "" for an export that leaves no list.

    Used in this order: `pictures_of`, then inside `part()`: write into the folder it yields, `copy`, `put`.
    """

    def __init__(self, folder: Path, project: str) -> None:
        self.folder, self.project = folder, project
        self.known = _read_list(folder, project) if project else {}
        self._copies = dict[str, list[str]]()  # places where copies of each image may be
        for path, ours in self.known.items():
            for image in set().union(*ours.values()):
                self._copies.setdefault(image, []).append(path)
        self._stay = dict[str, Ours]()  # copies of images that are up to date
        self._found = dict[str, tuple[int, int] | None]()  # what was found at the places of images
        self._new = dict[str, Ours]()
        self._left_there = set[str]()  # of an earlier export, and reported

    def pictures_of(
        self, snapshot: Snapshot, places: tuple[str, ...], taken: list[int], copies: bool, report: Report
    ) -> list[ImageCopy]:
        """The image files to copy, those that are not in place yet. Nothing is written.

        Without `copies` only those that the last export copied: they follow their labels. WorkbenchError if this would
        overwrite an image file that no export of the project wrote, or that was changed since.
        """
        found, foreign = list[ImageCopy](), list[str]()
        for index in taken:
            place, image = places[index], key_of(snapshot, index)
            source = self._source(snapshot.files[index], image, copies)
            if source is None:
                if copies:
                    sentence = f"The image file {snapshot.files[index]} is missing, so it was not copied."
                    report.say("refused", place, sentence, kind="missing images")
                continue
            target = resolve_inside(self.folder, place)
            self._found[place] = _stamp(target)
            if self._found[place] is None:
                found.append(ImageCopy(place, source, image))
                continue
            if os.path.isdir(target):
                foreign.append(place)
                continue
            version = self._left(place)
            is_same = os.path.exists(target) and (
                target.samefile(source) or (version or size_and_hash(target)) == size_and_hash(source)
            )
            if is_same and version is not None:
                self._stay[place] = {version: {image}}
            elif not is_same and version is not None:
                found.append(ImageCopy(place, source, image))
            elif not is_same:
                foreign.append(place)
        if foreign:
            these = "It is" if len(foreign) == 1 else f"It and {len(foreign) - 1:,} more are"
            raise WorkbenchError(
                f"{self.folder / foreign[0]} would be overwritten by another picture. {these} not as an export of this"
                " project left it, so nothing was written. Choose a new folder, or move away what is there."
            )
        return found

    def _source(self, file: Path, image: str, copies: bool) -> Path | None:
        """The file to copy from: the photograph or, if it is missing or not to be copied, our own last copy."""
        if copies and os.path.isfile(file):
            return file
        for path in self._copies.get(image, ()):
            version = self._left(path)
            if version is not None and image in self.known[path][version]:
                return self.folder / path
        return None

    def _left(self, path: str) -> tuple[int, str] | None:
        """The content of the file at `path` if it is ours and nobody has changed it since."""
        ours, file = self.known.get(path), self.folder / path
        with contextlib.suppress(OSError, WorkbenchError):
            if ours is None or os.path.islink(file) or file.stat().st_size not in {size for size, _ in ours}:
                return None
            resolve_inside(self.folder, path)
            version = size_and_hash(file)
            return version if version in ours else None
        return None

    @contextlib.contextmanager
    def part(self) -> Iterator[Path]:
        """A new hidden folder in this one to write into; always removed at the end. Errors name this folder."""
        is_new = not os.path.exists(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in os.listdir(self.folder):
                if _is_part(name):
                    shutil.rmtree(self.folder / name, ignore_errors=True)
            part = Path(tempfile.mkdtemp(_PART_END, _PART, self.folder))
        except OSError as error:
            raise _not_written(self.folder, error) from error
        try:
            yield part
        except WorkbenchError as error:
            if str(part) not in error.sentence:
                raise
            raise WorkbenchError(error.sentence.replace(str(part), str(self.folder)), error.cause) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
            if is_new:
                with contextlib.suppress(OSError):
                    self.folder.rmdir()  # if the export failed

    def copy(self, picture: ImageCopy, part: Path) -> None:
        """Copy an image file into `part`."""
        digest, size = hashlib.blake2b(digest_size=16), 0
        with contextlib.ExitStack() as stack:
            try:
                source = stack.enter_context(open(picture.source, "rb"))
            except OSError as error:
                raise _not_read(picture.source, error) from error
            temporary = stack.enter_context(atomic_path(part / picture.place, sync=False))
            target = stack.enter_context(open(temporary, "xb"))
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                target.write(chunk)
        self._new[picture.place] = {(size, digest.hexdigest()): {picture.image}}

    def put(self, part: Path, format: str, keep_images: bool, report: Report) -> int:
        """Move everything in `part` to its place; then remove what the last export wrote and this one did not.

        Returns how many were removed. `keep_images`: images are not. What others have changed stays and is reported.
        """
        names = sorted(file.relative_to(part).as_posix() for file in _files(part))
        parents = {str(PurePosixPath(name).parent) for name in names} - {"."}
        for parent in parents:
            resolve_inside(self.folder, parent)
        try:
            for name in names:
                if name not in self._new:
                    self._new[name] = {size_and_hash(part / name): set()}
                if os.path.isdir(self.folder / name):
                    raise WorkbenchError(f"{self.folder / name} is a folder. Choose a new folder, or move it away.")
            sync_all()
            self._tell_changed(report)
            self._write_list(format, {name: self._both(name) for name in {*self.known, *self._new}})
            for parent in parents:
                (self.folder / parent).mkdir(parents=True, exist_ok=True)
            for name in names:
                target = self.folder / name
                if name in self._found and _stamp(target) != self._found[name]:
                    raise WorkbenchError(f"{target} was changed while images were being copied. Export again.")
                retry_while_in_use(os.replace, part / name, target)
        except OSError as error:
            raise _not_written(self.folder, error) from error
        removed = self._remove_old(keep_images, report)
        sync_all()
        self._write_list(format, self._stay | self._new)
        return removed

    def _both(self, name: str) -> Ours:
        """The contents that the file at this place may have until the export is done."""
        was, new = self.known.get(name, {}), self._new.get(name, {})
        return {version: was.get(version, set()) | new.get(version, set()) for version in {*was, *new}}

    def _tell_changed(self, report: Report) -> None:
        """Report the files about to be replaced that are not as we left them."""
        for name, ours in self._new.items():
            file = self.folder / name
            if os.path.exists(file) and self._left(name) is None and size_and_hash(file) not in ours:
                what = "was changed since the last export" if name in self.known else "is of no export of this project"
                report.say("warning", name, f"The file that was here {what}; it was replaced.")

    def _remove_old(self, keep_images: bool, report: Report) -> int:
        now = {folded(name): name for name in {*self._new, *self._stay}}
        removed = 0
        for name in sorted(self.known.keys() - self._new.keys() - self._stay.keys()):
            file = self.folder / name
            if not os.path.lexists(file):
                continue
            if folded(name) in now and file.samefile(self.folder / now[folded(name)]):
                continue  # a disk on which a.jpg and A.jpg are the same file
            if keep_images and is_image(name):
                continue
            why = "was changed since" if self._left(name) is None else self._unlink(file)
            removed += not why
            if why:
                self._left_there.add(name)
                sentence = f"It is left over from an earlier export, but {why}, so it was not removed. Move it away."
                report.say("warning", name, sentence, kind="left over from an earlier export, not removed")
        return removed

    def _unlink(self, file: Path) -> str:
        """Remove a file and the folders it leaves empty; returns why that failed, or ""."""
        try:
            file.unlink()
        except OSError as error:
            return f"can't be removed ({error.strerror or error})"
        with contextlib.suppress(OSError):
            while (file := file.parent) != self.folder:
                file.rmdir()
        return ""

    def tell_foreign(self, snapshot: Snapshot, places: tuple[str, ...], report: Report) -> None:
        """Warn about files that are not ours and that programs would read together with what was written."""
        written = [PurePosixPath(name) for name in self._new if not is_image(name)]
        suffixes = {path.suffix.lower() for path in written} - {""}
        tops = {path.parts[0] if len(path.parts) > 1 else "" for path in written if path.suffix.lower() == ".txt"}
        folders, placed = {PurePosixPath(place).parent for place in places}, frozenset(places)
        own = {os.path.realpath(file) for file in snapshot.files} if photographs_below(snapshot, self.folder) else set()
        for file in sorted(_files(self.folder)):
            name = file.relative_to(self.folder).as_posix()
            path = PurePosixPath(name)
            if name in self._new or name in self._stay or name in self._left_there:
                continue
            if is_image(name):
                if path.parent in folders and name not in placed and os.path.realpath(file) not in own:
                    sentence = "It is not from this export: programs may take it for an image without objects."
                    report.say("warning", name, sentence)
            elif path.suffix.lower() in suffixes:
                top = path.parts[0] if len(path.parts) > 1 else ""
                if path.suffix.lower() != ".txt" or top in tops:  # texts elsewhere are for people to read
                    sentence = "It is not from this export: programs may read it together with what was written."
                    report.say("warning", name, sentence)

    def _write_list(self, format: str, files: dict[str, Ours]) -> None:
        if not self.project:
            return
        record = {
            "about": "What Workbench wrote into this folder. Its next export here removes what no longer belongs.",
            "version": _VERSION,
            "project": self.project,
            "format": format,
            "files": {name: [[*version, *sorted(images)] for version, images in sorted(ours.items())]
                      for name, ours in sorted(files.items())},
        }  # fmt: skip
        atomic_write(self.folder / LIST, json.dumps(record, indent=0) + "\n")


def is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def _read_list(folder: Path, project: str) -> dict[str, Ours]:
    """Our files by the list; empty if it is missing, another project's or damaged: then all files count as foreign."""
    try:
        record: Any = json.loads((folder / LIST).read_bytes())
        if record["version"] != _VERSION or record["project"] != project:
            return {}
        found = dict[str, Ours]()
        for name, values in record["files"].items():
            inner_parts(name)
            found[name] = {(int(size), str(hash)): set(map(str, images)) for size, hash, *images in values}
        return found
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, WorkbenchError):
        return {}


def _is_part(name: str) -> bool:
    return name.startswith(_PART) and name.endswith(_PART_END)


def _files(folder: Path) -> Iterator[Path]:
    """All files in `folder` and below, without hidden folders and without `LIST`."""
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(base, name) for name in names if name != LIST)


def _stamp(file: Path) -> tuple[int, int] | None:
    """What tells a file's versions apart; None where nothing is, not even a dangling link."""
    with contextlib.suppress(OSError):
        return stamp(file)
    return (-1, -1) if os.path.lexists(file) else None


def _not_written(folder: Path, error: OSError) -> WorkbenchError:
    return WorkbenchError(f"{folder} could not be written: {error.strerror or error}. Export again.", error)


def _not_read(file: Path, error: OSError) -> WorkbenchError:
    reason = f"The image file {file} can't be read ({error.strerror or error}), so nothing was exported."
    return WorkbenchError(f"{reason} Check its permissions, or export without copying the images.", error)
