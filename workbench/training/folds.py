"""Cross-validation: the runs of one recipe that differ in the fold that judges them. No torch here.

Each image but those of the test split is in one fold (hold_out.in_fold), so together the runs judge every image by one
that has not learnt from it: its AP is measured on all images, and its mistakes are not those that it learnt by heart.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.core.files import safe_name
from workbench.errors import WorkbenchError
from workbench.training import run_recipe, runs
from workbench.training.recipes import Recipe
from workbench.training.runs import RECIPE, RunInfo

APART = (
    "fold", "epochs", "least_steps", "patience", "device", "processes", "precision", "compile", "keep_images", "threads"
)  # fmt: skip
"""Settings in which the runs of a cross-validation may differ: their fold, those that extending a run changes, and the
machine's.
"""


_FOLD = "-fold-"


def of_each(recipe: Recipe) -> tuple[Recipe, ...]:
    """The recipes to be trained one after the other: of each fold if `fold` is 0, else the recipe alone."""
    training = recipe.training
    if not training.folds or training.fold:
        return (recipe,)
    return tuple(replace(recipe, training=replace(training, fold=1 + k)) for k in range(training.folds))


def name_of(name: str, recipe: Recipe) -> str:
    """The name of the fold's run in the cross-validation called `name`."""
    return safe_name(f"{name}{_FOLD}{recipe.training.fold or 1}")


def base_name(run: str) -> str:
    """The inverse of name_of()."""
    return run.rpartition(_FOLD)[0] or run


def free_name(folder: Path, detector: str) -> str:
    """A name for a cross-validation that no run in a project's folder `runs` has, such as yolov4-tiny-3."""
    taken = [entry.name.casefold() for entry in folder.iterdir()] if folder.is_dir() else []
    base = safe_name(detector, "run")
    for number in itertools.count(1):
        name = f"{base}-{number}".casefold()
        if not any(one == name or one.startswith(f"{name}{_FOLD}") for one in taken):
            break
    return f"{base}-{number}"


def siblings(folder: Path) -> dict[int, RunInfo]:
    """The runs of the cross-validation to which the run in `folder` belongs, by fold: the newest that has weights.

    WorkbenchError if it is not of one. They are known by their recipe: all but APART is the same, and the weights that
    they started from.
    """
    run = runs.info(folder)
    if not run.folds:
        raise WorkbenchError(
            f"{folder.name} is not one of a cross-validation. Train one for each part of the images, with the setting"
            " Folds (workbench train PROJECT --folds 5)."
        )
    own = _series(run)
    found: dict[int, RunInfo] = {}
    for other in runs.runs(folder.parent):  # newest first
        if other.checkpoint is not None and not other.is_running and other.folds == run.folds and _series(other) == own:
            found.setdefault(other.fold, other)
    return dict(sorted(found.items()))


def _series(run: RunInfo) -> Any:
    """What the runs of a cross-validation have in common."""
    tables = run_recipe.tables(run.folder / RECIPE)
    training = {name: value for name, value in tables["training"].items() if name not in APART}
    return tables.get("detector"), tables.get("detector_settings"), training, runs.began_from(run.folder)
