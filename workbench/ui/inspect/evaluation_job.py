"""What the Inspect page does in its thread: run a checkpoint on a split, or read kept candidates, and match them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.detections import Candidates, NmsKind
from workbench.core.document import snapshot_of
from workbench.core.evaluation.matching import ANY_AREA, Matching
from workbench.core.evaluation.sliders import Sliders
from workbench.core.files import stamp
from workbench.core.formatting import count
from workbench.core.project import FINISHED, Snapshot, Split
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import operating_point, saved_evaluation, scoring
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.evaluating.scoring import ScoringRules
from workbench.inference.events import EvaluationProgress, FoldScore, ListingProgress, Skipped
from workbench.ui.job_progress import JobProgress

Stamp = tuple[int, int] | None
"""Of a checkpoint's file, as files.stamp() has it; None: it is not there."""


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationRequest:
    """Evaluate `checkpoint` of the run in `run_folder` on the images of `split` (None: all) of `snapshot`.

    `held_out_of`: instead on those on which the run in this folder was evaluated. `folds`: instead each image by the
    run of the same cross-validation that has not learnt from it.
    """

    run_folder: Path
    checkpoint: Path
    snapshot: Snapshot
    split: Split | None
    held_out_of: Path | None = None
    folds: bool = False

    @property
    def count(self) -> int:
        """How many images that are, at least."""
        if self.held_out_of is not None or self.folds:  # runs' records tell
            return 0
        return sum(self.split in (None, image.split) for image in self.snapshot.images)


@dataclass(frozen=True, slots=True, eq=False)
class PendingRequest:
    """A request for the project in `project` as it is when the job begins: reading a large one takes a second.

    `done_only`: only the images that are done.
    """

    project: Path
    run_folder: Path
    checkpoint: Path
    split: Split | None
    held_out_of: Path | None
    done_only: bool
    folds: bool = False

    def request(self) -> EvaluationRequest:
        """WorkbenchError if there are images, but `done_only` leaves none."""
        snapshot = snapshot_of(self.project)
        if self.done_only:
            everything, snapshot = snapshot, snapshot.only(states=FINISHED)
            if self.held_out_of is None:
                self._check(everything, snapshot)
        return EvaluationRequest(self.run_folder, self.checkpoint, snapshot, self.split, self.held_out_of, self.folds)

    def _check(self, everything: Snapshot, done: Snapshot) -> None:
        there, left = (sum(self.split in (None, image.split) for image in one.images) for one in (everything, done))
        if there and not left:
            where = f" in the split '{self.split}'" if self.split else ""
            raise WorkbenchError(
                f"Of {count(there, 'image')}{where}, none is done. Mark those whose boxes are complete as done, choose"
                " other images, or untick 'only done'."
            )


