"""The health of a project: what would spoil a training or surprise the user, each finding with its images.

`examine` is a generator, so that the command line can show progress and the window can run it as a job. It reads the
snapshot and, unless told not to, opens every image file once.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict, deque
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from workbench.core import box_faults, formatting, images, new_sizes, similar_names, windows_files
from workbench.core.decoding import image_header, jpeg
from workbench.core.decoding.fingerprint import fingerprint, near_groups
from workbench.core.decoding.image_files import read_file
from workbench.core.folders import lost_folders
from workbench.core.project import FINISHED, Image, Label, Snapshot, Split, State
from workbench.core.splits import PARTS
from workbench.errors import WorkbenchError

UNEVEN = 50  # times as many boxes of one label as of another
FEW = 10  # boxes: a label with fewer is rare
THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class FilesExamined:
    """Progress: `done` of `total` image files have been opened."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One finding. `level`: "problem" spoils training or loses labels, "hint" may be intended."""

    level: str
    kind: str
    sentence: str
    images: tuple[int, ...] = ()
    boxes: tuple[int, ...] = ()
    labels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """The project's counts, and the findings, problems first. `opened`: for the id of each image whose file was opened,
    why it can't be read, or "" if it can.
    """

    images: int
    boxes: int
    labelled: int
    per_label: tuple[tuple[str, int], ...]
    per_split: tuple[tuple[str, int], ...]
    findings: tuple[HealthFinding, ...]
    opened: Mapping[int, str] = field(default_factory=dict)

    @property
    def problems(self) -> int:
        return sum(finding.level == "problem" for finding in self.findings)


def examine(snapshot: Snapshot, *, open_files: bool = True) -> Iterator[FilesExamined | Health]:
    """Yield FilesExamined while files are opened, then Health. Closing the generator early ends its threads."""
    opened: dict[int, str] = {}
    findings = [*_boxes(snapshot), *_labels(snapshot), *_splits(snapshot), *_states(snapshot)]
    if open_files:
        lost = lost_folders.of_snapshot(snapshot)
        gone = {index for rows in lost.values() for index in rows}
        files = yield from _files(snapshot, gone)
        findings += [_gone(snapshot, folder, rows) for folder, rows in lost.items()]
        findings += _deleted(snapshot, files)
        findings += [finding for file in files for finding in file.findings]
        findings += [*_changed(snapshot, files), *_alike(snapshot, files)]
        opened = {image.id: files[i].problem for i, image in enumerate(snapshot.images) if i not in gone}
    counts = np.bincount(snapshot.label_index, minlength=len(snapshot.labels))
    yield Health(
        images=len(snapshot),
        boxes=len(snapshot.boxes),
        labelled=sum(image.state is not State.UNLABELLED for image in snapshot.images),
        per_label=tuple((label.name, int(n)) for label, n in zip(snapshot.labels, counts, strict=False)),
        per_split=tuple((str(s), sum(image.split is s for image in snapshot.images)) for s in Split),
        findings=tuple(sorted(findings, key=lambda finding: finding.level != "problem")),
        opened=opened,
    )


@dataclass(frozen=True, slots=True)
class _OpenedFile:
    """What opening an image file showed: what identifies its pixels, and what is wrong with it."""

    digest: str = ""
    print: int | None = None
    findings: tuple[HealthFinding, ...] = ()
    problem: str = ""
    is_there: bool = True
    size: tuple[int, int] = (0, 0)  # width and height in pixels; 0 x 0 if it can't be read


def _files(snapshot: Snapshot, gone: Collection[int]) -> Generator[FilesExamined, None, list[_OpenedFile]]:
    """Open each image except `gone` in a few threads; returns what was found, in the order of the images."""
    found = [_OpenedFile()] * len(snapshot)
    rows = [row for row in range(len(snapshot)) if row not in gone]
    waiting: deque[tuple[int, Future[_OpenedFile]]] = deque()
    with ThreadPoolExecutor(THREADS, "health") as pool:
        try:
            for row in rows:
                waiting.append((row, pool.submit(_opened, snapshot, row)))
                while len(waiting) > (0 if row == rows[-1] else 2 * THREADS):
                    done, future = waiting.popleft()
                    found[done] = future.result()
                    yield FilesExamined(done + 1, len(snapshot))
        finally:
            for _, future in waiting:
                future.cancel()
    return found


def _gone(snapshot: Snapshot, folder: Path, rows: Sequence[int]) -> HealthFinding:
    """One finding for all images of a folder; none should be removed from the project: they are only elsewhere."""
    sentence = lost_folders.sentence(folder, len(rows))
    return HealthFinding("problem", "lost folder", sentence, tuple(snapshot.images[index].id for index in rows))


def _deleted(snapshot: Snapshot, files: Sequence[_OpenedFile]) -> list[HealthFinding]:
    """One finding for all files that are not there, though their folders are."""
    rows = [row for row, file in enumerate(files) if not file.is_there]
    if len(rows) < 2:
        return [_unreadable(snapshot.images[row], files[row].problem) for row in rows]
    sentence = f"The files of {len(rows):,} images are not there. Put them back, or remove the images."
    return [HealthFinding("problem", "files gone", sentence, tuple(snapshot.images[row].id for row in rows))]


