"""Describes a folder's images for a project: size and orientation from each header, or what is wrong.

A folder of 100,000 images is listed in a second, but reading its headers takes a minute, so a new project takes the
names first (`add_names`) and the headers afterwards (`save_headers`).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core.decoding.image_files import crash_sentence, open_image_file
from workbench.core.files import scan_images
from workbench.core.folders import roots
from workbench.core.project import Image
from workbench.core.storage.rows import IMAGE_COLUMNS
from workbench.errors import Refused, WorkbenchError

if TYPE_CHECKING:
    from workbench.core.decoding.image_header import ImageHeader


TRIED = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
"""How JPEG and PNG begin: their decoders are widely exposed to damaged files. None of 10,000 damaged ones each, nor of
TIFF, WebP, GIF and BMP, crashed a process (tests/promises/test_image_fuzz.py), but for the latter that proves less."""


def describe(folder: Path, root: int, known: Collection[str] = ()) -> Iterator[Image]:
    """Images of `folder` and below (id 0, to be added) in natural order, without those whose path is `known`.

    A file whose header can't be read is described, too, with its `problem`, so that it is not silently lost.
    """
    with ImageDescriber() as describe_one:
        for name in roots.new_files(folder, scan_images(folder), known):
            yield describe_one(folder / name, name, root)


class ImageDescriber:
    """Describes files that nobody opened yet: `with ImageDescriber() as describe_one: describe_one(file, name, root)`.

    Files other than JPEG and PNG are decoded in a child process, because some crash it (0.3 s for the first of them).
    """

    def __enter__(self) -> ImageDescriber:
        from workbench.core.decoding.image_check import ImageChecker

        self._checker = ImageChecker()
        return self

    def __exit__(self, *_: object) -> None:
        self._checker.close()

    def __call__(self, file: Path, name: str, root: int) -> Image:
        """One image; never raises for a bad file."""
        image = Image(id=0, path=name, root=root)
        if _is_tried(file):
            return with_header(image, file)
        checked = self._checker.check(file)
        return _with(image, file, checked.info) if checked.info else replace(image, problem=checked.problem)


def describe_one(file: Path, name: str, root: int) -> Image:
    """One image, by its header, in this process; never raises for a bad file."""
    return with_header(Image(id=0, path=name, root=root), file)


def with_header(image: Image, file: Path, prove: bool = False) -> Image:
    """`image` with what its header says; never raises for a bad file. One that ended a process is not read again.

    `prove`: also decode files other than JPEG and PNG, so that the process that shows them is not the first to do so.
    """
    from workbench.core import images  # loads cv2, for which the window should not wait

    if image.problem and image.problem == crash_sentence(file):
        return image
    try:
        info = images.info(file)
        image = replace(_with(image, file, info), problem="")
        if prove and info.format not in ("JPEG", "PNG") and not info.is_huge:
            images.read(file)
    except WorkbenchError as error:
        return replace(image, problem=getattr(error, "reason", error.sentence))
    return image


def _with(image: Image, file: Path, info: ImageHeader) -> Image:
    with contextlib.suppress(OSError):
        image = replace(image, date=round(info.taken or file.stat().st_mtime, 3) or 0.001)  # 0: not known
    return replace(image, width=info.width, height=info.height, orientation=info.orientation)


def _is_tried(file: Path) -> bool:
    """Whether it is a JPEG or PNG, or can't be opened, so that there is nothing to decode."""
    try:
        with open_image_file(file) as stream:
            return stream.read(8).startswith(TRIED)
    except (OSError, Refused):
        return True


def save_headers(connection: sqlite3.Connection, images: Sequence[Image]) -> None:
    """Write the headers' values into the project; images that were removed meanwhile are passed over."""
    connection.executemany(
        "UPDATE image SET width = ?, height = ?, orientation = ?, problem = ?, date = ? WHERE id = ?",
        ((i.width, i.height, i.orientation, i.problem, i.date, i.id) for i in images),
    )


_UNLISTED = "unlisted root"


def set_unlisted_root(connection: sqlite3.Connection, root: int | None) -> None:
    """Note that the names of this root may not all be in the project yet; None removes that note."""
    connection.execute("DELETE FROM meta WHERE key = ?", (_UNLISTED,))
    if root is not None:
        connection.execute("INSERT INTO meta VALUES (?, ?)", (_UNLISTED, str(root)))


def unlisted_root(connection: sqlite3.Connection) -> int | None:
    """The root whose listing was interrupted, so that names may be missing from the project."""
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (_UNLISTED,)).fetchone()
    return int(found[0]) if found else None


Named = tuple[str, str]
"""A path and its natural key."""


def reserve_ids(connection: sqlite3.Connection, count: int) -> int:
    """Reserve `count` image ids; returns the first."""
    connection.execute(
        "INSERT INTO sqlite_sequence SELECT 'image', 0 WHERE 'image' NOT IN (SELECT name FROM sqlite_sequence)"
    )
    connection.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'image'", (count,))
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'image'").fetchone()
    return int(found[0]) - count + 1


def add_names(connection: sqlite3.Connection, root: int, names: Sequence[Named], first: int | None = None) -> int:
    """Add images of which only the names are known, to a project that has just been made. Returns how many were new.

    Their ids count from `first` (reserved before) in the order given. SQLite fetches the names through functions, which
    takes two thirds of the time of inserting row after row.
    """
    connection.create_function("next_path", 0, iter([path for path, _ in names]).__next__)
    connection.create_function("next_key", 0, iter([key for _, key in names]).__next__)
    return connection.execute(
        f"INSERT OR IGNORE INTO image ({IMAGE_COLUMNS})"
        " WITH RECURSIVE nth(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM nth LIMIT ?2)"
        " SELECT ?3 + n, ?1, next_path(), 0, 0, 'unlabelled', 'none', 1, '', '', 0, next_key() FROM nth WHERE ?2 > 0",
        (root, len(names), first),
    ).rowcount
