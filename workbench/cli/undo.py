"""The command that undoes and redoes the changes of a project."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.options import Json, Project, app, project_of
from workbench.console import print_result, print_table
from workbench.core.storage import history
from workbench.errors import WorkbenchError

LISTED = 20  # changes


@app.command()
def undo(
    project: Project,
    steps: Annotated[int, typer.Option("--steps", help="How many changes.", min=1)] = 1,
    redo: Annotated[bool, typer.Option("--redo", help="Do again what was undone last.")] = False,
    show: Annotated[
        bool, typer.Option("--list", help=f"List the newest {LISTED} changes, without changing anything.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Undo the newest change of a project, whether a command or the window made it."""
    if show:
        _list(project, as_json=as_json)
        return
    titles: list[str] = []
    with project_of(project, write=True) as document:
        while len(titles) < steps and (applied := document.redo() if redo else document.undo()):
            titles.append(applied.title)
    if not titles:
        raise WorkbenchError(f"There is nothing to {'redo' if redo else 'undo'}.")
    name = "redone" if redo else "undone"
    if as_json:
        print_result({name: titles}, as_json=True)
        return
    for title in titles:
        print_result({name: title}, as_json=False)


def _list(project: Path, *, as_json: bool) -> None:
    with project_of(project) as document:
        found = history.of_project(document, LISTED)
    if as_json:
        changes = [{"change": one.title, "time": one.time, "undone": one.undone} for one in found]
        print_result({"changes": changes}, as_json=True)
        return
    rows = [
        [one.title, f"{datetime.fromtimestamp(one.time):%Y-%m-%d %H:%M}", "undone" if one.undone else ""]
        for one in found
    ]
    print_table(["change, newest first", "when", "state"], [list(row) for row in rows])
