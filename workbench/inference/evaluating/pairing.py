"""Pairs two runs' results on a split, so that run_comparison can compare them: the same images, boxes and labels.

The labelled boxes are the first's. Images that only one of the two could read, and labels that one of the detectors
doesn't know, are left out. The notes say so, and how many images a run was trained on. No torch here: the window
imports it before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.core.detections import Candidates
from workbench.core.evaluation.sliders import Sliders
from workbench.core.formatting import count, named
from workbench.core.project import Snapshot
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import scoring
from workbench.inference.evaluating.scoring import ScoringRules
from workbench.training.checks import data_leakage

Rows = NDArray[np.int64]


class SplitResult(Protocol):
    """One detector's results on a split."""

    @property
    def truth(self) -> Snapshot: ...
    @property
    def candidates(self) -> tuple[Candidates, ...]: ...  # of each image of `truth`
    @property
    def sliders(self) -> Sliders: ...
    @property
    def rules(self) -> ScoringRules: ...
    @property
    def labels(self) -> tuple[str, ...]: ...  # known to the detector; (): unknown, so all
    @property
    def trained_on(self) -> int | None: ...  # how many of its images, by the run's record


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Both sliders use the same GroundTruth, `truth`. `first_rows[i]` is image i's row in the first's truth."""

    truth: Snapshot
    first_rows: Rows  # (I,) ascending
    second_rows: Rows  # (I,) rows in the second's truth
    first: Sliders
    second: Sliders
    use: NDArray[np.bool_]  # (C,) labels that both detectors know
    notes: tuple[str, ...]  # sentences on what is left out or was trained on


def pair(first: SplitResult, second: SplitResult, names: tuple[str, str]) -> Pair:
    """Bring two runs' results on the same project together; `names` are those of the runs. Call it in a job: it may
    take seconds.

    WorkbenchError if the project's labels were different for one of them, or they share no image or no label.
    """
    if [label.id for label in first.truth.labels] != [label.id for label in second.truth.labels]:
        raise WorkbenchError("The project's labels have changed between the two looks. Look again with both runs.")
    mine, theirs = ([image.id for image in one.truth.images] for one in (first, second))
    first_rows, second_rows = _common(mine, theirs)
    if not len(first_rows):
        raise WorkbenchError("The two runs have looked at different images. Look again with both of them.")
    use, notes = _labels(first, second, names)
    known, images = (first.trained_on, second.trained_on), (len(first.truth), len(second.truth))
    if seen := data_leakage.two_runs_warning(names, known, images):
        notes.append(seen)
    left = len(mine) + len(theirs) - 2 * len(first_rows)
    if left:
        notes.append(
            f"{count(left, 'image')} that only one of the runs could read {'is' if left == 1 else 'are'} left out."
        )
    if mine == theirs:
        sliders = first.sliders, second.sliders.with_truth(first.sliders.truth)
        return Pair(first.truth, first_rows, second_rows, *sliders, use, tuple(notes))
    truth = first.truth.take(first_rows.tolist())
    built = [
        scoring.sliders(truth, [one.candidates[row] for row in rows.tolist()])
        for one, rows in ((first, first_rows), (second, second_rows))
    ]
    return Pair(truth, first_rows, second_rows, built[0], built[1], use, tuple(notes))


def _common(mine: Sequence[int], theirs: Sequence[int]) -> tuple[Rows, Rows]:
    """Rows of the images in both, in the first's order."""
    there = {id: row for row, id in enumerate(theirs)}
    rows = [(row, there[id]) for row, id in enumerate(mine) if id in there]
    table = np.array(rows, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _labels(first: SplitResult, second: SplitResult, names: tuple[str, str]) -> tuple[NDArray[np.bool_], list[str]]:
    """(C,) the labels that both know, and sentences about the others."""
    use, notes = np.ones(len(first.truth.labels), bool), []
    for one, name in zip((first, second), names, strict=True):
        if not one.labels:
            continue
        known = np.zeros(len(use), bool)
        columns = scoring.label_columns(one.labels, first.truth)
        known[columns[columns >= 0]] = True
        unknown = [label.name for label, is_known in zip(first.truth.labels, known, strict=True) if not is_known]
        use &= known
        if unknown:
            notes.append(f"Not compared, because {name} doesn't know them: {named(unknown)}.")
    if not use.any():
        raise WorkbenchError(
            "The two runs have no label in common, so there is nothing to compare. Choose another run."
        )
    return use, notes
