"""Exports a project's labels, and reports in numbers what the format loses."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from workbench import formats
from workbench.core import boxes as core_boxes
from workbench.core import formatting
from workbench.core.project import FLAGS, Snapshot, Split, State
from workbench.core.store import FILE, Store
from workbench.errors import WorkbenchError
from workbench.exchange.export_folder import ExportFolder, holds_something, photographs_below
from workbench.exchange.exported_names import Digest, digest_of
from workbench.exchange.former_ids import former_ids
from workbench.exchange.unedited_files import restore
from workbench.formats import LOSSES, Remark, SupportsAdvice, SupportsIds
from workbench.formats.parts.layout import is_labelled
from workbench.formats.parts.report import Report


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    `remarks` of level "warning" name what is in the folder but should not be, "lost" what the format could not hold;
    the others are for information.
    """

    format: str
    folder: Path
    files: tuple[Path, ...]
    images: int  # images that the files describe
    boxes: int
    copied: int  # image files copied
    remarks: tuple[Remark, ...]
    removed: int = 0  # files written by the last export and not by this one
    names: Digest | None = None  # of the images in it

    @property
    def sentence(self) -> str:
        images = f", {formatting.count(self.copied, 'image')} copied" if self.copied else ""
        title = formats.formats.get(self.format).title
        what = f"{formatting.count(self.boxes, 'box')} of {formatting.count(self.images, 'image')}"
        what += f" in {formatting.count(len(self.files), 'file')}"
        old = f", {formatting.count(self.removed, 'old file')} removed" if self.removed else ""
        return f"{title}: {what}{images}{old}, {self.folder}."


def losses(snapshot: Snapshot, format: str) -> tuple[Remark, ...]:
    """What `format` would lose of this snapshot: one remark of level "lost" for each kind that actually occurs.

    After them, with level "read", what the folder will lack for programs that read it.
    """
    member = formats.load_all().get(format)
    found = []
    for kind, count in _counts(snapshot):
        if kind in member.cannot_store and count:
            found.append(Remark("lost", "", 0, f"{member.title} can't hold {LOSSES[kind]}: {count:,}."))
    if hasattr(member, "advice"):
        found += [Remark("read", "", 0, sentence) for sentence in cast(SupportsAdvice, member).advice(snapshot)]
    return tuple(found)


def _counts(snapshot: Snapshot) -> Iterator[tuple[str, int]]:
    """How much of each kind of `LOSSES` a snapshot holds."""
    images, boxes = snapshot.images, snapshot.boxes
    for column, flag in enumerate(FLAGS):
        yield flag, int(snapshot.flags[:, column].sum())
    yield "crowd apart", int(snapshot.crowd.sum())
    yield "note", sum(1 for note, _ in snapshot.notes if note)
    labelled = np.array([is_labelled(snapshot, i) for i in range(len(images))], bool)
    yield "in work", sum(1 for i in images if i.state is State.IN_WORK)
    yield "verified", sum(1 for i in images if i.state is State.VERIFIED)
    yield "unlabelled images", int((~labelled).sum())
    yield "split", sum(1 for i in images if i.split is not Split.NONE)
    yield "unsplit images", sum(1 for i in images if i.split is Split.NONE)
    counts = np.diff(snapshot.offsets)
    yield "empty images", int((labelled & (counts == 0)).sum())
    yield "crowd labels", int(snapshot.crowd.sum())
    yield "spaces in labels", sum(1 for label in snapshot.labels if label.name.split() != [label.name])
    sizes = np.array([(i.width, i.height) for i in images], float).reshape(-1, 2)
    yield "unknown size", int(counts[(sizes == 0).any(1)].sum())
    used = set(snapshot.label_index.tolist())
    yield "unused labels", len(snapshot.labels) - len(used)
    yield "label order", len(snapshot.labels) if len(snapshot.labels) > 1 else 0
    yield "zero size", int((boxes[:, :2] >= boxes[:, 2:]).any(1).sum())
    yield "fractions of a pixel", int((boxes != np.round(boxes)).any(1).sum())
    ends = np.repeat(sizes, counts, axis=0)
    known = (ends > 0).all(1)
    beyond = core_boxes.are_outside(boxes, ends[:, 0], ends[:, 1])
    yield "beyond", int(beyond.sum())
    yield "outside", int((known & ~beyond & ((boxes[:, :2] < 0).any(1) | (boxes[:, 2:] > ends).any(1))).sum())


