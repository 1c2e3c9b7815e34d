"""Where pictures to predict come from: files, folders, lists, patterns, videos and webcams, one picture at a time.

A picture that can't be read is passed on as `Skipped`, and the rest continues.
"""

from __future__ import annotations

import codecs
import contextlib
import glob
import os
import posixpath
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from workbench.core import images
from workbench.core.decoding import video as videos
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.decoding.video import is_video, printable
from workbench.core.files import IMAGE_SUFFIXES, SkippedFiles, walk_images
from workbench.errors import WorkbenchError
from workbench.inference.events import Skipped
from workbench.inference.pictures import standard_input
from workbench.inference.pictures.read_ahead import read_ahead
from workbench.inference.pictures.standard_input import STANDARD_INPUT

__all__ = [
    "Frame",
    "ListingEntry",
    "NumberedPicture",
    "Position",
    "SourceItem",
    "find_items",
    "is_video",
    "names_of_folders",
    "read",
]

LISTS = (".txt", ".lst")  # text files with a picture's path on each line
_PATTERN = re.compile(r"[*?\[]")
_NOT_TEXT = "its name is not valid text; rename it"


@dataclass(frozen=True, slots=True)
class SourceItem:
    """A picture or a video to predict. `name` is relative to the given folder.

    `place` is where its results go: a relative posix path without suffix (a video's keeps it). `problem`: why it can't
    be read, known from its name alone.
    """

    name: str
    place: str
    file: Path
    is_video: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture. A video's frames share their file's name."""

    name: str
    index: int  # among all pictures, or of the frame in its video
    image: NDArray[np.uint8]  # (H, W, 3) RGB, upright
    file: Path
    is_video: bool = False
    place: str = ""
    seconds: float = 0.0  # of a frame, from the start of the video


@dataclass(frozen=True, slots=True)
class ListingEntry:
    """The `number`-th item of a listing; its line is bytes `byte` to `after` of the file."""

    item: SourceItem
    number: int
    byte: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Position:
    """Where in a listing the next picture is: the byte and number of its entry, and the frame of a video."""

    byte: int = 0
    number: int = 0
    frame: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class NumberedPicture:
    """What was read, and where to continue after it."""

    read: Frame | Skipped
    item: SourceItem
    next: Position


def find_items(paths: Sequence[Path], pass_by: Callable[[Path], object] = lambda _: None) -> Iterator[SourceItem]:
    """All that `paths` name, in no particular order: images, folders (with folders within), videos, lists, patterns,
    and STANDARD_INPUT for a list there.

    Videos in folders are handed to `pass_by` and not opened, as a million photographs are not to wait for one; lists
    and patterns name videos. WorkbenchError if a path does not exist or is none of these by its name.
    """
    folders = names_of_folders(paths)
    for path in paths:
        if path == STANDARD_INPUT:
            yield from (_named(name, Path(name).absolute(), name) for name in standard_input.names())
        elif path.is_dir():
            yield from _of_folder(path, folders[path] + "/" if len(paths) > 1 else "", pass_by)
        elif _PATTERN.search(str(path)) and not path.exists():
            yield from _of_pattern(path)
        elif not path.exists():
            raise WorkbenchError(f"{printable(str(path))} does not exist. Check the name.")
        elif is_video(path):
            yield SourceItem(printable(path.name), printable(path.name), path, is_video=True)
        elif path.suffix.lower() in LISTS:
            yield from _of_list(path)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            yield _item(printable(path.name), path)
        else:
            raise WorkbenchError(f"{printable(str(path))} is neither a folder nor named like an image or a video.")


def names_of_folders(paths: Sequence[Path]) -> dict[Path, str]:
    """If several folders are given, the prefix of the names of each one's images; no two are alike."""
    names: dict[Path, str] = {}
    for path in (path for path in paths if path.is_dir()):
        name, count = printable(path.resolve().name) or "root", 1
        while path not in names and (own := name if count == 1 else f"{name}-{count}") in names.values():
            count += 1
        names.setdefault(path, own)
    return names


def _of_folder(folder: Path, before: str, pass_by: Callable[[Path], object]) -> Iterator[SourceItem]:
    """Yields what can't be read, because of its name or as a whole folder, as an item with a problem."""
    bad: list[SourceItem] = []

    class Walk(SkippedFiles):
        def skip_name(self, name: str) -> None:
            place = before + name
            bad.append(SourceItem(place, place, folder, problem=f"{place}: {_NOT_TEXT}"))

        def skip_folder(self, name: str, error: OSError) -> None:
            place = (before + name).rstrip("/") or printable(folder.name) or "root"
            why = f"{place}: this folder can't be read ({error.strerror or error}), so its images are missing; fix that"
            bad.append(SourceItem(place, place, folder, problem=f"{why} and start over with --fresh"))

        def other(self, name: str) -> None:
            if is_video(file := folder / name):
                pass_by(file)

    for name in walk_images(folder, Walk()):
        yield _item(before + name, folder / name)
        while bad:
            yield bad.pop()
    yield from bad


