"""Annotation formats, one per file: what a format's module provides, and what reading one yields.

To add a format: one module here (or a plugin file) with a class that has the parts of `Format`, registered
with `@formats.register("name")`. It then appears in `workbench import`, `export-labels`, the window and
`tests/contract/test_every_format.py`. A format imports workbench.core only, never another format.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import pkgutil
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from workbench.core.files import disk_problem
from workbench.core.project import XYXY, Snapshot, Split, State
from workbench.errors import WorkbenchError
from workbench.registry import OWN, Registry, class_text, missing_attributes
from workbench.settings import setting

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Remark:
    """One line of an import's report. `level`: "read" (for information), "repaired", "refused" (left out)."""

    level: str
    file: str
    line: int  # 0 = the file as a whole
    sentence: str


@dataclass(frozen=True, slots=True)
class ReadBox:
    """A box from a file, already in our convention (xyxy, half-open, 0-based, pixels of the upright image).

    Zero-size boxes are kept as they are (the health check shows them); `line` is its line in the file.
    """

    label: str
    xyxy: XYXY
    difficult: bool = False
    truncated: bool = False
    occluded: bool = False
    crowd: bool = False
    note: str = ""
    extra: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """The annotation file that describes an image. `name`: what it calls the image, "" if only the file's own name
    tells.

    `lists_labels`: the file also names labels without boxes, and their order.
    """

    file: Path
    name: str = ""
    lists_labels: bool = False


@dataclass(frozen=True, slots=True)
class ReadImage:
    """An image as annotation files describe it.

    `name` is the path as the files give it, posix; `file` is the existing image file found for it, or None.
    `split` is the official one, None if the files name none. `state` is DONE for an image that the files
    say was labelled (also with no boxes), UNLABELLED for one that they merely list. `source` is None if no file
    describes the image, or if part of the file could not be read.
    """

    name: str
    file: Path | None
    width: int
    height: int
    boxes: tuple[ReadBox, ...]
    split: Split | None = None
    state: State = State.DONE
    source: Source | None = None


@dataclass(frozen=True)
class Reading:
    """Everything a folder or file of one format holds. `labels` are in the format's own order.

    `base`: the number of the first pixel in the files, if the format leaves it open; our writer counts from 1.
    `damaged`: files (as remarks name them) that could not be read completely: what they seem to lack may be there.
    """

    format: str
    source: Path
    labels: tuple[str, ...]
    images: tuple[ReadImage, ...]
    remarks: tuple[Remark, ...] = ()
    base: int | None = None
    damaged: frozenset[str] = frozenset()


LOSSES: dict[str, str] = {
    "difficult": "the mark 'difficult'",
    "truncated": "the mark 'truncated'",
    "occluded": "the mark 'occluded'",
    "crowd": "crowd regions (left out)",
    "crowd apart": "the difference between crowd regions and single objects (crowd regions become difficult)",
    "note": "notes",
    "in work": "the state in work (it is read back as done)",
    "verified": "the state verified (it is read back as done)",
    "unlabelled images": "images without boxes that are not marked done (left out: they would look like empty ones)",
    "empty images": "images without boxes that are marked done (left out: the format can't express that)",
    "crowd labels": "the labels of crowd regions (they become DontCare)",
    "spaces in labels": "spaces in labels (they become _)",
    "unsplit images": "images without a split (no trainer reads their folder)",
    "unknown size": "boxes of images whose size is not known",
    "split": "the splits",
    "label order": "the order of the labels",
    "unused labels": "labels without boxes",
    "zero size": "boxes without area (they become one pixel)",
    "fractions of a pixel": "fractions of a pixel (rounded)",
    "beyond": "boxes that lie wholly outside their image (left out)",
    "outside": "the parts of boxes outside their image (cut at the border)",
}


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """What the user may decide about reading; every format accepts all of it and uses what applies."""

    skip_broken: bool = setting(False, "Leave out damaged files, objects and lines with a remark, and take the rest")
    voc_base: str = setting(
        "auto",
        "The number of the first pixel in VOC files: auto looks for evidence in the files and in the project",
        choices=("auto", "0", "1"),
    )


_DEFAULT = ReadSettings()


class Format(Protocol):
    """One annotation format. Methods touch nothing but the paths they are given.

    title: what people call it ("Pascal VOC XML").
    cannot_store: the parts of a project that the format loses, from `LOSSES`.
    first_number: the first label's number, if labels have numbers in its files; absent if they only have names.
    """

    title: str
    cannot_store: frozenset[str]

    def sniff(self, path: Path) -> float:
        """How surely `path` (file or folder) is of this format: 0 no .. 1 certain. Never raises on bad content."""

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = _DEFAULT) -> Reading:
        """Read `path`; look for image files beside it and under the folders `images`.

        Raises errors.Refused (file, line, reason) if going on would lose or invent labels; it names all such places at
        once. With `settings.skip_broken` they become remarks of level "refused" instead.
        """

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Where each image belongs in a written folder: relative posix paths, unique even without suffix."""

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        """Write `snapshot` into `folder` (made if missing) by atomic replaces; return the files written.

        The caller syncs them to disk (files.sync_all), so many small files may be written with sync=False.
        """


Id = int | str


@dataclass(frozen=True, slots=True)
class FormerIds:
    """The ids that images (by index in a snapshot) and labels (by name) had in the files they were imported from."""

    images: Mapping[int, Id]
    labels: Mapping[str, Id]


class SupportsIds(Format, Protocol):
    """Optional, for a format whose files give images and labels ids: these stay the same when the files are edited."""

    def ids_in(self, data: bytes) -> tuple[dict[str, Id], dict[str, Id]]:
        """The ids of images by name, and of labels by name, in a file of this format; empty if it can't be read."""

    def write(self, snapshot: Snapshot, folder: Path, former: FormerIds | None = None) -> tuple[Path, ...]:
        """As Format.write; ids that no box remembers are taken from `former`."""