def _dropped(snapshot: Snapshot, cannot_store: Collection[str]) -> np.ndarray:
    """(m,) which boxes are left out entirely."""
    sizes = np.array([(i.width, i.height) for i in snapshot.images], float).reshape(-1, 2)
    ends = np.repeat(sizes, np.diff(snapshot.offsets), axis=0)
    kinds = {
        "crowd": snapshot.crowd,
        "unknown size": (ends == 0).any(1),
        "beyond": core_boxes.are_outside(snapshot.boxes, ends[:, 0], ends[:, 1]),
    }
    dropped = np.zeros(len(snapshot.boxes), bool)
    for kind, rows in kinds.items():
        if kind in cannot_store:
            dropped |= rows
    return dropped


def export_labels(
    snapshot: Snapshot,
    format: str,
    folder: Path,
    copy_images: bool = False,
    replace: bool = False,
    progress: Callable[[int, int], None] | None = None,
    project: Path | None = None,
) -> ExportReport:
    """Write the labels of `snapshot` into `folder`, which must be new or empty unless `replace`.

    `copy_images` also copies the image files, unchanged, to where the format expects them; `progress(done, all)` is
    called for each. `project` is the folder of the snapshot's project: files imported in this format and not edited
    since are written byte for byte, and files that the last export wrote into `folder` and this one does not are
    removed (export_folder.py). An image file that no export of the project wrote is never overwritten.

    Raises WorkbenchError when the folder can't be written, is not empty, or holds images that would be overwritten;
    the files in it are then unchanged, unless the disk fails while the new ones are moved into place.
    """
    folder = Path(folder).absolute()
    member = formats.load_all().get(format)
    is_filled, has_photographs = holds_something(folder), photographs_below(snapshot, folder)
    _check_folder(folder, replace or not is_filled, not (copy_images and has_photographs))
    rows = [i for i in range(len(snapshot)) if is_labelled(snapshot, i)]
    # to those who train with the folder, an image without a label file has nothing on it
    taken = rows if "unlabelled images" in member.cannot_store else list(range(len(snapshot)))
    report, warnings = Report(), Report()
    with formats.naming_plugin(format, "write", folder):
        places = member.places(snapshot)
    inside = ExportFolder(folder, "" if project is None else _known_as(project))
    pictures = inside.pictures_of(snapshot, places, [] if has_photographs else taken, copy_images, report)
    with inside.part() as part:
        former = former_ids(snapshot, format, project) if project is not None else None
        with formats.naming_plugin(format, "write", folder):
            more = () if former is None else (former,)
            written = [file.relative_to(part) for file in cast(SupportsIds, member).write(snapshot, part, *more)]
        unedited = restore(snapshot, format, part, project, copy_images) if project is not None else 0
        for number, picture in enumerate(pictures, start=1):
            inside.copy(picture, part)
            if progress is not None:
                progress(number, len(pictures))
        removed = inside.put(part, format, has_photographs, warnings)
    if is_filled:
        inside.tell_foreign(snapshot, places, warnings)
    if unedited:
        report.say("read", "", f"{formatting.count(unedited, 'file')} not edited: written byte for byte as imported.")
    turned = sum(1 for i in rows if snapshot.images[i].orientation != 1)
    if turned:
        these = formatting.count(turned, "image", "is")
        report.say("read", "", f"{these} turned by EXIF; sizes and boxes are of the upright images.")
    dropped = int(_dropped(snapshot, member.cannot_store).sum())
    return ExportReport(
        format=format,
        folder=folder,
        files=tuple(folder / file for file in written),
        images=len(rows),
        boxes=len(snapshot.boxes) - dropped,
        copied=len(pictures),
        remarks=(*warnings.remarks, *losses(snapshot, format), *report.remarks),
        removed=removed,
        names=digest_of(snapshot.images, places),
    )


def _check_folder(folder: Path, may_write: bool, may_copy: bool) -> None:
    """WorkbenchError if `folder` is a file, holds something that may not be replaced, or photographs below copies."""
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise WorkbenchError(f"{folder} is a file. Choose a folder to export into.")
    if not may_write:
        raise WorkbenchError(
            f"The folder {folder} is not empty. Choose a new one, or allow its files to be replaced (--replace)."
        )
    if not may_copy:
        raise WorkbenchError(
            f"{folder} holds photographs of the project, which no copies may overwrite. Choose a new folder, or export"
            " without copying the images."
        )


def _known_as(project: Path) -> str:
    """What identifies a project, also when its folder was moved or it was renamed: the microsecond of its making.

    Older projects have only the second, so their name belongs to it.
    """
    with Store(project / FILE, read_only=True, check=False) as store:
        made, name = store.meta("created", str(project)), store.meta("name", "")
    identity = made if "." in made else (made, name)
    return hashlib.blake2b(repr(identity).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
