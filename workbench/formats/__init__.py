"""Annotation formats, one per file: what a format's module offers, and what reading one yields.

To add a format: one module here (or a plugin file) with a class that has the four parts of `Format`, registered
with `@formats.register("name")`. It then appears in `workbench import`, `export-labels`, the window and
`tests/contract/test_every_format.py`. A format imports workbench.core only, never another format.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from workbench.core.project import XYXY, Snapshot, Split, State
from workbench.registry import Registry


@dataclass(frozen=True, slots=True)
class Remark:
    """One line of an import's report. `level`: "read" (for information), "repaired", "refused" (left out)."""

    level: str
    file: str
    line: int  # 0 = the file as a whole
    sentence: str


@dataclass(frozen=True, slots=True)
class ReadBox:
    """A box as a file says it, already in our convention (xyxy, half-open, 0-based, pixels of the upright image).

    Zero-size boxes are kept as they are (the health check shows them); `line` is where the file says it.
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
class ReadImage:
    """An image as annotation files describe it.

    `name` is the path as the files give it, posix; `file` is the existing image file found for it, or None.
    `split` is the official one, None if the files name none. `state` is DONE for an image that the files
    say was labelled (also with no boxes), UNLABELLED for one that they merely list.
    """

    name: str
    file: Path | None
    width: int
    height: int
    boxes: tuple[ReadBox, ...]
    split: Split | None = None
    state: State = State.DONE


@dataclass(frozen=True)
class Reading:
    """All that a folder or file of one format holds. `labels` are in the format's own order."""

    format: str
    source: Path
    labels: tuple[str, ...]
    images: tuple[ReadImage, ...]
    remarks: tuple[Remark, ...] = ()


class Format(Protocol):
    """One annotation format. Methods touch nothing but the paths they are given.

    title: what people call it ("Pascal VOC XML").
    cannot_store: the parts of a project that the format loses, of: "difficult", "truncated", "occluded", "crowd",
        "note", "state", "split", "empty images", "label order", "fractions of a pixel".
    """

    title: str
    cannot_store: frozenset[str]

    def sniff(self, path: Path) -> float:
        """How surely `path` (file or folder) is of this format: 0 no .. 1 certain. Never raises on bad content."""

    def read(self, path: Path, images: Path | None = None) -> Reading:
        """Read `path`; look for image files beside it and under `images`.

        Raises errors.Refused (file, line, reason) where going on would lose or invent labels.
        """

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        """Write `snapshot` into `folder` (made if missing) by atomic replaces; return the files written."""


formats: Registry[Format] = Registry("format")
register = formats.register


def load_all() -> Registry[Format]:
    """Import every module of this package (which registers its format) and return the registry."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return formats


def recognise(path: Path) -> list[tuple[str, float]]:
    """Names of the formats that `path` may be, surest first; those above 0 only."""
    found: Iterable[tuple[str, float]] = ((name, member.sniff(path)) for name, member in load_all())
    return sorted(((n, s) for n, s in found if s > 0), key=lambda pair: -pair[1])
