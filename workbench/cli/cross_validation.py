"""`train --folds`: one training after the other, each judged by another part of the images."""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.cli.options import project_of
from workbench.console import command_line, say
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.core.project import AnchorSet, Snapshot
    from workbench.training.recipes import Recipe

_KEPT = ("project", "anchors", "as_json", "json_events", "tensorboard")
"""Of what is given to `train`, what a resumed run takes, too: its settings are its own."""


@dataclass(frozen=True, slots=True, eq=False)
class ProjectData:
    """What the trainings of a command learn from: the project as it was at `time`, in seconds since 1970."""

    runs_folder: Path
    snapshot: Snapshot
    anchors: AnchorSet | None
    time: float


def read_project(folder: Path) -> ProjectData:
    """The data of the project in `folder` now. Read it once: labels may be edited while one fold after the other is
    trained, and then they would not be of the same data.
    """
    begun = time.time()
    with project_of(folder) as document:
        return ProjectData(document.runs_folder, document.snapshot(), document.anchors(), begun)


@dataclass(frozen=True, slots=True)
class Asked:
    """A training: what is given to `train`; of a cross-validation also its fold and the name of its run."""

    given: dict[str, Any]
    fold: int = 0
    run: str = ""


def of_each(
    given: dict[str, Any], recipe_of: Callable[[dict[str, Any]], tuple[Recipe, Path | None]],
    read: Callable[[], ProjectData], *, quiet: bool,
) -> list[Asked]:  # fmt: skip
    """The trainings that are asked for: of a cross-validation those of its folds that are not trained to the end.

    WorkbenchError if one of them can't be trained, before the first takes hours. Unless `quiet`, names what is there.
    """
    from workbench.training import folds, prepare

    if given["resume"] is not None:
        return [Asked(given)]
    recipe, start = recipe_of(given)
    runs_folder, snapshot = read().runs_folder, read().snapshot
    each = folds.of_each(recipe, given["name"] or "", runs_folder)
    if not recipe.training.folds:
        return [Asked(given)]
    for _, one in each:
        prepare.select_images(snapshot, one.training)
    asked = [_going_on(given, one, runs_folder / name, snapshot, start) for name, one in each]
    left = [one for one in asked if one is not None]
    if not left:
        name, judge = folds.base_name(each[0][0]), _judging(given["project"], each[0][0])
        raise WorkbenchError(
            f"{name} is trained already. Choose another --name to train it anew, or judge all: {judge}"
        )
    if len(left) < len(each):
        say(f"{len(each) - len(left)} of {len(each)} folds are trained already.", quiet=quiet)
    if any(one.given["resume"] is None for one in left):
        change = _change(runs_folder, [name for name, _ in each], snapshot)
        say(change, quiet=quiet or not change)
    return left


def _change(runs_folder: Path, names: Sequence[str], snapshot: Snapshot) -> str:
    """A sentence if runs of these names learnt from other data than the `snapshot` for the rest of the folds."""
    from workbench.core.formatting import named
    from workbench.training.records import runs

    there = [runs.info(runs_folder / name) for name in names if (runs_folder / name / runs.EVENTS).is_file()]
    others = [run.name for run in there if run.digest != snapshot.digest]
    if not others:
        return ""
    advice = "Choose another --name to train all folds on what is there now."
    return f"Images, splits or labels were changed since {named(others)} began. {advice}"


def _going_on(
    given: dict[str, Any], recipe: Recipe, folder: Path, snapshot: Snapshot, start: Path | None
) -> Asked | None:  # fmt: skip
    """The training of a fold, or the rest of it if its run in `folder` had begun; None if that is finished.

    WorkbenchError if there is a run of that name that can't become it.
    """
    from workbench.training.records import runs

    fold = recipe.training.fold
    if not (folder / runs.EVENTS).is_file():
        return Asked({**given, "fold": fold, "name": folder.name}, fold, folder.name)
    run = runs.info(folder)
    if other := _difference(folder, recipe, snapshot, start):
        raise WorkbenchError(f"There is a run called '{run.name}' with {other}. Choose another --name.")
    if run.state == "finished":
        return None
    if run.is_running:
        raise WorkbenchError(f"The run '{run.name}' is being trained. Wait until it has ended, then go on.")
    if not run.resumable:
        raise WorkbenchError(f"There is a run called '{run.name}', which is {run.state}. Choose another --name.")
    rest = {**dict.fromkeys(given), **{name: given[name] for name in _KEPT}, "resume": run.name}
    return Asked(rest, fold, run.name)


def _difference(folder: Path, recipe: Recipe, snapshot: Snapshot, start: Path | None) -> str:
    """What the run in `folder` was asked for otherwise than with this recipe and these weights, but for the machine's
    settings; "" if nothing.
    """
    from workbench.training import differences, folds, recipes
    from workbench.training.records import runs
    from workbench.training.request import RunRequest

    asked, there = (
        RunRequest(folder, snapshot, recipe, start=start).as_its_authors().recipe,
        recipes.read(folder / runs.RECIPE),
    )
    machine = {name: getattr(asked.training, name) for name in folds.MACHINE}
    network = asked.detector_settings.resolved(tuple(label.name for label in snapshot.labels))
    begun = runs.began_from(folder)
    if (asked.detector, start and start.resolve()) != (there.detector, begun and begun.resolve()):
        return "another detector or other weights to begin with"
    then = dataclasses.replace(there.training, **machine)
    if (network, asked.training) == (there.detector_settings, then):
        return ""
    found = (*differences.between(there.detector_settings, network), *differences.between(then, asked.training))
    return f"other settings ({', '.join(one.words for one in found[: differences.NAMED])})"


def run_each(wanted: Sequence[Asked], train: Callable[[dict[str, Any]], int | None], *, quiet: bool) -> int | None:
    """Train one after the other, until one does not end by itself; the exit code. Unless `quiet`, says what next."""
    code = None
    for index, one in enumerate(wanted):
        try:
            code = train(one.given)
        except (WorkbenchError, KeyboardInterrupt):
            _say_what_next(wanted[0], wanted[index:], quiet=quiet)
            raise
        if code:
            _say_what_next(wanted[0], wanted[index:], quiet=quiet)
            return code
    _say_what_next(wanted[0], (), quiet=quiet)
    return code


def one_of(recipe: Recipe) -> str:
    """What an estimate must say of a cross-validation, else ""."""
    number = recipe.training.folds
    return f"This is for one of {number} folds, which are trained one after the other." if number else ""


def export_note(folder: Path) -> str:
    """What to know before the run in `folder` is used if it is of a cross-validation, else ""."""
    from workbench.training.records import runs

    run = runs.info(folder)
    if not run.folds:
        return ""
    parts = f"{run.folds - 1} of {run.folds} parts of the images"
    return f"{run.name} is of a cross-validation and has learnt from {parts}. Train once more without folds to use all."


def _say_what_next(first: Asked, left: Sequence[Asked], *, quiet: bool) -> None:
    """After a cross-validation that began with the training `first`; `left`: those that did not end by themselves."""
    from workbench.training import folds

    if not first.run:
        return
    if not left:
        say(f"Judge all images: {_judging(first.given['project'], first.run)}", quiet=quiet)
        return
    which = f"fold {left[0].fold}" if len(left) == 1 else f"folds {', '.join(str(one.fold) for one in left)}"
    name = shlex.quote(folds.base_name(first.run))
    say(f"Not trained to the end: {which}. The same command with --name {name} goes on with that.", quiet=quiet)


def _judging(project: Path, run: str) -> str:
    return command_line("evaluate", project, "--run", run, "--split", "folds")
