"""What the anchors page computes in its thread: the boxes, the steps of a fit, other numbers of anchors. No Qt."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import anchors
from workbench.anchors import AnchorFit, SizePool, Step, Update
from workbench.core.document import Document
from workbench.core.project import Label, Snapshot, Split
from workbench.core.tiling import tiling
from workbench.errors import WorkbenchError
from workbench.ui.anchors.cloud import Cloud, make_cloud

MOST_ANCHORS = 15
SPLITS = tuple(Split)


@dataclass(frozen=True, slots=True)
class AnchorChoices:
    """`part`: "all", or "train" for the images used in training. `scale`: the augmentation's, as a share."""

    k: int
    px: int
    resize: str
    part: str
    scale: float
    update: Update
    refines: bool
    seed: int
    starts: int = anchors.RESTARTS  # of which the best is taken
    tiles: int = 0  # side of the tiles in which the training sees large images, in their pixels; 0: none


@dataclass(frozen=True, slots=True, eq=False)
class ChosenBoxes:
    """Boxes that the user wants to see: (n,) ids and the images they are in; `words` continue "12 boxes ..."."""

    ids: NDArray[np.int64]
    images: NDArray[np.int64]
    words: str


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes as the network sees them, in n rows: a box has several if augmentation scales it.

    Rows of one box are consecutive, from the smallest size to the largest. `ids` are of boxes, `images` of images;
    `labels` and `splits` are indices into `names` and SPLITS; `centres` (n, 2) in network pixels, without
    augmentation. In tiles, an image is several inputs of the network: `views` tells those of one image apart.
    """

    sizes: NDArray[np.float64]  # (n, 2)
    ids: NDArray[np.int64]
    images: NDArray[np.int64]
    views: NDArray[np.int64]
    labels: NDArray[np.int64]
    splits: NDArray[np.int64]
    centres: NDArray[np.float64]
    names: tuple[Label, ...]

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(m,) the first row of each box."""
        if not len(self.ids):
            return np.zeros(0, np.int64)
        return np.flatnonzero(np.concatenate([[True], self.ids[1:] != self.ids[:-1]]))

    @property
    def inputs(self) -> NDArray[np.int64]:
        """(n,) a number for each row's input of the network: its image or, in tiles, its view of it."""
        return self.images * (int(self.views.max(initial=0)) + 1) + self.views

    @property
    def middles(self) -> NDArray[np.int64]:
        """(m,) for each box the row of its middle size: without augmentation its only one."""
        ends = np.append(self.starts[1:], len(self))
        return np.asarray((self.starts + ends) // 2)

    def chosen(self, rows: NDArray[np.int64], words: str) -> ChosenBoxes:
        """The boxes of these rows; `words` describe them."""
        ids, first = np.unique(self.ids[rows], return_index=True)
        return ChosenBoxes(ids, self.images[rows][first], words)

    @property
    def groups(self) -> dict[str, NDArray[np.int64]]:
        return {"label": self.labels, "split": self.splits}

    def _rows(self, rows: NDArray[Any]) -> Boxes:
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def without(self, images: frozenset[int]) -> Boxes:
        return self._rows(~np.isin(self.images, list(images)))

    def of(self, image: int) -> Boxes:
        return self._rows(self.images == image)

    def plus(self, others: Sequence[Boxes]) -> Boxes:
        """With the boxes of `others`, whose `names` are of now; all at once, as each copy may be of a million rows."""
        parts = [self, *others]
        columns: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in parts]) for name in COLUMNS}
        return replace(parts[-1], **columns)


COLUMNS = tuple(field.name for field in dataclasses.fields(Boxes) if field.name != "names")


def chosen_images(snapshot: Snapshot, part: str) -> tuple[Snapshot, bool]:
    """The project's images in `part`; and whether that is all of them because no training image has a box."""
    return anchors.training_images_or_all(snapshot) if part == "train" else (snapshot, False)


