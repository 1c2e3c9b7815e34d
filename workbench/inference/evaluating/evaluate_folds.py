"""Evaluates a cross-validation: each image by the run that has not learnt from it, all of them scored together."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.detections import Candidates
from workbench.core.project import Snapshot
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import fold_remarks
from workbench.inference.evaluating.evaluate import Found, NoneReadable, find, remark_on
from workbench.inference.evaluating.scoring import ScoringRules, score
from workbench.inference.events import (
    EvaluateEvent,
    EvaluationDone,
    EvaluationProgress,
    FoldScore,
    ListingProgress,
    Skipped,
)
from workbench.inference.predict import Predictor
from workbench.training import folds
from workbench.training.checks import data_leakage
from workbench.training.records import runs
from workbench.training.records.runs import RunInfo


def evaluate_folds(
    run_folder: Path, snapshot: Snapshot, rules: ScoringRules | None = None, device: str = "auto",
    checkpoint: str = "best.safetensors", *, cpu_fallback: bool = False,
) -> Iterator[EvaluateEvent]:  # fmt: skip
    """Evaluate the runs of the cross-validation to which the run in `run_folder` belongs, each on its own fold.

    The last event has all images of `snapshot` that judged one of them, in their order, with that one's candidates;
    these are kept beside the runs. Confidences of different runs are taken as alike. Folds that are not trained yet, or
    none of whose images can be read, are left out, with a remark. Without `rules`, NMS is as published by the
    detector's authors. WorkbenchError if the run is of no cross-validation, if none of its images is among these, or
    none can be read.
    """
    trained, number = folds.siblings(run_folder), runs.info(run_folder).folds
    parts, remarks = _parts(trained, snapshot, number)
    total = sum(map(len, parts.values()))
    if not total:
        raise WorkbenchError(f"None of these images judged {run_folder.name} or another run of its cross-validation.")
    every: list[Found] = []
    found: dict[int, Candidates] = {}
    whose: dict[int, int] = {}  # fold of each row in `found`
    progress, skipped, learnt = _Progress(total), 0, 0
    scores: list[FoldScore] = []
    unread: list[NoneReadable] = []
    step: int | None = None
    for fold, rows in parts.items():
        if not len(rows):
            continue
        run = trained[fold]
        file = run.folder / checkpoint
        file = file if file.is_file() else run.checkpoint or file
        opened = Predictor.open(file, device, cpu_fallback=cpu_fallback)
        if run.folder == run_folder and opened.header is not None:
            step = opened.header.step
        looking = find(opened, snapshot.take(rows.tolist()), run.folder)
        del opened  # it goes when it has looked: the next one would find it in the memory still
        try:
            got = yield from progress.of(rows, looking)
        except NoneReadable as error:
            unread.append(error.with_traceback(None))  # whose frames would keep the network
            remarks.append(f"Fold {fold}: {error.sentence}")
            skipped += len(rows)
            continue
        every.append(got)
        rules = rules or ScoringRules(kind=got.published)
        found |= zip(rows[list(got.rows)].tolist(), got.candidates, strict=True)
        whose |= dict.fromkeys(rows[list(got.rows)].tolist(), fold)
        skipped += got.skipped
        learnt += data_leakage.count_learnt_images(run.folder, got.truth) or 0
        alone = score(got.truth, got.candidates, rules)
        scores.append(FoldScore(fold, run.name, len(got.truth), alone.ap, alone.ap50))
    if not found:
        raise unread[0]
    assert rules is not None, "some fold has images"
    order = sorted(found)
    truth, candidates = snapshot.take(order), tuple(found[row] for row in order)
    together = score(truth, candidates, rules)
    apart = fold_remarks.of_order(
        together.ap,
        scores,
        lambda: score(truth, fold_remarks.by_rank(candidates, [whose[row] for row in order]), rules).ap,
    )
    remark = " ".join(filter(None, [*remarks, remark_on(every), apart]))
    labels = tuple(name for name in every[0].labels if all(name in one.labels for one in every))
    yield EvaluationDone(together, truth, candidates, rules, skipped, None, learnt, remark, tuple(scores), labels, step)


def _parts(
    trained: Mapping[int, RunInfo], snapshot: Snapshot, number: int
) -> tuple[dict[int, NDArray[np.int64]], list[str]]:
    """The rows that each run judges; the first, if images or folders have come since and several were judged by one.

    And remarks on runs and images of a cross-validation of `number` folds.
    """
    parts, judged, learnt = {}, np.zeros(len(snapshot), bool), np.zeros(len(snapshot), bool)
    damaged: list[WorkbenchError] = []
    for fold, run in trained.items():
        try:
            theirs, own = (np.array(role, bool) for role in data_leakage.roles(run.folder, snapshot))
        except WorkbenchError as error:
            what = f"Fold {fold} is left out: which images {run.name} learnt from is not known any more. Train it anew."
            damaged.append(WorkbenchError(what, error))
            continue
        parts[fold] = np.flatnonzero(own & ~judged)
        judged |= own
        learnt |= theirs
    if not parts:
        raise damaged[0]
    others = fold_remarks.of_others(snapshot, learnt, judged, complete=len(parts) == number)
    return parts, [*fold_remarks.of_runs(number, trained), *(error.sentence for error in damaged), *others]


@dataclass(slots=True)
class _Progress:
    """Of all folds together, of whose `total` images those of the folds so far are done."""

    total: int
    done: int = 0
    cached: int = 0

    def of(
        self, rows: NDArray[np.int64], looking: Generator[EvaluationProgress | ListingProgress | Skipped, None, Found]
    ) -> Generator[EvaluationProgress | ListingProgress | Skipped, None, Found]:
        """The events of a fold as those of all; it has the images in `rows`."""
        before = self.done, self.cached
        try:
            while True:
                event = next(looking)
                if isinstance(event, EvaluationProgress):
                    self.done, self.cached = before[0] + event.done, before[1] + event.cached
                    speed = event.images_per_second
                    left = (self.total - self.done) / speed if speed else math.nan
                    yield replace(event, done=self.done, total=self.total, cached=self.cached, seconds_left=left)
                else:
                    yield replace(event, index=int(rows[event.index])) if isinstance(event, Skipped) else event
        except StopIteration as end:
            found: Found = end.value
            return found
        finally:
            looking.close()
            self.done = before[0] + len(rows)
