"""Evaluates a cross-validation: each image by the run that has not learnt from it, all of them scored together."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.detections import Candidates
from workbench.core.project import Snapshot
from workbench.errors import WorkbenchError
from workbench.inference.evaluate import Found, find
from workbench.inference.events import EvaluateEvent, EvaluationDone, EvaluationProgress, FoldScore, Skipped
from workbench.inference.predict import Predictor
from workbench.inference.scoring import ScoringRules, score
from workbench.training import data_leakage, folds, runs
from workbench.training.findings import named
from workbench.training.runs import RunInfo


def evaluate_folds(
    run_folder: Path, snapshot: Snapshot, rules: ScoringRules | None = None, device: str = "auto",
    checkpoint: str = "best.safetensors", *, cpu_fallback: bool = False,
) -> Iterator[EvaluateEvent]:  # fmt: skip
    """Evaluate the runs of the cross-validation to which the run in `run_folder` belongs, each on its own fold.

    The last event has all images of `snapshot` that judged one of them, in their order, with that one's candidates;
    these are kept beside the runs. Confidences of different runs are taken as alike. Folds that are not trained yet are
    left out, with a remark. Without `rules`, NMS is as published by the detector's authors. WorkbenchError if the run
    is of no cross-validation, or if none of its images is among these.
    """
    all_of_them = folds.siblings(run_folder)
    parts = _parts(all_of_them, snapshot)
    total = sum(map(len, parts.values()))
    if not total:
        raise WorkbenchError(f"None of these images judged {run_folder.name} or another run of its cross-validation.")
    found: dict[int, Candidates] = {}
    done, skipped, learnt = 0, 0, 0
    scores: list[FoldScore] = []
    remarks = [_untrained(runs.info(run_folder).folds, list(all_of_them))]
    for fold, rows in parts.items():
        if not len(rows):
            continue
        run = all_of_them[fold]
        file = run.folder / checkpoint
        file = file if file.is_file() else run.checkpoint or file
        predictor = Predictor.open(file, device, cpu_fallback=cpu_fallback)
        rules = rules or ScoringRules(kind=predictor.detector.published_nms[0])
        got = yield from _shifted(find(predictor, snapshot.take(rows.tolist()), run.folder), rows, done, total)
        found |= zip(rows[list(got.rows)].tolist(), got.candidates, strict=True)
        done, skipped = done + len(rows), skipped + got.skipped
        learnt += data_leakage.count_learnt_images(run.folder, got.truth) or 0
        remarks.append(got.remark)
        alone = score(got.truth, got.candidates, rules)
        scores.append(FoldScore(fold, run.name, len(got.truth), alone.ap, alone.ap50))
    assert rules is not None, "some fold has images"
    order = sorted(found)
    truth, candidates = snapshot.take(order), tuple(found[row] for row in order)
    remark = " ".join(dict.fromkeys(filter(None, remarks)))
    together = score(truth, candidates, rules)
    yield EvaluationDone(together, truth, candidates, rules, skipped, None, learnt, remark, tuple(scores))


def _parts(trained: Mapping[int, RunInfo], snapshot: Snapshot) -> dict[int, NDArray[np.int64]]:
    """The rows that each run judges; the first, if images or folders have come since and several were judged by one."""
    parts, free = {}, np.ones(len(snapshot), bool)
    for fold, run in trained.items():
        judged = free & np.array(data_leakage.judged(run.folder, snapshot), bool)
        free &= ~judged
        parts[fold] = np.flatnonzero(judged)
    return parts


def _shifted(
    looking: Generator[EvaluationProgress | Skipped, None, Found], rows: NDArray[np.int64], done: int, total: int
) -> Generator[EvaluationProgress | Skipped, None, Found]:
    """A fold's progress as that of all, of whose images it has those in `rows`; `done` before it."""
    with contextlib.closing(looking):
        while True:
            try:
                event = next(looking)
            except StopIteration as end:
                found: Found = end.value
                return found
            if isinstance(event, Skipped):
                yield replace(event, index=int(rows[event.index]))
            else:
                yield replace(event, done=done + event.done, total=total)


def _untrained(number: int, trained: Sequence[int]) -> str:
    missing = [str(fold) for fold in range(1, number + 1) if fold not in trained]
    if not missing:
        return ""
    which = "fold" if len(missing) == 1 else "folds"
    return f"Not trained yet: {which} {named(missing)} of {number}, so their images are not among these."
