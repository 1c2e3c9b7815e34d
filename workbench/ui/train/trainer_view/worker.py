"""Does the work for the window "What the trainer sees" in its thread: PyTorch, files and networks are used here."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.document import Document
from workbench.core.files import stamp
from workbench.core.project import AnchorSet, Snapshot
from workbench.errors import WorkbenchError
from workbench.training.batches.file_index import FileIndex, FileInfo
from workbench.training.events import Control
from workbench.training.recipes import Recipe
from workbench.training.records import runs
from workbench.ui.images.pictures import picture
from workbench.ui.train import work as loading
from workbench.ui.train.trainer_view.requests import (
    CERTAIN,
    AssignmentRequest,
    AssignmentResult,
    DroppedBox,
    FileCheckRequest,
    FileCheckResult,
    LoadRequest,
    LoadResult,
    ReleaseRequest,
    RequestCancelled,
    StartWeights,
    Weights,
)
from workbench.ui.train.work import Loaded

if TYPE_CHECKING:
    from workbench.detectors.parts.detector import Detector
    from workbench.training.trainer_view.box_coverage import Coverage, CoverageProgress
    from workbench.training.trainer_view.input_assignment import InputAssignment
    from workbench.training.trainer_view.network_input import InputSequence, NetworkInput

KEPT = 2  # networks, as many as are shown: large ones fill the memory
MOMENT = 0.05  # seconds of reading files at a time: how long a request may have to wait


@dataclass
class _FileCheck:
    """The files of a training still to be read, and what was found in the others."""

    check: FileCheckRequest
    window: IntensityWindow | None
    total: int
    unknown: list[tuple[Path, tuple[int, int]]]  # in reverse order; with the size known to the project
    changed_files: int = 0
    problems: list[str] = field(default_factory=list)

    def note(self, known: FileInfo, size: tuple[int, int]) -> None:
        self.changed_files += bool(known.problem) or (size[0] > 0 and size != (known.width, known.height))
        if known.problem:
            self.problems.append(known.problem)


class TrainerViewWorker:
    """Keeps what is expensive (the project's boxes, networks) between requests. `handle` in one thread only."""

    def __init__(self) -> None:
        self.files = FileIndex()
        self._read: tuple[object, Snapshot, AnchorSet | None] | None = None
        self._sequences: dict[Recipe, InputSequence] = {}
        self._detectors: dict[tuple[Recipe, Weights, object], Detector] = {}
        self._checking: _FileCheck | None = None
        self._lock = threading.Lock()
        self._current: object = None
        self._control = Control()
        self._is_shut_down = False

    # --- from any thread ---

    @property
    def current(self) -> object:
        """The request being worked on, None for none."""
        return self._current

    def cancel_others(self, requests: Collection[object]) -> None:
        """Abandon the assignment being made, unless it is among these."""
        with self._lock:
            if isinstance(self._current, AssignmentRequest) and self._current not in requests:
                self._control.stop.set()

    def shut_down(self) -> None:
        """Abandon the work in progress, for good."""
        with self._lock:
            self._is_shut_down = True
            self._control.stop.set()

    # --- in its own thread ---

    def handle(
        self, request: LoadRequest | AssignmentRequest | FileCheckRequest | ReleaseRequest
    ) -> LoadResult | AssignmentResult | FileCheckResult | None:
        """WorkbenchError if something can't be shown; RequestCancelled if it was abandoned."""
        with self._lock:
            self._current, self._control = request, Control()
            if self._is_shut_down:
                raise RequestCancelled
        try:
            return self._handle(request)
        finally:
            with self._lock:
                self._current = None

    def _handle(
        self, request: LoadRequest | AssignmentRequest | FileCheckRequest | ReleaseRequest
    ) -> LoadResult | AssignmentResult | FileCheckResult | None:
        if isinstance(request, ReleaseRequest):
            self._read = self._checking = None
            self._sequences.clear()
            self._detectors.clear()
            return None
        if isinstance(request, LoadRequest):
            return self._start(request)
        return self._assign(request) if isinstance(request, AssignmentRequest) else self._check(request)

    def _start(self, request: LoadRequest) -> LoadResult:
        for event in loading.load():
            if self._control.stop.is_set():
                break
            if isinstance(event, Loaded):
                return LoadResult(event, runs.runs(request.folder))
        raise RequestCancelled

    # --- files ---

    def _check(self, request: FileCheckRequest) -> FileCheckResult:
        now = self._checking
        if now is None or now.check != request:
            now = self._checking = self._begin_file_check(request)
        began, before = time.monotonic(), now.changed_files
        while now.unknown:  # at least one file
            file, size = now.unknown.pop()
            now.note(self.files.read(file, now.window), size)
            if time.monotonic() - began > MOMENT or self._control.stop.is_set():
                break
        if now.changed_files != before:
            self._sequences.clear()
        return FileCheckResult(now.total - len(now.unknown), now.total, now.changed_files, tuple(now.problems))

    def _begin_file_check(self, request: FileCheckRequest) -> _FileCheck:
        from workbench.training import prepare

        snapshot, _ = self._project(request)
        try:
            train = prepare.select_images(snapshot, request.recipe.training)[0]
            own = request.recipe.detector_settings.resolved(tuple(label.name for label in snapshot.labels))
            pictures = own.pictures()
        except WorkbenchError:  # which an assignment will report
            return _FileCheck(request, None, 0, [])
        pairs = [(file, (one.width, one.height)) for file, one in zip(train.files, train.images, strict=True)]
        pairs += [(file, (0, 0)) for file, _ in pictures]
        made = _FileCheck(request, train.window, len(pairs), [])
        for file, size in reversed(pairs):
            known = self.files.known(file, train.window)
            if known is None:
                made.unknown.append((file, size))
            else:
                made.note(known, size)
        return made

    # --- an assignment ---

    def _assign(self, request: AssignmentRequest) -> AssignmentResult:
        from workbench.training.stop_mode import StopMode, Stopped
        from workbench.training.trainer_view.input_assignment import assign_input

        snapshot, anchors = self._project(request)
        recipe, anchors = _recipe_and_anchors(request, anchors)
        sample, exclusion_reason, next_trained = self._sample(request, snapshot, recipe)
        key = (recipe, request.weights, _weights_stamp(request.weights))
        try:
            with StopMode(self._control):
                detector = self._detectors.pop(key, None) or _build_detector(recipe, snapshot, anchors, request.weights)
                self._detectors[key] = detector  # the most recent last
                found = assign_input(sample, detector, answers=request.weights != CERTAIN)
        except Stopped:
            raise RequestCancelled from None
        for old in list(self._detectors)[:-KEPT]:
            del self._detectors[old]
        return replace(
            _make_result(request, recipe, detector.title, sample, found, exclusion_reason), next_trained=next_trained
        )

    def _project(self, request: AssignmentRequest | FileCheckRequest) -> tuple[Snapshot, AnchorSet | None]:
        now = request.folder, request.version
        if self._read is None or self._read[0] != now:
            with Document.open(request.folder, read_only=True, check=False) as document:
                self._read = now, document.snapshot(), document.anchors()
            self._sequences.clear()
            self._detectors.clear()
        return self._read[1], self._read[2]

    def _sample(self, request: AssignmentRequest, snapshot: Snapshot, recipe: Recipe) -> tuple[NetworkInput, str, int]:
        """The image, why it is not trained on, and if so the id of the next one that is."""
        from workbench.training.trainer_view.network_input import FileChanged, make_input_sequence, unaugmented_input

        exclusion_reason, next_trained = "", 0
        image = next((one for one in snapshot.images if one.id == request.image), None)
        while request.augmented and image is not None and not exclusion_reason:
            if self._control.stop.is_set():
                raise RequestCancelled
            if recipe not in self._sequences:
                self._sequences[recipe] = make_input_sequence(snapshot, recipe, self.files)
            sequence = self._sequences[recipe]
            exclusion_reason = sequence.exclusion_reason(image, request.view)
            if exclusion_reason:
                next_trained = sequence.next_trained(request.image, [one.id for one in snapshot.images])
            else:
                try:
                    index = sequence.index(request.image, request.view)
                    return sequence.in_epoch(index, request.epoch, request.seed), "", 0
                except FileChanged:  # which is now recorded
                    self._sequences.clear()
        try:
            return unaugmented_input(snapshot, request.image, recipe, request.view), exclusion_reason, next_trained
        except WorkbenchError as error:
            if not exclusion_reason:
                raise
            raise WorkbenchError(f"{error.sentence}. Training leaves this image out.", error) from error


def _weights_stamp(weights: Weights) -> tuple[int, int] | None:
    """A stamp that changes when the file is rewritten under the same name."""
    file = weights.file if isinstance(weights, StartWeights) else weights
    try:
        return stamp(file) if isinstance(file, Path) else None
    except OSError:  # which building the network reports
        return None


def _recipe_and_anchors(request: AssignmentRequest, anchors: AnchorSet | None) -> tuple[Recipe, AnchorSet | None]:
    """The recipe for the requested detector; with a run's weights, the network and the anchors that it had."""
    from workbench import detectors, settings
    from workbench.training.checkpoints.header import read_header

    if not isinstance(request.weights, Path):
        return request.recipe, anchors
    header = read_header(request.weights)
    own = detectors.load_all().get(header.detector).settings_class
    made = settings.with_values(own(), own.renewed(header.detector_settings))
    kept = AnchorSet(header.anchors, header.input_px) if header.anchors else None
    return replace(request.recipe, detector=header.detector, detector_settings=made), kept


def _build_detector(recipe: Recipe, snapshot: Snapshot, anchors: AnchorSet | None, weights: Weights) -> Detector:
    from workbench.training.trainer_view.input_assignment import build_detector

    labels = tuple(label.name for label in snapshot.labels)
    if not labels:
        raise WorkbenchError("The project has no labels yet. Draw a box first.")
    recipe = replace(recipe, detector_settings=recipe.detector_settings.resolved(labels))
    former = snapshot.former_names
    if isinstance(weights, StartWeights):
        return build_detector(recipe, labels, anchors, weights.file, begun=True, former=former)
    return build_detector(recipe, labels, anchors, weights if isinstance(weights, Path) else None, former=former)


def _make_result(
    request: AssignmentRequest,
    recipe: Recipe,
    title: str,
    sample: NetworkInput,
    found: InputAssignment,
    exclusion_reason: str,
) -> AssignmentResult:
    explained, names = found.explained, [label.name for label in sample.snapshot.labels]
    why, small = dict(found.unmatched), [m for m, one in sample.ignored_as().items() if one.small]
    ignore = sample.ignore.copy()
    ignore[small] = False  # nobody intended that
    return AssignmentResult(
        detector=recipe.detector,
        title=title,
        picture=picture(sample.pixels),
        side=sample.side,
        labels=tuple(names[label] for label in sample.labels),
        boxes=sample.boxes.astype(np.float64),
        ids=sample.snapshot.box_ids[sample.rows],
        ignore=ignore,
        reasons=tuple(why.get(k, "") for k in range(len(sample.boxes))),
        dropped=tuple(
            DroppedBox(_label(sample, one.row), one.xyxy, one.reason, one.small) for one in sample.lost if one.gone
        ),
        kind=explained.layout.kind,
        priors=explained.layout.boxes.double().numpy(),
        cells=found.cells(sample.side),
        level=explained.layout.level.numpy(),
        grids=explained.layout.grids,
        prior=explained.prior.numpy(),
        box=explained.box.numpy(),
        ignored=None if explained.ignored is None else explained.ignored[0].numpy(),
        negative=None if explained.negative is None else explained.negative[0].numpy(),
        about=_about(sample),
        note=_notes(request, sample, found, exclusion_reason),
        exclusion_reason=exclusion_reason,
        epochs=sample.epochs,
        view=sample.view,
        tiles=sample.tiles,
        view_name=sample.view_name,
    )


def _notes(request: AssignmentRequest, sample: NetworkInput, found: InputAssignment, exclusion_reason: str) -> str:
    notes = [f"Not trained on: {exclusion_reason}. Shown as it is." if exclusion_reason else "", found.note]
    if request.borrowed and sample.step >= 0:
        notes.append(f"Augmented as in the training of {request.borrowed}, for comparison.")
    if sample.attacked:
        notes.append("In this step the images are also changed adversarially, against the network, which is not shown.")
    if not len(sample.boxes):
        notes.append("No box is visible.")
    return " ".join(part for part in notes if part)


def _label(sample: NetworkInput, row: int) -> str:
    return sample.snapshot.labels[int(sample.snapshot.label_index[row])].name


def _about(sample: NetworkInput) -> str:
    size = f"{sample.side} × {sample.side} px"
    cut = sample.snapshot.place(sample.parts[0])
    tile = f", the tile at {cut[0]:,}, {cut[1]:,}" if cut is not None else ""
    if sample.step < 0:
        return f"{size}{tile}, not augmented"
    parts = len(sample.parts)
    made = "" if parts == 1 else f", combined with {parts - 1} other{'s' if parts > 2 else ''}"
    place = f"image {sample.place + 1} of {sample.places}"
    return f"{size}{tile}, step {sample.step + 1:,} of {sample.steps:,}, {place}{made}"


def count_coverage(
    folder: Path, recipe: Recipe | None, names: Sequence[str], files: FileIndex, control: Control
) -> Iterator[Coverage | CoverageProgress]:  # fmt: skip
    """For the whole set, until `control` stops it. Without a recipe, by the first preset."""
    from workbench.training import recipes
    from workbench.training.stop_mode import Stopped
    from workbench.training.trainer_view.box_coverage import count_coverage

    with Document.open(folder, read_only=True, check=False) as document:
        snapshot, anchors = document.snapshot(), document.anchors()
    try:
        yield from count_coverage(snapshot, recipe or recipes.preset(recipes.DEFAULT), anchors, names, files, control)
    except Stopped:
        return
