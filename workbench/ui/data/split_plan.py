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
class SimilarGroups:
    """For each image, in the snapshot's order, its group of similar pictures."""

    images: tuple[int, ...]
    groups: tuple[Hashable, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SplitRequest:
    """The user's choices for the project in `folder`; `similar` as far as its pictures were compared."""

    folder: Path
    grouping: str
    pattern: str
    shares: tuple[int, ...]
    seed: int
    stratify: bool
    again: bool
    similar: SimilarGroups | None


@dataclass(frozen=True, slots=True, eq=False)
class SplitPlan:
    """`edit` splits `snapshot` by these `groups`: None if each image is its own, or `must_compare` comes first."""

    snapshot: Snapshot
    groups: Sequence[Hashable] | None
    edit: Edit | None
    must_compare: bool = False


def plan_on_disk(request: SplitRequest) -> SplitPlan:
    """Like `plan_split`, for the project as it is on disk; made for a thread."""
    with Document.open(request.folder, read_only=True, check=False) as document:
        return plan_split(document.snapshot(), request)


def plan_split(snapshot: Snapshot, request: SplitRequest) -> SplitPlan:
    """WorkbenchError if the pattern is invalid, or no share is left."""
    groups: Sequence[Hashable] | None = None
    match request.grouping:
        case "folder":
            groups = splits.by_folder(snapshot.images)
        case "name":
            groups = splits.by_name(snapshot.images, request.pattern)
        case "similar":
            if request.similar is None or request.similar.images != tuple(image.id for image in snapshot.images):
                return SplitPlan(snapshot, None, None, must_compare=True)
            groups = request.similar.groups
    edit = splits.divide(
        snapshot, request.seed, groups, shares=request.shares, stratify=request.stratify, again=request.again
    )  # fmt: skip
    return SplitPlan(snapshot, groups, edit)
