"""The runs command: list, rename, note, delete, restore and extend trained runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.options import Json, Project, app, project_of, run_of
from workbench.console import command_line, print_result, print_table, say
from workbench.core.formatting import count, one_line, share
from workbench.errors import Misused, WorkbenchError

if TYPE_CHECKING:
    from workbench.training.records.runs import RunInfo


@app.command(name="runs")
def list_runs(
    project: Project,
    rename: Annotated[tuple[str, str] | None, typer.Option("--rename", metavar="RUN NAME", help="Rename RUN.")] = None,
    note: Annotated[
        tuple[str, str] | None,
        typer.Option("--note", metavar="RUN TEXT", help="Keep TEXT as the note on RUN; '' removes it."),
    ] = None,
    delete: Annotated[
        list[str] | None,
        typer.Option("--delete", metavar="RUN", help="Move RUN to the trash, for 30 days; may be repeated."),
    ] = None,
    restore: Annotated[
        str | None,
        typer.Option("--restore", metavar="RUN", help="Restore RUN from the trash (the newest of that name)."),
    ] = None,
    empty_trash: Annotated[
        bool, typer.Option("--empty-trash", help="Delete everything in the trash for good.")
    ] = False,
    extend: Annotated[
        tuple[str, int] | None,
        typer.Option(
            "--extend",
            metavar="RUN EPOCHS",
            help="Make a run that continues the finished RUN for EPOCHS more; RUN itself is not changed. Its"
            " learning rate is that of a run of the total length.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the runs of a project, newest first, or change one."""
    actions: list[Callable[[Path], dict[str, Any]]] = []
    if rename is not None:
        actions.append(lambda folder: _rename(folder, *rename))
    if note is not None:
        actions.append(lambda folder: _note(folder, *note))
    if delete:
        actions.append(lambda folder: _delete(folder, delete))
    if restore is not None:
        actions.append(lambda folder: _restore(folder, restore))
    if empty_trash:
        actions.append(_empty)
    if extend is not None:
        actions.append(lambda folder: _extend(folder, *extend))
    if len(actions) > 1:
        raise Misused("Use only one of the options that change runs at a time.")
    with project_of(project) as document:
        folder = document.runs_folder
    if actions:
        done = actions[0](folder)
        print_result(done, as_json=as_json)
        if extend is not None:
            command = command_line("train", project, "--resume", str(done["run"]))
            say(f"Train it with: {command}", quiet=as_json)
        return
    _list(folder, as_json)


def _list(folder: Path, as_json: bool) -> None:
    from workbench.training.records import run_actions, runs

    found = runs.runs(folder)
    if as_json:
        print_result({"runs": [_values(run) for run in found]}, as_json=True)
        return
    if found:
        titles = ["run", "detector", "state", "epochs", "AP50", "AP", "data", "started"]
        noted = any(run.note for run in found)
        print_table([*titles, "note"] if noted else titles, [_row(run)[: None if noted else -1] for run in found])
    else:
        say("No run yet. Train one: workbench train PROJECT")
    deleted = run_actions.deleted_runs(folder)
    if deleted:
        say(f"{count(len(deleted), 'run')} in the trash ({', '.join(one.name for one in deleted[:5])}).")


def _values(run: RunInfo) -> dict[str, Any]:
    numbers = {"best_ap50": run.best_ap50, "best_ap": run.best_ap}
    return {
        "run": run.name, "detector": run.detector, "state": run.state, "epoch": run.epoch, "epochs": run.epochs,
        **{name: None if math.isnan(value) else value for name, value in numbers.items()},
        "data": run.digest, "images": run.images, "validation_images": run.validation_images,
        "fold": run.fold, "folds": run.folds, "started": run.started, "note": run.note, "folder": str(run.folder),
        "checkpoint": str(run.checkpoint) if run.checkpoint else None,
    }  # fmt: skip


def _row(run: RunInfo) -> list[Any]:
    from workbench.training.records import runs

    numbers = (None if math.isnan(value) else share(value) for value in (run.best_ap50, run.best_ap))
    return [
        run.name, run.detector, run.state, f"{run.epoch}/{run.epochs}", *numbers, run.digest[:7] or None,
        runs.format_time(run.started)[:10] or None, one_line(run.note),
    ]  # fmt: skip


def _rename(folder: Path, run: str, name: str) -> dict[str, Any]:
    from workbench.training.records import run_actions

    moved = run_actions.rename(run_of(folder, run), name)
    return {"run": moved.name, "folder": str(moved)}


def _note(folder: Path, run: str, text: str) -> dict[str, Any]:
    from workbench.training.records import run_actions, runs

    run_actions.write_note(run_of(folder, run), text)
    return {"run": run, "note": runs.note(folder / run)}


def _delete(folder: Path, names: list[str]) -> dict[str, Any]:
    from workbench.training.records import run_actions

    found = [run_of(folder, name) for name in dict.fromkeys(names)]  # if one name is wrong, none is deleted
    for run in found:
        run_actions.delete(run)
    run_actions.empty_trash(folder)
    return {"deleted": [run.name for run in found], "in_the_trash": len(found), "kept_days": run_actions.KEPT_DAYS}


def _restore(folder: Path, name: str) -> dict[str, Any]:
    from workbench.training.records import run_actions

    there = run_actions.deleted_runs(folder)
    chosen = next((one for one in there if one.name == name), None)
    if chosen is None:
        names = f"There are: {', '.join(dict.fromkeys(one.name for one in there))}." if there else "It is empty."
        raise WorkbenchError(f"There is no run called '{name}' in the trash. {names}")
    back = run_actions.restore(chosen)
    return {"run": back.name, "folder": str(back)}


def _empty(folder: Path) -> dict[str, Any]:
    from workbench.training.records import run_actions

    there = run_actions.deleted_runs(folder)
    size = sum(map(run_actions.size_of, there))
    run_actions.empty_trash(folder, 0)
    return {"deleted": len(there), "megabytes": round(size / 1e6, 1)}


def _extend(folder: Path, run: str, epochs: int) -> dict[str, Any]:
    from workbench.training.records import extension, runs

    if epochs < 1:
        raise Misused(f"--extend takes a number of epochs of at least 1, not {epochs}.")
    longer = extension.extend(run_of(folder, run), epochs)
    return {"run": longer.name, "epochs": runs.info(folder / run).epoch + epochs, "folder": str(longer)}
