"""What the window "What the trainer sees" asks of its thread (eyes.py), and what comes back: frozen, and free of torch.

k = boxes, N = priors, P = pairs of a positive and a box.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.project import XYXY
from workbench.errors import WorkbenchError
from workbench.training.recipes import Recipe
from workbench.training.runs import RunInfo
from workbench.ui.pictures import Picture
from workbench.ui.train.work import Loaded

CERTAIN, FRESH = "certain", "fresh"
"""Weights: none, so that only what does not depend on them is shown; or fresh ones, those of the recipe's seed."""

Flags = NDArray[np.bool_]
Whole = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Begun:
    """The weights that a training begins with, from a file."""

    file: Path


Weights = str | Path | Begun
"""CERTAIN, FRESH, the file of a run whose weights answer, or what the training is to begin with."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the train page is set to: the recipe, and the file that the training is to start from."""

    recipe: Recipe
    start: Path | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Load PyTorch, and list what can be chosen."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Rest:
    """Nobody looks any more: networks and images need not be kept."""


@dataclass(frozen=True, slots=True)
class Members:
    """What can be chosen."""

    loaded: Loaded
    runs: tuple[RunInfo, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """Read some of the training images that were not read yet, for a moment: which are there, and how large?"""

    folder: Path
    version: int
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Checked:
    """How far that is. `otherwise`: files that are not what the project knows of them; `problems`: why not readable."""

    done: int
    total: int
    otherwise: int = 0
    problems: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What a person should know of it; empty where all is well."""
        if self.done < self.total:
            return (
                f"Reading {self.done:,} of {self.total:,} image files. Training leaves out those that can't be read:"
                " until all were, another image may have this turn."
            )
        if not self.problems:
            return ""
        files = "1 image file" if len(self.problems) == 1 else f"{len(self.problems):,} image files"
        return f"{files} can't be read and {'is' if len(self.problems) == 1 else 'are'} left out, as in training."


@dataclass(frozen=True, slots=True)
class Wish:
    """An image to be looked at. `version` counts the project's edits, so that an older reading is not used.

    `recipe`: of the detector that looks. `epoch` from 0. `seed`: None for the recipe's. `otherwise`: as in Checked.
    `borrowed`: title of the detector whose training augments the image, where that is another one's.
    """

    folder: Path
    version: int
    recipe: Recipe
    image: int
    weights: Weights
    augmented: bool
    epoch: int
    seed: int | None
    otherwise: int = 0
    borrowed: str = ""

    @property
    def detector(self) -> str:
        return self.recipe.detector


class GivenUp(WorkbenchError):
    """The answer to a wish that was not wished any more while it was done."""

    def __init__(self) -> None:
        super().__init__("Stopped.")


@dataclass(frozen=True, slots=True)
class Gone:
    """A box that is not in the picture. `red`: for no wish of anyone's, it has no area."""

    label: str
    xyxy: XYXY
    reason: str
    red: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """What there is to see. Pixels are those of the input, `side` of them each way."""

    detector: str
    title: str
    picture: Picture
    side: int
    labels: tuple[str, ...]  # (k,) names
    boxes: Floats  # (k, 4) xyxy
    ids: Whole  # (k,) of the project's boxes: the same in the looks of two detectors
    ignore: Flags  # (k,) on purpose neither object nor background
    reasons: tuple[str, ...]  # (k,) why a box has no positive; empty where it has one
    gone: tuple[Gone, ...]
    kind: str  # "anchor", "cell" or "point"
    priors: Floats  # (N, 4) xyxy
    cells: Floats  # (N, 4) xyxy: the cell of each
    level: Whole  # (N,)
    grids: tuple[tuple[int, int], ...]  # rows and columns per level
    prior: Whole  # (P,)
    box: Whole  # (P,)
    ignored: Flags | None  # (N,)
    negative: Flags | None  # (N,)
    about: str  # the step, and of how many images it is made
    note: str = ""  # what is to be known besides
    outside: str = ""  # why the image is not trained on, as the end of a sentence
    instead: int = 0  # then the id of the next one that is
    epochs: int = 0  # of the training, which may be more than the recipe's; 0: not known

    @property
    def positives(self) -> int:
        return len(np.unique(self.prior))

    @property
    def passed_over(self) -> int:
        """Negatives that the loss does not learn: neither positive, ignored nor chosen."""
        if self.ignored is None or self.negative is None:
            return 0
        return len(self.level) - self.positives - int(self.ignored.sum()) - int(self.negative.sum())

    @property
    def missed(self) -> Flags:
        """(k,) boxes that should be learnt and are not."""
        return np.array([bool(why) for why in self.reasons], bool) & ~self.ignore

    def learnt_by(self, box: int) -> list[int]:
        """How many priors of each level learn the box."""
        counts: list[int] = np.bincount(self.level[self.prior[self.box == box]], minlength=len(self.grids)).tolist()
        return counts

    @property
    def shared(self) -> Whole:
        """Priors that learn several boxes, ascending."""
        priors, counts = np.unique(self.prior, return_counts=True)
        return np.asarray(priors[counts > 1])

    def sharing(self, box: int) -> list[int]:
        """The other boxes that a prior of this one learns, too."""
        own = self.prior[self.box == box]
        others = np.unique(self.box[np.isin(self.prior, own)])
        return [other for other in others.tolist() if other != box]

    def twin(self, box: int, other: Look) -> int:
        """The same box in another look, -1 for none. Of several (an image in its own mosaic) the one at its place."""
        rows = np.flatnonzero(other.ids == self.ids[box])
        if not len(rows):
            return -1
        place, places = self.boxes[box] / self.side, other.boxes[rows] / other.side
        return int(rows[np.abs(places - place).sum(axis=1).argmin()])
