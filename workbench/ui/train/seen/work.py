"""What the window "What the trainer sees" does in threads: the image as it enters the network, and what the loss makes
of it. k = boxes, N = priors, P = pairs of a positive and a box. Values are frozen and know nothing of torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.core.document import Document
from workbench.core.project import XYXY, AnchorSet, Snapshot
from workbench.errors import WorkbenchError
from workbench.training import runs
from workbench.training.recipes import Recipe
from workbench.training.runs import RunInfo
from workbench.ui.pictures import Picture, picture
from workbench.ui.train import work as loading
from workbench.ui.train.work import Loaded

if TYPE_CHECKING:
    from workbench.detectors.parts.detector import Detector
    from workbench.detectors.parts.explained import Explained
    from workbench.training.seen import Course, Seen
    from workbench.training.seen_assignment import Assigned
    from workbench.training.seen_coverage import Coverage

CERTAIN, FRESH = "certain", "fresh"
"""Weights: none, so that only what does not depend on them is shown; or those that a training begins with."""
KEPT = 2  # networks, as many as are shown: large ones fill the memory
NOT_TRAINED = "Not trained on: held out, of another split, or not in a state that the recipe takes. Shown as it is."
Weights = str | Path
Flags = NDArray[np.bool_]
Whole = NDArray[np.int64]


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
class Wish:
    """An image to be looked at. `version` counts the project's edits, so that an older reading is not used.

    `detector`: empty for the recipe's own. `epoch` from 0. `seed`: None for the recipe's.
    """

    folder: Path
    version: int
    recipe: Recipe
    image: int
    detector: str
    weights: Weights
    augmented: bool
    epoch: int
    seed: int | None


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """What there is to see. Pixels are those of the input, `side` of them each way."""

    detector: str
    title: str
    picture: Picture
    side: int
    labels: tuple[str, ...]  # (k,) names
    boxes: NDArray[np.float64]  # (k, 4) xyxy
    ignore: Flags  # (k,)
    reasons: tuple[str, ...]  # (k,) why a box has no positive; empty where it has one
    gone: tuple[tuple[str, XYXY, str], ...]  # label, place and reason of boxes that are not in the picture any more
    kind: str  # "anchor", "cell" or "point"
    priors: NDArray[np.float64]  # (N, 4) xyxy
    cells: NDArray[np.float64]  # (N, 4) xyxy: the cell of each
    level: Whole  # (N,)
    grids: tuple[tuple[int, int], ...]  # rows and columns per level
    prior: Whole  # (P,)
    box: Whole  # (P,)
    ignored: Flags | None  # (N,)
    negative: Flags | None  # (N,)
    about: str  # the step, and of how many images it is made
    note: str  # what is to be known besides

    @property
    def positives(self) -> int:
        return len(np.unique(self.prior))

    @property
    def passed_over(self) -> int:
        """Negatives that the loss does not learn: neither positive, ignored nor chosen."""
        if self.ignored is None or self.negative is None:
            return 0
        return len(self.level) - self.positives - int(self.ignored.sum()) - int(self.negative.sum())

    def learnt_by(self, box: int) -> list[int]:
        """How many priors of each level learn the box."""
        counts: list[int] = np.bincount(self.level[self.prior[self.box == box]], minlength=len(self.grids)).tolist()
        return counts


class Eyes:
    """Keeps what is dear (the project's boxes, networks) from one look to the next. All of it in one thread."""

    def __init__(self) -> None:
        self._read: tuple[object, Snapshot, AnchorSet | None] | None = None
        self._courses: dict[Recipe, Course] = {}
        self._detectors: dict[tuple[Recipe, Weights], Detector] = {}

    def do(self, wish: Start | Wish | Rest) -> Members | Look | None:
        """WorkbenchError where a thing can't be shown."""
        if isinstance(wish, Rest):
            self._read = None
            self._courses.clear()
            self._detectors.clear()
            return None
        if isinstance(wish, Start):
            loaded = next(event for event in reversed(list(loading.load())) if isinstance(event, Loaded))
            return Members(loaded, runs.runs(wish.folder))
        return self.look(wish)

    def look(self, wish: Wish) -> Look:
        from workbench.training.seen_assignment import assigned

        snapshot, anchors = self._project(wish)
        recipe, anchors = _asked(wish, anchors)
        seen, note = self._seen(wish, snapshot, recipe)
        key = (recipe, wish.weights)
        detector = self._detectors.pop(key, None) or _built(recipe, snapshot, anchors, wish.weights)
        self._detectors[key] = detector  # the latest last
        for old in list(self._detectors)[:-KEPT]:
            del self._detectors[old]
        return _shown(recipe, detector.title, seen, assigned(seen, detector, answers=wish.weights != CERTAIN), note)

    def _project(self, wish: Wish) -> tuple[Snapshot, AnchorSet | None]:
        now = wish.folder, wish.version
        if self._read is None or self._read[0] != now:
            with Document.open(wish.folder, read_only=True) as document:
                self._read = now, document.snapshot(), document.anchors()
            self._courses.clear()
            self._detectors.clear()
        return self._read[1], self._read[2]

    def _seen(self, wish: Wish, snapshot: Snapshot, recipe: Recipe) -> tuple[Seen, str]:
        from workbench.training.seen import as_it_is, course

        if wish.augmented:
            if recipe not in self._courses:
                self._courses[recipe] = course(snapshot, recipe)
            plan = self._courses[recipe]
            if any(image.id == wish.image for image in plan.snapshot.images):
                return plan.seen(plan.index(wish.image), wish.epoch, wish.seed), ""
        return as_it_is(snapshot, wish.image, recipe), NOT_TRAINED if wish.augmented else ""


def _asked(wish: Wish, anchors: AnchorSet | None) -> tuple[Recipe, AnchorSet | None]:
    """The recipe for the detector asked for; with a run's weights, the network and the anchors that it had."""
    from workbench import detectors, settings
    from workbench.training.header import read_header

    recipe = wish.recipe.with_detector(wish.detector) if wish.detector else wish.recipe
    if not isinstance(wish.weights, Path):
        return recipe, anchors
    header = read_header(wish.weights)
    own = detectors.load_all().get(header.detector).settings_class
    made = settings.changed(own(), own.renewed(header.detector_settings))
    kept = AnchorSet(header.anchors, header.input_px) if header.anchors else None
    return replace(recipe, detector=header.detector, detector_settings=made), kept


def _built(recipe: Recipe, snapshot: Snapshot, anchors: AnchorSet | None, weights: Weights) -> Detector:
    from workbench.training.seen_assignment import detector_of

    labels = tuple(label.name for label in snapshot.labels)
    if not labels:
        raise WorkbenchError("The project has no labels yet. Draw a box first.")
    own = recipe.detector_settings.resolved(labels)
    file = weights if isinstance(weights, Path) else None
    return detector_of(replace(recipe, detector_settings=own), labels, anchors, file)


def _shown(recipe: Recipe, title: str, seen: Seen, found: Assigned, note: str) -> Look:
    explained, names = found.explained, [label.name for label in seen.snapshot.labels]
    why = dict(found.unmatched)
    notes = [note, explained.note]
    if seen.attacked:
        notes.append("In this step the images are also turned against the network, which is not shown.")
    if not len(seen.boxes):
        notes.append("No box is in sight.")
    return Look(
        recipe.detector, title, picture(seen.pixels), seen.side, tuple(names[label] for label in seen.labels),
        seen.boxes.astype(np.float64), seen.ignore, tuple(why.get(k, "") for k in range(len(seen.boxes))),
        tuple((_label(seen, one.row), one.xyxy, one.reason) for one in seen.lost if one.gone),
        explained.layout.kind, explained.layout.boxes.double().numpy(), _cells(explained, seen.side),
        explained.layout.level.numpy(), explained.layout.grids, explained.prior.numpy(), explained.box.numpy(),
        None if explained.ignored is None else explained.ignored[0].numpy(),
        None if explained.negative is None else explained.negative[0].numpy(),
        _about(recipe, seen), " ".join(part for part in notes if part),
    )  # fmt: skip


def _label(seen: Seen, row: int) -> str:
    return seen.snapshot.labels[int(seen.snapshot.label_index[row])].name


def _cells(explained: Explained, side: int) -> NDArray[np.float64]:
    """The cell of each prior, about the prior's middle: torchvision's anchors lie on the corners of a grid."""
    layout = explained.layout
    shape = np.array([(side / columns, side / rows) for rows, columns in layout.grids])[layout.level.numpy()]
    priors = layout.boxes.double().numpy()
    middle = (priors[:, :2] + priors[:, 2:]) / 2
    cells = np.concatenate([middle - shape / 2, middle + shape / 2], axis=1)
    return np.asarray(cells.round(3))  # so that those of one place are the same, and painted once


def _about(recipe: Recipe, seen: Seen) -> str:
    size = f"{seen.side} × {seen.side} px"
    if seen.step < 0:
        return f"{size}, as it is"
    parts = len(seen.parts)
    made = "" if parts == 1 else f", with {parts - 1} other{'s' if parts > 2 else ''} in it"
    return f"{size}, step {seen.step + 1:,}, image {seen.place + 1} of {recipe.training.batch}{made}"


def count(folder: Path, recipe: Recipe | None, names: tuple[str, ...]) -> Iterator[Coverage]:
    """For the whole set. Without a recipe, by the first preset."""
    from workbench.training import recipes
    from workbench.training.seen_coverage import coverages

    with Document.open(folder, read_only=True) as document:
        snapshot, anchors = document.snapshot(), document.anchors()
    yield from coverages(snapshot, recipe or recipes.preset(recipes.DEFAULT), anchors, names)