def _unreadable(image: Image, why: str) -> HealthFinding:
    return HealthFinding("problem", "unreadable", f"{image.path} can't be read: {why}.", (image.id,))


def _opened(snapshot: Snapshot, index: int) -> _OpenedFile:
    image, file = snapshot.images[index], snapshot.files[index]
    try:
        about = images.info(file)
        if about.is_huge:
            return _huge(image, file, about)
        pixels = images.read(file, snapshot.window)
        wrong = about.format == "JPEG" and jpeg.has_wrong_pixels(read_file(file))
    except WorkbenchError as error:
        why = getattr(error, "reason", error.sentence)
        cause = error.__cause__
        if isinstance(cause, FileNotFoundError) and not windows_files.is_too_long(cause):
            return _OpenedFile(problem=why, is_there=False)
        return _OpenedFile(findings=(_unreadable(image, why),), problem=why)
    digest = hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).hexdigest()
    height, width = pixels.shape[:2]
    return _OpenedFile(digest, fingerprint(pixels), (_damaged(image),) if wrong else (), size=(width, height))


def _damaged(image: Image) -> HealthFinding:
    sentence = f"{image.path} is damaged: a part of its picture is missing or wrong, and is learnt as it is."
    return HealthFinding("problem", "damaged", f"{sentence} Copy or download it again, or remove it.", (image.id,))


def _huge(image: Image, file: Path, about: image_header.ImageHeader) -> _OpenedFile:
    """An image that can only be labelled. JPEGs are compared at an eighth of their size; others would cost too much."""
    megapixels, most = (pixels / 1e6 for pixels in (about.width * about.height, image_header.PIXEL_LIMIT))
    sentence = (
        f"{image.path} has {megapixels:,.0f} megapixels: it can be labelled, but training and prediction leave out"
        f" images of more than {most:.0f}. Cut it into smaller ones for them."
    )
    found, size = (HealthFinding("hint", "huge", sentence, (image.id,)),), (about.width, about.height)
    if about.format != "JPEG":
        return _OpenedFile(findings=found, size=size)
    pixels = images.overview(file)
    digest = hashlib.blake2b(pixels.data, digest_size=16).hexdigest()
    return _OpenedFile(digest, fingerprint(pixels), found, size=size)


def _changed(snapshot: Snapshot, files: Sequence[_OpenedFile]) -> Iterator[HealthFinding]:
    """One finding for all files that were only resized, one for those that were cropped or turned."""
    kinds: dict[bool, list[int]] = defaultdict(list)
    for row, file in enumerate(files):
        image = snapshot.images[row]
        if all(file.size) and image.width and file.size != (image.width, image.height):
            kinds[new_sizes.was_resized(image, *file.size)].append(row)
    for was_resized, rows in kinds.items():
        image, (width, height) = snapshot.images[rows[0]], files[rows[0]].size
        others = f" So it is with {formatting.count(len(rows) - 1, 'other file')}." if rows[1:] else ""
        then = "scale the boxes." if was_resized else "take over the new size and correct the boxes that no longer fit."
        sentence = (
            f"{image.path} is {width} x {height} now, but was {image.width} x {image.height} when it came into the"
            f" project.{others} Put the former {'files' if others else 'file'} back, or {then}"
        )
        ids = tuple(snapshot.images[row].id for row in rows)
        yield HealthFinding("problem", "resized" if was_resized else "size changed", sentence, ids)


def _boxes(snapshot: Snapshot) -> Iterator[HealthFinding]:
    owners = np.repeat(np.arange(len(snapshot)), np.diff(snapshot.offsets))
    sizes = np.array([(image.width, image.height) for image in snapshot.images], float).reshape(-1, 2)[owners]
    wrong = box_faults.faults(snapshot.boxes, sizes)
    doubled, disputed = np.zeros((2, len(owners)), bool)
    doubled[box_faults.twins(snapshot.boxes, owners * (len(snapshot.labels) + 1) + snapshot.label_index)] = True
    disputed[box_faults.twins(snapshot.boxes, owners)] = True
    checks = (
        (
            "problem",
            "zero size",
            wrong[:, 0],
            "{} no width or height: training leaves them out. Redraw or delete them.",
        ),
        ("hint", "very small", wrong[:, 1], "{} a side too short for most detectors to see."),
        ("hint", "outside", wrong[:, 2], "{} edges outside their image: training clips them."),
        (
            "hint",
            "drawn twice",
            doubled & ~wrong[:, 0],
            "{} a twin of the same label in the same place. Delete one of them.",
        ),
        (
            "hint",
            "two labels",
            disputed & ~doubled & ~wrong[:, 0],
            "{} a box of another label in the same place. Keep the right one.",
        ),
    )
    for level, kind, rows, sentence in checks:
        if rows.any():
            found = np.unique(owners[rows])
            subject = formatting.count(int(rows.sum()), "box", "has")
            yield HealthFinding(
                level,
                kind,
                sentence.format(subject),
                tuple(snapshot.images[int(i)].id for i in found),
                tuple(int(i) for i in snapshot.box_ids[rows]),
            )


