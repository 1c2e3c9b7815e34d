"""The next training of "label, train, suggest": it goes on from the last one, with what is labelled by now.

No torch here before `plan_next_training` is called, which belongs in a job.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core.project import Split
from workbench.errors import WorkbenchError
from workbench.training import folds
from workbench.training.records import run_actions, runs
from workbench.training.request import DeferredRunRequest

if TYPE_CHECKING:
    from workbench.core.document import Document
    from workbench.core.project import AnchorSet
    from workbench.training.recipes import Recipe

FEWEST = 2  # images: a single one would be learnt by heart
NO_RUN = "There is no run to go on from yet: train one on the Train page first."


@dataclass(frozen=True, slots=True)
class NextTrainingRequest:
    """`run`: the folder of the run to go on from, None for the newest with weights, of a cross-validation only if there
    is no other. `fresh`: begin with new weights.
    """

    runs_folder: Path
    run: Path | None
    fresh: bool


@dataclass(frozen=True, slots=True, eq=False)
class NextTraining:
    """`start` None: fresh weights. `recorded`: `anchors` are those of the run; else these are not known."""

    name: str
    recipe: Recipe
    anchors: AnchorSet | None
    recorded: bool
    start: Path | None


def plan_next_training(request: NextTrainingRequest) -> NextTraining:
    """What the next training would be, by the last one. Loads torch. WorkbenchError if there is no
    such run or its recipe can't be read.
    """
    found = runs.info(request.run) if request.run is not None else _newest(request.runs_folder)
    if found is None or found.checkpoint is None:
        raise WorkbenchError(NO_RUN)
    fork = run_actions.fork(found.folder)
    return NextTraining(
        found.name, folds.without(fork.recipe), fork.anchors, fork.recorded, None if request.fresh else found.checkpoint
    )


def _newest(folder: Path) -> runs.RunInfo | None:
    return folds.whole_first([run for run in runs.runs(folder) if run.checkpoint is not None])


def make_run_request(document: Document, planned: NextTraining) -> DeferredRunRequest:
    """A request to be trained at once: it makes the run's folder. WorkbenchError if too little is labelled to learn
    from.
    """
    check(document, planned)
    anchors = planned.anchors if planned.recorded else document.anchors()
    folder = runs.new_folder(document.runs_folder, planned.recipe.detector)
    return DeferredRunRequest(document.folder, folder, planned.recipe, anchors, planned.start)


def check(document: Document, planned: NextTraining) -> None:
    """WorkbenchError if too little is labelled to learn from."""
    images, training = document.images(), planned.recipe.training
    learns = images.in_split(Split.NONE) | images.in_split(Split.TRAIN)
    number = sum(int((images.in_state(state) & learns).sum()) for state in training.used_states())
    if number >= FEWEST:
        return
    states = {"done": "done", "verified": "verified", "in work": "in work or done"}[training.states]
    there = "No image is" if not number else "Only 1 image is"
    raise WorkbenchError(
        f"{there} {states}, too few to train on. Label more and mark them as done (N), at least {FEWEST}."
    )
