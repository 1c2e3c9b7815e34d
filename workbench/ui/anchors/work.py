"""What the anchors page computes in its thread: the boxes, the steps of a fit, how other numbers do. No Qt."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import anchors
from workbench.anchors import Fit, Pool, Step, Update
from workbench.core.document import Document
from workbench.core.project import Label, Snapshot, Split
from workbench.ui.anchors.cloud import Cloud, cloud

MOST_ANCHORS = 15
SPLITS = tuple(Split)


@dataclass(frozen=True, slots=True)
class Choices:
    """`part`: "all", or "train" for the images that training sees. `scale`: of the augmentation, a share."""

    k: int
    px: int
    resize: str
    part: str
    scale: float
    update: Update
    refines: bool
    seed: int


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes as the network sees them, n rows: more than one for a box where augmentation scales it.

    `ids` of the boxes, `images` ids; `labels` and `splits` are places in `names` and SPLITS; `centres` (n, 2) in
    network pixels as they are without augmentation.
    """

    sizes: NDArray[np.float64]  # (n, 2)
    ids: NDArray[np.int64]
    images: NDArray[np.int64]
    labels: NDArray[np.int64]
    splits: NDArray[np.int64]
    centres: NDArray[np.float64]
    names: tuple[Label, ...]

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def groups(self) -> dict[str, NDArray[np.int64]]:
        return {"label": self.labels, "split": self.splits}

    def without(self, images: frozenset[int]) -> tuple[Boxes, NDArray[np.int64]]:
        """Those of other images, and the rows that went."""
        gone = np.isin(self.images, list(images))
        kept = ~gone
        left = dataclasses.replace(
            self, sizes=self.sizes[kept], ids=self.ids[kept], images=self.images[kept], labels=self.labels[kept],
            splits=self.splits[kept], centres=self.centres[kept],
        )  # fmt: skip
        return left, np.flatnonzero(gone)

    def plus(self, other: Boxes) -> Boxes:
        def joined(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(self, name), getattr(other, name)])

        return Boxes(
            joined("sizes"), joined("ids"), joined("images"), joined("labels"), joined("splits"), joined("centres"),
            other.names,
        )  # fmt: skip


def boxes_of(snapshot: Snapshot, choices: Choices, *, is_whole: bool = True) -> Boxes:
    """`is_whole`: all images of the project; else some, of which those of other splits are left out as they are."""
    if choices.part == "train":
        snapshot = anchors.trained(snapshot) if is_whole else snapshot.only(splits=(Split.TRAIN, Split.NONE))
    sizes, rows = anchors.sizes_and_rows(snapshot, choices.px, choices.resize, choices.scale)
    owner = np.repeat(np.arange(len(snapshot.images)), np.diff(snapshot.offsets))[rows]
    ids = np.array([image.id for image in snapshot.images], np.int64)
    splits = np.array([SPLITS.index(image.split) for image in snapshot.images], np.int64)
    return Boxes(
        sizes, snapshot.box_ids[rows], ids[owner], snapshot.label_index[rows].astype(np.int64), splits[owner],
        anchors.centres_of(snapshot, rows, choices.px, choices.resize), snapshot.labels,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """The boxes that the rest is about, and the two pictures of them: with logarithmic axes, and without."""

    boxes: Boxes
    images: int
    clouds: tuple[Cloud, Cloud]  # by whether axes are logarithmic


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A step, and of which stage it is: 0 k-means, 1 the changes by chance after it."""

    step: Step
    stage: int


@dataclass(frozen=True, slots=True, eq=False)
class ByCount:
    """How well so many anchors would do."""

    step: Step

    @property
    def k(self) -> int:
        return len(self.step.centres)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What follows edits from now on."""

    fit: Fit


Event = Taken | Told | ByCount | Fitted


def compute(project: Path, choices: Choices, stopped: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """The boxes of the project as it is on disk; the steps; a ByCount for each number of anchors the boxes allow; and
    a Fit. WorkbenchError where the boxes are too few."""
    with Document.open(project, read_only=True, check=False) as document:
        snapshot = document.snapshot()
    boxes = boxes_of(snapshot, choices)
    images = len(np.unique(boxes.images))
    yield Taken(boxes, images, clouds_of(boxes))
    if stopped():
        return
    pool = Pool.of(boxes.sizes)
    last: Step | None = None
    for step in anchors.kmeans(pool, choices.k, choices.seed, update=choices.update):
        last = step
        yield Told(dataclasses.replace(step, done=step.done and not choices.refines), 0)
    assert last is not None
    if choices.refines:
        for step in anchors.refine(pool, last.centres, choices.seed):
            yield Told(step, 1)
            if stopped():
                return
    for step in anchors.curve(pool, MOST_ANCHORS, choices.seed, choices.update):
        yield ByCount(step)
        if stopped():
            return
    yield Fitted(Fit(pool, choices.k, choices.seed, choices.update))


def clouds_of(boxes: Boxes) -> tuple[Cloud, Cloud]:
    return cloud(boxes.sizes, boxes.groups, False), cloud(boxes.sizes, boxes.groups, True)