@dataclass(frozen=True, slots=True)
class Nms:
    """How overlapping detections are removed, and how many per image stay at most."""

    iou: float
    kind: NmsKind
    limit: int
    least: tuple[float, ...] = ()  # (C,) labels' confidences, below which none suppresses another; (): all the same

    def at(self, confidences: NDArray[np.float64]) -> Nms:
        """The same NMS with these confidences per label, (C,), where they matter: only across labels."""
        matter = self.kind == "across labels" and len(set(confidences.tolist())) > 1
        return replace(self, least=tuple(confidences.tolist()) if matter else ())

    def of(self, sliders: Sliders, area: tuple[float, float] = ANY_AREA) -> Matching:
        """The split matched with this NMS."""
        return sliders.matching_at(self.iou, self.kind, self.limit, area, self.least)


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationResult:
    """What a checkpoint detects. `candidates[i]` belong to image i of `truth`; `matching` is for the NMS in `nms`.

    Rows of images in its matchings are rows of the image's candidates. Create it with `of`, in a job: that takes
    seconds for a million candidates.
    """

    truth: Snapshot
    candidates: tuple[Candidates, ...]
    sliders: Sliders
    matching: Matching
    nms: Nms
    rules: ScoringRules  # with the kind of NMS of the detector's authors
    confidence: float  # at the highest F1; for test images, at that of the validation images
    skipped: int  # images that could not be read
    point: OperatingPoint | None  # kept with this run and checkpoint
    remark: str  # why it could not be read, or what to know about the numbers, or ""
    labels: tuple[str, ...] = ()  # that the detector knows; (): unknown
    trained_on: int | None = None  # how many of these images, by the run's record; None: unknown
    folds: tuple[FoldScore, ...] = ()  # of a cross-validation, before any label was edited
    by_validation: bool = False  # whether `confidence` is that of other images, those of validation
    step: int | None = None  # of the weights; None: not known

    @staticmethod
    def of(
        truth: Snapshot, candidates: tuple[Candidates, ...], rules: ScoringRules, confidence: float,
        skipped: int = 0, point: OperatingPoint | None = None, remark: str = "", labels: tuple[str, ...] = (),
        trained_on: int | None = None, folds: tuple[FoldScore, ...] = (), by_validation: bool = False,
        step: int | None = None,
    ) -> EvaluationResult:  # fmt: skip
        """Matched with the settings of `point`, else with `rules`."""
        sliders = scoring.sliders(truth, candidates)
        nms = Nms(rules.iou, rules.kind, rules.limit)
        if point is not None:
            nms = Nms(point.iou, point.kind, point.limit).at(point.confidences([label.name for label in truth.labels]))
        sliders.prepare(nms.kind)
        matching = nms.of(sliders)
        return EvaluationResult(
            truth, candidates, sliders, matching, nms, rules, confidence, skipped, point, remark, labels,
            trained_on, folds, by_validation, step,
        )  # fmt: skip

    @property
    def tiles(self) -> int:
        """How many were looked at beside the images."""
        return sum(one.views - 1 for one in self.candidates)

    @property
    def names(self) -> tuple[str, ...]:
        """(C,) of the labels."""
        return tuple(label.name for label in self.truth.labels)

    def sliders_of_image(self, image: int) -> Sliders:
        """The sliders for one image, which react at once however many images there are."""
        return scoring.sliders(self.truth.take([image]), (self.candidates[image],))


Evaluator = Callable[[EvaluationRequest], Iterator[JobProgress | EvaluationResult]]


def evaluate_pending(
    pending: PendingRequest, evaluate: Evaluator
) -> Iterator[EvaluationRequest | JobProgress | EvaluationResult]:
    """Yields the request first, which can then be put to another run."""
    request = pending.request()
    yield request
    yield from evaluate(request)


def evaluate_split(request: EvaluationRequest) -> Iterator[JobProgress | EvaluationResult]:
    """Yields progress, then EvaluationResult. Closing early keeps the candidates found so far beside the run."""
    from workbench import plugins
    from workbench.inference.evaluating.evaluate import evaluate_run
    from workbench.inference.evaluating.evaluate_folds import evaluate_folds
    from workbench.inference.predict import Predictor
    from workbench.training.checks import data_leakage

    plugins.loaded()
    snapshot = data_leakage.held_out(request.held_out_of, request.snapshot) if request.held_out_of else request.snapshot
    if request.folds:
        events = evaluate_folds(request.run_folder, snapshot, checkpoint=request.checkpoint.name, cpu_fallback=True)
    else:
        predictor = Predictor.open(request.checkpoint, cpu_fallback=True)
        events = evaluate_run(predictor, snapshot, request.split, request.run_folder)
    for event in events:
        if isinstance(event, EvaluationProgress):
            yield JobProgress(event.done, event.total, "images")
        elif isinstance(event, ListingProgress):
            yield JobProgress(0, 0, f"Looking up {count(event.found, 'image')} …")
        elif isinstance(event, Skipped):
            yield JobProgress(0, 0, event.sentence)
        else:
            chosen = saved_evaluation.validation_point(request.run_folder, request.checkpoint.name, request.split)
            best = chosen.confidence if chosen else scoring.best_confidence(event.evaluation)
            point, unread = kept_point(request)
            remark = f"{event.remark} {unread}".strip()
            yield EvaluationResult.of(
                event.truth, event.candidates, event.rules, best, event.skipped, point, remark,
                event.labels, event.trained_on, event.folds, chosen is not None, event.step,
            )  # fmt: skip


def kept_point(request: EvaluationRequest) -> tuple[OperatingPoint | None, str]:
    """What was kept of the run for this checkpoint, and why it could not be read ("" if it could)."""
    try:
        return operating_point.read(request.run_folder, request.checkpoint.name, request.snapshot.former_names), ""
    except WorkbenchError as error:
        return None, error.sentence


def stamp_of(checkpoint: Path | None) -> Stamp:
    try:
        return stamp(checkpoint) if checkpoint is not None else None
    except OSError:
        return None
