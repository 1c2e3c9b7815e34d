"""What to know about the numbers of a cross-validation: what is not trained, not alike, or not among its images."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.core.detections import Candidates
from workbench.core.formatting import count, named
from workbench.core.project import FINISHED, Snapshot, Split
from workbench.inference.events import FoldScore
from workbench.training.records import run_recipe
from workbench.training.records.runs import RECIPE, RunInfo
from workbench.training.settings import FEW_JUDGES


def spread(folds: Sequence[FoldScore]) -> tuple[float, float] | None:
    """The mean and the standard deviation of the folds' own AP; None if fewer than two have one."""
    each = [one.ap for one in folds if not math.isnan(one.ap)]
    return (statistics.mean(each), statistics.stdev(each)) if len(each) > 1 else None


WORTH = 0.05
"""Of AP, how much is worth a word."""


def of_order(ap: float, folds: Sequence[FoldScore], ranked: Callable[[], float]) -> str:
    """A sentence if `ap`, of all images in one order of confidence, is low because confidences of different runs do not
    mean the same (Forman 2010, SIGKDD Explorations 12); else "". `ranked()`: AP of by_rank(), asked for only if needed.
    Nothing if a fold has fewer than FEW_JUDGES images.
    """
    apart = spread(folds) if all(one.images >= FEW_JUDGES for one in folds) else None
    if apart is None or not apart[0] - ap > WORTH or not (by_ranks := ranked()) - ap > WORTH:
        return ""
    return (
        f"A confidence of one of these runs does not mean the same as of another: AP of all images is {ap:.3f}, but"
        f" {by_ranks:.3f} if each run's confidences are replaced by their ranks. Compare by the folds' own AP"
        f" ({apart[0]:.3f} on average)."
    )


def by_rank(candidates: Sequence[Candidates], folds: Sequence[int]) -> tuple[Candidates, ...]:
    """The candidates of each image with the share of its fold's scores that are not above its own in place of each."""
    scores = {
        fold: np.sort(np.concatenate([one.scores for one, its in zip(candidates, folds, strict=True) if its == fold]))
        for fold in set(folds)
    }
    ranks = [
        (np.searchsorted(scores[fold], one.scores, side="right") / max(len(scores[fold]), 1)).astype(np.float32)
        for one, fold in zip(candidates, folds, strict=True)
    ]
    return tuple(replace(one, scores=rank) for one, rank in zip(candidates, ranks, strict=True))


def of_runs(number: int, trained: Mapping[int, RunInfo]) -> list[str]:
    """Sentences about the runs of `number` folds, of which these are trained."""
    return [sentence for sentence in (_untrained(number, list(trained)), *_unlike(list(trained.values()))) if sentence]


def _untrained(number: int, trained: Sequence[int]) -> str:
    missing = [str(fold) for fold in range(1, number + 1) if fold not in trained]
    if not missing:
        return ""
    which = "fold" if len(missing) == 1 else "folds"
    return f"Not trained yet: {which} {named(missing)} of {number}, so their images are not among these."


def _unlike(trained: Sequence[RunInfo]) -> list[str]:
    """Differences between runs that should be alike but for their fold."""
    sentences = []
    if short := [
        f"{run.name} ({run.epoch:,} of {count(run.epochs, 'epoch')})" for run in trained if run.state != "finished"
    ]:
        sentences.append(f"Not trained to the end: {named(short)}. Resume {'it' if len(short) == 1 else 'them'} first.")
    if len({_length(run) for run in trained}) > 1:
        each = [f"{run.name} for {count(run.epochs, 'epoch')}" for run in trained]
        sentences.append(f"Not trained alike: {named(each)}.")
    first = trained[0]
    if others := [run.name for run in trained if run.digest != first.digest]:
        changed = f"Images, splits or labels were changed between {first.name} and {named(others)}"
        sentences.append(f"{changed}, so these runs did not learn from the same data.")
    return sentences


def _length(run: RunInfo) -> tuple[object, ...]:
    """As it was asked for: with fewer images a run may have more epochs."""
    training = run_recipe.tables(run.folder / RECIPE).get("training", {})
    return training.get("epochs"), training.get("least_steps")


def of_others(
    snapshot: Snapshot, learnt: NDArray[np.bool_], judged: NDArray[np.bool_], *, complete: bool
) -> list[str]:  # fmt: skip
    """Sentences about labelled images that judged no run; `learnt`, `judged` (n,): whether any run did so by them.

    `complete`: all folds are trained. Else those that were learnt from are of the others.
    """
    labelled = np.array([one.state in FINISHED and one.split is not Split.TEST for one in snapshot.images], bool)
    new = int((labelled & ~learnt & ~judged).sum())
    sentences = []
    if new:
        was = "it was" if new == 1 else "they were"
        sentences.append(f"{count(new, 'labelled image', 'is')} left out: {was} not among those of these trainings.")
    if complete and (moved := int((labelled & learnt & ~judged).sum())):
        why = "it" if moved == 1 else "they"
        why += " judged none of these runs, as what is in a fold changed between them"
        sentences.append(f"{count(moved, 'labelled image', 'is')} left out: {why}.")
    return sentences
