"""Labels out of a project, with what the format loses told in numbers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench import formats
from workbench.core import words
from workbench.core.files import atomic_path, resolve_inside, sync_all
from workbench.core.project import FLAGS, Snapshot, Split, State
from workbench.errors import WorkbenchError
from workbench.exchange.unedited import restore
from workbench.formats import LOSSES, Remark
from workbench.formats.parts.layout import is_labelled
from workbench.formats.parts.report import Report

_DROPPED = {"crowd", "unknown size"}  # the losses that leave out whole boxes


@dataclass(frozen=True)
class ExportReport:
    """What was written. `remarks` of level "lost" say what the format could not hold, the others what to know."""

    format: str
    folder: Path
    files: tuple[Path, ...]
    images: int  # images that the files speak of
    boxes: int
    copied: int  # image files copied
    remarks: tuple[Remark, ...]

    @property
    def sentence(self) -> str:
        images = f", {words.count(self.copied, 'image')} copied" if self.copied else ""
        title = formats.formats.get(self.format).title
        what = f"{words.count(self.boxes, 'box')} of {words.count(self.images, 'image')}"
        what += f" in {words.count(len(self.files), 'file')}"
        return f"{title}: {what}{images}, {self.folder}."


def losses(snapshot: Snapshot, format: str) -> tuple[Remark, ...]:
    """What `format` would lose of this snapshot: one remark of level "lost" for each kind that is really there."""
    member = formats.load_all().get(format)
    found = []
    for kind, count in _counts(snapshot):
        if kind in member.cannot_store and count:
            found.append(Remark("lost", "", 0, f"{member.title} can't hold {LOSSES[kind]}: {count:,}."))
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
    yield "outside", int((known & ((boxes[:, :2] < 0).any(1) | (boxes[:, 2:] > ends).any(1))).sum())


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
    called for each. `project` is the folder of the snapshot's project: files that came in by an import of this format
    and were not edited are written as they came. Raises WorkbenchError when the folder can't be written or is not
    empty.
    """
    folder = Path(folder).absolute()
    member = formats.load_all().get(format)
    if folder.exists() and not folder.is_dir():
        raise WorkbenchError(f"{folder} is a file. Choose a folder to export into.")
    if not replace and _holds_something(folder):
        raise WorkbenchError(
            f"The folder {folder} is not empty. Choose a new one, or allow its files to be replaced (--replace)."
        )
    files = member.write(snapshot, folder)
    report = Report()
    unedited = restore(snapshot, format, folder, project, copy_images) if project is not None else 0
    if unedited:
        report.say("read", "", f"{words.count(unedited, 'file')} not edited: written byte for byte as imported.")
    turned = sum(1 for i, image in enumerate(snapshot.images) if image.orientation != 1 and is_labelled(snapshot, i))
    if turned:
        these = "1 image is" if turned == 1 else f"{turned:,} images are"
        report.say("read", "", f"{these} turned by EXIF; sizes and boxes are of the upright images.")
    rows = [i for i in range(len(snapshot)) if is_labelled(snapshot, i)]
    copied = 0
    if copy_images:  # an image without a label file is one with nothing on it, for those who train with the folder
        taken = rows if "unlabelled images" in member.cannot_store else range(len(snapshot))
        copied = _copy_images(snapshot, member.places(snapshot), taken, folder, report, progress)
    sync_all()
    dropped = sum(count for kind, count in _counts(snapshot) if kind in _DROPPED & member.cannot_store)
    return ExportReport(
        format=format,
        folder=folder,
        files=files,
        images=len(rows),
        boxes=len(snapshot.boxes) - dropped,
        copied=copied,
        remarks=(*losses(snapshot, format), *report.remarks),
    )


def _holds_something(folder: Path) -> bool:
    try:
        return folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise WorkbenchError(f"The folder {folder} can't be read: {error.strerror or error}.", error) from error


def _copy_images(
    snapshot: Snapshot,
    places: tuple[str, ...],
    taken: Sequence[int],
    folder: Path,
    report: Report,
    progress: Callable[[int, int], None] | None,
) -> int:
    copied = 0
    for number, index in enumerate(taken, start=1):
        file, place = snapshot.files[index], places[index]
        target = resolve_inside(folder, place)
        if not file.is_file():
            report.say(
                "refused", place, f"The image file {file} is missing, so it was not copied.", kind="missing images"
            )
        elif not (target.exists() and target.samefile(file)):
            with atomic_path(target, sync=False) as temporary:
                shutil.copyfile(file, temporary)
            copied += 1
        if progress is not None:
            progress(number, len(taken))
    return copied
