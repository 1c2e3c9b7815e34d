"""Long jobs on the console: their events as progress bars and lines, their results as plain values.

Each function iterates one generator to its end and returns its last event. The window iterates the same generators.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from workbench import health
from workbench.console import progress_bar, say
from workbench.core import formatting
from workbench.core.evaluation.confidence import Tally, tally
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.matching import match
from workbench.core.evaluation.run_comparison import OVERLAP
from workbench.errors import WorkbenchError
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.evaluating.scoring import best_confidence
from workbench.inference.events import (
    EvaluationDone,
    EvaluationProgress,
    ExportDone,
    Exported,
    ExportProgress,
    ListingProgress,
    NotExported,
    Predicted,
    PredictionsSaved,
    Resumed,
    Skipped,
    WritingProgress,
)
from workbench.training import events as training

NAMED = 5  # images left out that are named; the others are counted


def show_training(events: Iterable[training.Event], *, quiet: bool = False) -> training.Finished:
    """Show a training to its end. WorkbenchError if it failed."""
    finished: training.Finished | None = None
    with progress_bar("Training", quiet=quiet) as progress:
        for event in events:
            match event:
                case training.Started():
                    say(_started(event), quiet=quiet)
                case training.Progress():
                    speed = f"loss {event.loss:.3f}  {formatting.speed(event.images_per_second)}"
                    progress.to(event.step, event.steps, speed)
                case training.Evaluated():
                    best = "  best so far" if event.is_record else ""
                    say(
                        f"  epoch {event.epoch:>3}  AP {formatting.share(event.ap)}"
                        f"  AP50 {formatting.share(event.ap50)}{best}",
                        quiet=quiet,
                    )
                case training.Message():
                    say(f"  {event.sentence}", quiet=quiet)
                case training.Failed():
                    raise WorkbenchError(event.sentence, event.cause)
                case training.Finished():
                    finished = event
    if finished is None:
        raise WorkbenchError("The training ended unexpectedly. See the run's events.jsonl.")
    return finished


def _started(event: training.Started) -> str:
    again = f", resuming at step {event.resumed_step:,}" if event.resumed_step else ""
    return (
        f"Training {event.detector} ({event.parameters / 1e6:.2f} M parameters)"
        f" on {formatting.count(event.images, 'image')},"
        f" {formatting.count(event.epochs, 'epoch')}, on {event.device} in {event.precision}{again}."
    )


def show_evaluation(events: Iterable[Any], *, quiet: bool = False) -> EvaluationDone:
    """Show an evaluation to its end."""
    done: EvaluationDone | None = None
    skipped = 0
    with progress_bar("Evaluating", quiet=quiet) as progress:
        for event in events:
            match event:
                case ListingProgress():
                    progress.to(0, None, f"{formatting.count(event.found, 'image')} looked up")
                case EvaluationProgress():
                    kept = "kept from before" if event.cached == event.total else ""
                    progress.to(event.done, event.total, kept or formatting.speed(event.images_per_second))
                case Skipped():
                    skipped += 1
                    if skipped <= NAMED:
                        say(f"  left out: {event.sentence}")  # also with --json: the reason is given nowhere else
                case EvaluationDone():
                    if skipped > NAMED:
                        say(f"  left out: {skipped - NAMED:,} more. `workbench check` lists them all.")
                    done = event
                    if event.remark:
                        say(f"  {event.remark}")  # also with --json
    assert done is not None, "an evaluation ends with its result or raises"
    return done


def show_predictions(events: Iterable[Any], *, quiet: bool = False) -> PredictionsSaved:
    """Show the writing of predictions to its end."""
    saved: PredictionsSaved | None = None
    with progress_bar("Predicting", quiet=quiet) as progress:
        for event in events:
            match event:
                case ListingProgress():
                    progress.to(0, None, f"{formatting.count(event.found, 'picture')} found")
                case Resumed():
                    progress.to(event.done, event.total)
                    say(f"  {event.done:,} were predicted before; continuing from there", quiet=quiet)
                case Predicted():
                    progress.to(event.done, event.total or None, formatting.speed(event.images_per_second))
                case Skipped():
                    say(f"  left out: {event.sentence}")
                case WritingProgress():
                    progress.to(event.done, event.total, f"writing {event.format}")
                case PredictionsSaved():
                    saved = event
                    # images left out did not move the bar, a video may have fewer frames than it says, and nothing
                    # was looked at where all results were there
                    progress.to(event.images + event.skipped, event.images + event.skipped)
    assert saved is not None, "predictions end with what was saved or raise"
    return saved


def show_export(events: Iterable[Any], *, quiet: bool = False) -> ExportDone:
    """Show an export to its end. Failures are in the result: the caller decides what they mean."""
    done: ExportDone | None = None
    with progress_bar("Exporting", quiet=quiet) as progress:
        for event in events:
            match event:
                case ExportProgress():
                    progress.to(event.done, event.total, event.sentence)
                case Exported():
                    say(f"  {event.file}: {_checked(event)}", quiet=quiet)
                case NotExported():
                    say(f"  {event.format}: NOT EXPORTED. {event.sentence}", quiet=quiet)
                case ExportDone():
                    count = 2 * (len(event.results) + len(event.failed))
                    progress.to(count, count)
                    for one in event.left_out:
                        say(f"  {one.format}: left out. {one.sentence}", quiet=quiet)
                    say(f"  {event.note}", quiet=quiet or not event.note)
                    done = event
    assert done is not None, "an export ends with what was written or raises"
    return done


def _checked(one: Exported) -> str:
    if one.agreement is None:
        return f"{formatting.size(one.bytes)}, not verified: its format can't be read back. {one.remark}".rstrip()
    where = f"on {formatting.count(one.checked_images, 'image')}" if one.checked_images else "on noise"
    apart = f"scores differ by at most {one.agreement.largest_score_gap:.1g}, boxes by"
    apart += f" {one.agreement.largest_box_gap:.1g} px"
    return (
        f"{formatting.size(one.bytes)}, finds the same as the trained network {where}: {apart}. {one.remark}".rstrip()
    )


def show_health(events: Iterable[health.FilesExamined | health.Health], *, quiet: bool = False) -> health.Health:
    """Show a health check to its end."""
    found: health.Health | None = None
    with progress_bar("Looking at files", quiet=quiet) as progress:
        for event in events:
            if isinstance(event, health.Health):
                found = event
            else:
                progress.to(event.done, event.total)
    assert found is not None, "a health check ends with its result"
    return found


def numbers(done: EvaluationDone, point: OperatingPoint | None = None) -> dict[str, Any]:
    """An evaluation as plain values: its NMS, the twelve COCO numbers, and those of each label and fold.

    Precision, recall and F1, of all labels together and of each, are those of the detections at `point`, with its NMS,
    which "operating_point" names; None: where F1 of all labels together is highest, with the NMS of the evaluation.
    """
    evaluation, rules = done.evaluation, done.rules
    point = point or OperatingPoint(best_confidence(evaluation), (), rules.iou, rules.kind, rules.limit)
    counts = _counts(done, point)
    used = {name: _number(float(getattr(counts.overall, name))) for name in ("precision", "recall", "f1")}
    columns = {
        "ap": evaluation.per_label_ap, "ap50": evaluation.per_label_ap50,
        "precision": counts.precision, "recall": counts.recall, "f1": counts.f1,
    }  # fmt: skip
    per_label = {
        name: {
            "boxes": int(evaluation.per_label_boxes[row]),
            **{column: _number(float(values[row])) for column, values in columns.items()},
        }
        for row, name in enumerate(evaluation.labels)
    }
    plain = {name: _number(value) for name, value in evaluation.numbers().items()}
    nms = {"nms": rules.kind, "iou": rules.iou}
    about = {"images": evaluation.images, "images_trained_on": done.trained_on, "boxes": evaluation.boxes}
    own = {"confidence_of_labels": dict(point.own)} if point.own else {}
    at = {"operating_point": {"nms": point.kind, "iou": point.iou, "limit": point.limit}}
    here = {"confidence": point.confidence, **own, **used, **at}
    folds = [
        {"fold": one.fold, "run": one.run, "images": one.images, "ap": _number(one.ap), "ap50": _number(one.ap50)}
        for one in done.folds
    ]
    return {**about, **nms, **plain, **here, "per_label": per_label, **({"folds": folds} if folds else {})}


def _counts(done: EvaluationDone, point: OperatingPoint) -> Tally:
    """(C,) by label, of what is detected at `point`."""
    found = [point.detections(one, done.evaluation.labels) for one in done.candidates]
    truth = GroundTruth.of(done.truth)
    most = max((len(one.scores) for one in found), default=0)  # all: that only 100 count is AP's rule
    return tally(match(truth, DetectionSet.of(found, most), [OVERLAP]), 0.0)


def _number(value: float) -> float | None:
    return None if value != value else round(float(value), 6)


def elapsed(begun: float) -> str:
    """Time since `begun` (time.monotonic()) in words."""
    return formatting.rough_duration(time.monotonic() - begun)
