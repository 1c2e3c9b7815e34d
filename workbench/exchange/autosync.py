"""Label files beside the images, kept up to date for other programs that use them: YOLO txt or Pascal VOC XML.

They lie where those programs look: in `labels/` for images below a folder `images/` (for VOC in `Annotations/` for
`JPEGImages/`), else next to each image. A file that another program has changed is never overwritten: it is reported,
and an import shows what differs. Label numbers are those of the data set's own list, if any (label_numbers.py).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from workbench import formats
from workbench.core import edits, formatting
from workbench.core.document import Document
from workbench.core.files import atomic_write, stamp
from workbench.core.project import AUTOSYNC, Image, Snapshot
from workbench.core.store import FILE, Store
from workbench.errors import WorkbenchError
from workbench.exchange import content_hash, origins
from workbench.exchange.label_numbers import NumberedSnapshot, number_labels
from workbench.exchange.origins import Archives
from workbench.exchange.unedited_files import is_as_it_came
from workbench.formats import Source, SupportsImageText
from workbench.formats.parts.layout import is_labelled
from workbench.formats.parts.yolo_names import applicable_names

FORMATS = {"yolo": ".txt", "voc": ".xml"}
_FOLDERS = {"yolo": ("images", "labels"), "voc": ("jpegimages", "Annotations")}
NAMES = "classes.txt"
"""From which labelImg and others read the names of the labels in YOLO files, in order."""


@dataclass(frozen=True, slots=True)
class SyncedFile:
    """A file as we left it: path, content (content_hash.py), hash of its bytes, size and time.

    `image`: the one it describes, 0 for a list of labels. `ours`: we wrote these bytes; else they were already correct.
    """

    file: Path
    content: bytes
    hash: bytes
    size: int
    time: int  # ns
    image: int
    ours: bool


_COLUMNS = "file, content, hash, size, time, image, ours"


@dataclass(slots=True)
class SyncResult:
    """What an update did. `foreign` were changed by others and left alone; `failed` could not be written.

    `unlisted`: by the data set's list of names, the labels it lacks, with how many files were not written because of
    that. `sharing`: images whose label file belongs to another image that differs only in its suffix.
    `written` and `gone` are for `remember`.
    """

    written: list[SyncedFile] = field(default_factory=list)
    gone: list[Path] = field(default_factory=list)
    files: int = 0  # written or removed now
    current: int = 0  # correct already
    foreign: list[Path] = field(default_factory=list)
    failed: list[Path] = field(default_factory=list)
    unlisted: dict[Path, dict[str, int]] = field(default_factory=dict)
    sharing: list[Path] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        parts = [f"{formatting.count(self.files, 'label file')} written beside the images"]
        parts += [f"{self.current:,} were up to date"] if self.current else []
        parts += [f"{len(self.foreign):,} changed by another program left alone"] if self.foreign else []
        parts += [f"{len(self.failed):,} could not be written"] if self.failed else []
        for file, lacking in self.unlisted.items():
            names = ", ".join(f"'{name}'" for name in list(lacking)[:3])
            files = f"{max(lacking.values()):,} or more" if len(lacking) > 1 else f"{max(lacking.values()):,}"
            parts.append(f"{files} not written, because {file.name} does not list {names}: add it there")
        if self.sharing:
            parts.append(
                f"{formatting.count(len(self.sharing), 'image')} without one, because another image has its name"
            )
        return f"{'; '.join(parts)}."


def chosen_format(document: Document) -> str:
    """The format that is kept up to date beside the images, "" for none."""
    value = document.setting(AUTOSYNC, "")
    return value if value in FORMATS else ""


def choose_format(document: Document, format: str) -> None:
    """Keep this format beside the images from now on; "" for none. Not an edit, so undo does not revert it."""
    if format and format not in FORMATS:
        raise WorkbenchError(f"Only {' and '.join(FORMATS)} can be kept beside the images, not '{format}'.")
    with document.store.transaction() as connection:
        edits.ChangeSetting(AUTOSYNC, format).apply(connection)


def label_file_of(image: Path, format: str) -> Path:
    """Where the label file of this image file lies."""
    marked, instead = _FOLDERS[format]
    parts = list(image.parts)
    for at in range(len(parts) - 2, 0, -1):
        if parts[at].lower() == marked:
            parts[at] = instead
            break
    return Path(*parts).with_suffix(FORMATS[format])


def data_set_of(file: Path) -> Path:
    """The folder to import in order to read this label file with its images and its list of labels."""
    for folder in file.parents:
        if folder.name.lower() in {instead.lower() for _, instead in _FOLDERS.values()}:
            return folder.parent
    return file.parent


def update_files(project: Path, format: str, snapshot: Snapshot) -> SyncResult:
    """Write the label files of the snapshot's images that are out of date; any thread. `project`: the project's folder.

    Files of images that are no longer labelled are removed if they are still as we left them.
    """
    with Store(project / FILE, read_only=True, check=False) as store, Archives(project / origins.FOLDER) as archives:
        work = _Update(project, store, archives, format, snapshot)
        for index in range(len(snapshot)):
            work.image(index)
        work.end()
    return work.done


def remember(document: Document, synced: SyncResult) -> None:
    """Record in the project how the files were left; call it in the document's thread."""
    if document.read_only or not (synced.written or synced.gone):
        return
    rows = [
        (_kept(document.folder, w.file), w.content, w.hash, w.size, w.time, w.image, int(w.ours))
        for w in synced.written
    ]
    gone = [(_kept(document.folder, file),) for file in synced.gone]
    with document.store.transaction() as connection:
        connection.executemany("DELETE FROM written WHERE file = ?", gone)
        connection.executemany(f"INSERT OR REPLACE INTO written ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def foreign(project: Path) -> tuple[Path, ...]:
    """The files that others have changed since we wrote them; any thread. Missing files are not included."""
    with Store(project / FILE, read_only=True, check=False) as store:
        rows = store.rows(f"SELECT {_COLUMNS} FROM written")
    known = [_written(project, row) for row in rows]
    return tuple(one.file for one in known if os.path.isfile(one.file) and not _is_as_left(one))


class SidecarFiles:
    """What the program itself wrote beside the images in a format; used by an import that reads these files.

    `names`: the lists of labels to which numbers in YOLO files may refer.
    """

    def __init__(self, document: Document, format: str, names: Sequence[Sequence[str]]) -> None:
        rows = document.store.rows(f"SELECT {_COLUMNS} FROM written WHERE image > 0") if format in FORMATS else []
        written = [_written(document.folder, row) for row in rows]
        self._written = {one.file: one for one in written if one.file.suffix == FORMATS.get(format)}
        self._ends = [_listed(one) for one in names] if format == "yolo" else [b"", b"from 0"]

    def look(self, file: Path, image: int, content: bytes) -> tuple[bool, bool] | None:
        """Whether the file is as we left it, and whether the image of this id, now `content`, is as it was then.

        None for a file that we know nothing about.
        """
        was = self._written.get(file)
        if was is None or was.image != image:
            return None
        now = {_hash(content + end) if end else content for end in self._ends}
        return _is_as_left(was), was.content in now


def _kept(project: Path, file: Path) -> str:
    """The path as the project's file stores it: relative, so that images and project can be moved together."""
    try:
        return Path(os.path.relpath(file, project)).as_posix()
    except ValueError:  # another drive
        return str(file)


def _written(project: Path, row: Sequence[Any]) -> SyncedFile:
    name, content, digest, size, time, image, ours = row
    return SyncedFile(Path(os.path.normpath(project / name)), content, digest, size, time, image, bool(ours))


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


class _Update:
    """One update; `done` is the result so far."""

    def __init__(self, project: Path, store: Store, archives: Archives, format: str, snapshot: Snapshot) -> None:
        self.project, self.store, self.archives = project, store, archives
        self.format, self.snapshot = format, snapshot
        self.writer = cast(SupportsImageText, formats.load_all().get(format))
        self.cannot = formats.load_all().get(format).cannot_store
        self.roots = {
            row[0]: Path(os.path.normpath(project / row[1])) for row in store.rows("SELECT id, path FROM root")
        }
        self.own = number_labels(snapshot, tuple(" ".join(label.name.split()) for label in snapshot.labels))
        self.folders: dict[Path, NumberedSnapshot | None] = {}  # None: its list of labels could not be written
        self.lists: dict[tuple[str, ...], NumberedSnapshot] = {}
        self.rulings: dict[Path, Path] = {}
        self.now: dict[Path, SyncedFile] = {}  # lists of labels written in this update
        self.from_zero = self.folders_from_zero() if format == "voc" else frozenset()
        self.done = SyncResult()

    def image(self, index: int) -> None:
        image, picture = self.snapshot.images[index], self.snapshot.files[index]
        file = label_file_of(picture, self.format)
        if (self.format == "yolo" and file.name.lower() == NAMES) or self.belongs_to_another(image, picture):
            self.done.sharing.append(picture)
            return
        was = self.known(file)
        if not is_labelled(self.snapshot, index):
            if was is not None:
                self.take_away(was, image.id)
            return
        if not os.path.isdir(picture.parent) or not (image.width and image.height):
            return  # its disk is not connected, or it can't be read
        content, snapshot, base = content_hash.of_image(self.snapshot, index, self.cannot), self.snapshot, 1
        if self.format == "yolo":
            by = self.numbered(file.parent, self.roots.get(image.root, picture.parent))
            if by is None or self.lacks(by, file.parent, index):
                return
            content, snapshot = _hash(content + _listed(by.names)), by.snapshot  # label numbers are part of the content
        elif file.parent in self.from_zero:
            content, base = _hash(content + b"from 0"), 0
        if was is not None and was.content == content and _is_as_left(was):
            self.done.current += 1
            return
        place = f"{picture.parent.name}/{picture.name}"
        text = self.writer.text(snapshot, index, place, **({"base": base} if base != 1 else {})).encode()
        came, unedited = self.imported(snapshot, index, base)
        self.write(file, content, text if unedited is None else unedited, came, image.id)

    def belongs_to_another(self, image: Image, picture: Path) -> bool:
        """Whether an older image of the project has the same label file, as a.jpg and a.png do."""
        asked = "SELECT min(id) FROM image WHERE root = ? AND path > ? AND path < ? AND instr(substr(path, ?), '.') = 0"
        whole = picture.with_suffix("")
        for root, folder in self.roots.items():
            if whole.is_relative_to(folder):
                stem = whole.relative_to(folder).as_posix()
                first = self.store.rows(asked, root, f"{stem}.", f"{stem}/", len(stem) + 2)[0][0]
                if first is not None and int(first) < image.id:
                    return True
        return False

    def folders_from_zero(self) -> frozenset[Path]:
        """Folders of imported files that count pixels from 0: what is written beside them must do so, too."""
        asked = (
            "SELECT DISTINCT image.root, image.path FROM imported JOIN origin ON origin.id = imported.origin"
            " JOIN image ON image.id = imported.image WHERE origin.format = ? AND origin.base = 0"
        )
        rows = self.store.rows(asked, self.format)
        return frozenset(label_file_of(self.roots[root] / path, self.format).parent for root, path in map(tuple, rows))

    def known(self, file: Path) -> SyncedFile | None:
        if file in self.now:
            return self.now[file]
        rows = self.store.rows(f"SELECT {_COLUMNS} FROM written WHERE file = ?", _kept(self.project, file))
        return _written(self.project, rows[0]) if rows else None

    def imported(self, snapshot: Snapshot, index: int, base: int) -> tuple[bytes | None, bytes | None]:
        """The image's file from the newest import of this format, and a file of what the project says now."""
        id, source = snapshot.images[index].id, Source(Path(), snapshot.files[index].name)
        came = unedited = None
        for origin in self.store.read(lambda connection: origins.read(connection, id)).get(id, ()):
            data = self.archives.bytes_of(origin) if origin.format == self.format and origin.file else None
            if data is None:
                continue
            if came is None and origin.is_done:
                came = data
            is_true = origin.base in (None, base) and is_as_it_came(origin, snapshot, index, source, copied=True)
            if unedited is None and is_true:
                unedited = data
        return came, unedited

    def numbered(self, folder: Path, root: Path) -> NumberedSnapshot | None:
        """The labels with the numbers valid in this folder; None if its classes.txt can't be kept correct.

        That is written where it is missing or ours; a list made by another program takes precedence.
        """
        if folder not in self.folders:
            file = folder / NAMES
            rules = applicable_names(folder, root, self.is_ours)
            by = self.own
            if rules is not None and rules.names != self.own.names:
                self.rulings[folder] = rules.file
                by = self.lists.setdefault(rules.names, number_labels(self.snapshot, rules.names))
            before = len(self.done.foreign) + len(self.done.failed)
            if by.names:
                self.write(file, _hash(_listed(by.names)), _listed(by.names), None, 0)
            is_right = len(self.done.foreign) + len(self.done.failed) == before
            self.folders[folder] = by if is_right else None
        return self.folders[folder]

    def is_ours(self, file: Path) -> bool:
        was = self.known(file)
        return was is not None and was.ours and _is_as_left(was)

    def end(self) -> None:
        """Remove lists of labels whose folder has no label file left: nothing would keep them up to date."""
        for folder in {file.parent for file in self.done.gone} if self.format == "yolo" else ():
            was, before = self.known(folder / NAMES), self.done.files
            if was is not None and was.ours and _is_as_left(was) and not _has_labels(folder):
                self.take_away(was, 0)
                self.done.files = before  # counts only the files of images

    def lacks(self, by: NumberedSnapshot, folder: Path, index: int) -> bool:
        """Whether the folder's list lacks a label of the image; if so, that is reported."""
        lacking = by.lacks(self.snapshot, index) if by is not self.own else ()
        for name in lacking:
            lacking_names = self.done.unlisted.setdefault(self.rulings[folder], {})
            lacking_names[name] = lacking_names.get(name, 0) + 1
        return bool(lacking)

    def write(self, file: Path, content: bytes, text: bytes, came: bytes | None, image: int) -> None:
        """`came`: what the newest import read there. `image`: see SyncedFile."""
        try:
            there = file.read_bytes() if os.path.exists(file) else None
            was = self.known(file)
            known = was.hash if was is not None else None if came is None else _hash(came)
            may_write = there is None or _hash(there) == known
            if may_write and there is not None and there != text and not (was and was.ours):
                may_write = not (self.format == "yolo" and image and _says_more(there))
            if not may_write and there is not None and not _same_lines(there, text):
                self.done.foreign.append(file)
                return
            writes = may_write and there != text
            if writes:
                atomic_write(file, text, sync=False)
            self.done.files += writes and image > 0
            self.done.current += not writes and image > 0
            left = _hash(text if writes or there is None else there)
            is_ours = writes or (was is not None and was.ours and was.image == image and was.hash == left)
            written = SyncedFile(file, content, left, *stamp(file), image, is_ours)
            self.done.written.append(written)
            if not image:
                self.now[file] = written
        except (OSError, WorkbenchError):
            self.done.failed.append(file)

    def take_away(self, was: SyncedFile, image: int) -> None:
        """Remove a file, unless we did not write it or its image is no longer in the project."""
        try:
            stamp(was.file)
            if not _is_as_left(was) or not was.ours or was.image != image:
                self.done.foreign.append(was.file)
                if not (was.ours and was.image == image):
                    self.done.gone.append(was.file)
                return
            was.file.unlink()
            self.done.files += 1
        except OSError as error:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                self.done.failed.append(was.file)
                return
        self.done.gone.append(was.file)


def _is_as_left(was: SyncedFile) -> bool:
    try:
        return stamp(was.file) == (was.size, was.time) or _hash(was.file.read_bytes()) == was.hash
    except OSError:
        return False


def _has_labels(folder: Path) -> bool:
    try:
        return any(file.suffix.lower() == ".txt" and file.name != NAMES for file in folder.iterdir())
    except OSError:
        return True


def _listed(names: Sequence[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()


def _says_more(data: bytes) -> bool:
    """Whether a YOLO file has lines with more than a label and four numbers: outlines, track ids, confidences."""
    return any(len(line.split()) > 5 for line in data.splitlines())


def _same_lines(a: bytes, b: bytes) -> bool:
    """Whether two files differ only in their line endings."""
    return a.replace(b"\r\n", b"\n").rstrip(b"\n") == b.replace(b"\r\n", b"\n").rstrip(b"\n")
