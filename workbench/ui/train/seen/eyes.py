"""Does the work for the window "What the trainer sees" in its thread: PyTorch, files and networks are used here."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.core.document import Document
from workbench.core.files import stamp
from workbench.core.project import AnchorSet, Snapshot
from workbench.core.window import Window
from workbench.errors import WorkbenchError
from workbench.training import runs
from workbench.training.events import Control
from workbench.training.recipes import Recipe
from workbench.training.seen_files import Files, Known
from workbench.ui.pictures import picture
from workbench.ui.train import work as loading
from workbench.ui.train.seen.wishes import (
    CERTAIN,
    Begun,
    Check,
    Checked,
    GivenUp,
    Gone,
    Look,
    Members,
    Rest,
    Start,
    Weights,
    Wish,
)
from workbench.ui.train.work import Loaded

if TYPE_CHECKING:
    from workbench.detectors.parts.detector import Detector
    from workbench.training.seen import Course, Seen
    from workbench.training.seen_assignment import Assigned
    from workbench.training.seen_coverage import Coverage, Part

KEPT = 2  # networks, as many as are shown: large ones fill the memory
MOMENT = 0.05  # seconds of reading files at a time: how long a look may have to wait


@dataclass
class _Checking:
    """The files of a training still to be read, and what was found in the others."""

    check: Check
    window: Window | None
    total: int
    unknown: list[tuple[Path, tuple[int, int]]]  # in reverse order; with the size known to the project
    otherwise: int = 0
    problems: list[str] = field(default_factory=list)

    def note(self, known: Known, size: tuple[int, int]) -> None:
        self.otherwise += bool(known.problem) or (size[0] > 0 and size != (known.width, known.height))
        if known.problem:
            self.problems.append(known.problem)


class Eyes:
    """Keeps what is expensive (the project's boxes, networks) between looks. `do` in one thread only."""

    def __init__(self) -> None:
        self.files = Files()
        self._read: tuple[object, Snapshot, AnchorSet | None] | None = None
        self._courses: dict[Recipe, Course] = {}
        self._detectors: dict[tuple[Recipe, Weights, object], Detector] = {}
        self._checking: _Checking | None = None
        self._lock = threading.Lock()
        self._current: object = None
        self._control = Control()
        self._left = False

    # --- from any thread ---

    @property
    def current(self) -> object:
        """The request being worked on, None for none."""
        return self._current

    def only(self, wishes: Collection[object]) -> None:
        """Abandon the look being made, unless it is among these."""
        with self._lock:
            if isinstance(self._current, Wish) and self._current not in wishes:
                self._control.stop.set()

    def leave(self) -> None:
        """Abandon the work in progress, for good."""
        with self._lock:
            self._left = True
            self._control.stop.set()

    # --- in its own thread ---

    def do(self, wish: Start | Wish | Check | Rest) -> Members | Look | Checked | None:
        """WorkbenchError if something can't be shown; GivenUp if it was abandoned."""
        with self._lock:
            self._current, self._control = wish, Control()
            if self._left:
                raise GivenUp
        try:
            return self._do(wish)
        finally:
            with self._lock:
                self._current = None

    def _do(self, wish: Start | Wish | Check | Rest) -> Members | Look | Checked | None:
        if isinstance(wish, Rest):
            self._read = self._checking = None
            self._courses.clear()
            self._detectors.clear()
            return None
        if isinstance(wish, Start):
            return self._start(wish)
        return self._look(wish) if isinstance(wish, Wish) else self._check(wish)

    def _start(self, wish: Start) -> Members:
        for event in loading.load():
            if self._control.stop.is_set():
                break
            if isinstance(event, Loaded):
                return Members(event, runs.runs(wish.folder))
        raise GivenUp

    # --- files ---

    def _check(self, wish: Check) -> Checked:
        now = self._checking
        if now is None or now.check != wish:
            now = self._checking = self._begun(wish)
        began, before = time.monotonic(), now.otherwise
        while now.unknown:  # at least one file
            file, size = now.unknown.pop()
            now.note(self.files.look(file, now.window), size)
            if time.monotonic() - began > MOMENT or self._control.stop.is_set():
                break
        if now.otherwise != before:
            self._courses.clear()
        return Checked(now.total - len(now.unknown), now.total, now.otherwise, tuple(now.problems))

    def _begun(self, wish: Check) -> _Checking:
        from workbench.training import prepare

        snapshot, _ = self._project(wish)
        try:
            train = prepare.parts(snapshot, wish.recipe.training)[0]
            own = wish.recipe.detector_settings.resolved(tuple(label.name for label in snapshot.labels))
            pictures = own.pictures()
        except WorkbenchError:  # which a look will report
            return _Checking(wish, None, 0, [])
        pairs = [(file, (one.width, one.height)) for file, one in zip(train.files, train.images, strict=True)]
        pairs += [(file, (0, 0)) for file, _ in pictures]
        made = _Checking(wish, train.window, len(pairs), [])
        for file, size in reversed(pairs):
            known = self.files.known(file, train.window)
            if known is None:
                made.unknown.append((file, size))
            else:
                made.note(known, size)
        return made

    # --- a look ---

    def _look(self, wish: Wish) -> Look:
        from workbench.training.seen_assignment import assigned
        from workbench.training.seen_stop import Stoppable, Stopped

        snapshot, anchors = self._project(wish)
        recipe, anchors = _asked(wish, anchors)
        seen, outside, instead = self._seen(wish, snapshot, recipe)
        key = (recipe, wish.weights, _written(wish.weights))
        try:
            with Stoppable(self._control):
                detector = self._detectors.pop(key, None) or _built(recipe, snapshot, anchors, wish.weights)
                self._detectors[key] = detector  # the most recent last
                found = assigned(seen, detector, answers=wish.weights != CERTAIN)
        except Stopped:
            raise GivenUp from None
        for old in list(self._detectors)[:-KEPT]:
            del self._detectors[old]
        return replace(_shown(wish, recipe, detector.title, seen, found, outside), instead=instead)

    def _project(self, wish: Wish | Check) -> tuple[Snapshot, AnchorSet | None]:
        now = wish.folder, wish.version
        if self._read is None or self._read[0] != now:
            with Document.open(wish.folder, read_only=True) as document:
                self._read = now, document.snapshot(), document.anchors()
            self._courses.clear()
            self._detectors.clear()
        return self._read[1], self._read[2]

    def _seen(self, wish: Wish, snapshot: Snapshot, recipe: Recipe) -> tuple[Seen, str, int]:
        """The image, why it is not trained on, and if so the id of the next one that is."""
        from workbench.training.seen import Otherwise, as_it_is, course

        outside, instead = "", 0
        image = next((one for one in snapshot.images if one.id == wish.image), None)
        while wish.augmented and image is not None and not outside:
            if self._control.stop.is_set():
                raise GivenUp
            if recipe not in self._courses:
                self._courses[recipe] = course(snapshot, recipe, self.files)
            plan = self._courses[recipe]
            outside = plan.outside(image)
            if outside:
                instead = plan.instead_of(wish.image, [one.id for one in snapshot.images])
            else:
                try:
                    return plan.seen(plan.index(wish.image), wish.epoch, wish.seed), "", 0
                except Otherwise:  # which is now recorded
                    self._courses.clear()
        try:
            return as_it_is(snapshot, wish.image, recipe), outside, instead
        except WorkbenchError as error:
            if not outside:
                raise
            raise WorkbenchError(f"{error.sentence}. Training leaves this image out.", error) from error


def _written(weights: Weights) -> tuple[int, int] | None:
    """A stamp that changes when the file is rewritten under the same name."""
    file = weights.file if isinstance(weights, Begun) else weights
    try:
        return stamp(file) if isinstance(file, Path) else None
    except OSError:  # which building the network reports
        return None


def _asked(wish: Wish, anchors: AnchorSet | None) -> tuple[Recipe, AnchorSet | None]:
    """The recipe for the requested detector; with a run's weights, the network and the anchors that it had."""
    from workbench import detectors, settings
    from workbench.training.header import read_header

    if not isinstance(wish.weights, Path):
        return wish.recipe, anchors
    header = read_header(wish.weights)
    own = detectors.load_all().get(header.detector).settings_class
    made = settings.changed(own(), own.renewed(header.detector_settings))
    kept = AnchorSet(header.anchors, header.input_px) if header.anchors else None
    return replace(wish.recipe, detector=header.detector, detector_settings=made), kept


def _built(recipe: Recipe, snapshot: Snapshot, anchors: AnchorSet | None, weights: Weights) -> Detector:
    from workbench.training.seen_assignment import detector_of

    labels = tuple(label.name for label in snapshot.labels)
    if not labels:
        raise WorkbenchError("The project has no labels yet. Draw a box first.")
    recipe = replace(recipe, detector_settings=recipe.detector_settings.resolved(labels))
    former = snapshot.former_names
    if isinstance(weights, Begun):
        return detector_of(recipe, labels, anchors, weights.file, begun=True, former=former)
    return detector_of(recipe, labels, anchors, weights if isinstance(weights, Path) else None, former=former)


def _shown(wish: Wish, recipe: Recipe, title: str, seen: Seen, found: Assigned, outside: str) -> Look:
    explained, names = found.explained, [label.name for label in seen.snapshot.labels]
    why, small = dict(found.unmatched), [m for m, one in seen.ignored_as().items() if one.small]
    ignore = seen.ignore.copy()
    ignore[small] = False  # nobody intended that
    return Look(
        detector=recipe.detector,
        title=title,
        picture=picture(seen.pixels),
        side=seen.side,
        labels=tuple(names[label] for label in seen.labels),
        boxes=seen.boxes.astype(np.float64),
        ids=seen.snapshot.box_ids[seen.rows],
        ignore=ignore,
        reasons=tuple(why.get(k, "") for k in range(len(seen.boxes))),
        gone=tuple(Gone(_label(seen, one.row), one.xyxy, one.reason, one.small) for one in seen.lost if one.gone),
        kind=explained.layout.kind,
        priors=explained.layout.boxes.double().numpy(),
        cells=found.cells(seen.side),
        level=explained.layout.level.numpy(),
        grids=explained.layout.grids,
        prior=explained.prior.numpy(),
        box=explained.box.numpy(),
        ignored=None if explained.ignored is None else explained.ignored[0].numpy(),
        negative=None if explained.negative is None else explained.negative[0].numpy(),
        about=_about(recipe, seen),
        note=_notes(wish, seen, found, outside),
        outside=outside,
        epochs=seen.epochs,
    )


def _notes(wish: Wish, seen: Seen, found: Assigned, outside: str) -> str:
    notes = [f"Not trained on: {outside}. Shown as it is." if outside else "", found.note]
    if wish.borrowed and seen.step >= 0:
        notes.append(f"Augmented as in the training of {wish.borrowed}, for comparison.")
    if seen.attacked:
        notes.append("In this step the images are also changed adversarially, against the network, which is not shown.")
    if not len(seen.boxes):
        notes.append("No box is visible.")
    return " ".join(part for part in notes if part)


def _label(seen: Seen, row: int) -> str:
    return seen.snapshot.labels[int(seen.snapshot.label_index[row])].name


def _about(recipe: Recipe, seen: Seen) -> str:
    size = f"{seen.side} × {seen.side} px"
    if seen.step < 0:
        return f"{size}, not augmented"
    parts = len(seen.parts)
    made = "" if parts == 1 else f", combined with {parts - 1} other{'s' if parts > 2 else ''}"
    place = f"image {seen.place + 1} of {seen.places}"
    return f"{size}, step {seen.step + 1:,} of {seen.steps:,}, {place}{made}"


def count(
    folder: Path, recipe: Recipe | None, names: Sequence[str], files: Files, control: Control
) -> Iterator[Coverage | Part]:  # fmt: skip
    """For the whole set, until `control` stops it. Without a recipe, by the first preset."""
    from workbench.training import recipes
    from workbench.training.seen_coverage import counting
    from workbench.training.seen_stop import Stopped

    with Document.open(folder, read_only=True) as document:
        snapshot, anchors = document.snapshot(), document.anchors()
    try:
        yield from counting(snapshot, recipe or recipes.preset(recipes.DEFAULT), anchors, names, files, control)
    except Stopped:
        return
