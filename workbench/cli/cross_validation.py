"""`train --folds`: one training after the other, each judged by another part of the images."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from workbench.cli.options import project_of
from workbench.console import say

if TYPE_CHECKING:
    from workbench.training.recipes import Recipe


def of_each(given: dict[str, Any], recipe_of: Callable[[dict[str, Any]], tuple[Recipe, Any]]) -> list[dict[str, Any]]:
    """What is given to `train`, for each training that it asks for: of a cross-validation with fold and name."""
    from workbench.training import folds

    if given["resume"] is not None:
        return [given]
    with project_of(given["project"]) as document:
        each = folds.of_each(recipe_of(given)[0], given["name"] or "", document.runs_folder)
    return [{**given, "fold": one.training.fold or None, "name": name or None} for name, one in each]


def run_each(
    wanted: Sequence[dict[str, Any]], train: Callable[[dict[str, Any]], int | None], quiet: bool
) -> int | None:  # fmt: skip
    """Train one after the other, until one does not end by itself; the exit code. Unless `quiet`, says what next."""
    code = None
    for index, one in enumerate(wanted):
        code = train(one)
        if len(wanted) > 1 and (code or one is wanted[-1]):
            _say_what_next(wanted[0], [other["fold"] for other in wanted[index + 1 :]], quiet=quiet)
        if code:
            break
    return code


def one_of(recipe: Recipe) -> str:
    """What an estimate must say of a cross-validation, else ""."""
    number = recipe.training.folds
    return f"This is for one of {number} folds, which are trained one after the other." if number else ""


def _say_what_next(first: dict[str, Any], left: Sequence[int], *, quiet: bool) -> None:
    """After a cross-validation that began with the training `first`; `left`: folds that it did not reach."""
    from workbench.training import folds

    if left:
        which = f"Fold {left[0]} is" if len(left) == 1 else f"Folds {', '.join(map(str, left))} are"
        name = shlex.quote(folds.base_name(first["name"]))
        how = f"the same command does that with --name {name} --fold {left[0]}, and so on."
        say(f"{which} not trained yet: {how}", quiet=quiet)
    command = ["workbench", "evaluate", str(first["project"]), "--run", first["name"], "--split", "folds"]
    say(f"Judge all images: {shlex.join(command)}", quiet=quiet)
