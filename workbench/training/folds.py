"""Cross-validation: the runs of one recipe that differ in the fold that judges them. No torch here.

Each image but those of the test split is in one fold (hold_out.in_fold), so together the runs judge every image by one
that has not learnt from it: its AP is measured on all images, and its mistakes are not those that it learnt by heart.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.core.files import safe_name
from workbench.errors import WorkbenchError
from workbench.training.recipes import Recipe
from workbench.training.records import run_recipe, runs
from workbench.training.records.record import DATA
from workbench.training.records.runs import RECIPE, RunInfo

MACHINE = ("fold", "device", "processes", "precision", "compile", "keep_images", "threads")
"""Settings in which the runs of a cross-validation may differ."""
_LENGTH = ("epochs", "least_steps", "patience")
"""Also these, which extending a run changes, if they are called alike."""
_FOLD = "-fold-"


def of_each(recipe: Recipe, name: str, runs_folder: Path, taken: Collection[str] = ()) -> list[tuple[str, Recipe]]:
    """The trainings to be made one after the other, with their runs' names: each fold if `fold` is 0, else this alone.

    `name` "" is a free one; `taken` are names of trainings to come. WorkbenchError for a fold of nothing.
    """
    training = recipe.training
    if not training.folds:
        if training.fold:
            raise WorkbenchError("A fold is one of several. Say of how many, such as Folds 5 (--folds 5).")
        return [(name, recipe)]
    numbers = [training.fold] if training.fold else range(1, training.folds + 1)
    each = [replace(recipe, training=replace(training, fold=number)) for number in numbers]
    name = name or _free_name(runs_folder, recipe.detector, taken)
    return [(_name_of(name, one), one) for one in each]


def without(recipe: Recipe) -> Recipe:
    """For a training that is to be used: that of one fold leaves out a part of the images."""
    return replace(recipe, training=replace(recipe.training, folds=0, fold=0))


def whole_first(found: Sequence[RunInfo]) -> RunInfo | None:
    """The first that has learnt from all images; else the first. None of none."""
    return next((run for run in found if not run.folds), next(iter(found), None))


def _name_of(name: str, recipe: Recipe) -> str:
    """The name of the fold's run in the cross-validation called `name`, of which a long one is cut."""
    end = f"{_FOLD}{recipe.training.fold}"
    name = safe_name(name).removesuffix(end)
    while not safe_name(f"{name}{end}").endswith(end):
        name = name[:-1]
    return safe_name(f"{name}{end}")


def base_name(run: str) -> str:
    """What the names of a cross-validation's runs have in common, also of what extending one, or taking it back, puts
    behind its name.
    """
    found = re.fullmatch(rf"(.+){_FOLD}[0-9]+(-.*)?", run)
    return found[1] if found else run


def _free_name(runs_folder: Path, detector: str, taken: Collection[str]) -> str:
    """A name for a cross-validation that nothing has, such as yolov4-tiny-3."""
    there = [entry.name for entry in runs_folder.iterdir()] if runs_folder.is_dir() else []
    known = [name.casefold() for name in (*there, *runs.known_by(runs_folder), *taken)]
    base = safe_name(detector, "run")
    for number in itertools.count(1):
        name = f"{base}-{number}".casefold()
        if not any(one == name or one.startswith(f"{name}{_FOLD}") for one in known):
            break
    return f"{base}-{number}"


def begun_run(folder: Path, number: int) -> Path | None:
    """The folder of a run of the cross-validation with this number of folds to which a run in `folder` is to belong:
    its record has the data for the others. None if none has begun.

    They are those called like it now, as these names were free before. By a former name it would be an earlier one,
    which has learnt from other data.
    """
    called = re.compile(rf"{re.escape(base_name(folder.name))}{_FOLD}[0-9]+", re.IGNORECASE)
    for entry in sorted(folder.parent.iterdir()) if folder.parent.is_dir() else ():
        is_begun = called.fullmatch(entry.name) is not None and (entry / DATA).is_file()
        if is_begun and run_recipe.fold(run_recipe.tables(entry / RECIPE))[1] == number:
            return entry
    return None


def siblings(folder: Path) -> dict[int, RunInfo]:
    """The runs of the cross-validation to which the run in `folder` belongs, by fold: the newest that has weights.

    WorkbenchError if it is not of one. They have the same recipe, but for their fold and the machine's settings, and
    started from the same weights. What is trained anew after corrections has that, too: so their names (base_name(),
    also former ones) are the same as well, or else their length and their data.
    """
    run = runs.info(folder)
    if not run.folds:
        raise WorkbenchError(
            f"{folder.name} is not one of a cross-validation. Train one for each part of the images, with the setting"
            " Folds (workbench train PROJECT --folds 5)."
        )
    ranked: dict[int, dict[int, RunInfo]] = {0: {}, 1: {}, 2: {}}
    for other in runs.runs(folder.parent):  # newest first
        if other.checkpoint is not None and not other.is_running and (rank := _kinship(run, other)) is not None:
            ranked[rank].setdefault(other.fold, other)
    return dict(sorted((ranked[2] | ranked[1] | ranked[0]).items()))


def _kinship(run: RunInfo, other: RunInfo) -> int | None:
    """How sure it is that both are of one cross-validation: by name 0, by a former name 1, by data 2; None: they
    are not.
    """
    without = MACHINE + _LENGTH
    if other.folds != run.folds or _recipe(other, without) != _recipe(run, without):
        return None
    if base_name(other.name).casefold() == base_name(run.name).casefold():
        return 0
    if not _names(run).isdisjoint(_names(other)):
        return 1
    return 2 if other.digest == run.digest and _recipe(other, MACHINE) == _recipe(run, MACHINE) else None


def refuse_same(one: Path, other: Path) -> None:
    """WorkbenchError if the runs in both folders are of the same cross-validation, or one is of none: comparing all
    folds would compare runs with themselves.
    """
    first, second = ({run.folder for run in siblings(folder).values()} for folder in (one, other))
    if first == second:
        raise WorkbenchError(
            f"{one.name} and {other.name} are of the same cross-validation. Compare it with a run of another one."
        )


def _names(run: RunInfo) -> set[str]:
    """What the run's cross-validation is or was called."""
    return {base_name(name).casefold() for name in (run.name, *runs.former_names(run.folder))}


def _recipe(run: RunInfo, without: Sequence[str]) -> Any:
    """The run's recipe without these settings of the training, and what it started from."""
    tables = run_recipe.tables(run.folder / RECIPE)
    training = {name: value for name, value in tables["training"].items() if name not in without}
    return tables.get("detector"), tables.get("detector_settings"), training, runs.began_from(run.folder)