def boxes_of(snapshot: Snapshot, choices: AnchorChoices) -> Boxes:
    """All boxes of these images."""
    snapshot = anchors.in_tiles(snapshot, tiling(choices.tiles))
    sizes, rows = anchors.sizes_and_rows(snapshot, choices.px, choices.resize, choices.scale)
    owner = np.repeat(np.arange(len(snapshot.images)), np.diff(snapshot.offsets))[rows]
    ids = np.array([image.id for image in snapshot.images], np.int64)
    splits = np.array([SPLITS.index(image.split) for image in snapshot.images], np.int64)
    return Boxes(
        sizes, snapshot.box_ids[rows], ids[owner], owner, snapshot.label_index[rows].astype(np.int64), splits[owner],
        anchors.centres_of(snapshot, rows, choices.px, choices.resize), snapshot.labels,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ResizeRequest:
    """Input for reading a project's `boxes` again, as the network sees them if images are resized in another way."""

    boxes: Boxes
    folder: Path
    choices: AnchorChoices
    resize: str


def read_resized(request: ResizeRequest) -> Boxes:
    """Runs in a thread."""
    with Document.open(request.folder, read_only=True, check=False) as document:
        snapshot = document.snapshot()
    return boxes_of(chosen_images(snapshot, request.choices.part)[0], replace(request.choices, resize=request.resize))


@dataclass(frozen=True, slots=True, eq=False)
class PreparedBoxes:
    """The boxes behind everything else, and the two pictures of them: with logarithmic axes, and without."""

    boxes: Boxes
    count: int  # of boxes, each counted once
    images: int
    clouds: tuple[Cloud, Cloud]  # indexed by whether axes are logarithmic
    fell_back: bool = False  # no training image has a box, so all images are used


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """What anchors can be judged by, before the first step."""

    pool: SizePool


@dataclass(frozen=True, slots=True)
class Failed:
    """There is nothing to compute: the page shows why in its place, not in the corner."""

    sentence: str


@dataclass(frozen=True, slots=True, eq=False)
class StepComputed:
    """A step and its stage: 0 k-means, 1 the random changes after it."""

    step: Step
    stage: int


@dataclass(frozen=True, slots=True, eq=False)
class ByCount:
    """The result for one number of anchors."""

    step: Step


@dataclass(frozen=True, slots=True, eq=False)
class AllCounts:
    """The results for all numbers, after an edit."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What follows later edits; `order`: the boxes' rows sorted by image, and `images` in that order."""

    fit: AnchorFit
    order: NDArray[np.int64]
    images: NDArray[np.int64]
    fell_back: bool = False  # as in PreparedBoxes


Event = PreparedBoxes | Pooled | StepComputed | ByCount | AllCounts | Fitted | Failed


def compute(project: Path, choices: AnchorChoices, stopped: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """Yields the project's boxes as they are on disk; the steps; a ByCount for each number of anchors the boxes allow;
    and a Fitted. Failed if there are too few boxes: what is there comes after it, without steps and Fitted."""
    try:
        yield from _computed(project, choices, stopped)
    except WorkbenchError as error:
        yield Failed(error.sentence)


def _computed(project: Path, choices: AnchorChoices, stopped: Callable[[], bool]) -> Iterator[Event]:
    with Document.open(project, read_only=True, check=False) as document:
        snapshot, fell_back = chosen_images(document.snapshot(), choices.part)
    boxes = boxes_of(snapshot, choices)
    prepared = prepare(boxes, fell_back)
    yield prepared
    if stopped():
        return
    pool = SizePool.of(boxes.sizes)
    yield Pooled(pool)
    last: Step | None = None
    try:
        for event in _fitting(pool, choices):
            last = event.step
            yield event
            if stopped():
                return
    except WorkbenchError as error:
        yield Failed(error.sentence)
        if len(pool):
            yield Pooled(pool)
            yield prepared
    for step in anchors.curve(pool, MOST_ANCHORS, choices.seed, choices.update):
        yield ByCount(step)
        if stopped():
            return
    if last is None:
        return
    order = np.argsort(boxes.images, kind="stable")
    update = "median" if choices.refines else choices.update  # means would undo what was refined for the mean IoU
    fit = AnchorFit(pool, choices.k, choices.seed, update, choices.starts, centres=last.centres)
    yield Fitted(fit, order, boxes.images[order], fell_back)


def _fitting(pool: SizePool, choices: AnchorChoices) -> Iterator[StepComputed]:
    """The film: k-means, and the refinement after it."""
    last: Step | None = None
    for step in anchors.kmeans(pool, choices.k, choices.seed, update=choices.update, restarts=choices.starts):
        last = step
        yield StepComputed(dataclasses.replace(step, done=step.done and not choices.refines), 0)
    assert last is not None
    if choices.refines:
        for step in anchors.refine(pool, last.centres, choices.seed):
            yield StepComputed(step, 1)


def recompute(boxes: Callable[[], Boxes], pool: SizePool, choices: AnchorChoices) -> Iterator[Event]:
    """After an edit: the boxes, and the curve over the number of anchors, computed again."""
    yield prepare(boxes())
    yield AllCounts(tuple(anchors.curve(pool, MOST_ANCHORS, choices.seed, choices.update)))


def prepare(boxes: Boxes, fell_back: bool = False) -> PreparedBoxes:
    """Takes some tenths of a second for a million boxes."""
    clouds = make_cloud(boxes.sizes, boxes.groups, False), make_cloud(boxes.sizes, boxes.groups, True)
    return PreparedBoxes(boxes, len(boxes.starts), len(np.unique(boxes.images)), clouds, fell_back)