def _labels(snapshot: Snapshot) -> Iterator[HealthFinding]:
    counts = np.bincount(snapshot.label_index, minlength=len(snapshot.labels))
    if not len(snapshot.boxes):
        yield HealthFinding("problem", "no boxes", "There are no boxes yet. Label some images, or import labels.")
        return
    yield from _uneven(snapshot, counts)
    for group in similar_names.group_similar([label.name for label in snapshot.labels]):
        yield HealthFinding(
            "hint", "names alike", f"{similar_names.sentence(group)} Then merge them in the list of labels."
        )
    unused = [label for label, count in zip(snapshot.labels, counts, strict=True) if not count]
    if unused:
        sentence = f"{formatting.count(len(unused), 'label')} without a box: {_named(unused)}."
        yield HealthFinding("hint", "unused label", sentence, labels=tuple(label.id for label in unused))
    rows = np.argsort(counts, kind="stable")
    few = [f"'{snapshot.labels[row].name}' ({counts[row]})" for row in rows if 0 < counts[row] < FEW]
    if few:
        labels = formatting.count(len(few), "label")
        sentence = f"{labels} with fewer than {FEW} boxes: {formatting.named(few)}; 50 are a fair start."
        yield HealthFinding("hint", "rare label", sentence)


def _named(labels: Sequence[Label]) -> str:
    return formatting.named([f"'{label.name}'" for label in labels])


def _uneven(snapshot: Snapshot, counts: np.ndarray) -> Iterator[HealthFinding]:
    """Labels that are rare compared to others, or missing from a split where they are learnt or measured."""
    most, some = int(counts.argmax()), np.flatnonzero(counts)
    least = int(some[counts[some].argmin()])
    if counts[most] >= UNEVEN * counts[least]:
        times = int(counts[most] // counts[least])
        yield HealthFinding(
            "hint",
            "uneven labels",
            f"'{snapshot.labels[most].name}' has {times:,} times as many boxes as '{snapshot.labels[least].name}':"
            " the rare one is learnt more slowly. Label more of it, or set Label balance on the Train page.",
        )
    owners = np.repeat(np.arange(len(snapshot)), np.diff(snapshot.offsets))
    for split in (Split.TRAIN, Split.VALIDATION):
        inside = np.array([image.split is split for image in snapshot.images])
        if inside.any():
            here = np.bincount(snapshot.label_index[inside[owners]], minlength=len(counts))
            missing = [snapshot.labels[i] for i in np.flatnonzero((here == 0) & (counts > 0))]
            if missing:
                yield HealthFinding("hint", f"not in {split}", f"No box of {_named(missing)} is in the {split} split.")


def _splits(snapshot: Snapshot) -> Iterator[HealthFinding]:
    labelled = [image for image in snapshot.images if image.state in FINISHED]
    used = {image.split for image in labelled}
    if labelled and Split.TRAIN in used and Split.VALIDATION not in used:
        yield HealthFinding(
            "hint", "no validation", "No labelled image is in the validation split: AP can't be measured."
        )
    unsplit = tuple(image.id for image in labelled if image.split is Split.NONE)
    if unsplit and used != {Split.NONE}:
        yield HealthFinding(
            "hint", "no split", f"Labelled, but in no split: {formatting.count(len(unsplit), 'image')}.", unsplit
        )


def _states(snapshot: Snapshot) -> Iterator[HealthFinding]:
    counts = np.diff(snapshot.offsets)
    waiting = tuple(
        image.id for image, n in zip(snapshot.images, counts, strict=True) if n and image.state is State.IN_WORK
    )
    if waiting:
        yield HealthFinding(
            "hint", "in work", f"{formatting.count(len(waiting), 'image')} with boxes: still in work.", waiting
        )


def _alike(snapshot: Snapshot, files: Sequence[_OpenedFile]) -> Iterator[HealthFinding]:
    """Pictures that are identical, or nearly so: across splits they make AP too good."""
    groups = near_groups([file.print for file in files])
    flat: dict[str, list[int]] = defaultdict(list)  # pictures of one colour have no fingerprint
    for index, file in enumerate(files):
        if file.digest and file.print is None:
            flat[file.digest].append(index)
    for rows in (*groups, *(rows for rows in flat.values() if len(rows) > 1)):
        what = "The same picture" if len({files[row].digest for row in rows}) == 1 else "Nearly the same picture"
        splits = [split for split in PARTS if any(snapshot.images[row].split is split for row in rows)]
        names = formatting.named([snapshot.images[row].path for row in rows], 4)
        ids = tuple(snapshot.images[row].id for row in rows)
        if len(splits) > 1:
            where = f"{', '.join(splits[:-1])} and {splits[-1]}"
            yield HealthFinding("problem", "leak", f"{what} is in {where}: {names}. AP will be too good.", ids)
        else:
            kind = "same picture" if what == "The same picture" else "like picture"
            yield HealthFinding("hint", kind, f"{what} occurs {len(rows)} times: {names}.", ids)
