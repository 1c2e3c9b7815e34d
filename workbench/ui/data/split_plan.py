"""Works out the split that the rules give: in the background if the project is large."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.core import splits
from workbench.core.document import Document
from workbench.core.edits import Edit
from workbench.core.project import Snapshot


@dataclass(frozen=True, slots=True)
class Alike:
    """For each image, in the snapshot's order, its group of similar pictures."""

    images: tuple[int, ...]
    groups: tuple[Hashable, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The user's choices for the project in `folder`; `alike` as far as its pictures were compared."""

    folder: Path
    way: str
    pattern: str
    shares: tuple[int, ...]
    seed: int
    stratify: bool
    again: bool
    alike: Alike | None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """`edit` splits `snapshot` by these `groups`: None if each image is its own, or `must_compare` comes first."""

    snapshot: Snapshot
    groups: Sequence[Hashable] | None
    edit: Edit | None
    must_compare: bool = False


def read(asked: Asked) -> Plan:
    """Like `plan`, for the project as it is on disk; made for a thread."""
    with Document.open(asked.folder, read_only=True, check=False) as document:
        return plan(document.snapshot(), asked)


def plan(snapshot: Snapshot, asked: Asked) -> Plan:
    """WorkbenchError if the pattern is invalid, or no share is left."""
    groups: Sequence[Hashable] | None = None
    match asked.way:
        case "folder":
            groups = splits.by_folder(snapshot.images)
        case "name":
            groups = splits.by_name(snapshot.images, asked.pattern)
        case "similar":
            if asked.alike is None or asked.alike.images != tuple(image.id for image in snapshot.images):
                return Plan(snapshot, None, None, must_compare=True)
            groups = asked.alike.groups
    edit = splits.divided(
        snapshot, asked.seed, groups, shares=asked.shares, stratify=asked.stratify, again=asked.again
    )  # fmt: skip
    return Plan(snapshot, groups, edit)