def _of_list(file: Path) -> Iterator[SourceItem]:
    """Lines are paths, relative to the list's own folder; empty lines are skipped. UTF-8 or UTF-16."""
    with open(file, "rb") as stream:
        begins = stream.read(2)
    is_wide = begins in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # PowerShell's > writes it
    encoding, errors = ("utf-16", "replace") if is_wide else ("utf-8-sig", "surrogateescape")
    with open(file, encoding=encoding, errors=errors) as lines:
        for number, line in enumerate(lines, start=1):
            name = line.strip()
            if "\0" in name:
                raise WorkbenchError(
                    f"Line {number:,} of {printable(str(file))} is no path: it has a NUL in it. Write a text file with"
                    " a path on each line (find with -print, not -print0)."
                )
            if name:
                yield _named(name, file.parent / name, name)


def _of_pattern(pattern: Path) -> Iterator[SourceItem]:
    """A shell pattern that the shell did not expand; ** matches all folders within.

    Names are relative to the last folder before its first wildcard. An existing folder named "shoot [1]" is taken
    literally.
    """
    folder, *rest = Path(), *pattern.parts
    while len(rest) > 1 and (folder / rest[0]).is_dir():
        folder = folder / rest.pop(0)
    for name in glob.iglob(os.path.join(*rest), root_dir=folder, recursive=True):
        if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES or is_video(folder / name):
            yield _named(name, folder / name, name)


def _named(name: str, file: Path, shown_as: str) -> SourceItem:
    """An image or video by its path in a list or pattern; "..", a drive and a share's slashes are not part of
    its name.
    """
    shown = printable(name.replace("\\", "/") if os.name == "nt" else name)
    parts = [part for part in PurePosixPath(shown).parts if part not in ("/", "//", "..") and not part.endswith(":")]
    shown = "/".join(parts) or "image"
    if shown != posixpath.normpath(shown) or printable(shown_as) != shown_as:
        return SourceItem(shown, shown, file, problem=f"{shown}: {_NOT_TEXT}")
    return SourceItem(shown, shown, file, is_video=True) if is_video(file) else _item(shown, file)


def _item(name: str, file: Path) -> SourceItem:
    return SourceItem(name, os.path.splitext(name)[0], file)


def read(
    entries: Iterable[ListingEntry],
    every: int = 1,
    window: IntensityWindow | None = None,
    ahead: int = 8,
    first: int = 0,
    part: tuple[int, int] = (0, 1),
) -> Generator[NumberedPicture, None, None]:
    """The pictures of `entries`, up to `ahead` of them decoded in advance; of videos every `every`-th frame.

    `first`: the frame to begin with if the first entry is a video. `part` (k, n): take only every n-th of a video's
    frames, from the k-th on.
    """
    with contextlib.closing(read_ahead(lambda entry: (entry, _picture(entry, window)), entries, ahead)) as reading:
        for entry, picture in reading:
            if picture is None:
                yield from _frames(entry, every, first, part)
            else:
                yield NumberedPicture(picture, entry.item, Position(entry.after, entry.number + 1))
            first = 0


def _picture(entry: ListingEntry, window: IntensityWindow | None) -> Frame | Skipped | None:
    """The picture, or why it can't be read; None of a video, whose frames come one after the other."""
    item = entry.item
    if item.is_video:
        return None
    if item.problem:
        return Skipped(item.name, entry.number, item.problem)
    try:
        return Frame(item.name, entry.number, images.read(item.file, window), item.file, place=item.place)
    except WorkbenchError as error:
        return Skipped(item.name, entry.number, _why(item.file, error))


def _why(file: Path, error: WorkbenchError) -> str:
    """The reason without advice about a project: a missing file can't be removed from one here."""
    if os.path.lexists(file):
        return error.sentence
    return f"{printable(str(file))}: the file is not there; put it back or check its name, and start over with --fresh"


def _frames(entry: ListingEntry, every: int, first: int, part: tuple[int, int]) -> Iterator[NumberedPicture]:
    """Reads frames from the beginning, as seeking in compressed videos gives wrong ones.

    Damaged frames are reported in their place, and an early end after all frames, by one of the processes sharing them.
    """
    item, (one, of) = entry.item, part
    last: videos.VideoFrame | None = None
    try:
        for frame in videos.frames(item.file, every):
            missing = 0 if last is None else last.index + every
            if first <= missing < frame.index and one == 0:
                gap = Skipped(item.name, missing, _damaged(item.file, missing, frame.index - every))
                yield NumberedPicture(gap, item, Position(entry.byte, entry.number, missing + 1))
            last = frame
            if last.index >= first and (last.index // every) % of == one:
                picture = Frame(item.name, last.index, last.image, item.file, True, item.place, last.seconds)
                yield NumberedPicture(picture, item, Position(entry.byte, entry.number, last.index + 1))
        if last is not None and one == 0 and (sentence := videos.cut_off(item.file, last, every)):
            gap = Skipped(item.name, last.index + 1, sentence)
            yield NumberedPicture(gap, item, Position(entry.after, entry.number + 1))
    except WorkbenchError as error:  # its disk may be gone by now, and what it had until then is predicted
        rest = Skipped(item.name, first if last is None else max(first, last.index + 1), error.sentence)
        yield NumberedPicture(rest, item, Position(entry.after, entry.number + 1))


def _damaged(file: Path, first: int, last: int) -> str:
    """The message about damaged frames, with their numbers."""
    which = f"frame {first:,} is" if first == last else f"the frames {first:,} to {last:,} are"
    return f"{file}: {which} damaged and left out. Copy the video again."
