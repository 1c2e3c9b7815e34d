"""The health of a project: what would spoil a training or surprise a person, each finding with its images.

`examine` is a generator, so that the command line can show progress and the window can run it as a job. It reads the
snapshot, and (unless told not to) opens every image file once.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workbench.core import images
from workbench.core.project import Snapshot, Split, State
from workbench.errors import WorkbenchError

SMALL_PX = 3.0  # a side below this can't be seen at 100 % and vanishes when the image is shrunk


@dataclass(frozen=True, slots=True)
class Looked:
    """Progress: `done` of `total` image files have been opened."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `level`: "problem" spoils training or loses labels, "hint" may be meant."""

    level: str
    kind: str
    sentence: str
    images: tuple[int, ...] = ()
    boxes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """The result: counts of the project, and findings, problems first."""

    images: int
    boxes: int
    labelled: int
    per_label: tuple[tuple[str, int], ...]
    per_split: tuple[tuple[str, int], ...]
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> int:
        return sum(finding.level == "problem" for finding in self.findings)


def examine(snapshot: Snapshot, *, open_files: bool = True) -> Iterator[Looked | Health]:
    """Yield Looked while files are opened, and Health last."""
    findings = [*_boxes(snapshot), *_labels(snapshot), *_splits(snapshot), *_states(snapshot)]
    if open_files:
        broken: list[Finding] = []
        by_content: dict[str, list[int]] = defaultdict(list)
        for index in range(len(snapshot)):
            broken += _file(snapshot, index, by_content)
            yield Looked(index + 1, len(snapshot))
        findings += [*broken, *_duplicates(snapshot, by_content)]
    counts = np.bincount(snapshot.label_index, minlength=len(snapshot.labels))
    yield Health(
        images=len(snapshot),
        boxes=len(snapshot.boxes),
        labelled=sum(image.state is not State.UNLABELLED for image in snapshot.images),
        per_label=tuple((label.name, int(n)) for label, n in zip(snapshot.labels, counts, strict=False)),
        per_split=tuple((str(s), sum(image.split is s for image in snapshot.images)) for s in Split),
        findings=tuple(sorted(findings, key=lambda finding: finding.level != "problem")),
    )


def _file(snapshot: Snapshot, index: int, by_content: dict[str, list[int]]) -> Iterator[Finding]:
    image, file = snapshot.images[index], snapshot.files[index]
    try:
        pixels = images.read(file)
    except WorkbenchError as error:
        yield Finding("problem", "unreadable", error.sentence, (image.id,))
        return
    by_content[hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest()].append(index)
    height, width = pixels.shape[:2]
    if image.width and (width, height) != (image.width, image.height):
        yield Finding(
            "problem",
            "size changed",
            f"{image.path} is {width} x {height} now, but was {image.width} x {image.height} when it came into the"
            " project: its boxes may be in the wrong place.",
            (image.id,),
        )


def _boxes(snapshot: Snapshot) -> Iterator[Finding]:
    sides = snapshot.boxes[:, 2:] - snapshot.boxes[:, :2]
    owners = np.repeat(np.arange(len(snapshot)), np.diff(snapshot.offsets))
    sizes = np.array([(image.width, image.height) for image in snapshot.images], float).reshape(-1, 2)[owners]
    empty = (sides <= 0).any(1)
    small = ~empty & (sides < SMALL_PX).any(1)
    known = (sizes > 0).all(1)
    outside = known & ~empty & ((snapshot.boxes[:, :2] < -0.5) | (snapshot.boxes[:, 2:] > sizes + 0.5)).any(1)
    checks = (
        ("problem", "zero size", empty, "{} no width or height: training leaves them out. Redraw or delete them."),
        ("hint", "very small", small, f"{{}} a side under {SMALL_PX:g} px, too small for most detectors."),
        ("hint", "outside", outside, "{} edges outside their image: training clips them."),
    )
    for level, kind, rows, sentence in checks:
        if rows.any():
            found = np.unique(owners[rows])
            subject = f"{int(rows.sum()):,} boxes have" if rows.sum() > 1 else "1 box has"
            yield Finding(
                level,
                kind,
                sentence.format(subject),
                tuple(snapshot.images[int(i)].id for i in found),
                tuple(int(i) for i in snapshot.box_ids[rows]),
            )
    yield from _doubled(snapshot, owners)


def _doubled(snapshot: Snapshot, owners: np.ndarray) -> Iterator[Finding]:
    rows = np.column_stack([owners, snapshot.label_index, snapshot.boxes])
    _, first, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    doubled = first[counts > 1]
    if len(doubled):
        found = tuple(snapshot.images[int(i)].id for i in np.unique(owners[doubled]))
        boxes = tuple(int(i) for i in snapshot.box_ids[doubled])
        yield Finding("hint", "drawn twice", f"{len(doubled):,} boxes are there twice, exactly.", found, boxes)


def _labels(snapshot: Snapshot) -> Iterator[Finding]:
    counts = np.bincount(snapshot.label_index, minlength=len(snapshot.labels))
    if not len(snapshot.boxes):
        yield Finding("problem", "no boxes", "There are no boxes yet. Label some images, or import labels.")
        return
    for label, count in zip(snapshot.labels, counts, strict=False):
        if not count:
            yield Finding("hint", "unused label", f"The label '{label.name}' has no boxes.")
        elif count < 10:
            yield Finding(
                "hint", "rare label", f"The label '{label.name}' has only {count} boxes; 50 are a fair start."
            )


def _splits(snapshot: Snapshot) -> Iterator[Finding]:
    labelled = [image for image in snapshot.images if image.state in (State.DONE, State.VERIFIED)]
    used = {image.split for image in labelled}
    if labelled and Split.TRAIN in used and Split.VALIDATION not in used:
        yield Finding("hint", "no validation", "No labelled image is in the validation split: AP can't be measured.")
    unsplit = tuple(image.id for image in labelled if image.split is Split.NONE)
    if unsplit and used != {Split.NONE}:
        yield Finding("hint", "no split", f"{len(unsplit):,} labelled images are in no split.", unsplit)


def _states(snapshot: Snapshot) -> Iterator[Finding]:
    counts = np.diff(snapshot.offsets)
    waiting = tuple(
        image.id for image, n in zip(snapshot.images, counts, strict=True) if n and image.state is State.IN_WORK
    )
    if waiting:
        yield Finding("hint", "in work", f"{len(waiting):,} images have boxes but are still in work.", waiting)


def _duplicates(snapshot: Snapshot, by_content: dict[str, list[int]]) -> Iterator[Finding]:
    for indices in by_content.values():
        if len(indices) < 2:
            continue
        splits = {snapshot.images[i].split for i in indices} - {Split.NONE}
        names = ", ".join(snapshot.images[i].path for i in indices[:4])
        ids = tuple(snapshot.images[i].id for i in indices)
        if len(splits) > 1:
            where = " and ".join(sorted(splits))
            yield Finding("problem", "leak", f"The same picture is in {where}: {names}. AP will be too good.", ids)
        else:
            yield Finding("hint", "same picture", f"The same picture is there {len(indices)} times: {names}.", ids)
