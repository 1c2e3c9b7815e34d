"""Label files beside the images, kept up to date for people who use other programs on them: YOLO txt or Pascal VOC XML.

They lie where those programs look: in `labels/` for images below a folder `images/` (for VOC in `Annotations/` for
`JPEGImages/`), else next to each image. A file that another program has changed is never overwritten: it is told, and
an import shows what is different. Images themselves are never touched.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

from workbench import formats
from workbench.core import edits, words
from workbench.core.document import Document
from workbench.core.files import atomic_write, stamp
from workbench.core.project import AUTOSYNC, Image, Snapshot
from workbench.core.store import FILE, Store
from workbench.errors import WorkbenchError
from workbench.exchange import content, origins
from workbench.exchange.unedited import Archives, is_as_it_came
from workbench.formats import OneEach, Source
from workbench.formats.parts.layout import is_labelled

FORMATS = {"yolo": ".txt", "voc": ".xml"}
_FOLDERS = {"yolo": ("images", "labels"), "voc": ("jpegimages", "Annotations")}
NAMES = "classes.txt"
"""labelImg and others read the labels of YOLO files from it, in their order."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file as we left it: where, what it says (content.py), what its bytes are, how large and how old it is then."""

    file: Path
    content: bytes
    hash: bytes
    size: int
    time: int  # ns


@dataclass(slots=True)
class Synced:
    """What a bringing-up did. `foreign` were changed by others and left; `failed` could not be written.

    `sharing` are images whose label file belongs to another one of the same name but for its ending. `written` and
    `gone` are for `remember`.
    """

    written: list[Written] = field(default_factory=list)
    gone: list[Path] = field(default_factory=list)
    files: int = 0  # that were written or removed now
    current: int = 0  # that were right already
    foreign: list[Path] = field(default_factory=list)
    failed: list[Path] = field(default_factory=list)
    sharing: list[Path] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        told = [f"{words.count(self.files, 'label file')} written beside the images"]
        told += [f"{self.current:,} were up to date"] if self.current else []
        told += [f"{len(self.foreign):,} were changed by another program and left alone"] if self.foreign else []
        told += [f"{len(self.failed):,} could not be written"] if self.failed else []
        told += [f"{len(self.sharing):,} images have none, for another has their name"] if self.sharing else []
        return f"{'; '.join(told)}."


def chosen(document: Document) -> str:
    """The format that is kept beside the images, "" for none."""
    value = document.setting(AUTOSYNC, "")
    return value if value in FORMATS else ""


def choose(document: Document, format: str) -> None:
    """Keep this format beside the images from now on; "" for none. No edit, so undo does not take it back."""
    if format and format not in FORMATS:
        raise WorkbenchError(f"Only {' and '.join(FORMATS)} can be kept beside the images, not '{format}'.")
    with document.store.transaction() as connection:
        edits.ChangeSetting(AUTOSYNC, format).apply(connection)


def place(image: Path, format: str) -> Path:
    """Where the label file of this image file lies."""
    marked, instead = _FOLDERS[format]
    parts = list(image.parts)
    for at in range(len(parts) - 2, 0, -1):
        if parts[at].lower() == marked:
            parts[at] = instead
            break
    return Path(*parts).with_suffix(FORMATS[format])


def bring_up(project: Path, format: str, snapshot: Snapshot, stopped: Callable[[], bool] = lambda: False) -> Synced:
    """Write what is not up to date of the snapshot's images; any thread. `project` is their project's folder.

    Files of images that are labelled no longer go, if they are still as we left them.
    """
    with Store(project / FILE, read_only=True, check=False) as store, Archives(project / origins.FOLDER) as archives:
        work = _Work(project, store, archives, format, snapshot)
        for index in range(len(snapshot)):
            if stopped():
                break
            work.image(index)
    return work.done


def remember(document: Document, synced: Synced) -> None:
    """Note in the project how the files were left; in its own thread."""
    if document.read_only or not (synced.written or synced.gone):
        return
    rows = [(_kept(document.folder, w.file), w.content, w.hash, w.size, w.time) for w in synced.written]
    gone = [(_kept(document.folder, file),) for file in synced.gone]
    with document.store.transaction() as connection:
        connection.executemany("DELETE FROM written WHERE file = ?", gone)
        connection.executemany("INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?, ?)", rows)


def foreign(project: Path) -> tuple[Path, ...]:
    """The files that others have changed since we wrote them; any thread. A file that is gone is not one of them."""
    with Store(project / FILE, read_only=True, check=False) as store:
        rows = store.rows("SELECT file, content, hash, size, time FROM written")
    known = [_written(project, row) for row in rows]
    return tuple(one.file for one in known if one.file.is_file() and not _is_as_left(one))


def _kept(project: Path, file: Path) -> str:
    """As the project's file has it: relative, so that images and project can be moved together."""
    try:
        return Path(os.path.relpath(file, project)).as_posix()
    except ValueError:  # another drive
        return str(file)


