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

    def _rows(self, rows: NDArray[Any]) -> Boxes:
        return Boxes(
            self.sizes[rows], self.ids[rows], self.images[rows], self.labels[rows], self.splits[rows],
            self.centres[rows], self.names,
        )  # fmt: skip

    def without(self, images: frozenset[int]) -> Boxes:
        return self._rows(~np.isin(self.images, list(images)))

    def of(self, image: int) -> Boxes:
        return self._rows(self.images == image)

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
    count: int  # of the boxes, each once
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
    """What follows edits from now on; `order`: the rows of the boxes by their images, and `images` in that order."""

    fit: Fit
    order: NDArray[np.int64]
    images: NDArray[np.int64]


Event = Taken | Told | ByCount | Fitted


def compute(project: Path, choices: Choices, stopped: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """The boxes of the project as it is on disk; the steps; a ByCount for each number of anchors the boxes allow; and
    a Fit. WorkbenchError where the boxes are too few."""
    with Document.open(project, read_only=True, check=False) as document:
        snapshot = document.snapshot()
    boxes = boxes_of(snapshot, choices)
    yield taken(boxes)
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
    order = np.argsort(boxes.images, kind="stable")
    yield Fitted(Fit(pool, choices.k, choices.seed, choices.update), order, boxes.images[order])


def taken(boxes: Boxes) -> Taken:
    """Some tenths of a second for a million."""
    clouds = cloud(boxes.sizes, boxes.groups, False), cloud(boxes.sizes, boxes.groups, True)
    return Taken(boxes, len(np.unique(boxes.ids)), len(np.unique(boxes.images)), clouds)
