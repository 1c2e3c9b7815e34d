"""Requests of the window "What the trainer sees" to its thread (worker.py), and the results: frozen, and without torch.

k = boxes, N = priors, P = pairs of a positive and a box.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.project import XYXY
from workbench.core.snapshot_views import FULLEST
from workbench.errors import WorkbenchError
from workbench.training.recipes import Recipe
from workbench.training.records.runs import RunInfo
from workbench.ui.images.pictures import Picture
from workbench.ui.train.work import Loaded

CERTAIN, FRESH = "certain", "fresh"
"""Weights: none, so that only what does not depend on them is shown; or fresh ones, from the recipe's seed."""

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StartWeights:
    """The weights that a training starts with, from a file."""

    file: Path


Weights = str | Path | StartWeights
"""CERTAIN, FRESH, the file of a run whose weights are used, or what the training is to start with."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """The Train page's settings: the recipe, and the file that the training is to start from."""

    recipe: Recipe
    start: Path | None = None


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """Load PyTorch, and list what can be chosen."""

    folder: Path


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """The window is hidden: networks and images need not be kept."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What can be chosen."""

    loaded: Loaded
    runs: tuple[RunInfo, ...]


@dataclass(frozen=True, slots=True)
class FileCheckRequest:
    """Read some of the training images not read yet, for a moment: do they exist, and how large are they?"""

    folder: Path
    version: int
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class FileCheckResult:
    """The progress. `changed_files` differ from what the project knows; `problems`: why some can't be read."""

    done: int
    total: int
    changed_files: int = 0
    problems: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What a person should know about it; empty if all is well."""
        if self.done < self.total:
            return (
                f"Reading {self.done:,} of {self.total:,} image files. Training leaves out those that can't be read,"
                " so until all are read, another image may come at this step."
            )
        if not self.problems:
            return ""
        files = "1 image file" if len(self.problems) == 1 else f"{len(self.problems):,} image files"
        return f"{files} can't be read and {'is' if len(self.problems) == 1 else 'are'} left out, as in training."


@dataclass(frozen=True, slots=True)
class AssignmentRequest:
    """A request for an image's assignment. `version` counts the project's edits, so that outdated data is not used.

    `recipe`: of the shown detector. `epoch` from 0. `seed`: None for the recipe's. `changed_files`: as checked.
    `borrowed`: title of the detector whose training augments the image, where that is another one's. `view`: its
    number, if the image has tiles (snapshot_views.FULLEST).
    """

    folder: Path
    version: int
    recipe: Recipe
    image: int
    weights: Weights
    augmented: bool
    epoch: int
    seed: int | None
    changed_files: int = 0
    borrowed: str = ""
    view: int = FULLEST

    @property
    def detector(self) -> str:
        return self.recipe.detector


class RequestCancelled(WorkbenchError):
    """The answer to a request that was withdrawn while it was being worked on."""

    def __init__(self) -> None:
        super().__init__("Stopped.")


@dataclass(frozen=True, slots=True)
class DroppedBox:
    """A box that is not in the picture. `red`: not intentionally, it has no area."""

    label: str
    xyxy: XYXY
    reason: str
    red: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class AssignmentResult:
    """What is shown of an image and what is trained on it. Pixels are those of the input, `side` wide and high."""

    detector: str
    title: str
    picture: Picture
    side: int
    labels: tuple[str, ...]  # (k,) names
    boxes: Floats  # (k, 4) xyxy
    ids: Ints  # (k,) of the project's boxes: the same in the assignments of two detectors
    ignore: Flags  # (k,) deliberately neither object nor background
    reasons: tuple[str, ...]  # (k,) why a box has no positive; empty if it has one
    dropped: tuple[DroppedBox, ...]
    kind: str  # "anchor", "cell" or "point"
    priors: Floats  # (N, 4) xyxy
    cells: Floats  # (N, 4) xyxy: the cell of each prior
    level: Ints  # (N,)
    grids: tuple[tuple[int, int], ...]  # rows and columns per level
    prior: Ints  # (P,)
    box: Ints  # (P,)
    ignored: Flags | None  # (N,)
    negative: Flags | None  # (N,)
    about: str  # the step, and how many images it is made of
    note: str = ""  # what else to know about it
    exclusion_reason: str = ""  # why the image is not trained on, as the end of a sentence
    next_trained: int = 0  # if so, the id of the next one that is
    epochs: int = 0  # of the training, which may be more than the recipe's; 0: unknown
    view: int = 0  # its number, as in the request
    tiles: int = 0  # how many the image has
    view_name: str = ""  # "tile 3 of 12"; empty without tiles

    @property
    def positives(self) -> int:
        return len(np.unique(self.prior))

    @property
    def unused_negatives(self) -> int:
        """Negatives that the loss does not use: neither positive, ignored nor sampled."""
        if self.ignored is None or self.negative is None:
            return 0
        return len(self.level) - self.positives - int(self.ignored.sum()) - int(self.negative.sum())

    @property
    def missed(self) -> Flags:
        """(k,) boxes that should be trained on and are not."""
        return np.array([bool(why) for why in self.reasons], bool) & ~self.ignore

    def positives_per_level(self, box: int) -> list[int]:
        """How many priors of each level are trained on the box."""
        counts: list[int] = np.bincount(self.level[self.prior[self.box == box]], minlength=len(self.grids)).tolist()
        return counts

    @property
    def shared(self) -> Ints:
        """Priors trained on several boxes, ascending."""
        priors, counts = np.unique(self.prior, return_counts=True)
        return np.asarray(priors[counts > 1])

    def boxes_sharing(self, box: int) -> list[int]:
        """The other boxes that a prior of this one is trained on, too."""
        own = self.prior[self.box == box]
        others = np.unique(self.box[np.isin(self.prior, own)])
        return [other for other in others.tolist() if other != box]

    def same_box_in(self, box: int, other: AssignmentResult) -> int:
        """The same box in another assignment, -1 for none. Of several (in its own mosaic) the one in its place."""
        rows = np.flatnonzero(other.ids == self.ids[box])
        if not len(rows):
            return -1
        place, places = self.boxes[box] / self.side, other.boxes[rows] / other.side
        return int(rows[np.abs(places - place).sum(axis=1).argmin()])