def _written(project: Path, row: Sequence[Any]) -> Written:
    name, said, digest, size, time = row
    return Written(Path(os.path.normpath(project / name)), said, digest, size, time)


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


class _Work:
    """One bringing-up; `done` is what came of it so far."""

    def __init__(self, project: Path, store: Store, archives: Archives, format: str, snapshot: Snapshot) -> None:
        self.project, self.store, self.archives = project, store, archives
        self.format, self.snapshot = format, snapshot
        self.writer = cast(OneEach, formats.load_all().get(format))
        self.cannot = formats.load_all().get(format).cannot_store
        self.names = "".join(f"{' '.join(label.name.split())}\n" for label in snapshot.labels).encode()
        self.folders: dict[Path, bool] = {}
        self.done = Synced()

    def image(self, index: int) -> None:
        image, picture = self.snapshot.images[index], self.snapshot.files[index]
        file = place(picture, self.format)
        if self.belongs_to_another(image):
            self.done.sharing.append(picture)
            return
        was = self.known(file)
        if not is_labelled(self.snapshot, index):
            if was is not None:
                self.take_away(was)
            return
        if not picture.parent.is_dir() or not (image.width and image.height):
            return  # its disk is away, or it can't be read
        said = content.of_image(self.snapshot, index, self.cannot)
        if self.format == "yolo":
            said = _hash(said + self.names)  # numbers of labels are part of what it says
            if not self.are_names_right(file.parent):
                return
        if was is not None and was.content == said and _is_as_left(was):
            self.done.current += 1
            return
        text = self.writer.text(self.snapshot, index, f"{picture.parent.name}/{picture.name}").encode()
        came, unedited = self.imported(index)
        self.write(file, said, text if unedited is None else unedited, came)

    def belongs_to_another(self, image: Image) -> bool:
        """Whether an older image of the project would have the same label file: a.jpg and a.png."""
        stem = image.path[: len(image.path) - len(PurePosixPath(image.path).suffix)]
        asked = "SELECT min(id) FROM image WHERE root = ? AND path > ? AND path < ? AND instr(substr(path, ?), '.') = 0"
        first = self.store.rows(asked, image.root, f"{stem}.", f"{stem}/", len(stem) + 2)
        return first[0][0] is not None and int(first[0][0]) < image.id

    def known(self, file: Path) -> Written | None:
        rows = self.store.rows(
            "SELECT file, content, hash, size, time FROM written WHERE file = ?", _kept(self.project, file)
        )
        return _written(self.project, rows[0]) if rows else None

    def imported(self, index: int) -> tuple[list[bytes], bytes | None]:
        """The files that imports of this format brought of the image, and the one that says what the project says."""
        id, source = self.snapshot.images[index].id, Source(Path(), self.snapshot.files[index].name)
        came, unedited = list[bytes](), None
        for origin in self.store.read(lambda connection: origins.read(connection, id)).get(id, ()):
            data = self.archives.bytes_of(origin) if origin.format == self.format and origin.file else None
            if data is not None:
                came.append(data)
                if unedited is None and is_as_it_came(origin, self.snapshot, index, source, copied=True):
                    unedited = data
        return came, unedited

    def are_names_right(self, folder: Path) -> bool:
        """Whether the folder's classes.txt has the project's labels; it is written where it is missing or ours."""
        if folder not in self.folders:
            before = len(self.done.foreign) + len(self.done.failed)
            self.write(folder / NAMES, _hash(self.names), self.names, (), counts=False)
            self.folders[folder] = len(self.done.foreign) + len(self.done.failed) == before
        return self.folders[folder]

    def write(self, file: Path, said: bytes, text: bytes, came: Sequence[bytes], counts: bool = True) -> None:
        """`came`: what imports have read there."""
        try:
            there = file.read_bytes() if file.exists() else None
            was = self.known(file)
            is_ours = there is None or there in came or (was is not None and _hash(there) == was.hash)
            if not is_ours and there is not None and not _same_lines(there, text):
                self.done.foreign.append(file)
                return
            if is_ours and there != text:
                atomic_write(file, text, sync=False)
                self.done.files += counts
            else:
                self.done.current += counts
            left = _hash(text if is_ours or there is None else there)
            self.done.written.append(Written(file, said, left, *stamp(file)))
        except (OSError, WorkbenchError):
            self.done.failed.append(file)

    def take_away(self, was: Written) -> None:
        if was.file.exists():
            if not _is_as_left(was):
                self.done.foreign.append(was.file)
                return
            try:
                was.file.unlink()
            except OSError:
                self.done.failed.append(was.file)
                return
            self.done.files += 1
        self.done.gone.append(was.file)


def _is_as_left(was: Written) -> bool:
    try:
        return stamp(was.file) == (was.size, was.time) or _hash(was.file.read_bytes()) == was.hash
    except OSError:
        return False


def _same_lines(a: bytes, b: bytes) -> bool:
    """Whether two files differ in the ends of their lines only."""
    return a.replace(b"\r\n", b"\n").rstrip(b"\n") == b.replace(b"\r\n", b"\n").rstrip(b"\n")
