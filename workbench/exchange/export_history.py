"""Which folders a project's labels were exported to, and which of them have different label numbers after an edit.

Formats that keep the order of labels (YOLO, COCO) number them by it: when a label is moved, removed or merged, others
get new numbers, and a program set up for the old ones takes cats for dogs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench import formats
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.edits import Edit
from workbench.core.project import Label, Snapshot
from workbench.core.windows_files import retry_while_in_use
from workbench.errors import WorkbenchError
from workbench.exchange.export_folder import photographs_below
from workbench.exchange.exported_names import Digest
from workbench.exchange.exporting import ExportReport, export_labels

_SETTING = "exported"
_NAMES = "exported names"
_KEPT = 20
"""How many exports are remembered, the newest ones: older folders are rarely in use."""


@dataclass(frozen=True, slots=True)
class PastExport:
    """One export: folder, format, whether images were copied, and the labels' ids and names in their order then."""

    folder: Path
    format: str
    copied: bool
    labels: tuple[tuple[int, str], ...]
    project: Path | None = None  # the project's folder, if a project knows of this export


@dataclass(frozen=True, slots=True)
class RenumberedExport:
    """What an edit would change for an exported folder: (name, number there, new number; None if the label is gone)."""

    exported: PastExport
    changes: tuple[tuple[str, int, int | None], ...]


def remember(document: Document, report: ExportReport, labels: Sequence[Label], copied: bool) -> None:
    """Record that `labels` were exported in this order. Not an edit, so undo does not revert it."""
    if document.read_only:
        return
    new = PastExport(report.folder, report.format, copied, tuple((label.id, label.name) for label in labels))
    kept = [new, *(old for old in past_exports(document) if old.folder != new.folder)][:_KEPT]
    values = [
        {"folder": _written(document, old.folder), "format": old.format, "copied": old.copied, "labels": old.labels}
        for old in kept
    ]
    with document.store.transaction() as connection:
        edits.ChangeSetting(_SETTING, values).apply(connection)
        if report.names is not None:
            names = dict.fromkeys([report.names, *digests(document, report.format)])
            by_format = document.setting(_NAMES, {}) | {report.format: list(names)[:_KEPT]}
            edits.ChangeSetting(_NAMES, by_format).apply(connection)


def past_exports(document: Document) -> tuple[PastExport, ...]:
    """The remembered exports whose folders are still there, the newest first."""
    found = []
    for value in document.setting(_SETTING, []):
        labels = tuple((id, name) for id, name in value["labels"])
        folder = document.folder / value["folder"]
        found.append(PastExport(folder, value["format"], value["copied"], labels, document.folder))
    return tuple(one for one in found if os.path.isdir(one.folder))


def digests(document: Document, format: str) -> tuple[Digest, ...]:
    """The digests of all names that exports in this format gave the images, the newest first; also of those whose
    folders were moved, removed or written again.
    """
    return tuple((last, digest) for last, digest in document.setting(_NAMES, {}).get(format, ()))


def _written(document: Document, folder: Path) -> str:
    """The folder as stored: relative if it lies in the project, so that both can be moved together."""
    inside = document.folder in folder.parents
    return folder.relative_to(document.folder).as_posix() if inside else str(folder)


def renumbered(document: Document, edit: Edit) -> tuple[RenumberedExport, ...]:
    """The exported folders whose label numbers would no longer be the project's after this edit."""
    after = {id: place for place, id in enumerate(_order_after(document.labels(), edit))}
    found, members = [], formats.load_all()
    for exported in past_exports(document):
        first = getattr(members.get(exported.format), "first_number", None) if exported.format in members else None
        if first is None:  # it has names and no numbers
            continue
        changes = tuple(
            (name, first + number, None if after.get(id) is None else first + after[id])
            for number, (id, name) in enumerate(exported.labels)
            if after.get(id) != number
        )
        if changes:
            found.append(RenumberedExport(exported, changes))
    return tuple(found)


def _order_after(labels: Sequence[Label], edit: Edit) -> list[int]:
    """Ids of the labels in export order, once the edit is done."""
    left = {label.id: label for label in labels}
    for part in edits.walk(edit):
        if isinstance(part, edits.ChangeLabel):
            left[part.label.id] = part.label
        elif isinstance(part, edits.RemoveLabel):
            left.pop(part.id, None)
        elif isinstance(part, edits.MergeLabels):
            left.pop(part.source, None)
    return [label.id for label in sorted(left.values(), key=lambda label: (label.position, label.id))]


def export_again(snapshot: Snapshot, exported: PastExport) -> tuple[ExportReport, Path]:
    """Export into the same folder with the present numbers; also returns where all the old files are, beside it.

    WorkbenchError if it can't be written; the old folder is then where it was.
    """
    folder = exported.folder
    if photographs_below(snapshot, folder):
        raise WorkbenchError(f"{folder} holds photographs of the project and was left as it is. Export again by hand.")
    aside = _free(folder)
    try:
        retry_while_in_use(os.rename, folder, aside)
    except OSError as error:
        raise WorkbenchError(
            f"{folder} could not be moved aside: {error.strerror or error}. Close what uses it and export again.",
            error,
        ) from error
    try:
        return export_labels(snapshot, exported.format, folder, exported.copied, project=exported.project), aside
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # holds only what this export has written so far
        os.rename(aside, folder)
        raise


def _free(folder: Path) -> Path:
    number = 1
    while os.path.exists(beside := folder.with_name(f"{folder.name} (numbers before {number})")):
        number += 1
    return beside