class SupportsAdvice(Format, Protocol):
    """Optional for a format: says what programs that read its files will miss."""

    def advice(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Sentences, each with what to do; empty if nothing is missing."""


class SupportsSources(Format, Protocol):
    """What a format may offer besides, so that imported files that were not edited are exported as they came.

    tells_splits: True if the label files themselves say an image's split; left out where folders or lists do. renewed:
    keys of a box's `extra` that `write` makes anew, such as ids, and that therefore don't count as edited.
    """

    def sources(self, snapshot: Snapshot) -> tuple[Source | None, ...]:
        """The Source of each image once `write` has written, None where no file describes it; paths
        are relative to the folder.
        """


class SupportsImageText(Protocol):
    """What a format with one file per image may offer besides (exchange/autosync.py)."""

    def text(self, snapshot: Snapshot, index: int, place: str, base: int = 1) -> str:
        """The file of image `index`, which lies at `place` (a relative posix path).

        `base`: the number of the first pixel, where the format leaves it open.
        """


def _settle(name: str, member: Format) -> str:
    """What is wrong with a format that would otherwise only show when it is used, or ""."""
    if fault := missing_attributes(member, ("title",), calls=("sniff", "read", "places", "write")):
        return fault
    lost = getattr(member, "cannot_store", None)
    if not isinstance(lost, Set):
        return f"{class_text(member)} has no `cannot_store`, a frozenset"
    unknown = sorted(map(str, lost - set(LOSSES)))
    return f"`cannot_store` holds '{unknown[0]}', but only {', '.join(LOSSES)} are known" if unknown else ""


Kind = TypeVar("Kind", bound=Format)
formats: Registry[Format] = Registry("format", _settle)


def register(name: str) -> Callable[[type[Kind]], type[Kind]]:
    """Class decorator: create an instance of the class and register it as `name`."""

    def file(kind: type[Kind]) -> type[Kind]:
        formats.register(name)(kind())
        return kind

    return file


def load_all() -> Registry[Format]:
    """Import every module of this package (which registers its format) and return the registry."""
    _load()
    return formats


@functools.cache  # called for each image
def _load() -> None:
    with formats.owned_by(OWN):  # also if it is a plugin that asks for them first
        for module in pkgutil.iter_modules(__path__):
            if module.name != "parts":  # shared code
                importlib.import_module(f"{__name__}.{module.name}")


def recognise(path: Path, failed: list[str] | None = None) -> list[tuple[str, float]]:
    """The formats that `path` may be, with their scores above 0, the most certain first.

    A sentence about each plugin that could not look at it is appended to `failed`.
    """
    told = [] if failed is None else failed
    found: Iterable[tuple[str, float]] = ((name, _score(name, member, path, told)) for name, member in load_all())
    return sorted(((n, s) for n, s in found if s > 0), key=lambda pair: -pair[1])


def _score(name: str, member: Format, path: Path, failed: list[str]) -> float:
    """What its sniff() says; 0 if a plugin's raises, which would be in the way of every import of another format."""
    try:
        return float(member.sniff(path))
    except Exception as error:
        if formats.owner(name) == OWN:
            raise
        log.warning("The format %s of %s could not look at %s", name, formats.owner(name), path, exc_info=True)
        failed.append(f"The plugin {formats.owner(name)} could not look at it: {type(error).__name__}: {error}.")
        return 0.0


def read(name: str, path: Path, images: Sequence[Path], settings: ReadSettings) -> Reading:
    """What the format called `name` reads of `path`. WorkbenchError also where a plugin's read() fails."""
    member = load_all().get(name)
    with naming_plugin(name, "read", path):
        reading = member.read(path, images, settings)
        if not isinstance(reading, Reading):
            raise TypeError(f"read() gave {type(reading).__name__}, not Reading")
    return reading


@contextlib.contextmanager
def naming_plugin(name: str, what: str, path: Path) -> Iterator[None]:
    """A failure of a plugin's format as a WorkbenchError: which plugin could not `what` ("read") which path, and where.

    The log has its traceback. WorkbenchError, and what built-in formats raise, pass unchanged.
    """
    try:
        yield
    except WorkbenchError:
        raise
    except Exception as error:  # a plugin may raise anything
        owner = formats.owner(name)
        if owner == OWN:
            raise
        log.warning("The format %s of %s could not %s %s", name, owner, what, path, exc_info=True)
        if what == "write" and (problem := disk_problem(error)):
            raise WorkbenchError(f"{path} could not be written: {problem}", error) from error
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == owner
        ]
        place = f", line {lines[-1]}" if lines else ""
        said = " ".join(str(error).split())[:200].rstrip(".")
        reason = f"{type(error).__name__}: {said}" if said else type(error).__name__
        raise WorkbenchError(
            f"The plugin {owner} could not {what} {path}: {reason} ({owner}{place}). Nothing was changed. Tell the"
            " plugin's author, or use another format.",
            error,
        ) from error
